#!/usr/bin/env python3
"""Does real Spark take what `rightsize` prints, and ask for the pods that it counts on? Prints `ok NAME` or
`FAIL NAME: ...` a line.

tests/interop/rightsizing/check_plans.py RIGHTSIZE CRD PYSPARK...

RIGHTSIZE: the program. CRD: the kubeflow operator's CustomResourceDefinition of SparkApplication. PYSPARK:
folders with an installed PySpark each, of every release to be checked. Needs a JDK, PyYAML and jsonschema.

For a grid of inputs, each in every `--format` that Spark or its operator reads:
- Spark's own argument parser and its steps for driver and executor pods (PodSizes.java, compiled against the
  release's jars) give the memory and CPU that the plan states, to the byte and millicore;
- a SparkApplication holds nothing that the operator's schema does not know: a cluster would drop it silently.
And one plan for each release starts a real application with dynamic allocation, on a small standalone cluster.
"""

import concurrent.futures
import itertools
import json
import os
import shlex
import subprocess
import sys
import tempfile

import jsonschema
import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
MASTER = ["--master", "k8s://https://localhost:6443", "--deploy-mode", "cluster",
          "--conf", "spark.kubernetes.container.image=spark"]
# What Spark opens to itself in JVMs from 17 on.
OPENED = ["--add-opens=java.base/sun.nio.ch=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED",
          "--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED"]
FORMATS = ("spark-defaults", "spark-submit", "spark-application", "spark-connect")

SIZES = ("10MB", "1GB", "1TB", "100TB")
PRESETS = ("small", "medium", "large", "xlarge", "odd")
# An odd heap and an overhead of its own: nothing comes out round.
OWN_PRESETS = "presets: {odd: {cores: 3, memory: 4567m, memoryOverhead: 777m}}\n"
SITUATIONS = (
    (),
    ("--pyspark",),
    ("--pyspark", "--pyspark-memory", "1g"),
    ("--off-heap", "1500m"),
    ("--cluster-cores", "500", "--cluster-memory", "2000"),
    ("--node-type", "m5.4xlarge", "--spot"),
    ("--workload", "interactive"),
    ("--workload", "streaming", "--pyspark", "--off-heap", "2g"),
)

JOB = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
rows = spark.range(0, 1000, 1, 4).repartition(4).count()
conf = spark.sparkContext.getConf()
print("RESULT", rows, *[f"{key}={conf.get(key)}" for key in sys.argv[1:]], sep="\\t")
spark.stop()
"""

results = []


def report(name, problem=""):
    results.append(not problem)
    print(f"FAIL {name}: {problem}" if problem else f"ok {name}", flush=True)


class Case:
    """One input, its plan, and the command lines that say it to Spark."""

    def __init__(self, program, folder, size, preset, situation):
        self.name = " ".join([size, preset, *situation])
        self.pyspark = "--pyspark" in situation
        self.folder = folder
        self.arguments = [program, "--data-size", size, "--executor-preset", preset,
                          "--preset-file", f"{folder}/presets.yaml", *situation]
        self.plan = json.loads(self.run("--output", "json"))
        self.application = yaml.safe_load(self.run("--format", "spark-application"))
        self.commands = {form: self.command_line(form) for form in FORMATS}

    def run(self, *more):
        return output([*self.arguments, *more])

    def command_line(self, form):
        """What stands behind `spark-submit`, for a job that does not exist."""
        # A Connect server is a Java program, whatever its clients are written in.
        python = self.pyspark and form != "spark-connect"
        job = "local:///opt/job.py" if python else "local:///opt/job.jar"
        target = [*MASTER, *([] if python else ["--class", "Job"])]
        if form in ("spark-submit", "spark-connect"):
            # The shell takes it apart, as it does for people, and the program says what it was given.
            words = output(["bash", "-euc", self.run("--format", form)], APPLICATION=job,
                           SPARK_HOME=f"{self.folder}/home", PATH=f"{self.folder}/home/sbin:{os.environ['PATH']}")
            return [*target, *words.rstrip("\t").split("\t"), *([] if form == "spark-submit" else [job])]
        if form == "spark-application":
            return [*target, *operator_arguments(self.application), job]
        path = f"{self.folder}/{len(os.listdir(self.folder))}.conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.run("--format", form))
        return [*target, "--properties-file", path, job]

    def pods(self):
        """What the plan says of pods and their number, in PodSizes' words."""
        plan = self.plan
        fields = []
        for role, cpu in (("driver", 1000 * plan["driver_cores"]),
                          ("executor", plan["executor_cpu_request_millis"])):
            memory = plan[f"{role}_pod_memory_mb"] << 20
            fields += [f"cpu={cpu},memory={memory}", f"cpu=-,memory={memory}"]
        if plan["dynamic_allocation"]:
            return fields + [str(plan[f"{bound}_executors"]) for bound in ("min", "initial", "max")]
        return fields + ["-", str(plan["num_executors"]), "-"]


def output(command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)}: exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def operator_arguments(application):
    """What the operator passes to spark-submit for the fields that size pods (its api documentation)."""
    spec = application["spec"]
    conf = dict(spec.get("sparkConf", {}))
    for role in ("driver", "executor"):
        for field in ("cores", "memory", "memoryOverhead", "instances"):
            if field in spec[role]:
                conf[f"spark.{role}.{field}"] = spec[role][field]
        if "coreRequest" in spec[role]:
            conf[f"spark.kubernetes.{role}.request.cores"] = spec[role]["coreRequest"]
    allocation = spec.get("dynamicAllocation", {})
    for field in ("enabled", "minExecutors", "initialExecutors", "maxExecutors"):
        if field in allocation:
            conf[f"spark.dynamicAllocation.{field}"] = str(allocation[field]).lower()
    return [word for key, value in conf.items() for word in ("--conf", f"{key}={value}")]


def strict(schema):
    """A CRD's schema as plain JSON Schema that refuses unknown fields instead of dropping them."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {key: {name: strict(value) for name, value in item.items()} if key == "properties" else strict(item)
            for key, item in schema.items()}
    if "properties" in made and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def application_schema(path):
    with open(path, encoding="utf-8") as file:
        definition = yaml.safe_load(file)
    version = next(version for version in definition["spec"]["versions"] if version["storage"])
    schema = strict(version["schema"]["openAPIV3Schema"])
    schema["properties"]["apiVersion"] = {"const": f"{definition['spec']['group']}/{version['name']}"}
    schema["properties"]["kind"] = {"const": definition["spec"]["names"]["kind"]}
    return schema


def check_applications(cases, definition):
    validator = jsonschema.Draft202012Validator(application_schema(definition))
    for case in cases:
        problems = [f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
                    for error in validator.iter_errors(case.application)]
        report(f"SparkApplication {case.name}", "; ".join(problems))
    # Able to fail: what the schema does not know is not let through.
    stray = json.loads(json.dumps(cases[0].application))
    stray["spec"]["executor"]["memoryRequest"] = "8Gi"
    report("SparkApplication with an unknown field is refused",
           "" if list(validator.iter_errors(stray)) else "it passes")


def release_of(pyspark):
    return output([sys.executable, "-c", "import pyspark; print(pyspark.__version__)"], PYTHONPATH=pyspark).strip()


def check_pods(cases, pyspark, folder):
    """Every case in every format, in one JVM."""
    release = release_of(pyspark)
    jars = f"{pyspark}/pyspark/jars/*"
    classes = f"{folder}/classes-{release}"
    output(["javac", "-nowarn", "-d", classes, "-cp", jars, f"{HERE}/PodSizes.java"])
    wanted = {}
    lines = f"{folder}/lines-{release}"
    with open(lines, "w", encoding="utf-8") as file:
        for case, form in itertools.product(cases, FORMATS):
            name = f"Spark {release} {form} {case.name}"
            wanted[name] = case.pods()
            file.write("\t".join([name, *case.commands[form]]) + "\n")
    said = output(["java", "-XX:TieredStopAtLevel=1", *OPENED, "-cp", f"{classes}:{jars}", "PodSizes", lines],
                  SPARK_LOCAL_IP="127.0.0.1", SPARK_CONF_DIR=folder)
    got = {name: fields for name, *fields in (line.split("\t") for line in said.splitlines())}
    for name, pods in wanted.items():
        if got.get(name) == pods:
            report(name)
        else:
            report(name, f"Spark says {got.get(name)}, the plan {pods}")


def check_start(case, pyspark, folder):
    """A real application under the settings as printed; only the cluster is another."""
    release = release_of(pyspark)
    name = f"Spark {release} starts with {case.name}"
    plan = case.plan
    job = f"{folder}/job.py"
    with open(job, "w", encoding="utf-8") as file:
        file.write(JOB)
    properties = case.commands["spark-defaults"][case.commands["spark-defaults"].index("--properties-file") + 1]
    told = {"spark.executor.memory": f"{plan['executor_memory_mb'] // 1024}g",
            "spark.sql.shuffle.partitions": str(plan["shuffle_partitions"]),
            "spark.dynamicAllocation.maxExecutors": str(plan["max_executors"])}
    # A worker may promise more memory than the machine has; the heaps stay all but empty.
    cluster = f"local-cluster[1,{plan['executor_cores']},{4 * plan['executor_pod_memory_mb']}]"
    try:
        said = output([f"{pyspark}/pyspark/bin/spark-submit", "--master", cluster, "--properties-file", properties,
                       "--conf", "spark.ui.enabled=false", "--conf", "spark.sql.shuffle.partitions=4", job, *told],
                      SPARK_HOME=f"{pyspark}/pyspark", PYTHONPATH=pyspark, SPARK_LOCAL_IP="127.0.0.1",
                      PYSPARK_PYTHON=sys.executable, SPARK_CONF_DIR=folder,
                      JAVA_TOOL_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    except RuntimeError as problem:
        report(name, str(problem))
        return
    told["spark.sql.shuffle.partitions"] = "4"
    wanted = "\t".join(["RESULT", "1000", *(f"{key}={value}" for key, value in told.items())])
    report(name, "" if wanted in said.splitlines() else f"it printed {said!r}, not {wanted!r}")


def main():
    program, definition, *releases = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/presets.yaml", "w", encoding="utf-8") as file:
            file.write(OWN_PRESETS)
        os.makedirs(f"{folder}/home/sbin")
        for program_name in ("spark-submit", "start-connect-server.sh"):
            with open(f"{folder}/home/sbin/{program_name}", "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\nprintf '%s\\t' \"$@\"\n")
            os.chmod(file.name, 0o755)
        inputs = [*itertools.product(SIZES, PRESETS, SITUATIONS[:1]),
                  *itertools.product(SIZES[2:3], PRESETS, SITUATIONS[1:])]
        cases = [Case(program, folder, *each) for each in inputs]
        check_applications(cases, definition)
        started = next(case for case in cases if case.name == "1TB medium")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for work in [*(pool.submit(check_start, started, release, folder) for release in releases),
                         *(pool.submit(check_pods, cases, release, folder) for release in releases)]:
                work.result()
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
