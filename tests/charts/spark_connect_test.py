#!/usr/bin/env python3
"""Does the chart make what a cluster takes and Spark starts on? Prints `ok NAME` or `FAIL NAME: ...` a line.

tests/charts/spark_connect_test.py HELM RIGHTSIZE PYSPARK KUBERNETES CRD...

HELM, RIGHTSIZE: the programs. PYSPARK: a folder with an installed PySpark 4. KUBERNETES: OpenAPI description
(swagger.json) of a Kubernetes release. CRD: files with the CustomResourceDefinitions of KEDA and the Prometheus operator.
STOKER_BIN: stoker. Needs PyYAML, jsonschema and a JDK.
"""

import glob
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import yaml

from rendering import Helm, Schemas, chart_docs, check, golden, one, report, results, same, shown_values

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
CHART = f"{ROOT}/charts/spark-connect"
HOW_TO = f"{ROOT}/docs/how-to/spark-connect.md"
GOLDEN = f"{ROOT}/tests/golden/charts/spark-connect-default.yaml"
HELM = Helm(sys.argv[1])
START = 240  # seconds; JVMs are slow on a busy machine

MISTAKES = {
    "connect: {executor: {memory: 4Gi}}": "memory",
    "connect: {executors: {}}": "executors",
    "connect: {sparkConf: {spark.task.maxFailures: 8}}": "sparkConf",
    "connect: {sparkConf: {task.maxFailures: '8'}}": "task.maxFailures",
    "scaledObject: {enabled: true}": "scaledObject.policy",
}


def render(*values, stdin=None):
    return HELM.render(CHART, "spark", "data", *values, stdin=stdin)


def properties(objects):
    text = one(objects, "ConfigMap")["data"]["spark-defaults.conf"]
    return dict(line.split(" ", 1) for line in text.splitlines() if line)


def scenario(name, objects, schemas):
    report(f"{name}: objects fit their schemas", schemas.problem_of(objects))
    executor = yaml.safe_load(one(objects, "ConfigMap")["data"]["executor.yaml"])
    executor["metadata"]["name"] = executor["spec"]["containers"][0]["image"] = "of-spark"
    report(f"{name}: the executors' pod fits its schema", schemas.problem(executor))
    deployment = one(objects, "Deployment")
    pod = deployment["spec"]["template"]
    selectors = [deployment["spec"]["selector"]["matchLabels"], one(objects, "Service")["spec"]["selector"],
                 one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
                 one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]]
    check(f"{name}: servers are selected, executors are not",
          all(selector.items() <= pod["metadata"]["labels"].items()
              and not selector.items() <= {**executor["metadata"]["labels"], "spark-role": "executor"}.items()
              for selector in selectors), selectors)
    events = [volume["emptyDir"].get("sizeLimit") for volume in pod["spec"]["volumes"] if volume["name"] == "events"]
    same(f"{name}: event logs in the pod cannot fill the node's disk", events,
         ["10Gi"] if properties(objects)["spark.eventLog.dir"].startswith("file:") else [])
    bound = one(objects, "RoleBinding")
    same(f"{name}: the account that servers use has the rights", bound and bound["subjects"][0]["name"],
         pod["spec"]["serviceAccountName"] if name != "everything" else None)
    same(f"{name}: KEDA alone says how many servers", "replicas" in deployment["spec"], one(objects, "ScaledObject") is None)


def scaled(objects, folder):
    """Stoker finds nothing wrong with the ScaledObject, which names the authentication of the values."""
    same("the ScaledObject's authentication", one(objects, "ScaledObject")["spec"]["triggers"][0]["authenticationRef"],
         {"kind": "ClusterTriggerAuthentication", "name": "stoker"})
    path = f"{folder}/scaledobject.yaml"
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(one(objects, "ScaledObject"), file)
    done = subprocess.run([os.environ["STOKER_BIN"], "check", "--strict", path], capture_output=True, text=True, check=False)
    check("stoker check of the ScaledObject", done.returncode == 0, done.stdout + done.stderr)


def sized(program, *arguments):
    """What rightsize writes is what Spark is told."""
    text = subprocess.run([program, *arguments, "--helm-values"], capture_output=True, text=True, check=True).stdout
    connect = yaml.safe_load(text)["connect"]
    objects = render("-", stdin=text)
    conf = properties(objects)
    wanted = {**connect["sparkConf"], **{f"spark.executor.{key}": str(value) for key, value in connect["executor"].items()},
              **{f"spark.dynamicAllocation.{key}": str(value) for key, value in connect["dynamicAllocation"].items()
                 if key != "enabled"}}
    name = " ".join(arguments)
    same(f"rightsize {name}: settings", {key: conf.get(key) for key in wanted}, wanted)
    container = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    same(f"rightsize {name}: the server's resources", container["resources"], connect["resources"])
    return objects


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def listens(port, process):
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.2)
    return False


def starts(objects, pyspark, folder):
    """Real Spark on the rendered command and settings, but for its master and ports."""
    conf = one(objects, "ConfigMap")["data"]["spark-defaults.conf"]
    with open(f"{folder}/spark-defaults.conf", "w", encoding="utf-8") as file:
        file.write(conf.replace("/tmp/", f"{folder}/tmp/"))
    container = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    grpc, ui = free_port(), free_port()
    script = container["args"][0].strip().replace("/tmp/", f"{folder}/tmp/").replace(
        "/etc/spark-connect/", f"{folder}/").replace("/opt/spark/", f"{pyspark}/pyspark/")
    script += (" --master 'local[1]' --conf spark.driver.port=0 --conf spark.driver.blockManager.port=0 "
               f"--conf spark.ui.port={ui} --conf spark.connect.grpc.binding.port={grpc} "
               "--conf spark.dynamicAllocation.enabled=false --conf spark.driver.memory=512m")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SPARK")}
    environment.update(POD_IP="127.0.0.1", POD_NAME="spark-0", SPARK_HOME=f"{pyspark}/pyspark")
    with open(f"{folder}/log", "w", encoding="utf-8") as log:
        process = subprocess.Popen([*container["command"], script], env=environment, cwd=folder, stdout=log, stderr=log,
                                   start_new_session=True)
    try:
        up = listens(grpc, process)
        with open(f"{folder}/log", encoding="utf-8") as log:
            check("real Spark takes sessions", up, log.read()[-2000:])
        if not up:
            return
        for path in (endpoint["path"] for endpoint in one(objects, "PodMonitor")["spec"]["podMetricsEndpoints"]):
            status, text = get(ui, path)
            check(f"real Spark has metrics at {path}", status == 200 and "metrics_" in text, f"{status} {text[:200]}")
        application = json.loads(get(ui, "/api/v1/applications")[1])[0]["id"]
        seen = dict(json.loads(get(ui, f"/api/v1/applications/{application}/environment")[1])["sparkProperties"])
        lost = {key: value for key, value in properties(objects).items() if seen.get(key) != value and not any(
            part in key for part in ("master", "port", "dir", "driver.memory", "dynamicAllocation.enabled"))}
        same("real Spark has every setting", lost, {})
        check("real Spark writes its event log", glob.glob(f"{folder}/tmp/spark-events/*"), "no file")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def refuses(folder):
    for number, (text, reason) in enumerate(MISTAKES.items()):
        path = f"{folder}/mistake-{number}.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            render(path)
            report(f"refuses {text}", "accepted")
        except RuntimeError as error:
            check(f"refuses {text}", reason in str(error), str(error))


def main():
    rightsize, pyspark = sys.argv[2:4]
    schemas = Schemas(sys.argv[4], sys.argv[5:])
    for path in sorted(glob.glob(f"{CHART}/ci/*-values.yaml") + glob.glob(f"{CHART}/presets/*.yaml")):
        name = os.path.basename(path).removesuffix(".yaml").removesuffix("-values")
        report(f"{name}: helm lint", HELM.lint(CHART, path))
        scenario(name, render(path), schemas)
    for name in ("development", "cost-optimized"):
        conf = properties(render(f"{CHART}/presets/{name}.yaml"))
        same(f"{name}: idle executors go, with shuffle and cached data too",
             [conf.get(f"spark.dynamicAllocation.{key}") for key in ("shuffleTracking.timeout", "cachedExecutorIdleTimeout")],
             ["15m", "15m"])
    sized(rightsize, "--data-size", "5TB", "--pyspark", "--off-heap", "2g")
    sized(rightsize, "--data-size", "10GB", "--workload", "streaming")
    spot = sized(rightsize, "--data-size", "100GB", "--spot", "--node-type", "m5.4xlarge")
    scenario("rightsize", spot, schemas)
    report("README.md and schema say what values.yaml says", chart_docs(ROOT, CHART))
    golden(GOLDEN, HELM.text(CHART, "spark", "data"))
    conf = one(render(f"{CHART}/presets/production.yaml"), "ConfigMap")["data"]["spark-defaults.conf"]
    check("executors are told the server's address, not what it binds to",
          "spark.kubernetes.executor.useDriverPodIP false\n" in conf, conf)
    with tempfile.TemporaryDirectory() as folder:
        for name, path in shown_values(HOW_TO, folder):
            scenario(name, render(path), schemas)
        refuses(folder)
        scaled(render(f"{CHART}/ci/everything-values.yaml"), folder)
        starts(render(f"{CHART}/presets/production.yaml"), pyspark, tempfile.mkdtemp(dir=folder))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
