"""Cluster capacity: nodes, the cluster autoscaler's work, and executors that wait for room."""

from grafana import GREEN, RED, YELLOW, Board, Row, graph, quantiles, stat, states

POD = 'namespace=~"$namespace", pod=~".+-exec-[0-9]+"'


def board():
    return Board(
        "stoker-capacity", "Stoker / Cluster capacity",
        "Whether the cluster has, and gets, room for executors. Needs the cluster autoscaler's metrics (port 8085) and "
        "kube-state-metrics.",
        [("namespace", "Namespace", "label_values(kube_pod_status_phase, namespace)")],
        [now(), nodes(), scaling()], tags=("kubernetes",))


def now():
    return Row("Now", [
        stat("Ready nodes", "As the cluster autoscaler counts them.", "none",
             'sum(cluster_autoscaler_nodes_count{state="ready"})'),
        stat("Node groups", "That the autoscaler manages.", "none", "sum(cluster_autoscaler_node_groups_count)"),
        stat("Unschedulable pods", "Of all kinds, that the autoscaler tries to find room for.", "none",
             "sum(cluster_autoscaler_unschedulable_pods_count)", thresholds=[(1, YELLOW)]),
        stat("Executors that wait", "Executor pods in phase Pending.", "none",
             f'sum(kube_pod_status_phase{{{POD}, phase="Pending"}})', thresholds=[(1, YELLOW)]),
        stat("Safe to autoscale", "The autoscaler stops while too many nodes are not ready.", "none",
             "min(cluster_autoscaler_cluster_safe_to_autoscale)", mappings={1: ("yes", GREEN), 0: ("no", RED)}),
        stat("Unneeded nodes", "That the autoscaler would remove.", "none",
             "sum(cluster_autoscaler_unneeded_nodes_count)"),
    ])


def nodes():
    return Row("Room", [
        graph("Nodes", "By state, and the most that all node groups together may have.", "none",
              ("sum by (state) (cluster_autoscaler_nodes_count)", "{{state}}"),
              ("max(cluster_autoscaler_max_nodes_count)", "max")),
        graph("Executor pods", "By phase.", "none",
              (f"sum by (phase) (kube_pod_status_phase{{{POD}}})", "{{phase}}")),
        graph("Unschedulable pods", "All kinds; type as the autoscaler calls it.", "none",
              ("sum by (type) (cluster_autoscaler_unschedulable_pods_count)", "{{type}}")),
        graph("CPU requested", "Of all pods, over what nodes can give.", "percentunit",
              ('sum(kube_pod_container_resource_requests{resource="cpu"}) / '
               'sum(kube_node_status_allocatable{resource="cpu"})', "requested"), maximum=1, width=6),
        graph("Memory requested", "Of all pods, over what nodes can give.", "percentunit",
              ('sum(kube_pod_container_resource_requests{resource="memory"}) / '
               'sum(kube_node_status_allocatable{resource="memory"})', "requested"), maximum=1, width=6),
        graph("Cores", "Of the cluster, and the autoscaler's limits.", "none",
              ("max(cluster_autoscaler_cluster_cpu_current_cores)", "cores"),
              ("max by (direction) (cluster_autoscaler_cpu_limits_cores)", "{{direction}}"), width=6),
        graph("Memory", "Of the cluster, and the autoscaler's limits.", "bytes",
              ("max(cluster_autoscaler_cluster_memory_current_bytes)", "memory"),
              ("max by (direction) (cluster_autoscaler_memory_limits_bytes)", "{{direction}}"), width=6),
    ])


def scaling():
    return Row("The cluster autoscaler", [
        graph("Nodes added and removed", "Nodes a second.", "ops",
              ("sum(rate(cluster_autoscaler_scaled_up_nodes_total[$__rate_interval]))", "added"),
              ("sum by (reason) (rate(cluster_autoscaler_scaled_down_nodes_total[$__rate_interval]))",
               "removed: {{reason}}")),
        graph("Scale-ups that failed", "A second, by reason: quota, no such instances, time-outs.", "ops",
              ("sum by (reason) (rate(cluster_autoscaler_failed_scale_ups_total[$__rate_interval]))", "{{reason}}")),
        graph("Time of its main loop", "Quantiles. New pods wait for it before nodes are asked for.", "s",
              *quantiles("cluster_autoscaler_function_duration_seconds", 'function="main"', ("function",)),
              thresholds=[(30, YELLOW)]),
        states("Removal of nodes", "After nodes were added none is removed for a while.",
               "max(cluster_autoscaler_scale_down_in_cooldown)", "removal",
               {1: ("in cooldown", YELLOW), 0: ("possible", GREEN)}, width=12),
        graph("Nodes that stay", "Nodes that the autoscaler cannot remove, by reason.", "none",
              ("sum by (reason) (cluster_autoscaler_unremovable_nodes_count)", "{{reason}}"), width=12),
    ])
