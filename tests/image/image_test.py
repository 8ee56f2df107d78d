#!/usr/bin/env python3
"""The image, started as a cluster and as `docker compose up` would start it. Prints `ok CHECK` or `FAIL CHECK: ...` a line.

    STOKER_CACHE=... unshare --net --mount tests/image/image_test.py VERSITYGW PYSPARK

In network and mount namespaces of its own, so that compose.yaml's ports are free and its hosts have addresses. Stoker
runs in its container; the other services of compose.yaml run their own programs with the arguments and files that
compose.yaml gives them, but for Grafana, which no package registry has. Needs podman, runc and PyYAML.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import yaml

ROOT = os.path.abspath(f"{os.path.dirname(os.path.abspath(__file__))}/../..")
sys.path.insert(0, f"{ROOT}/tests/interop/spark")

from programs import Failed, Program, get, wait_for  # noqa: E402

VERSITYGW, PYSPARK = sys.argv[1:]
IMAGE = "localhost/stoker:test"
LIMIT_MB = 60  # of the image, uncompressed
# What a cluster would do, and what lets it work where the limits of open files and cgroups are another's.
HARDENED = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"]
ENGINE = ["podman", "--runtime=runc", "--cgroup-manager=cgroupfs"]
RUN = ["run", "--network=host", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--no-hosts"]
POLICY = """
apiVersion: stoker/v1
server: {http: {auth: off}}
policies:
  hours:
    replicas: {min: 0, max: 9}
    signals: {always: {type: cron, timezone: America/New_York, start: "0 0 * * *", end: "59 23 * * *", desiredReplicas: 5}}
"""

failed = 0


def tell(title, problem):
    global failed
    failed += bool(problem)
    print(f"FAIL {title}: {problem}" if problem else f"ok {title}", flush=True)


def podman(*arguments):
    return subprocess.run([*ENGINE, *arguments], capture_output=True, text=True, check=False)


def same(seen, wanted):
    return "" if seen == wanted else f"{seen!r}, not {wanted!r}"


class Container:
    """Stoker in its container, until the end of the block."""

    def __init__(self, *arguments, options=(), hardened=HARDENED):
        self.name = f"stoker-test-{os.getpid()}"
        self.started = time.monotonic()
        done = podman(*RUN, "--detach", f"--name={self.name}", *hardened, *options, IMAGE, *arguments)
        if done.returncode != 0:
            raise Failed(done.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        podman("rm", "--force", "--time=10", self.name)

    def run(self, *command):
        return podman("exec", self.name, *command)

    def log(self):
        return podman("logs", self.name).stderr


def contents():
    """What is in it, and what is not."""
    about = json.loads(podman("image", "inspect", IMAGE).stdout)[0]
    size = about["Size"] / 1e6
    print(f"the image has {size:.0f} MB", file=sys.stderr)
    tell(f"at most {LIMIT_MB} MB", "" if size <= LIMIT_MB else f"{size:.0f} MB")
    tell("runs as nobody in particular", same(about["Config"]["User"], "65532:65532"))
    once = [*RUN, "--rm", *HARDENED]
    for program in ("stoker", "rightsize"):
        with open(f"{ROOT}/VERSION", encoding="utf-8") as file:
            version = f"{program} {file.read().strip()}\n"
        tell(f"{program} --version", same(podman(*once, f"--entrypoint={program}", IMAGE, "--version").stdout, version))
    sized = podman(*once, "--entrypoint=rightsize", IMAGE, "--data-size", "100GB", "--format", "spark-submit")
    tell("rightsize finds its presets and prices", "" if "spark.executor.memory=" in sized.stdout else sized.stderr)
    tell("there is no shell", same(podman(*once, "--entrypoint=/bin/sh", IMAGE, "-c", "true").returncode, 127))


def serving(folder):
    """It starts on a configuration, says that it is well, and stops when told."""
    with open(f"{folder}/stoker.yaml", "w", encoding="utf-8") as file:
        file.write(POLICY)
    options = [f"--volume={folder}/stoker.yaml:/etc/stoker/stoker.yaml:ro"]
    with Container("serve", "--config", "/etc/stoker/stoker.yaml", options=options) as stoker:
        ready = wait_for(lambda: get("http://127.0.0.1:8081/readyz"), 30)
        took = time.monotonic() - stoker.started
        print(f"ready {took:.2f} s after `podman run`", file=sys.stderr)
        tell("is ready", "" if ready else stoker.log())
        tell("its health check says so", same(podman("healthcheck", "run", stoker.name).returncode, 0))
        asked = stoker.run("stoker", "query", "127.0.0.1:6000", "--policy", "hours", "--output", "json")
        tell("decides, by a time zone", same(asked.stdout and json.loads(asked.stdout)["metrics"][0]["value"], 5))
        before = time.monotonic()
        stopped = podman("stop", "--time=20", stoker.name)
        code = podman("inspect", "--format={{.State.ExitCode}}", stoker.name).stdout.strip()
        tell("stops when asked to", same((stopped.returncode, code), (0, "0")))
        print(f"stopped after {time.monotonic() - before:.2f} s", file=sys.stderr)
    with Container("serve", hardened=()) as stoker:
        tell("shows itself where no configuration is given",
             "" if wait_for(lambda: get("http://127.0.0.1:8081/readyz"), 30) else stoker.log())


def main():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        try:
            contents()
            serving(folder)
            composed(folder)
        except Failed as problem:
            tell("the image", str(problem))
    return 1 if failed else 0


def composed(folder):
    """compose.yaml, service by service."""
    with open(f"{ROOT}/compose.yaml", encoding="utf-8") as file:
        services = yaml.safe_load(file)["services"]
    tell("compose.yaml has these services",
         same(sorted(services), ["analytics-job", "grafana", "prometheus", "s3", "stoker"]))
    with open(f"{folder}/hosts", "w", encoding="utf-8") as file:
        file.writelines(f"127.0.0.1 {name}\n" for name in ("localhost", *services))
    subprocess.run(["mount", "--bind", f"{folder}/hosts", "/etc/hosts"], check=True)

    def mounts(service):
        pairs = (entry.split(":")[:2] for entry in services[service]["volumes"])
        return {inside: os.path.normpath(f"{ROOT}/{outside}") for outside, inside in pairs}

    def inside(service, text):
        """A path in a service's container, as one of this machine."""
        for path, outside in mounts(service).items():
            text = text.replace(path, outside)
        return text

    tell("what is mounted is there", next((path for service in services if "volumes" in services[service]
                                           for path in mounts(service).values() if not os.path.exists(path)), ""))
    programs = []
    try:
        s3 = services["s3"]
        shell, option, script = s3["entrypoint"]
        buckets = f"{folder}/buckets"
        os.makedirs(f"{folder}/bin")
        os.symlink(VERSITYGW, f"{folder}/bin/versitygw")
        programs.append(Program("s3", [shell, option, script.replace("/buckets", buckets)], folder,
                                {**s3["environment"], "PATH": f"{folder}/bin:{os.environ['PATH']}"}))

        shutil.copy(mounts("prometheus")["/etc/prometheus/prometheus.yml"], f"{folder}/prometheus.yml")
        os.symlink(mounts("prometheus")["/etc/prometheus/alerts"], f"{folder}/alerts")
        programs.append(Program("prometheus", ["/usr/bin/prometheus", f"--config.file={folder}/prometheus.yml",
                                               f"--storage.tsdb.path={folder}/tsdb"], folder))

        job = [inside("analytics-job", word) for word in services["analytics-job"]["command"]]
        job[0] = job[0].replace("/opt/spark", f"{PYSPARK}/pyspark")
        programs.append(Program("analytics-job", job, folder, {
            "SPARK_HOME": f"{PYSPARK}/pyspark", "PYTHONPATH": PYSPARK, "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1"}))

        own = services["stoker"]
        options = [f"--volume={outside}:{inner}:ro" for inner, outside in mounts("stoker").items()]
        options.append(f"--volume={folder}/hosts:/etc/hosts:ro")
        with Container(*own["command"], options=options) as stoker:
            watch(stoker, buckets)
            for program in programs:
                if program.process.poll() is not None:
                    tell(f"{program.log} goes on", program.output()[-2000:])
    finally:
        for program in programs:
            program.kill()


def watch(stoker, buckets):
    def signals():
        body = get("http://127.0.0.1:8080/api/v1/policies/etl")
        decision = (body and json.loads(body)["decision"]) or {}
        return {signal["name"]: signal for signal in decision.get("signals", [])}

    def reads(name, wanted):
        seen = {}

        def good():
            seen.update(signals().get(name, {}))
            return seen.get("up") and wanted(seen["value"])

        wait_for(good, 120)
        tell(f"compose: {name}", "" if seen.get("up") and wanted(seen["value"]) else f"{seen} {stoker.log()[-2000:]}")

    if not wait_for(lambda: get("http://127.0.0.1:8081/readyz"), 60):
        raise Failed(stoker.log())
    reads("hours", lambda value: value in (0, 2))
    reads("backlog", lambda value: value == 0)
    for number in range(7):
        with open(f"{buckets}/spark-jobs/pending/job-{number}", "w", encoding="utf-8") as file:
            file.write("work")
    reads("backlog", lambda value: value == 7)
    reads("spark", lambda value: value and value > 0)
    reads("busy", lambda value: value and value > 0)

    def targets():
        body = get("http://127.0.0.1:9090/api/v1/targets")
        active = json.loads(body)["data"]["activeTargets"] if body else []
        return {target["labels"]["job"]: target["health"] for target in active}

    up = {"stoker": "up", "spark-driver": "up", "spark-executors": "up"}
    wait_for(lambda: targets() == up, 60)
    tell("compose: Prometheus scrapes all", same(targets(), up))
    rules = json.loads(get("http://127.0.0.1:9090/api/v1/rules") or '{"data": {"groups": []}}')["data"]["groups"]
    tell("compose: Prometheus has the alerts", "" if rules else "none")


if __name__ == "__main__":
    sys.exit(main())
