"""Cluster capacity: nodes, the cluster autoscaler's work, and executors that wait for room."""

from grafana import GREEN, RED, YELLOW, Board, Row, graph, quantiles, stat, states

POD = 'namespace=~"$namespace", pod=~".+-exec-[0-9]+"'
CAPACITY = [("Nodes before executors", "explanation/capacity.md")]
FORECAST = [("When forecasts are used", "explanation/forecast.md")]
RUNNING = 'and on (namespace, pod) (kube_pod_status_phase{phase="Running"} == 1)'  # those that ended request nothing


def share(resource):
    return (f'sum(kube_pod_container_resource_requests{{resource="{resource}"}} {RUNNING}) / '
            f'sum(kube_node_status_allocatable{{resource="{resource}"}})')


def board():
    return Board(
        "stoker-capacity", "Stoker / Cluster capacity",
        "Whether the cluster has, and gets, room for executors. Needs the cluster autoscaler's metrics (port 8085) and "
        "kube-state-metrics.",
        [("namespace", "Namespace", "label_values(kube_pod_status_phase, namespace)")],
        [now(), nodes(), stoker(), scaling()], tags=("kubernetes",))


def now():
    return Row("Now", [
        stat("Ready nodes", "As the cluster autoscaler counts them.", "none",
             'sum(cluster_autoscaler_nodes_count{state="ready"})'),
        stat("Node groups", "That the autoscaler manages.", "none", "sum(cluster_autoscaler_node_groups_count)"),
        stat("Unschedulable pods", "Of all kinds, that the autoscaler tries to find room for.", "none",
             "sum(cluster_autoscaler_unschedulable_pods_count)", thresholds=[(1, YELLOW)]),
        stat("Executors that wait", "Executor pods in phase Pending.", "none",
             f'sum(kube_pod_status_phase{{{POD}, phase="Pending"}}) or 0 * count(kube_pod_status_phase)',
             thresholds=[(1, YELLOW)], boards=[("Which applications wait?", "stoker-spark")]),
        stat("Safe to autoscale", "The autoscaler stops while too many nodes are not ready.", "none",
             "min(cluster_autoscaler_cluster_safe_to_autoscale)", mappings={1: ("yes", GREEN), 0: ("no", RED)}),
        stat("Unneeded nodes", "That the autoscaler would remove.", "none",
             "sum(cluster_autoscaler_unneeded_nodes_count)"),
    ])


def nodes():
    return Row("Room", [
        graph("Nodes", "By state, and the most that all node groups together may have. Nodes of no group count, too, so "
              "they may be more.", "none",
              ("sum by (state) (cluster_autoscaler_nodes_count)", "{{state}}"),
              ("max(cluster_autoscaler_max_nodes_count)", "max")),
        graph("Executor pods", "By phase.", "none",
              (f"sum by (phase) (kube_pod_status_phase{{{POD}}})", "{{phase}}")),
        graph("Unschedulable pods", "All kinds; type as the autoscaler calls it.", "none",
              ("sum by (type) (cluster_autoscaler_unschedulable_pods_count)", "{{type}}")),
        graph("CPU requested", "Of pods that run, over what nodes can give.", "percentunit",
              (share("cpu"), "requested"), maximum=1, width=6),
        graph("Memory requested", "Of pods that run, over what nodes can give.", "percentunit",
              (share("memory"), "requested"), maximum=1, width=6),
        graph("Of the node groups' maximum", "Nodes that the autoscaler wants in a group, over the group's maximum. At 1 it "
              "adds none there, whoever waits.", "percentunit",
              ("max by (node_group) (cluster_autoscaler_node_group_target_count) / "
               "(max by (node_group) (cluster_autoscaler_node_group_max_count) > 0)", "{{node_group}}"),
              maximum=1, thresholds=[(0.9, YELLOW)], width=6,
              nothing="needs the autoscaler's --emit-per-nodegroup-metrics"),
        graph("Of the autoscaler's limits", "At 1 it adds no node, whoever waits. Its limits of cores and memory are "
              "all but endless unless they are set.", "percentunit",
              ("max(cluster_autoscaler_cluster_cpu_current_cores) / "
               'max(cluster_autoscaler_cpu_limits_cores{direction="maximum"})', "cores"),
              ("max(cluster_autoscaler_cluster_memory_current_bytes) / "
               'max(cluster_autoscaler_memory_limits_bytes{direction="maximum"})', "memory"),
              maximum=1, thresholds=[(0.9, YELLOW)], width=6),
    ])


def stoker():
    return Row("What Stoker does for it", [
        graph("Executors to make room for", "Headroom: what is wanted within the lead time, less what runs and what "
              "waits.", "none", ("max by (policy) (stoker_capacity_buffer_replicas)", "{{policy}}"),
              nothing="no policy tells the cluster", links=CAPACITY, width=6),
        states("Cluster told", "Whether the headroom is known and the cluster could be asked or told of it, at every replica.",
               "min by (policy) (stoker_capacity_up)", "{{policy}}", {1: ("told", GREEN), 0: ("down", RED)},
               nothing="no policy tells the cluster", width=6,
               links=[("Runbook: StokerCapacityDown", "how-to/runbook.md#stokercapacitydown")]),
        graph("Nodes wanted", "Of each shape, that all executors wanted within the lead times would take, as is cheapest.",
              "none", ("max by (shape) (stoker_capacity_wanted_nodes)", "{{shape}}"),
              nothing="no policy tells the cluster, or no nodeShapes", links=CAPACITY, width=6),
        graph("Lead time", "From executors wanted to executors running, as Stoker has measured it: the middle one, and the "
              "one that it reckons with.", "s",
              ("max by (policy, quantile) (stoker_lead_time_seconds)", "{{policy}} {{quantile}}"),
              nothing="not measured: no policy counts its running executors", links=CAPACITY, width=6),
        # No rate: choices are rare, and a series that is born at 1 has none for the first.
        graph("Node groups chosen", "Choices of Stoker as the autoscaler's expander since it started; several groups at once "
              "where the autoscaler's next filter decides.", "none",
              ("sum by (node_group) (stoker_expander_choices_total)", "{{node_group}}"),
              nothing="no choices asked for", links=CAPACITY),
        graph("Skill of forecasts", "How much better than the newest value they were on their own past: 1 is without loss, 0 no "
              "better. One below 0.05 lifts nothing.", "percentunit",
              ("max by (policy, signal) (stoker_forecast_skill)", "{{policy}} {{signal}}"),
              nothing="no policy has a forecast, or its past is too short", links=FORECAST),
        graph("Forecasts in use", "Whether a forecast may lift: 1, or 0 while it does not beat the newest value.", "none",
              ("max by (policy, signal) (stoker_forecast_used)", "{{policy}} {{signal}}"),
              nothing="no policy has a forecast", links=FORECAST),
    ])


def scaling():
    return Row("The cluster autoscaler", [
        graph("Nodes added and removed", "Nodes a minute.", "none",
              ("60 * sum(rate(cluster_autoscaler_scaled_up_nodes_total[$__rate_interval]))", "added"),
              ("60 * sum by (reason) (rate(cluster_autoscaler_scaled_down_nodes_total[$__rate_interval]))",
               "removed: {{reason}}")),
        graph("Scale-ups that failed", "A minute, by reason: quota, no such instances, time-outs.", "none",
              ("60 * sum by (reason) (rate(cluster_autoscaler_failed_scale_ups_total[$__rate_interval]))", "{{reason}}"),
              nothing="none failed"),
        graph("Time of its main loop", "Quantiles. New pods wait for it before nodes are asked for.", "s",
              *quantiles("cluster_autoscaler_function_duration_seconds", 'function="main"', ("function",), (0.5, 0.99)),
              thresholds=[(30, YELLOW)]),
        states("Removal of nodes", "After nodes were added none is removed for a while.",
               "max(cluster_autoscaler_scale_down_in_cooldown)", "removal",
               {1: ("in cooldown", YELLOW), 0: ("possible", GREEN)}, width=12),
        graph("Nodes that stay", "Nodes that the autoscaler cannot remove, by reason.", "none",
              ("sum by (reason) (cluster_autoscaler_unremovable_nodes_count)", "{{reason}}"), width=12),
    ])
