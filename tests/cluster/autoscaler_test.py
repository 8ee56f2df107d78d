#!/usr/bin/env python3
"""Does the real Cluster Autoscaler buy the nodes that Stoker chooses, and still scale when Stoker is gone?

tests/cluster/autoscaler_test.py HELM BINARIES

HELM: the program. BINARIES: a folder with etcd, kube-apiserver, kube-scheduler, cluster-autoscaler and cloud (autoscaler/cloud). STOKER_BIN:
stoker. Needs openssl. Prints `ok NAME` or `FAIL NAME: ...` a line.
"""

import json
import os
import signal
import sys
import urllib.request

from control_plane import ControlPlane, Refused, free_port, wait_for

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, f"{ROOT}/tests/charts")

from rendering import Helm, check, one, report, results, same  # noqa: E402

TYPE = "node.kubernetes.io/instance-type"
CAPACITY = "eks.amazonaws.com/capacityType"

# A node on demand is just as big as an executor; those of the spot groups are bigger but hold no second one, the last are
# also dearer; the cheapest are sold out. The autoscaler alone (least-waste) buys on demand.
GROUPS = [
    {"id": "system", "size": 1, "max": 1, "cpu": "2", "memory": "8Gi", "labels": {TYPE: "m5.large"}},
    {"id": "on-demand", "max": 9, "cpu": "8", "memory": "32Gi", "labels": {TYPE: "m5.2xlarge", CAPACITY: "ON_DEMAND"}},
    {"id": "spot", "max": 9, "cpu": "12", "memory": "48Gi", "labels": {TYPE: "m5.4xlarge", CAPACITY: "SPOT"}},
    {"id": "spot-cheap", "max": 9, "cpu": "12", "memory": "48Gi", "labels": {TYPE: "m5.2xlarge", CAPACITY: "SPOT"}, "sold_out": True},
    {"id": "spot-dear", "max": 9, "cpu": "12", "memory": "96Gi", "labels": {TYPE: "r5.4xlarge", CAPACITY: "SPOT"}},
]

SIZE = {"cpu": "7", "memory": "28Gi"}  # of every pod below
PLACEHOLDERS = {"config": {"policies": {"etl": {"capacity": {"mechanism": "placeholder", "executor": SIZE, "namespace": "spark"}}}}}


def pod(name, role):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "spark", "labels": {"spark-role": role}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [{
                "name": "main", "image": "none", "resources": {"requests": SIZE}}]}}


class Cluster:
    """The control plane with a cloud, an autoscaler and Stoker as its expander."""

    def __init__(self, plane):
        self.plane = plane
        self.client = plane.client
        self.processes = plane.processes

    def start_cloud(self):
        port = free_port()
        self.processes.start("cloud", f"{self.plane.binaries}/cloud", self.plane.kubeconfig, f"127.0.0.1:{port}",
                             json.dumps(GROUPS))
        wait_for("the cloud's first node", lambda: self.nodes().get("system"))
        return port

    def start_stoker(self):
        """Stoker as expander; returns the process, and the ports of the expander and of the HTTP API."""
        certificate, key = self.plane.authority.issue("expander", "/CN=stoker", ["DNS:localhost", "IP:127.0.0.1"])
        expander = {"enabled": True, "listen": "127.0.0.1:0", "tls": {"cert": certificate, "key": key}}
        process, up = self.plane.start_stoker("stoker", {"server": {"expander": expander}}, self.plane.kubeconfig)
        return process, up["expander"], int(up["http_port"])

    def start_autoscaler(self, cloud_port, expander_port):
        config = f"{self.plane.folder}/cloud.yaml"
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'address: "127.0.0.1:{cloud_port}"\n')
        self.processes.start(
            "autoscaler", f"{self.plane.binaries}/cluster-autoscaler", f"--kubeconfig={self.plane.kubeconfig}",
            "--cloud-provider=externalgrpc", f"--cloud-config={config}", "--leader-elect=false", "--scan-interval=1s",
            "--scale-down-enabled=false", "--initial-node-group-backoff-duration=30s", "--max-node-group-backoff-duration=30s", f"--address=127.0.0.1:{free_port()}", "--expander=grpc,least-waste",
            f"--grpc-expander-url=localhost:{expander_port}", f"--grpc-expander-cert={self.plane.authority.ca}", "--v=4")

    def nodes(self):
        """Number of nodes by group."""
        found = {}
        for node in self.client.get("v1", "Node")["items"]:
            group = node["metadata"]["labels"].get("cloud.test/group", "?")
            found[group] = found.get(group, 0) + 1
        return found

    def backs_off(self, group):
        """Whether the autoscaler says that it leaves this group alone."""
        status = self.client.get("v1", "ConfigMap", "kube-system", "cluster-autoscaler-status")["data"]["status"]
        of_group = status.split(f"Name:        {group}\n")[-1].split("Name:")[0]
        return "ScaleUp:     Backoff" in of_group

    def bound(self, names):
        """Whether the scheduler has a node for each of the pods."""
        return all(self.client.get("v1", "Pod", "spark", name)["spec"].get("nodeName") for name in names)

    def buys(self, name, pods, expected):
        """The pods come, the autoscaler adds exactly the expected nodes, the scheduler uses them."""
        before = self.nodes()
        for thing in pods:
            self.client.create(thing)
        try:
            wait_for(name, lambda: self.bound([thing["metadata"]["name"] for thing in pods]))
        except TimeoutError as late:
            report(name, f"{late}\n{self.processes.log('autoscaler')}")
            return
        after = self.nodes()
        same(name, {group: count - before.get(group, 0) for group, count in after.items()
                    if count != before.get(group, 0)}, expected)


def sold_out(cluster, port):
    """A group that failed is left alone for longer than the autoscaler's own back-off."""
    cluster.buys("an executor gets a node of another group when the cheapest is sold out", [pod("first", "executor")], {"spot": 1})
    try:
        wait_for("a back-off", lambda: cluster.backs_off("spot-cheap"))
        wait_for("the back-off is over", lambda: not cluster.backs_off("spot-cheap"), 90)
    except TimeoutError as late:
        report("the autoscaler backs off for a while", str(late))
    cluster.buys("the next executor is not sent there again", [pod("second", "executor")], {"spot": 1})
    same("the group that is sold out was asked once", cluster.processes.log("cloud").count("spot-cheap is sold out"), 1)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/hints", timeout=10) as answer:
        newest = json.load(answer)["expander"]["choices"][0]
    check("the explanation names the failure", any("failed" in group["why"] for group in newest["node_groups"]), newest)


def headroom(cluster, helm):
    """A placeholder of the chart's has a node bought; an executor takes its place there, and waits for nothing."""
    objects = helm.render(f"{ROOT}/charts/stoker", "stoker", "stoker", "-", stdin=json.dumps(PLACEHOLDERS))
    cluster.client.apply(one(objects, "PriorityClass"))
    placeholder = {"apiVersion": "v1", "kind": "Pod", **one(objects, "Deployment", "stoker-etl")["spec"]["template"]}
    placeholder["metadata"].update(name="placeholder", namespace="spark")
    cluster.buys("a placeholder gets a node as an executor would", [placeholder], {"spot": 1})
    cluster.buys("an executor takes the placeholder's place", [pod("executor-0", "executor")], {})
    try:
        cluster.client.get("v1", "Pod", "spark", "placeholder")
        report("the placeholder is gone", "it is still there")
    except Refused as reason:
        same("the placeholder is gone", reason.status, 404)


def main():
    helm = Helm(sys.argv[1])
    with ControlPlane(sys.argv[2]) as plane:
        plane.start_scheduler()
        plane.namespace("spark")
        cluster = Cluster(plane)
        cloud = cluster.start_cloud()
        stoker, expander, http_port = cluster.start_stoker()
        cluster.start_autoscaler(cloud, expander)
        sold_out(cluster, http_port)
        headroom(cluster, helm)
        cluster.buys("an executor gets a node of the cheapest spot group", [pod("executor-1", "executor")], {"spot": 1})
        cluster.buys("a driver gets a node on demand", [pod("driver", "driver")], {"on-demand": 1})
        stoker.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, stoker.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)  # all its threads stand still
        cluster.buys("while Stoker hangs the autoscaler scales as it would", [pod("executor-2", "executor")], {"on-demand": 1})
        stoker.kill()
        cluster.buys("without Stoker the autoscaler scales as it would",
                     [pod(f"executor-{number}", "executor") for number in (3, 4)], {"on-demand": 2})
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
