"""What runs beside each other in tests: Spark applications and a Prometheus, both set up as the documents say, and Stoker."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../../dashboards")

import queries  # noqa: E402

SLOTS = 2  # cores, and so tasks at a time, of each application's only executor
START = 120  # seconds until everything runs; JVMs are slow on a busy machine
CHANGE = 45  # seconds until a change is seen

with open(f"{HERE}/../../../docs/how-to/spark-signal.md", encoding="utf-8") as page:
    SHOWN = page.read()
PROPERTIES = dict(line.split() for line in re.search(r"```properties\n(.*?)```", SHOWN, re.DOTALL)[1].splitlines())
NAMESPACE = {"spark.metrics.namespace": PROPERTIES.pop("spark.metrics.namespace")}
MONITOR = yaml.safe_load(re.search(r"```yaml\n([^`]*kind: PodMonitor.*?)```", SHOWN, re.DOTALL)[1])

# What the documents say, what a real cluster has, and what only makes the JVMs small and quick.
SETTINGS = {
    **PROPERTIES,
    "spark.master": f"local-cluster[1,{SLOTS},1024]",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.executor.memory": "512m",
    "spark.executor.cores": str(SLOTS),
}
DYNAMIC = {
    "spark.dynamicAllocation.enabled": "true",
    "spark.dynamicAllocation.shuffleTracking.enabled": "true",
    "spark.dynamicAllocation.maxExecutors": "20",
}


class Failed(Exception):
    """A check that does not hold."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url):
    """The body; None when nothing answers or it is an error."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.read().decode()
    except (OSError, urllib.error.URLError):
        return None


def wait_for(condition, seconds):
    """The first true answer of `condition`, or its last one."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.1)


def write_targets(path, groups):
    """What a Prometheus is to scrape, at once."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(groups, file)
    os.replace(f"{path}.new", path)


class Program:
    """A process in a group of its own, with its output in a file."""

    def __init__(self, name, command, folder, environment=None):
        self.log = f"{folder}/{name}.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True,
                                            env={**os.environ, **(environment or {})})

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def version(pyspark):
    with open(f"{pyspark}/pyspark/version.py", encoding="utf-8") as file:
        return re.search(r"__version__.*=\W*([\d.]+)", file.read())[1]


class Application(Program):
    """A Spark application whose demand is what we say."""

    def __init__(self, name, pyspark, settings, folder):
        self.name = name
        self.folder = f"{folder}/{name}"
        self.wanted = f"{self.folder}/tasks"
        os.makedirs(f"{self.folder}/home")
        self.want(0)
        # A home of its own, since executors write below it.
        for entry in os.listdir(f"{pyspark}/pyspark"):
            os.symlink(f"{pyspark}/pyspark/{entry}", f"{self.folder}/home/{entry}")
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        command = [f"{self.folder}/home/bin/spark-submit", "--name", name]
        for key, value in {**SETTINGS, "spark.ui.port": str(port), **settings}.items():
            command += ["--conf", f"{key}={value}"]
        super().__init__("spark", command + [f"{HERE}/application.py", self.wanted], self.folder, {
            "SPARK_HOME": f"{self.folder}/home", "SPARK_LOCAL_DIRS": self.folder, "PYTHONPATH": pyspark,
            "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1",
            "JAVA_TOOL_OPTIONS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData "
                                 f"-Djava.io.tmpdir={self.folder}"})
        self.version = version(pyspark)
        self.dynamic = "spark.dynamicAllocation.enabled" in settings
        self.namespace = settings.get("spark.metrics.namespace")

    def want(self, tasks):
        with open(f"{self.wanted}.new", "w", encoding="utf-8") as file:
            file.write(str(tasks))
        os.replace(f"{self.wanted}.new", self.wanted)

    def started(self):
        """Whether its driver answers, or never will."""
        return self.process.poll() is not None or (get(f"http://{self.address}/api/v1/applications") or "").startswith("[")

    def needed(self):
        """The executors that Spark itself says it could use, with dynamic allocation."""
        text = get(f"http://{self.address}/metrics/prometheus/") or ""
        found = re.search(r"^metrics_\w+_numberMaxNeededExecutors_Value\S* (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else None

    def signal(self, number):
        os.kill(self.process.pid, number)  # the driver's JVM: spark-submit becomes it


def scrape_jobs(targets):
    """As the Prometheus operator makes them of the PodMonitor."""
    name = "{namespace}/{name}".format(**MONITOR["metadata"])
    for number, endpoint in enumerate(MONITOR["spec"]["podMetricsEndpoints"]):
        labels = [{"source_labels": one["sourceLabels"], "target_label": one["targetLabel"]}
                  for one in endpoint["relabelings"]]
        yield {"job_name": f"podMonitor/{name}/{number}", "metrics_path": endpoint["path"],
               "file_sd_configs": [{"files": [targets]}],
               "relabel_configs": [{"target_label": "job", "replacement": name}, *labels]}


class Prometheus(Program, queries.Answers):
    """Scrapes the drivers each second, and Stoker; whom, it reads from files, as it would ask Kubernetes."""

    def __init__(self, folder):
        self.targets = f"{folder}/targets.json"
        self.stoker = f"{folder}/stoker.json"
        self.scrape([])
        write_targets(self.stoker, [])
        # It has scraped for a while, or it could not say that an application has gone.
        now = int(time.time())
        with open(f"{folder}/past.om", "w", encoding="utf-8") as file:
            file.writelines(f'up{{job="past"}} 1 {now - seconds}\n' for seconds in range(300, 15, -15))
            file.write("# EOF\n")
        subprocess.run(["/usr/bin/promtool", "tsdb", "create-blocks-from", "openmetrics", f"{folder}/past.om",
                        f"{folder}/tsdb"], check=True, stdout=subprocess.DEVNULL)
        stoker = {"job_name": "stoker", "honor_labels": True, "file_sd_configs": [{"files": [self.stoker]}]}
        with open(f"{folder}/prometheus.yml", "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                       "scrape_configs": [*scrape_jobs(self.targets), stoker]}, file)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.started = time.time()
        super().__init__("prometheus", ["/usr/bin/prometheus", f"--config.file={folder}/prometheus.yml",
                                        f"--storage.tsdb.path={folder}/tsdb", "--log.level=warn",
                                        f"--web.listen-address=127.0.0.1:{port}"], folder)

    def scrape(self, applications):
        write_targets(self.targets, [
            {"targets": [application.address],
             "labels": {"namespace": "data", "pod": f"{application.name}-driver", "spark_app_name": application.name}}
            for application in applications])

    def scrape_stoker(self, address):
        write_targets(self.stoker, [{"targets": [address]}])


class Stoker(Program):
    """`stoker serve`, with a policy per application and way."""

    def __init__(self, config, folder):
        with open(f"{folder}/stoker.yaml", "w", encoding="utf-8") as file:
            json.dump(config, file, indent=1)
        self.binary = os.path.abspath(os.environ["STOKER_BIN"])
        super().__init__("stoker", [self.binary, "serve", "--config", f"{folder}/stoker.yaml"], folder)
        if not wait_for(lambda: "stoker is up" in self.output(), START):
            raise Failed("stoker does not start")

    def port(self, which):
        return re.search(rf"{which}_port=(\d+)", self.output())[1]

    def decision(self, policy):
        """What it decided and why; empty before its first reading."""
        body = get(f"http://127.0.0.1:{self.port('http')}/api/v1/policies/{policy}")
        return (body and json.loads(body)["decision"]) or {}

    def query(self, policy):
        """What KEDA gets: (value, active)."""
        done = subprocess.run([self.binary, "query", f"127.0.0.1:{self.port('grpc')}", "--policy", policy,
                               "--output", "json"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return done.stderr
        metric = json.loads(done.stdout)["metrics"][0]
        return metric["value"], metric["active"]
