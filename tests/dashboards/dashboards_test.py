"""Dashboards and alert rules: their texts, and that every panel shows data.

Each query of each panel is asked of a real Prometheus that has seen a real Stoker and recorded Spark (world.py), as
Grafana would. Prints `ok CHECK` or `FAIL CHECK: ...` a line.

    STOKER_BIN=build/dev/cli/stoker PYTHONPATH=... tests/dashboards/dashboards_test.py

PYTHONPATH has PyYAML, grpcio, and Grafana's Python package grafana-foundation-sdk, which knows the keys of dashboards.
"""

import glob
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../../dashboards")

import boards  # noqa: E402
import grafana_foundation_sdk.cog.plugins  # noqa: E402
import grafana_foundation_sdk.models.dashboard  # noqa: E402
import lint  # noqa: E402
import recorded  # noqa: E402
import yaml  # noqa: E402
from queries import fill, first_choices  # noqa: E402
from world import CAPTURES, CHANGE, Failed, KUBERNETES, namespace, read, running, wait_for  # noqa: E402

# What some panels must say: of the last recorded moment of Spark (2 of 6 tasks run, on 2 executors of a core), of
# the pages in kubernetes/, and of the configuration below.
TRUTH = {
    "stoker-spark": {"Applications": 1, "Executors": 2, "Executors that could be used": 6, "Slots": 2,
                     "Tasks that run": 2, "Executors missing": 4, "Slots in use": 1},
    "stoker-overview": {"Replicas of Stoker": 1, "Objects with a target": 3, "Signals down": 1, "Configuration": 1,
                        "Without a target": 1, "At their maximum": 1, "On held readings": 0},
    "stoker-capacity": {"Ready nodes": 5, "Executors that wait": 1, "CPU requested": 0.25},
    # On m5.2xlarge, 2 of 8 CPUs and 8e9 of 32 GiB: the CPUs are the larger share of 0.384 dollars.
    "stoker-rightsizing": {"Cores requested": 2, "Memory unused": 3e9, "Requested, a month": 730 * 0.384 * 2 / 8,
                           "Memory used, peak": 5e9, "Killed for memory": 2},
    "stoker-keda": {"Active triggers": 1},
}


class Checks:
    def __init__(self):
        self.failed = False

    def tell(self, title, problems):
        problems = list(problems)
        print(f"FAIL {title}: {'; '.join(problems)}" if problems else f"ok {title}", flush=True)
        self.failed |= bool(problems)

    def run(self, title, command, folder=None, shell=False):
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, shell=shell,
                              executable="/bin/bash" if shell else None)
        self.tell(title, [] if done.returncode == 0 else [f"exit {done.returncode}: {done.stdout}{done.stderr}"])


def unknown(given, kept, path=""):
    """Keys that Grafana's own classes do not keep."""
    if isinstance(given, dict):
        for key, value in given.items():
            if key in kept:
                yield from unknown(value, kept[key], f"{path}/{key}")
            else:
                yield f"Grafana knows no {path}/{key}"
    elif isinstance(given, list):
        for index, value in enumerate(given):
            yield from unknown(value, kept[index], f"{path}/{index}")


def as_grafana_reads(board):
    read_back = grafana_foundation_sdk.models.dashboard.Dashboard.from_json(board)
    return json.loads(json.dumps(read_back, default=lambda one: one.to_json()))


def texts(checks, metrics):
    """What needs no Prometheus."""
    with open("dashboards/lint.yaml", encoding="utf-8") as file:
        excuses = yaml.safe_load(file)["exclusions"]
    checks.run("dashboards/out is fresh", [sys.executable, "dashboards/generate", "--check"])
    checks.run("dashboards/names is what their projects declare", [sys.executable, "dashboards/record-names", "--check"])
    checks.run("charts/stoker/files is fresh", ["scripts/chart-files", "--check"])
    for path in sorted(glob.glob("dashboards/out/*.json")):
        board = json.loads(read(path))
        checks.tell(f"texts of {os.path.basename(path)}", lint.dashboard(board, metrics))
        checks.tell(f"rules of dashboard-linter for {os.path.basename(path)}",
                    lint.excused(lint.linted(board), board, excuses))
        checks.tell(f"Grafana reads all of {os.path.basename(path)}", unknown(board, as_grafana_reads(board)))
    for path in KUBERNETES:
        checks.tell(f"{os.path.basename(path)} is as declared", lint.samples(read(path), recorded.declared()))
    for path in sorted(glob.glob("dashboards/alerts/*.yaml")):
        checks.run(f"promtool check rules {os.path.basename(path)}", ["promtool", "check", "rules", path])
    checks.run("promtool test rules", ["promtool", "test", "rules", f"{HERE}/alerts_test.yaml"])
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/prices", "w", encoding="utf-8") as file:
            file.write("{priceDate: 2026, nodes: {rack-7: {cpu: 7500m, memory: 256GiB, price: 0.75}}}")
        subprocess.run([sys.executable, "dashboards/generate", "--price-file", f"{folder}/prices", "--out", folder],
                       check=True)
        offered = json.loads(read(f"{folder}/stoker-rightsizing.json"))["templating"]["list"][-1]["query"]
        good = offered.startswith("rack-7 : label_replace(vector(0.1)\\,") and "m5.2xlarge" in offered
        checks.tell("prices of a file come first", [] if good else [offered[:200]])
        subprocess.run([sys.executable, "dashboards/generate", "--docs", "http://docs", "--out", folder], check=True)
        links = [link["url"] for path in glob.glob(f"{folder}/*.json") for panel in json.loads(read(path))["panels"]
                 for link in panel.get("links", ())]
        rules = read(f"{folder}/stoker.yaml")
        good = links and rules.count("http://docs/how-to/runbook.md#") == rules.count("- alert:")
        checks.tell("links lead to where docs are served", [] if good else ["they do not"])


def finds_mistakes(checks, metrics, prometheus):
    """That the checks can fail."""
    board = boards.every()[0].json("")
    panel = board["panels"][1]
    panel["targets"][0]["expr"] = ("sum(stoker_no_such_metric) + sum(stoker_polls_total) + rate(stoker_active[5m]) + "
                                   "sum(stoker_poll_duration_seconds_bucket)")
    panel["fieldConfig"]["defaults"]["unit"] = ""
    panel["description"] = "See docs/how-to/runbook.md#nowhere"
    panel["links"] = [{"title": "", "url": "/d/nowhere"}]
    excuses = {"target-job-rule": {"entries": [{"dashboard": board["title"], "panel": "Calls", "reason": "none"}]}}
    found = "\n".join([*lint.dashboard(board, metrics), *lint.excused(lint.linted(board), board, excuses)])
    expected = ("stoker_no_such_metric is in no list", "stoker_polls_total is a counter", "stoker_active is a gauge",
                "stoker_poll_duration_seconds_bucket is a counter", "[5m]", "panel-units-rule", "no sentence", "has no #nowhere", "dashboard nowhere",
                f"target-job-rule: {panel['title']}", "target-job-rule: Calls: excused, and nothing is wrong",
                f"target-counter-agg-rule: {panel['title']}", "template-instance-rule", "uneditable-dashboard")
    panel["fieldConfig"]["defaults"]["untis"] = "s"
    checks.tell("keys that Grafana does not know are found",
                [] if any("untis" in text for text in unknown(board, as_grafana_reads(board))) else ["they are not"])
    checks.tell("lint finds mistakes", [f"not: {text}" for text in expected if text not in found])
    checks.tell("a metric that nobody has shows no data",
                ["it does"] if prometheus.numbers("sum(stoker_no_such_metric)", True)[0] else [])
    wrong = 'keda_nonsense 1\nkeda_scaler_active{foo="a"} 1'
    checks.tell("samples that nobody declares are found",
                [] if len(list(lint.samples(wrong, recorded.declared()))) == 2 else ["they are not"])


def panels(checks, prometheus):
    for board in boards.every():
        # Each Spark panel for each application; elsewhere all of everything.
        choices = [(f" ({name})", {"namespace": namespace(name), "application": "analytics-job"}, name)
                   for name in CAPTURES] if board.uid == "stoker-spark" else [("", first_choices(board), "")]
        for panel in board.panels():
            for suffix, values, capture in choices:
                if capture and panel.since > capture:
                    continue
                problems = []
                for query in panel.queries:
                    asked = (fill(query.expr, values), panel.kind == "stat")
                    if not wait_for(lambda: prometheus.numbers(*asked)[0], CHANGE):
                        problems.append(prometheus.numbers(*asked)[1])
                checks.tell(f"{board.uid}: {panel.title}{suffix}", problems)
        for title, truth in TRUTH.get(board.uid, {}).items():
            query = next(panel for panel in board.panels() if panel.title == title).queries[0].expr
            for suffix, values, _ in choices:
                good = wait_for(lambda: math.isclose(prometheus.value(fill(query, values)) or 0, truth), CHANGE)
                checks.tell(f"{board.uid}: {title} is {truth}{suffix}",
                            [] if good else [f"it is {prometheus.value(fill(query, values))}"])
        for name, _, query, *_ in board.variables:
            offered, error = prometheus.offered(query, {})
            checks.tell(f"{board.uid}: variable {name}", [] if offered else [error or "no values"])


# What is wrong with this Stoker, and what cannot be: alerts whose conditions must hold, with a label, and must not.
WRONG = {"StokerSignalDown": ("policy", "broken"), "StokerTargetUnavailable": ("policy", "broken"),
         "StokerAtMaximum": ("policy", "capped"), "StokerGrpcErrors": ("code", "NOT_FOUND"),
         "StokerPeersUnreachable": ("job", "stoker"), "StokerCapacityDown": ("policy", "ahead")}
RIGHT = ("StokerDown", "StokerReplicaDown", "StokerNotAsked", "StokerConfigRejected")


def alerts(checks, metrics, prometheus):
    data, _ = prometheus.api("rules")
    rules = [rule for group in data["groups"] for rule in group["rules"]]
    for rule in rules:
        data, error = prometheus.api("query", query=rule["query"])
        found = error or [series["metric"] for series in data["result"]]
        label, value = WRONG.get(rule["name"], ("", ""))
        good = not error and (not label or value in {series.get(label) for series in found})
        good = good and not (rule["name"] in RIGHT and found)
        checks.tell(f"alert {rule['name']} sees what is wrong here", [] if good else [f"it sees {found}"])
    checks.tell("alerts and their runbook", lint.alerts(rules, read("docs/how-to/runbook.md"), metrics))
    tested = read(f"{HERE}/alerts_test.yaml")
    for rule in rules:
        name = rule["name"]
        silent = f"{{alertname: {name}, eval_time: 2h}}" in tested
        fires = re.search(rf"alertname: {name}\n +eval_time: \w+\n +exp_alerts:\n +- exp_labels", tested)
        checks.tell(f"alert {name} is tested silent and firing", [] if silent and fires else ["it is not"])
    for name, bound in sorted(set(re.findall(r"'(stoker_\w+_bucket)\{.*le=\"(.*?)\"", tested))):
        data, _ = prometheus.api("query", query=f'{name}{{le="{bound}"}}')
        checks.tell(f"alerts_test.yaml: {name} has a bound {bound}", [] if data["result"] else ["it has not"])


def runbook(checks, stoker, prometheus, folder):
    """Commands of the runbook: those to Stoker and Prometheus are run, and all are sound shell."""
    here = {"localhost:8080": f"127.0.0.1:{stoker.port('http')}", "localhost:6000": f"127.0.0.1:{stoker.port('grpc')}",
            "localhost:9090": prometheus.address}
    with open(f"{folder}/scaledobject.yaml", "w", encoding="utf-8") as file:
        file.write(re.search(r"```yaml file=scaledobject.yaml\n(.*?)```", read("docs/how-to/scaledobject.md"),
                             re.DOTALL)[1])
    environment = f"export PATH={os.path.dirname(stoker.binary)}:$PATH; "
    ran = set()
    for block in re.findall(r"```sh\n(.*?)```", read("docs/how-to/runbook.md"), re.DOTALL):
        sound = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
        if sound.returncode != 0:
            checks.tell("runbook is sound shell", [sound.stderr])
        for line in block.splitlines():
            if line.startswith(("stoker ", "promtool ")) and line not in ran:
                ran.add(line)
                # 1: something is missing, which it is here.
                command = f"{line} || [ $? = 1 ]" if line.startswith("stoker hints ") else line
                for address, real in here.items():
                    command = command.replace(address, real)
                checks.run(f"runbook: {line}", environment + command, folder, shell=True)


def main():
    checks = Checks()
    metrics = {name: metric.kind for name, metric in recorded.declared().items()}
    grafana_foundation_sdk.cog.plugins.register_default_plugins()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    texts(checks, metrics)
    try:
        with running(metrics) as (stoker, prometheus, folder):
            panels(checks, prometheus)
            alerts(checks, metrics, prometheus)
            runbook(checks, stoker, prometheus, folder)
            finds_mistakes(checks, metrics, prometheus)
    except Failed as reason:
        print(f"FAIL {reason}", flush=True)
        return 1
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
