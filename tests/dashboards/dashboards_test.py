"""Dashboards and alert rules: their texts, and that every panel shows data.

A real Prometheus scrapes a real `stoker serve` that is asked over gRPC, recorded pages of real Spark drivers (3.5.9
and 4.3.0, with and without spark.metrics.namespace, three moments of a run each), and pages with the metrics that
KEDA, the cluster autoscaler, kube-state-metrics and cAdvisor declare. Then each query of each panel is asked, as
Grafana would. Prints `ok CHECK` or `FAIL CHECK: ...` a line.

    STOKER_BIN=build/dev/cli/stoker PYTHONPATH=... tests/dashboards/dashboards_test.py

PYTHONPATH has Grafana's Python package grafana-foundation-sdk, which knows the keys of dashboards.
"""

import glob
import http.server
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/../interop/spark", f"{HERE}/../../dashboards"]

import boards  # noqa: E402
import grafana_foundation_sdk.cog.plugins  # noqa: E402
import grafana_foundation_sdk.models.dashboard  # noqa: E402
import lint  # noqa: E402
import recorded  # noqa: E402
from spark_test import Failed, Program, Stoker, free_port, get, wait_for  # noqa: E402

INTERVAL = 2  # seconds from scrape to scrape
MOMENT = 3  # scrapes that each recorded page is shown for
SCRAPES = 9  # until all were shown
START = 120  # seconds that this may take on a busy machine
CHANGE = 20  # seconds until a number is what it will be, if it is not already
CAPTURES = sorted(os.path.basename(path) for path in glob.glob(f"{HERE}/spark/*"))
# What some panels must say: of the last recorded moment of Spark (2 of 6 tasks run, on 2 executors of a core), of
# the pages in kubernetes/, and of the configuration below.
TRUTH = {
    "stoker-spark": {"Applications": 1, "Executors": 2, "Executors that could be used": 6, "Slots": 2,
                     "Tasks that run": 2, "Executors missing": 4, "Slots in use": 1},
    "stoker-overview": {"Replicas of Stoker": 1, "Objects with a target": 3, "Signals down": 1, "Configuration": 1},
    "stoker-capacity": {"Ready nodes": 5, "Executors that wait": 1, "CPU requested": 0.25},
    "stoker-rightsizing": {"Cores requested": 2, "Memory unused": 3e9},
    "stoker-keda": {"Active triggers": 1},
}
KUBERNETES = sorted(glob.glob(f"{HERE}/kubernetes/*.prom"))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Pages(http.server.ThreadingHTTPServer):
    """What Prometheus scrapes besides Stoker."""

    request_queue_size = 64  # all targets may be scraped at once

    def __init__(self, metrics):
        self.asked = {}
        self.metrics = metrics
        self.moments = {f"/spark/{name}/{page}": [
            read(path) for path in sorted(glob.glob(f"{HERE}/spark/{name}/*.{page}.prom"))]
            for name in CAPTURES for page in ("driver", "executors")}
        self.kubernetes = {f"/kubernetes/{os.path.basename(path)}": read(path).splitlines() for path in KUBERNETES}
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def scraped(self):
        """How often the page was that was least often."""
        return min(self.asked.get(path, 0) for path in (*self.moments, *self.kubernetes))

    def page(self, path):
        number = self.asked[path] = self.asked.get(path, 0) + 1
        if moments := self.moments.get(path):
            return moments[min((number - 1) // MOMENT, len(moments) - 1)]
        return "".join(self.grown(line, number) for line in self.kubernetes[path])

    def grown(self, line, number):
        """Counters count."""
        name, _, value = recorded.sample(line)
        if lint.kind_of(name, self.metrics) == "counter":
            return f"{line.rsplit(' ', 1)[0]} {value * number}\n"
        return f"{line}\n"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.server.page(self.path).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # Prometheus has gone when this ends

    def log_message(self, *_):
        pass


class Prometheus(Program):
    """Scrapes the pages; Stoker as soon as its address is known."""

    def __init__(self, pages, folder):
        address = f"127.0.0.1:{pages.server_port}"
        self.stoker = f"{folder}/stoker.json"
        self.scrape([])
        spark = [{"targets": [address], "labels": {"__metrics_path__": f"/spark/{name}/{page}", "metrics_path": page,
                                                   "instance": f"{name}:4040", "namespace": namespace(name)}}
                 for name in CAPTURES for page in ("driver", "executors")]
        kubernetes = [{"targets": [address], "labels": {"__metrics_path__": f"/kubernetes/{os.path.basename(path)}",
                                                        "instance": os.path.basename(path)}} for path in KUBERNETES]
        rules = os.path.abspath("dashboards/alerts/*.yaml")
        with open(f"{folder}/prometheus.yml", "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": f"{INTERVAL}s", "scrape_timeout": f"{INTERVAL}s"}, "rule_files": [rules],
                       "scrape_configs": [
                           {"job_name": "spark", "static_configs": spark},
                           {"job_name": "kubernetes", "honor_labels": True, "static_configs": kubernetes},
                           {"job_name": "stoker", "honor_labels": True,
                            "file_sd_configs": [{"files": [self.stoker], "refresh_interval": "1s"}]}]}, file)
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        self.started = time.time()
        super().__init__("prometheus", ["/usr/bin/prometheus", f"--config.file={folder}/prometheus.yml",
                                        f"--storage.tsdb.path={folder}/tsdb", "--log.level=warn",
                                        f"--web.listen-address={self.address}"], folder)
        if not wait_for(lambda: get(f"{self.url}/-/ready"), 30):
            raise Failed("Prometheus does not start")

    def scrape(self, addresses):
        with open(f"{self.stoker}.new", "w", encoding="utf-8") as file:
            json.dump([{"targets": addresses}], file)
        os.replace(f"{self.stoker}.new", self.stoker)

    def api(self, path, **parameters):
        """(data, error)."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.load(response)["data"], None
        except urllib.error.HTTPError as error:
            return None, json.load(error)["error"]

    def has_seen_all(self, pages):
        stoker = self.value("max(count_over_time(stoker_build_info[5m]))") or 0
        return min(pages.scraped(), stoker) >= SCRAPES

    def value(self, expression):
        """The only number of an answer, now; None when there is none."""
        data, error = self.api("query", query=expression)
        return float(data["result"][0]["value"][1]) if not error and len(data["result"]) == 1 else None

    def numbers(self, expression, instant):
        """(whether there is a number in the answer, what is wrong)."""
        if instant:
            data, error = self.api("query", query=expression)
        else:
            data, error = self.api("query_range", query=expression, start=self.started, end=time.time(), step=1)
        if error:
            return False, error
        values = [value for series in data["result"] for _, value in series.get("values") or [series["value"]]]
        return any(not math.isnan(float(value)) for value in values), f"no data: {expression}"


def namespace(capture):
    return f"spark-{capture.replace('.', '-')}"


def configuration(prometheus):
    always = {"type": "cron", "timezone": "UTC", "start": "0 0 * * *", "end": "59 23 * * *"}
    return {
        "apiVersion": "stoker/v1",
        "server": {"grpc": {"listen": "127.0.0.1:0"}, "http": {"listen": "127.0.0.1:0", "auth": "off"},
                   "probes": {"listen": "127.0.0.1:0"}, "peers": {"addresses": ["127.0.0.1:1"]}},
        "connections": {"prometheus": {
            "main": {"url": prometheus, "interval": "3s", "timeout": "3s"},
            "lost": {"url": "http://127.0.0.1:1", "interval": "3s", "timeout": "3s"}}},
        "policies": {
            "etl": {"replicas": {"min": 0, "max": 50, "executorsPerReplica": 2}, "signals": {
                "busy": {"type": "prometheus", "connection": "main", "query": "sum(metrics_executor_activeTasks)",
                         "threshold": 2},
                "hours": {**always, "desiredReplicas": 3}}},
            "capped": {"replicas": {"min": 0, "max": 1}, "signals": {"hours": {**always, "desiredReplicas": 5}}},
            "broken": {"replicas": {"min": 0, "max": 9}, "signals": {
                "lost": {"type": "prometheus", "connection": "lost", "query": "up", "threshold": 1}}},
            **{namespace(name): {"replicas": {"min": 0, "max": 50}, "signals": {
                "need": {"type": "spark", "prometheus": "main", "selector": f'namespace="{namespace(name)}"'}}}
               for name in CAPTURES}},
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
    checks.run("dashboards/out is fresh", [sys.executable, "dashboards/generate", "--check"])
    checks.run("charts/stoker/files is fresh", ["scripts/chart-files", "--check"])
    for path in sorted(glob.glob("dashboards/out/*.json")):
        board = json.loads(read(path))
        checks.tell(f"lint {os.path.basename(path)}", lint.dashboard(board, metrics))
        checks.tell(f"Grafana reads all of {os.path.basename(path)}", unknown(board, as_grafana_reads(board)))
    for path in KUBERNETES:
        checks.tell(f"{os.path.basename(path)} is as declared", lint.samples(read(path), recorded.declared()))
    for path in sorted(glob.glob("dashboards/alerts/*.yaml")):
        checks.run(f"promtool check rules {os.path.basename(path)}", ["promtool", "check", "rules", path])
    checks.run("promtool test rules", ["promtool", "test", "rules", f"{HERE}/alerts_test.yaml"])
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "dashboards/generate", "--docs", "http://docs", "--out", folder], check=True)
        links = [link["url"] for path in glob.glob(f"{folder}/*.json") for panel in json.loads(read(path))["panels"]
                 for link in panel.get("links", ())]
        rules = read(f"{folder}/stoker.yaml")
        good = links and rules.count("http://docs/how-to/runbook.md#") == rules.count("- alert:")
        checks.tell("links lead to where docs are served", [] if good else ["they do not"])


def finds_mistakes(checks, metrics, prometheus):
    """That the checks can fail."""
    board = boards.stoker.board().json("")
    panel = board["panels"][1]
    panel["targets"][0]["expr"] = "sum(stoker_no_such_metric) + sum(stoker_polls_total) + rate(stoker_active[5m])"
    panel["fieldConfig"]["defaults"]["unit"] = ""
    panel["description"] = ""
    found = "\n".join(lint.dashboard(board, metrics))
    expected = ("stoker_no_such_metric is in no list", "stoker_polls_total is a counter", "stoker_active is a gauge",
                "[5m]", "no unit", "no description")
    panel["fieldConfig"]["defaults"]["untis"] = "s"
    checks.tell("keys that Grafana does not know are found",
                [] if any("untis" in text for text in unknown(board, as_grafana_reads(board))) else ["they are not"])
    checks.tell("lint finds mistakes", [f"not: {text}" for text in expected if text not in found])
    checks.tell("a metric that nobody has shows no data",
                ["it does"] if prometheus.numbers("sum(stoker_no_such_metric)", True)[0] else [])
    wrong = 'keda_nonsense 1\nkeda_scaler_active{foo="a"} 1'
    checks.tell("samples that nobody declares are found",
                [] if len(list(lint.samples(wrong, recorded.declared()))) == 2 else ["they are not"])


def ask(stoker):
    """KEDA's part: some objects asked about each second, one of which cannot be answered; and mistakes."""
    address = f"127.0.0.1:{stoker.port('grpc')}"
    for policy, where, name in (("etl", "team-a", "nightly"), ("capped", "team-b", "hourly"),
                                (namespace(CAPTURES[0]), "team-b", "interactive"), ("broken", "team-b", "broken"),
                                ("missing", "team-b", "missing")):
        subprocess.run([stoker.binary, "query", address, "--policy", policy, "--namespace", where, "--name", name,
                        "--output", "json"], capture_output=True, check=False)


def fill(expression, values):
    """As Grafana does with variables."""
    values = {"__rate_interval": "12s", "__range": "1m", **values}
    return re.sub(r"\$\{?([a-z_]\w*)\}?", lambda found: values.get(found[1], ".*"), expression)


def panels(checks, prometheus):
    for module in boards.MODULES:
        board = module.board()
        # Each Spark panel for each application; elsewhere all of everything.
        choices = [(f" ({name})", {"namespace": namespace(name), "application": "analytics-job"}, name)
                   for name in CAPTURES] if board.uid == "stoker-spark" else [("", {}, "")]
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
                good = wait_for(lambda: prometheus.value(fill(query, values)) == truth, CHANGE)
                checks.tell(f"{board.uid}: {title} is {truth}{suffix}",
                            [] if good else [f"it is {prometheus.value(fill(query, values))}"])
        for name, _, query in board.variables:
            metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()
            data, error = prometheus.api(f"label/{label}/values", **{"match[]": fill(metric, {})})
            checks.tell(f"{board.uid}: variable {name}", [] if data else [error or "no values"])


# What is wrong with this Stoker, and what cannot be: alerts whose conditions must hold, with a label, and must not.
WRONG = {"StokerSignalDown": ("policy", "broken"), "StokerTargetUnavailable": ("policy", "broken"),
         "StokerAtMaximum": ("policy", "capped"), "StokerGrpcErrors": ("code", "NOT_FOUND"),
         "StokerPeersUnreachable": ("job", "stoker")}
RIGHT = ("StokerDown", "StokerConfigRejected")


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
                command = line
                for address, real in here.items():
                    command = command.replace(address, real)
                checks.run(f"runbook: {line}", environment + command, folder, shell=True)


def main():
    programs = []
    checks = Checks()
    metrics = {name: metric.kind for name, metric in recorded.declared().items()}
    grafana_foundation_sdk.cog.plugins.register_default_plugins()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as folder:
        try:
            pages = Pages(metrics)
            prometheus = Prometheus(pages, folder)
            programs.append(prometheus)
            texts(checks, metrics)
            if not wait_for(pages.scraped, START):
                raise Failed("Prometheus does not scrape")
            stoker = Stoker(configuration(prometheus.url), folder)
            programs.append(stoker)
            # What was decided before the first readings is no part of what is looked at.
            if not wait_for(lambda: get(f"http://127.0.0.1:{stoker.port('probes')}/readyz"), START):
                raise Failed("Stoker does not get ready")
            prometheus.scrape([f"127.0.0.1:{stoker.port('http')}"])
            if not wait_for(lambda: ask(stoker) or prometheus.has_seen_all(pages), START):
                raise Failed("Prometheus does not scrape Stoker")
            panels(checks, prometheus)
            alerts(checks, metrics, prometheus)
            runbook(checks, stoker, prometheus, folder)
            finds_mistakes(checks, metrics, prometheus)
        except Failed as reason:
            print(f"FAIL {reason}", flush=True)
            for program in programs:
                print(f"--- {program.log}\n{program.output()[-4000:]}", file=sys.stderr)
            return 1
        finally:
            for program in programs:
                program.kill()
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
