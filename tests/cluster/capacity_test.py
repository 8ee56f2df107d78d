#!/usr/bin/env python3
"""Does Stoker tell a real API server of executors to come, with no rights but the chart's?

tests/cluster/capacity_test.py HELM BINARIES CRD...

HELM: the program. BINARIES: a folder with etcd and kube-apiserver. CRD: files with the CustomResourceDefinitions of
CapacityBuffers and ProvisioningRequests. STOKER_BIN: stoker. Needs PyYAML and openssl. Prints `ok NAME` or `FAIL NAME: ...`
a line.

Two replicas run as the chart's service account on a configuration that wants five executors all day.
"""

import http.client
import json
import os
import re
import subprocess
import sys

import yaml

from control_plane import ControlPlane, Refused, wait_for

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, f"{ROOT}/tests/charts")

from rendering import Helm, check, report, results, same  # noqa: E402

AUTOSCALING = "autoscaling.x-k8s.io"
RUNNING = {"type": "pods", "namespace": "spark", "labelSelector": "spark-role=executor", "interval": "1s"}
HOURS = {"type": "cron", "timezone": "UTC", "start": "0 8 * * *", "end": "0 18 * * *", "desiredReplicas": 5}


def policy(mechanism):
    return {"replicas": {"min": 5, "max": 50}, "signals": {"hours": HOURS},
            "capacity": {"mechanism": mechanism, "executor": {"cpu": 4, "memory": "18Gi"}, "namespace": "spark",
                         "running": RUNNING}}


CONFIG = {"capacity": {"write": True},
          "policies": {"etl": policy("buffer"), "batch": policy("provisioningRequest")}}


def account(plane, helm):
    """A token of the service account that the chart makes for this configuration."""
    objects = helm.render(f"{ROOT}/charts/stoker", "stoker", "stoker", "-", stdin=json.dumps({"config": CONFIG}))
    for namespace in ("stoker", "spark"):
        plane.namespace(namespace)
    for thing in objects:
        if thing["kind"] in ("ServiceAccount", "Role", "RoleBinding"):
            plane.client.apply(thing)
    return plane.client.call("POST", "/api/v1/namespaces/stoker/serviceaccounts/stoker/token",
                             {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})["status"]["token"]


def found(plane, version, kind, name):
    try:
        return plane.client.get(f"{AUTOSCALING}/{version}", kind, "spark", name)
    except Refused as reason:
        if reason.status != 404:
            raise
        return None


def requests(plane):
    """Executors by ProvisioningRequest."""
    return {thing["metadata"]["name"]: thing["spec"]["podSets"][0]["count"]
            for thing in plane.client.get(f"{AUTOSCALING}/v1", "ProvisioningRequest", "spark")["items"]}


def becomes(plane, name, expected, actual):
    """`actual()` comes to be as expected."""
    try:
        wait_for(name, lambda: actual() == expected, 90)
        report(name)
    except TimeoutError:
        report(name, f"{actual()!r} instead of {expected!r}; " + plane.processes.log("first") + plane.processes.log("second"))


def buffer(plane):
    """Executors that the CapacityBuffer makes room for."""
    return (found(plane, "v1beta1", "CapacityBuffer", "stoker-etl") or {"spec": {}})["spec"].get("replicas")


def holder(plane):
    return plane.client.get("coordination.k8s.io/v1", "Lease", "stoker", "stoker-capacity")["spec"].get("holderIdentity")


def hints(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/api/v1/hints")
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status} {text}")
    return {item["policy"]: item for item in json.loads(text)["items"]}


def executor(plane, name, node=None):
    """A pod that runs, or waits for a node."""
    plane.client.create({"apiVersion": "v1", "kind": "Pod",
                         "metadata": {"name": name, "namespace": "spark", "labels": {"spark-role": "executor"}},
                         "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0,
                                  "containers": [{"name": "main", "image": "none"}]}})
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/0 nodes are available"}
    plane.client.patch_status("v1", "Pod", "spark", name,
                              {"phase": "Running"} if node else {"phase": "Pending", "conditions": [condition]})


def explains(plane, token):
    """With a kubeconfig that logs in by a program, as those of the clouds do."""
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
    kubeconfig = plane.write_kubeconfig("exec", {"exec": {
        "apiVersion": credential["apiVersion"], "command": "printf", "args": ["%s", json.dumps(credential)],
        "interactiveMode": "Never"}})
    done = subprocess.run([os.environ["STOKER_BIN"], "hints", "--explain", "--config", plane.configure("hints", CONFIG),
                           "--kubeconfig", kubeconfig], capture_output=True, text=True, check=False)
    same("stoker hints logs in by a program", (done.returncode, done.stderr), (0, ""))


def shows(plane, kubeconfig):
    """Writes are off unless the configuration says otherwise: the difference is shown."""
    process, up = plane.start_stoker("idle", {**CONFIG, "capacity": {}}, kubeconfig)
    item = wait_for("a difference is shown", lambda: (lambda it: it if it and it["diff"] else None)(
        hints(int(up["http_port"])).get("etl")))
    check("without `write` the difference is shown", any("create" in line for line in item["diff"]), item)
    same("without `write` nothing is written", (buffer(plane), requests(plane)), (None, {}))
    plane.processes.stop(process)


def writes(plane, kubeconfig):
    replicas = {name: plane.start_stoker(name, CONFIG, kubeconfig) for name in ("first", "second")}
    becomes(plane, "a CapacityBuffer has room for all executors that are wanted", 5, lambda: buffer(plane))
    becomes(plane, "a ProvisioningRequest asks for them", [5], lambda: list(requests(plane).values()))
    for number in range(2):
        executor(plane, f"executor-{number}", "somewhere")
    executor(plane, "executor-2")
    becomes(plane, "the buffer shrinks as executors run", 3, lambda: buffer(plane))
    same("field manager", [entry["manager"] for entry in found(plane, "v1beta1", "CapacityBuffer", "stoker-etl")[
        "metadata"]["managedFields"] if entry["operation"] == "Apply"], ["stoker"])

    before = holder(plane)
    check("one replica holds the Lease", before, "nobody")
    logs = {name: plane.processes.log(name, 1_000_000) for name in replicas}
    writers = [name for name, text in logs.items() if "told the cluster" in text]
    same("one replica writes", len(writers), 1)
    changes = [json.loads(line)["change"] for line in logs[writers[0]].splitlines() if "told the cluster" in line]
    same("what the API server makes of an object is not written again and again",
         [change for change in changes if not re.fullmatch(r".*: create|spec\.replicas: .*|stoker-batch-\d+ (for \d+|deleted)", change)], [])
    same("the chart's rights suffice", [line for text in logs.values() for line in text.splitlines() if "forbidden" in line], [])
    replica = int(replicas["first"][1]["http_port"])
    wait_for("a pod that waits is explained", lambda: hints(replica)["etl"]["missing"])
    missing = [entry for entry in hints(replica)["etl"]["missing"] if entry["reason"] == "unknown"]
    same("the chart's rights suffice to say what is missing", missing, [])

    replicas[writers[0]][0].kill()
    plane.client.delete("v1", "Pod", "spark", "executor-0")
    becomes(plane, "the other replica goes on when the writer dies", 4, lambda: buffer(plane))
    check("the Lease went over", holder(plane) not in (before, None, ""), holder(plane))

    left, = set(replicas) - {writers[0]}
    silent = {name: {**policy, "capacity": {**policy["capacity"], "mechanism": "none"}} for name, policy in CONFIG["policies"].items()}
    plane.configure(left, {**CONFIG, "policies": silent})
    becomes(plane, "nothing is kept that the configuration asks for no more", (0, {}), lambda: (buffer(plane), requests(plane)))


def main():
    helm = Helm(sys.argv[1])
    with ControlPlane(sys.argv[2]) as plane:
        for path in sys.argv[3:]:
            with open(path, encoding="utf-8") as file:
                definition = yaml.load(file, yaml.CSafeLoader)
            if definition["spec"]["group"] == AUTOSCALING:
                plane.define(definition)
        token = account(plane, helm)
        kubeconfig = plane.write_kubeconfig("stoker", {"token": token}, namespace="stoker")
        explains(plane, token)
        shows(plane, kubeconfig)
        writes(plane, kubeconfig)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
