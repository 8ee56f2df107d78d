"""The Spark dashboard on real Spark: what its panels ask for, real drivers serve, and their recorded pages are what they still serve."""

import glob
import re
import sys
import time

from programs import CHANGE, HERE, wait_for

sys.path.insert(0, f"{HERE}/../../../dashboards")

import boards.spark  # noqa: E402
import queries  # noqa: E402
import recorded  # noqa: E402

JOBS = {"spark.metrics.appStatusSource.enabled": "true"}  # what panels of finished jobs want of Spark 3.5
ALLOCATION = "ExecutorAllocationManager"  # a query with it has no data without dynamic allocation, as its panel says
# Queries that may say 0 all the time; each of the others must once say more.
ZERO = {
    "numberDecommissioningExecutors": "no node goes",
    "numberExecutorsPendingToRemove": "an executor goes at once",
    "numberExecutorsExitedUnexpectedly": "none does",
    "failedJobs": "none does",
    "OnHeapExecutionMemory": "tasks in Python take none of it",
    "totalGCTime": "these executors may end before they collect garbage",
}


def seen_waiting(prometheus, applications):
    """Whether each application's stage that waits for another was scraped."""
    waiting = 'count({__name__=~"metrics_.+_waitingStages_Value"} > 0)'
    return wait_for(lambda: prometheus.value(waiting) == len(applications), CHANGE)


def show(checks, prometheus, applications):
    """Each query of each panel and variable, for each application."""
    board = boards.spark.board()
    end = time.monotonic() + CHANGE
    for application in applications:
        values = {"namespace": "data", "application": application.name, "__range": "10m"}
        for panel in board.panels():
            found = (problem(prometheus, queries.fill(query.expr, values), panel.kind == "stat", application.dynamic, end)
                     for query in panel.queries)
            checks.tell(f"{application.name}: panel '{panel.title}'", "; ".join(filter(None, found)))
        for name, _, query in board.variables:
            offered, error = prometheus.offered(query, values)
            checks.tell(f"{application.name}: variable {name}", "" if values[name] in offered else error or str(offered))


def problem(prometheus, expression, instant, dynamic, end):
    def numbers():
        return prometheus.numbers(expression, instant)[0]

    if ALLOCATION in expression and not dynamic:
        return f"data without dynamic allocation: {expression}" if numbers() else ""
    enough = bool if any(metric in expression for metric in ZERO) else any
    if wait_for(lambda: enough(numbers()), end - time.monotonic()):
        return ""
    found, error = prometheus.numbers(expression, instant)
    return f"never more than 0: {expression}" if found else error


def still_named(checks, prometheus, applications):
    """Each metric on the recorded pages, by the Spark of that major version."""
    for version in sorted({application.version for application in applications}):
        pages = glob.glob(f"{HERE}/../../dashboards/spark/{version.split('.')[0]}.*/*.prom")
        names = set()
        for path in pages:
            with open(path, encoding="utf-8") as file:
                names |= {short(recorded.sample(line)[0]) for line in file.read().splitlines()}
        drivers = "|".join(f"{application.name}-driver" for application in applications if application.version == version)

        def missing():
            served, _ = prometheus.api("label/__name__/values", **{"match[]": f'{{pod=~"{drivers}"}}'})
            return names - set(map(short, served))

        wait_for(lambda: not missing(), CHANGE)
        checks.tell(f"Spark {version}: {len(names)} metrics of the recorded pages",
                    "none is recorded" if not names else ", ".join(sorted(missing())))


def short(name):
    """Without the application's id or spark.metrics.namespace."""
    return re.sub(r"^metrics_\w+_driver_", "metrics_driver_", name)
