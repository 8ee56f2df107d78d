"""Rightsizing: what executors request against what they use.

No money here: no metric has prices yet."""

from grafana import RED, YELLOW, Board, Row, graph, stat

POD = 'namespace=~"$namespace", container=~"$container"'
KEYS = "(namespace, pod, container)"
SIZING = [("How executors are sized", "explanation/sizing.md")]


def request(resource):
    return f'max by {KEYS} (kube_pod_container_resource_requests{{{POD}, resource="{resource}"}})'


CPU = f"sum by {KEYS} (rate(container_cpu_usage_seconds_total{{{POD}}}[$__rate_interval]))"
MEMORY = f"max by {KEYS} (container_memory_working_set_bytes{{{POD}}})"


def share(used, resource):
    return f"{used} / on {KEYS} ({request(resource)} > 0)"


def board():
    return Board(
        "stoker-rightsizing", "Stoker / Rightsizing",
        "What executors request against what they use. Needs kube-state-metrics and the kubelets' cAdvisor metrics. "
        "Cost is not here: no metric has prices yet; `rightsize --compare` prints it.",
        [("namespace", "Namespace", "label_values(kube_pod_container_resource_requests, namespace)"),
         ("container", "Container", 'label_values(kube_pod_container_resource_requests{namespace=~"$namespace", '
          'container=~"spark-.+|executor"}, container)')],
        [now(), cpu(), memory()], tags=("kubernetes",), page="explanation/sizing.md")


def now():
    return Row("Now", [
        stat("Containers", "With a request for memory.", "none", f"count({request('memory')})"),
        stat("Cores requested", "Sum over the containers.", "none", f"sum({request('cpu')})"),
        stat("Cores idle", "Requested and not used.", "none",
             f"sum(clamp_min({request('cpu')} - on {KEYS} {CPU}, 0))", links=SIZING),
        stat("Memory requested", "Sum over the containers.", "bytes", f"sum({request('memory')})"),
        stat("Memory unused", "Requested and not used now. A JVM keeps what it once took, so this errs low.", "bytes",
             f"sum(clamp_min({request('memory')} - on {KEYS} {MEMORY}, 0))", links=SIZING),
        stat("Killed for memory", "Containers whose last end was OOMKilled.", "none",
             f'sum(kube_pod_container_status_last_terminated_reason{{{POD}, reason="OOMKilled"}})',
             thresholds=[(1, RED)]),
    ])


def cpu():
    return Row("CPU", [
        graph("Requested and used", "Cores, by namespace.", "none",
              (f"sum by (namespace) ({request('cpu')})", "{{namespace}} requested"),
              (f"sum by (namespace) ({CPU})", "{{namespace}} used")),
        graph("Share of the request in use", "Over containers: the median, the highest twentieth, the highest.",
              "percentunit", (f"quantile(0.5, {share(CPU, 'cpu')})", "p50"),
              (f"quantile(0.95, {share(CPU, 'cpu')})", "p95"), (f"max({share(CPU, 'cpu')})", "max"), links=SIZING),
        graph("Cores idle", "Requested and not used, by namespace.", "none",
              (f"sum by (namespace) (clamp_min({request('cpu')} - on {KEYS} {CPU}, 0))", "{{namespace}}")),
    ])


def memory():
    return Row("Memory", [
        graph("Requested and used", "Working set, by namespace.", "bytes",
              (f"sum by (namespace) ({request('memory')})", "{{namespace}} requested"),
              (f"sum by (namespace) ({MEMORY})", "{{namespace}} used")),
        graph("Share of the request in use", "Over containers: the median, the highest twentieth, the highest. Near 1 "
              "the kernel kills.", "percentunit", (f"quantile(0.5, {share(MEMORY, 'memory')})", "p50"),
              (f"quantile(0.95, {share(MEMORY, 'memory')})", "p95"), (f"max({share(MEMORY, 'memory')})", "max"),
              thresholds=[(0.95, YELLOW)], links=SIZING),
        graph("Memory unused", "Requested and not used, by namespace.", "bytes",
              (f"sum by (namespace) (clamp_min({request('memory')} - on {KEYS} {MEMORY}, 0))", "{{namespace}}")),
    ])
