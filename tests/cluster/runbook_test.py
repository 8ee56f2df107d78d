#!/usr/bin/env python3
"""Do the documents' kubectl commands do something on a real API server that has what the chart makes?

tests/cluster/runbook_test.py HELM BINARIES CRD...

HELM: the program. BINARIES: a folder with etcd, kube-apiserver and kubectl. CRD: files with the CustomResourceDefinitions of KEDA
and CapacityBuffers. Needs PyYAML, openssl and bash. Prints `ok NAME` or `FAIL NAME: ...` a line.

Each line of a block ```sh that begins with kubectl is run, in the documents' order, where the objects that it names are there.
Two pods are on a node that is gone: logs of each are refused, as those of a pod without a run before are.
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import yaml

from control_plane import ControlPlane

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, f"{ROOT}/tests/charts")

from rendering import Helm, check, report, results, same, workload  # noqa: E402

DOCUMENTS = [f"{ROOT}/docs/how-to/runbook.md", *sorted(set(glob.glob(f"{ROOT}/docs/how-to/*.md")) - {
    f"{ROOT}/docs/how-to/runbook.md"}), f"{ROOT}/docs/explanation/hpa-tolerance.md"]
# What asks a kubelet, a controller or the metrics server.
ELSEWHERE = re.compile(r"\b(port-forward|exec|rollout status|top|logs deployment/\S+)\b")
VALUES = {
    "tls": {"enabled": True, "secretName": "stoker-tls"},
    "config": {
        "capacity": {"write": True},
        "policies": {"etl": {"capacity": {"mechanism": "buffer", "namespace": "spark", "executor": {"cpu": 4, "memory": "18Gi"}}}},
    },
}


def shown(path):
    """The YAML blocks with a file name of a document."""
    with open(path, encoding="utf-8") as file:
        return {name: yaml.safe_load(text) for name, text in re.findall(r"^```yaml file=(\S+)\n(.*?)^```", file.read(), re.M | re.S)}


def named(kind, version, namespace, name, **fields):
    return {"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace, "name": name}, **fields}


def fill(plane, objects):
    """What the documents speak of: the chart's objects, its pods, KEDA's operator, scaled objects and the HPA of one."""
    for namespace in ("stoker", "spark", "keda", "team-a", "data", "monitoring"):
        plane.namespace(namespace)
    for thing in objects:
        plane.client.apply(thing)
    deployment = workload(objects)
    for name in ("stoker-7d4b9c-x2x7k", "stoker-7d4b9c-b4qzt"):
        template = deployment["spec"]["template"]
        plane.client.create(named("Pod", "v1", "stoker", name, spec={**template["spec"], "nodeName": "gone"}) | {
            "metadata": {**template["metadata"], "namespace": "stoker", "name": name}})
    plane.client.apply(named("Deployment", "apps/v1", "keda", "keda-operator", spec={
        **deployment["spec"], "template": {"metadata": template["metadata"], "spec": {"containers": [
            {"name": "operator", "image": "none"}]}}}))
    scaled = shown(f"{ROOT}/docs/how-to/scaledobject.md")["scaledobject.yaml"]
    plane.client.apply(scaled)
    plane.client.apply({**scaled, "metadata": {"namespace": "team-a", "name": "nightly"}})
    plane.client.apply(named("HorizontalPodAutoscaler", "autoscaling/v2", "data", "keda-hpa-spark-workers", spec={
        "scaleTargetRef": {"apiVersion": "apps/v1", **scaled["spec"]["scaleTargetRef"]}, "maxReplicas": 50,
        "behavior": scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]}))
    plane.client.apply(named("Secret", "v1", "stoker", "stoker-tls", stringData={"ca.crt": "CA", "tls.crt": "C", "tls.key": "K"}))


def lines(path):
    with open(path, encoding="utf-8") as file:
        for block in re.findall(r"^```sh\n(.*?)^```", file.read(), re.M | re.S):
            yield from (line for line in block.splitlines() if line.startswith("kubectl ") and not ELSEWHERE.search(line))


def main():
    objects = Helm(sys.argv[1]).render(f"{ROOT}/charts/stoker", "stoker", "stoker", "-", stdin=json.dumps(VALUES))
    with ControlPlane(sys.argv[2]) as plane, tempfile.TemporaryDirectory() as folder:
        for path in sys.argv[3:]:
            with open(path, encoding="utf-8") as file:
                plane.define(yaml.load(file, yaml.CSafeLoader))
        fill(plane, objects)
        for name in ("tls.crt", "tls.key"):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.write(name)
        os.symlink(f"{ROOT}/dashboards", f"{folder}/dashboards")
        environment = {**os.environ, "PATH": f"{os.path.abspath(sys.argv[2])}:{os.environ['PATH']}", "HOME": folder,
                       "KUBECONFIG": plane.kubeconfig, "KUBE_EDITOR": "true"}
        for path in DOCUMENTS:
            for line in lines(path):
                done = subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, timeout=120, check=False)
                name = f"{os.path.basename(path)}: {line}"
                report(name, "" if done.returncode == 0 else done.stdout + done.stderr)
                if " logs " in line:
                    left = len(plane.client.get("v1", "Pod", "stoker")["items"])
                    same(f"{name}: asks for every pod's", done.stdout.count("error: "), left)
                if "jsonpath" in line and ">" not in line:
                    check(f"{name}: shows something", done.stdout, "no output")
        for name in ("token", "stoker.yaml", "scaledobject.yaml", "ca.crt"):
            check(f"{name} is written", os.path.getsize(f"{folder}/{name}"), "empty")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
