"""What dashboards are looked at with: a real Prometheus that scrapes a real `stoker serve`, which is asked over gRPC as KEDA and the Cluster Autoscaler do,
recorded pages of real Spark drivers (3.5.9 and 4.3.0, with and without spark.metrics.namespace, three moments of a run
each), and pages with the metrics that KEDA, the cluster autoscaler, kube-state-metrics and cAdvisor declare."""

import contextlib
import glob
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../interop/spark")

import grpc  # noqa: E402
import lint  # noqa: E402
import queries  # noqa: E402
import recorded  # noqa: E402
from programs import Failed, Program, Stoker, free_port, get, wait_for, write_targets  # noqa: E402

INTERVAL = 2  # seconds from scrape to scrape
MOMENT = 3  # scrapes that each recorded page is shown for
SCRAPES = 9  # until all were shown
DELAY = 20  # seconds from executors wanted to executors running
START = 120  # seconds that this may take on a busy machine
CHANGE = 90  # seconds until a number is what it will be, if it is not already; lead times are measured once a minute
CAPTURES = sorted(os.path.basename(path) for path in glob.glob(f"{HERE}/spark/*"))
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


class Prometheus(Program, queries.Answers):
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
        write_targets(self.stoker, [{"targets": addresses}])

    def watch(self, stoker, seconds):
        """Goes on for so long."""
        end = time.time() + seconds
        wait_for(lambda: ask(stoker) or time.time() > end, seconds + START)

    def has_seen_all(self, pages):
        stoker = self.value("max(count_over_time(stoker_build_info[5m]))") or 0
        return min(pages.scraped(), stoker) >= SCRAPES


def namespace(capture):
    return f"spark-{capture.replace('.', '-')}"


def certificate(folder):
    """{cert, key} of this machine."""
    result = {"cert": f"{folder}/tls.crt", "key": f"{folder}/tls.key"}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=stoker", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-out", result["cert"], "-keyout", result["key"]], capture_output=True, check=True)
    return result


def wave(delay):
    """PromQL: between 2 and 18, in 754 s once up and down."""
    return f"10 + 8 * sin(vector((time() - {delay}) / 120))"


def configuration(prometheus, expander_tls):
    always = {"type": "cron", "timezone": "UTC", "start": "0 0 * * *", "end": "59 23 * * *"}
    return {
        "apiVersion": "stoker/v1",
        "server": {"grpc": {"listen": "127.0.0.1:0"}, "http": {"listen": "127.0.0.1:0", "auth": "off"},
                   "probes": {"listen": "127.0.0.1:0"}, "peers": {"addresses": ["127.0.0.1:1"]},
                   "expander": {"enabled": True, "listen": "127.0.0.1:0", "tls": expander_tls}},
        "connections": {"prometheus": {
            "main": {"url": prometheus, "interval": "3s", "timeout": "3s"},
            "lost": {"url": "http://127.0.0.1:1", "interval": "3s", "timeout": "3s"}}},
        "capacity": {"nodeShapes": ["m5.2xlarge"]},
        "policies": {
            "etl": {"replicas": {"min": 0, "max": 50, "executorsPerReplica": 2}, "signals": {
                "busy": {"type": "prometheus", "connection": "main", "query": "sum(metrics_executor_activeTasks)",
                         "threshold": 2},
                "hours": {**always, "desiredReplicas": 3}}},
            "capped": {"replicas": {"min": 0, "max": 1}, "signals": {"hours": {**always, "desiredReplicas": 5}}},
            # Its demand goes up and down, long before this began, and executors follow.
            "ahead": {
                "replicas": {"min": 0, "max": 50},
                "capacity": {"mechanism": "buffer", "executor": {"cpu": 2, "memory": "8Gi"}, "leadTime": "measured",
                             "running": {"type": "prometheus", "connection": "main", "threshold": 1,
                                         "query": f"ceil(({wave(DELAY)}) / 2)"}},
                "forecast": {"step": "15s", "window": "1h", "seasons": ["750s"], "horizon": "2m", "lifts": "replicas"},
                "signals": {"busy": {"type": "prometheus", "connection": "main", "query": wave(0), "threshold": 2}}},
            "broken": {"replicas": {"min": 0, "max": 9}, "signals": {
                "lost": {"type": "prometheus", "connection": "lost", "query": "up", "threshold": 1}}},
            **{namespace(name): {"replicas": {"min": 0, "max": 50}, "signals": {
                "need": {"type": "spark", "prometheus": "main", "selector": f'namespace="{namespace(name)}"'}}}
               for name in CAPTURES}},
    }


def field(number, content):
    """Of a message in Protocol Buffers: bytes, shorter than 128."""
    return bytes([number << 3 | 2, len(content)]) + content


def ask_expander(stoker):
    """The Cluster Autoscaler's part: on which of two node groups is an executor to run?"""
    executor = field(1, field(11, field(1, b"spark-role") + field(2, b"executor")))  # a v1.Pod's metadata.labels
    options = b"".join(field(1, field(1, name) + field(5, executor)) for name in (b"spot-m5", b"on-demand-m5"))
    trusted = grpc.ssl_channel_credentials(read(stoker.expander_certificate).encode())
    port = re.search(r"expander=(\d+)", stoker.output())[1]
    with grpc.secure_channel(f"127.0.0.1:{port}", trusted) as channel:
        channel.unary_unary("/grpcplugin.Expander/BestOptions")(options, timeout=10)


def ask(stoker):
    """KEDA's part: some objects asked about each second, one of which cannot be answered; and mistakes."""
    address = f"127.0.0.1:{stoker.port('grpc')}"
    # An object with two triggers is one object.
    for policy, where, name in (("etl", "team-a", "nightly"), ("capped", "team-a", "nightly"),
                                ("capped", "team-b", "hourly"), (namespace(CAPTURES[0]), "team-b", "interactive"),
                                ("broken", "team-b", "broken"), ("missing", "team-b", "missing")):
        subprocess.run([stoker.binary, "query", address, "--policy", policy, "--namespace", where, "--name", name,
                        "--output", "json"], capture_output=True, check=False)
    ask_expander(stoker)


@contextlib.contextmanager
def running(metrics):
    """(Stoker, Prometheus, folder), once Prometheus has seen every recorded page and what Stoker says of itself."""
    programs = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            pages = Pages(metrics)
            prometheus = Prometheus(pages, folder)
            programs.append(prometheus)
            if not wait_for(pages.scraped, START):
                raise Failed("Prometheus does not scrape")
            tls = certificate(folder)
            stoker = Stoker(configuration(prometheus.url, tls), folder)
            stoker.expander_certificate = tls["cert"]
            programs.append(stoker)
            # What was decided before the first readings is no part of what is looked at.
            if not wait_for(lambda: get(f"http://127.0.0.1:{stoker.port('probes')}/readyz"), START):
                raise Failed("Stoker does not get ready")
            prometheus.scrape([f"127.0.0.1:{stoker.port('http')}"])
            if not wait_for(lambda: ask(stoker) or prometheus.has_seen_all(pages), START):
                raise Failed("Prometheus does not scrape Stoker")
            yield stoker, prometheus, folder
        except Failed:
            for program in programs:
                print(f"--- {program.log}\n{program.output()[-4000:]}", file=sys.stderr)
            raise
        finally:
            for program in programs:
                program.kill()
