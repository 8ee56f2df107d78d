"""Spark job performance, by what drivers really expose (Spark 3.5 and 4.x).

Two pages of a driver feed it: /metrics/executors/prometheus/ (per executor, with the application's name) and
/metrics/prometheus/ (the driver's own). Names on the second begin with spark.metrics.namespace or with the
application's id and bear no application's label, so they are matched by a pattern and joined by `instance`.
"""

from grafana import RED, YELLOW, Board, Row, graph, stat

EXECUTOR = 'namespace=~"$namespace", application_name=~"$application", executor_id!="driver"'
BY = "sum by (namespace, application_name)"
APPLICATION = "{{namespace}}/{{application_name}}"
STATIC = "no dynamic allocation"  # what it means that there are none of its metrics
APP_STATUS = "needs Spark 4, or spark.metrics.appStatusSource.enabled"


def driver(metric, aggregation="sum"):
    """A gauge of the driver's page, with the application's name from its other page.

    No rate() here: where ids are in the names, two runs at one address would be one series twice."""
    return (f'{aggregation} by (namespace, application_name) (max by (namespace, instance) '
            f'({{__name__=~"metrics_.+_driver_{metric}", namespace=~"$namespace"}}) '
            f"* on (namespace, instance) group_left (application_name) group by (namespace, instance, application_name) "
            f'(metrics_executor_maxTasks{{application_name=~"$application", executor_id="driver"}}))')


def executor(metric, more=""):
    return f"metrics_executor_{metric}{{{EXECUTOR}{more}}}"


def rate(metric):
    return f"rate({executor(metric)}[$__rate_interval])"


def allocation(metric):
    return driver(f"ExecutorAllocationManager_executors_{metric}_Value")


def board():
    return Board(
        "stoker-spark", "Stoker / Spark job performance",
        "Spark applications by what their drivers expose, 3.5 and 4.x: executors, slots, pending work, memory, GC, "
        "shuffle, completion. Runs of one name that overlap are added up.",
        [("namespace", "Namespace", "label_values(metrics_executor_maxTasks, namespace)"),
         ("application", "Application",
          'label_values(metrics_executor_maxTasks{namespace=~"$namespace"}, application_name)')],
        [now(), demand(), tasks(), memory(), data(), completion()], tags=("spark",))


def now():
    return Row("Now", [
        stat("Applications", "Drivers that Prometheus can scrape.", "none",
             'count(count by (namespace, application_id) (metrics_executor_maxTasks{namespace=~"$namespace", '
             'application_name=~"$application"}))'),
        stat("Executors", "Executors that run, without the drivers.", "none", f"count({executor('totalCores')})"),
        stat("Executors that could be used", "What Spark itself says it needs: tasks that run or wait, over the tasks "
             "of an executor. With dynamic allocation only.", "none", f"sum({allocation('numberMaxNeededExecutors')})",
             nothing=STATIC),
        stat("Slots", "Tasks that can run at a time.", "none", f"sum({executor('maxTasks')})"),
        stat("Tasks that run", "On all executors.", "none", f"sum({executor('activeTasks')})"),
        stat("Failed tasks", "Over the chosen time, on executors that are still scraped.", "none",
             f"round(sum(increase({executor('failedTasks_total')}[$__range])))", thresholds=[(1, YELLOW), (100, RED)]),
    ])


def demand():
    return Row("Executors: what is needed, and what is there", [
        graph("Executors over time", "running: registered with the driver. target: what Spark has asked the cluster "
              "for. needed: what its tasks could use, before its own maximum. target and needed exist with dynamic "
              "allocation only.", "none",
              (f"count by (namespace, application_name) ({executor('totalCores')})", f"{APPLICATION} running"),
              (allocation("numberTargetExecutors"), f"{APPLICATION} target"),
              (allocation("numberMaxNeededExecutors"), f"{APPLICATION} needed"), width=10),
        graph("Executors missing", "Needed less there. Stays above 0 while the cluster has no room, or while Spark's "
              "maximum is below the need.", "none",
              (f"clamp_min({allocation('numberMaxNeededExecutors')} - {allocation('numberAllExecutors')}, 0)",
               APPLICATION), width=6, nothing=STATIC, boards=[("Is there room?", "stoker-capacity")]),
        graph("Needed, as Stoker reads it", "Readings of Stoker's signals of type spark, whether they ask the drivers "
              "or Prometheus.", "none",
              ('max by (policy, signal) (stoker_signal_value{type="spark"})', "{{policy}}: {{signal}}"), width=8,
              nothing="no signal of type spark", boards=[("What Stoker makes of it", "stoker-overview")],
              links=[("The signal spark", "reference/signals/spark.md")]),
        graph("Executors on the way out", "That decommission, and that are about to be removed.", "none",
              (allocation("numberDecommissioningExecutors"), f"{APPLICATION} decommissioning"),
              (allocation("numberExecutorsPendingToRemove"), f"{APPLICATION} to be removed"), width=12, height=6,
              nothing=STATIC),
        graph("Executors lost unexpectedly", "Since the application started: exited without being asked to, as when "
              "spot nodes go or memory runs out.", "none",
              (driver("ExecutorAllocationManager_executors_numberExecutorsExitedUnexpectedly_Count"), APPLICATION),
              width=12, height=6, thresholds=[(1, YELLOW)], nothing=STATIC),
    ])


def tasks():
    return Row("Slots and tasks", [
        graph("Slots and tasks that run", "Slots that stand empty cost as much as busy ones.", "none",
              (f"{BY} ({executor('maxTasks')})", f"{APPLICATION} slots"),
              (f"{BY} ({executor('activeTasks')})", f"{APPLICATION} running")),
        graph("Slots in use", "Tasks that run, over slots.", "percentunit",
              (f"{BY} ({executor('activeTasks')}) / ({BY} ({executor('maxTasks')}) > 0)", APPLICATION), maximum=1),
        graph("Tasks finished", "A second, by how they ended.", "ops",
              (f"{BY} ({rate('completedTasks_total')})", f"{APPLICATION} completed"),
              (f"{BY} ({rate('failedTasks_total')})", f"{APPLICATION} failed")),
    ])


def memory():
    application = "max by (namespace, application_name)"
    return Row("Memory and garbage collection", [
        graph("Memory of caches", "Used and available for cached blocks, on heap and off.", "bytes",
              (f"{BY} ({executor('memoryUsed_bytes')})", f"{APPLICATION} used"),
              (f"{BY} ({executor('maxMemory_bytes')})", f"{APPLICATION} available")),
        graph("Highest heap of an executor", "The highest that any executor's JVM heap has been. Spark reports peaks "
              "with the first heartbeats and at the ends of tasks, so it is missing or 0 for a young executor.", "bytes",
              (f"{application} ({executor('JVMHeapMemory_bytes')})", f"{APPLICATION} heap"),
              (f"{application} ({executor('OnHeapExecutionMemory_bytes')})", f"{APPLICATION} of it: execution"),
              (f"{application} ({executor('OnHeapStorageMemory_bytes')})", f"{APPLICATION} of it: storage")),
        graph("Share of time in garbage collection", "Of the time that tasks run. Above a tenth, executors are short "
              "of heap.", "percentunit",
              (f"{BY} ({rate('totalGCTime_seconds_total')}) / ({BY} ({rate('totalDuration_seconds_total')}) > 0)",
               APPLICATION), thresholds=[(0.1, YELLOW), (0.2, RED)],
              links=[("How executors are sized", "explanation/sizing.md")]),
    ])


def data():
    return Row("Data", [
        graph("Read", "Input of tasks.", "Bps", (f"{BY} ({rate('totalInputBytes_bytes_total')})", APPLICATION)),
        graph("Shuffle", "Bytes a second that tasks read from and write for other stages.", "Bps",
              (f"{BY} ({rate('totalShuffleRead_bytes_total')})", f"{APPLICATION} read"),
              (f"{BY} ({rate('totalShuffleWrite_bytes_total')})", f"{APPLICATION} written")),
        graph("Disk of caches", "Cached blocks on disk. Shuffle files and spills are not in it; Spark does not tell "
              "them here.", "bytes", (f"{BY} ({executor('diskUsed_bytes')})", APPLICATION)),
    ])


def completion():
    return Row("Completion", [
        graph("Jobs and stages", "Jobs that run, stages that run and stages that wait for them.", "none",
              (driver("DAGScheduler_job_activeJobs_Value"), f"{APPLICATION} jobs"),
              (driver("DAGScheduler_stage_runningStages_Value"), f"{APPLICATION} stages running"),
              (driver("DAGScheduler_stage_waitingStages_Value"), f"{APPLICATION} stages waiting")),
        graph("Jobs finished", "Since the application started. Spark 4.x; in 3.5 with "
              "spark.metrics.appStatusSource.enabled=true.", "none",
              (driver("appStatus_jobs_succeededJobs_Count"), f"{APPLICATION} succeeded"),
              (driver("appStatus_jobs_failedJobs_Count"), f"{APPLICATION} failed"), since="4",
              nothing=APP_STATUS),
        graph("Duration of the last job", "Spark 4.x; in 3.5 with spark.metrics.appStatusSource.enabled=true.", "ms",
              (driver("appStatus_jobDuration_Value", "max"), APPLICATION), since="4", nothing=APP_STATUS),
    ])
