"""Stoker beside real Spark: its targets follow what running applications need, both ways.

For each version of PySpark an application with dynamic allocation and one with fixed executors, a
Prometheus that scrapes their drivers, and `stoker serve` with policies that ask the drivers and
policies that ask Prometheus; and the Spark dashboard on that Prometheus (panels.py).
Prints `ok CHECK` or `FAIL CHECK: ...` a line.

    STOKER_BIN=build/dev/cli/stoker tests/interop/spark/spark_test.py PYSPARK...

PYSPARK is a folder that `pip install --target` put PySpark into. Needs Java 17, Prometheus and PyYAML.
"""

import math
import signal
import sys
import tempfile
import time

import panels
from programs import (CHANGE, DYNAMIC, Application, Failed, NAMESPACE, Prometheus, SLOTS, START, Stoker, version,
                      wait_for)


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

    def demand(tasks, more=""):
        for application in applications:
            application.want(f"{tasks} {more}")
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

    executors = demand(2, "busy")
    for name in names:
        checks.target(name, f"2 tasks, which a stage waits for: {executors}", executors)
    checks.tell("Prometheus sees stages that wait", "" if panels.seen_waiting(prometheus, applications) else "not all")
    checks.phase()

    demand(0)
    for name in names:
        checks.target(name, "all tasks done: 0", 0)
    checks.phase()

    executors = demand(1)
    for name in names:
        checks.target(name, f"1 task: {executors}", executors)
    panels.show(checks, prometheus, applications)
    panels.still_named(checks, prometheus, applications)
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
                # Metric names begin with the application's id or, as is better, with a constant.
                named, counted = (NAMESPACE, {}) if version(pyspark) >= "4" else ({}, panels.JOBS)
                for kind, settings in (("dynamic", {**DYNAMIC, **named, **counted}), ("fixed", counted)):
                    name = f"spark-{version(pyspark).replace('.', '-')}-{kind}"
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
            prometheus.scrape_stoker(f"127.0.0.1:{stoker.port('http')}")
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
