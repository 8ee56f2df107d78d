"""Stoker beside real Spark: its targets follow what running applications need, both ways.

For each version of PySpark an application with dynamic allocation and one with fixed executors, a
Prometheus that scrapes their drivers, and `stoker serve` with policies that ask the drivers and
policies that ask Prometheus. Prints `ok CHECK` or `FAIL CHECK: ...` a line.

    STOKER_BIN=build/dev/cli/stoker tests/interop/spark/spark_test.py PYSPARK...

PYSPARK is a folder that `pip install --target` put PySpark into. Needs Java 17 and Prometheus.
"""

import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
SLOTS = 2  # cores, and so tasks at a time, of each application's only executor
START = 120  # seconds until everything runs; JVMs are slow on a busy machine
CHANGE = 45  # seconds until a change is seen

# What a real cluster has, and what only makes the JVMs small and quick.
SETTINGS = {
    "spark.master": f"local-cluster[1,{SLOTS},1024]",
    "spark.ui.prometheus.enabled": "true",
    "spark.metrics.conf.*.sink.prometheusServlet.class": "org.apache.spark.metrics.sink.PrometheusServlet",
    "spark.metrics.conf.*.sink.prometheusServlet.path": "/metrics/prometheus",
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


class Prometheus(Program):
    """Scrapes the drivers each second; whom, it reads from a file, as it would ask Kubernetes."""

    def __init__(self, folder):
        self.targets = f"{folder}/targets.json"
        self.scrape([])
        # It has scraped for a while, or it could not say that an application has gone.
        now = int(time.time())
        with open(f"{folder}/past.om", "w", encoding="utf-8") as file:
            file.writelines(f'up{{job="past"}} 1 {now - seconds}\n' for seconds in range(300, 15, -15))
            file.write("# EOF\n")
        subprocess.run(["/usr/bin/promtool", "tsdb", "create-blocks-from", "openmetrics", f"{folder}/past.om",
                        f"{folder}/tsdb"], check=True, stdout=subprocess.DEVNULL)
        jobs = "".join(f"""
  - job_name: {name}
    metrics_path: {path}
    file_sd_configs: [{{files: [{self.targets}]}}]"""
                       for name, path in (("driver", "/metrics/prometheus/"),
                                          ("executors", "/metrics/executors/prometheus/")))
        with open(f"{folder}/prometheus.yml", "w", encoding="utf-8") as file:
            file.write(f"global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:{jobs}\n")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__("prometheus", ["/usr/bin/prometheus", f"--config.file={folder}/prometheus.yml",
                                        f"--storage.tsdb.path={folder}/tsdb", "--log.level=warn",
                                        f"--web.listen-address=127.0.0.1:{port}"], folder)

    def scrape(self, applications):
        with open(f"{self.targets}.new", "w", encoding="utf-8") as file:
            json.dump([{"targets": [application.address],
                        "labels": {"namespace": "data", "pod": f"{application.name}-driver"}}
                       for application in applications], file)
        os.replace(f"{self.targets}.new", self.targets)


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


class Checks:
    """Asks both of Stoker's sides about policies, and prints what holds."""

    def __init__(self, stoker):
        self.stoker = stoker
        self.failed = 0

    def tell(self, title, problem):
        if problem:
            self.failed += 1
        print(f"FAIL {title}: {problem}" if problem else f"ok {title}", flush=True)

    def target(self, policy, what, target, **more):
        """The target becomes that number, and KEDA hears it."""
        problem = ""

        def good():
            nonlocal problem
            problem = self.problem(policy, target, **more)
            return not problem

        wait_for(good, CHANGE)
        self.tell(f"{policy}: {what}", problem)

    def held(self, policies, what, target, seconds):
        """The targets are that number at every look, until the last readings are that old."""
        fell = {}

        def settled():
            for policy in policies:
                seen = self.stoker.decision(policy).get("target_replicas")
                if seen not in (target, None):
                    fell.setdefault(policy, f"went from {target} to {seen}")
            return fell or not any(self.problem(policy, target, held=True, age=seconds)
                                   for policy in policies)

        wait_for(settled, CHANGE)
        for policy in policies:
            self.tell(f"{policy}: {what}",
                      fell.get(policy) or self.problem(policy, target, held=True, age=seconds))

    def problem(self, policy, target, held=False, since="", age=0):
        """What is not as it should be; "" when all is."""
        decision = self.stoker.decision(policy)
        if decision.get("target_replicas") != target:
            return f"the target is not {target}: {decision}"
        reading = decision["signals"][0]
        if decision["held"] != held or reading["up"] == held:
            return f"held is not {held}: {decision}"
        if reading["reading_time"] <= since or reading["age_seconds"] < age:
            return f"no reading since {since}, or none {age} s old: {decision}"
        heard = self.stoker.query(policy)
        return "" if heard == (target, target > 0) else f"KEDA hears {heard}, not {target}"

    def phase(self):
        """What follows builds on what came before."""
        if self.failed:
            raise Failed(f"{self.failed} checks; what follows is not tried")


def policies_of(applications):
    """(name, signal) of every policy."""
    for application in applications:
        yield f"{application.name}-driver", {"type": "spark", "connection": application.name}
        # Without dynamic allocation a driver publishes nothing to count by.
        if application.namespace:
            yield f"{application.name}-prometheus", {
                "type": "spark", "prometheus": "main", "application": application.namespace}
        elif application.dynamic:
            yield f"{application.name}-prometheus", {
                "type": "spark", "prometheus": "main", "selector": f'pod="{application.name}-driver"'}


def configuration(applications, prometheus):
    return {
        "apiVersion": "stoker/v1",
        "server": {"grpc": {"listen": "127.0.0.1:0"}, "http": {"listen": "127.0.0.1:0", "auth": "off"},
                   "probes": {"listen": "127.0.0.1:0"}},
        "connections": {
            "prometheus": {"main": {"url": prometheus.url, "interval": "1s", "timeout": "1s", "maxAge": "3s"}},
            "spark": {application.name: {"driverUrl": f"http://{application.address}", "interval": "1s",
                                         "timeout": "1s", "maxAge": "3s"} for application in applications},
        },
        "policies": {name: {"replicas": {"min": 0, "max": 50}, "signals": {"demand": signal}}
                     for name, signal in policies_of(applications)},
    }


def run(stoker, prometheus, applications):
    checks = Checks(stoker)
    names = [name for name, _ in policies_of(applications)]

    def demand(tasks):
        for application in applications:
            application.want(tasks)
        return math.ceil(tasks / SLOTS)

    for name in names:
        checks.target(name, "idle: 0", 0)
    checks.phase()

    for tasks, what in ((9, "9 tasks, most of them waiting"), (3, "6 of them done")):
        executors = demand(tasks)
        for name in names:
            checks.target(name, f"{what}: {executors}", executors)
        for application in applications:
            if application.dynamic:
                said = wait_for(lambda app=application: app.needed() == executors, CHANGE)
                checks.tell(f"{application.name}: Spark itself says {executors}",
                            "" if said else str(application.needed()))
        checks.phase()

    for application in applications:
        application.signal(signal.SIGSTOP)
    checks.held(names, "driver frozen: held", executors, seconds=5)
    for application in applications:
        application.signal(signal.SIGCONT)
    for name in names:
        checks.target(name, "driver thawed: read again", executors)
    checks.phase()

    demand(0)
    for name in names:
        checks.target(name, "all tasks done: 0", 0)
    checks.phase()

    executors = demand(1)
    for name in names:
        checks.target(name, f"1 task: {executors}", executors)
    for application in applications:
        application.want("end")
    for application in applications:
        application.process.wait(CHANGE)
    prometheus.scrape([])
    ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for name in names:
        checks.target(name, "application ended: 0, and no fault", 0, since=ended)
    checks.phase()


def main():
    programs = []
    # However this ends, nothing is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as folder:
        try:
            applications = []
            for pyspark in sys.argv[1:]:
                with open(f"{pyspark}/pyspark/version.py", encoding="utf-8") as file:
                    version = re.search(r"__version__.*=\W*([\d.]+)", file.read())[1]
                # Metric names begin with the application's id or, as is better, with a constant.
                named = {"spark.metrics.namespace": "analytics"} if version >= "4" else {}
                for kind, settings in (("dynamic", {**DYNAMIC, **named}), ("fixed", {})):
                    name = f"spark-{version.replace('.', '-')}-{kind}"
                    applications.append(Application(name, pyspark, settings, folder))
                    programs.append(applications[-1])
            prometheus = Prometheus(folder)
            programs.append(prometheus)
            prometheus.scrape(applications)
            for application in applications:
                if not wait_for(application.started, START) or application.process.poll() is not None:
                    raise Failed(f"{application.name} does not start")
            stoker = Stoker(configuration(applications, prometheus), folder)
            programs.append(stoker)
            run(stoker, prometheus, applications)
        except Failed as reason:
            print(f"FAIL {reason}", flush=True)
            for program in programs:
                print(f"--- {program.log}\n{program.output()[-4000:]}", file=sys.stderr)
            return 1
        finally:
            for program in programs:
                program.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
