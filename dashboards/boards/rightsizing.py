"""Rightsizing: what executors request against what they use, in cores, bytes and money."""

import prices
from grafana import RED, YELLOW, Board, Row, graph, stat

POD = 'namespace=~"$namespace", container=~"$container"'
SPARK = "spark-.+|executor"  # containers of Spark's own pods, its charts' and its operators'
KEYS = "(namespace, pod, container)"
RUNNING = 'and on (namespace, pod) (kube_pod_status_phase{phase="Running"} == 1)'  # those that ended request nothing
SIZING = [("How executors are sized", "explanation/sizing.md")]
MONTH = 730  # hours


def request(resource):
    return f'(max by {KEYS} (kube_pod_container_resource_requests{{{POD}, resource="{resource}"}} {RUNNING}))'


CPU = f"sum by {KEYS} (rate(container_cpu_usage_seconds_total{{{POD}}}[$__rate_interval]))"
MEMORY = f"max by {KEYS} (container_memory_working_set_bytes{{{POD}}})"
REQUESTED = f'(kube_pod_container_resource_requests{{{POD}, resource=~"cpu|memory"}} {RUNNING})'
USED = f'(label_replace({CPU}, "resource", "cpu", "", "") or label_replace({MEMORY}, "resource", "memory", "", ""))'


def share(used, resource):
    return f"{used} / on {KEYS} ({request(resource)} > 0)"


def cost(amount):
    """Dollars an hour of each container: the larger of its shares of the chosen node, times the node's price."""
    return f"(max by {KEYS} ({amount} * on (resource) group_left () (${{node:raw}})))"


WASTE = f"clamp_min({cost(REQUESTED)} - on {KEYS} {cost(USED)}, 0)"


def board(price_files=()):
    return Board(
        "stoker-rightsizing", "Stoker / Rightsizing",
        "What executors request against what they use. Needs kube-state-metrics and the kubelets' cAdvisor metrics. "
        "Money is a container's share of the chosen node type at its list price, as if all of the node were used.",
        [("namespace", "Namespace", "label_values(kube_pod_container_resource_requests, namespace)"),
         ("container", "Container", 'label_values(kube_pod_container_resource_requests{namespace=~"$namespace", '
          f'container=~"{SPARK}"}}, container)', SPARK)],
        [now(), money(), enough(), cpu(), memory()], tags=("kubernetes",), page="explanation/sizing.md",
        choices=[("node", "Priced as", prices.options(price_files))])


def now():
    # An executor is not started again, so its end is its present state, not its last one.
    killed = " or ".join(
        f'max_over_time(kube_pod_container_status_{state}_reason{{{POD}, reason="OOMKilled"}}[$__range]) > 0'
        for state in ("terminated", "last_terminated"))
    return Row("Now", [
        stat("Containers", "That run and have a request for memory.", "none", f"count({request('memory')})"),
        stat("Cores requested", "Sum over the containers.", "none", f"sum({request('cpu')})"),
        stat("Cores idle", "Requested and not used.", "none",
             f"sum(clamp_min({request('cpu')} - on {KEYS} {CPU}, 0))", links=SIZING),
        stat("Memory requested", "Sum over the containers.", "bytes", f"sum({request('memory')})"),
        stat("Memory unused", "Requested and not used now. A JVM keeps what it once took, so this errs low.", "bytes",
             f"sum(clamp_min({request('memory')} - on {KEYS} {MEMORY}, 0))", links=SIZING),
        stat("Killed for memory", "Containers seen with the end OOMKilled, over the chosen time. Errs low: Spark deletes ended "
             "executors within seconds, before most scrapes, unless spark.kubernetes.executor.deleteOnTermination is "
             "false.", "none", f"count(group by {KEYS} ({killed})) or 0 * count({request('memory')})",
             thresholds=[(1, RED)],
             boards=[("Executors lost", "stoker-spark")]),
    ])


def money():
    return Row("Money: at the price of the node type chosen above", [
        stat("Requested, a month", "What the containers that run now would cost if they ran for a month (730 hours).",
             "currencyUSD", f"{MONTH} * sum({cost(REQUESTED)})", width=8, links=SIZING),
        stat("Wasted, a month", "The part of it that is requested and not used.", "currencyUSD",
             f"{MONTH} * sum({WASTE})", width=8, links=SIZING),
        stat("Wasted share", "Wasted over requested.", "percentunit", f"sum({WASTE}) / sum({cost(REQUESTED)})",
             width=8, thresholds=[(0.3, YELLOW), (0.6, RED)], links=SIZING),
        graph("Cost", "Dollars an hour by namespace: of what is requested, and of what is used.", "currencyUSD",
              (f"sum by (namespace) ({cost(REQUESTED)})", "{{namespace}} requested"),
              (f"sum by (namespace) ({cost(USED)})", "{{namespace}} used"), width=12, links=SIZING),
        graph("Where it is wasted", "Dollars an hour: the ten containers that waste most.", "currencyUSD",
              (f"topk(10, sum by (namespace, container) ({WASTE}))", "{{namespace}}/{{container}}"), width=12,
              links=SIZING),
    ])


def enough():
    highest = "Choose one container: with several it is the highest."
    return Row("What would have been enough, over the chosen time", [
        stat("Cores requested, each", f"The most that one container requests. {highest}", "none",
             f"max({request('cpu')})", width=6),
        stat("Cores used, p95", f"What a container used 19 twentieths of the time. {highest}", "none",
             f"max(quantile_over_time(0.95, ({CPU})[$__range:$__interval]))", width=6, links=SIZING),
        stat("Memory requested, each", f"The most that one container requests. {highest}", "bytes",
             f"max({request('memory')})", width=6),
        stat("Memory used, peak", f"The highest that a working set was. {highest}", "bytes",
             f"max(max_over_time(container_memory_working_set_bytes{{{POD}}}[$__range]))", width=6, links=SIZING),
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
