#!/usr/bin/env python3
"""Does a real API server take the charts' objects and the examples, and may Stoker do there what it must and no more?

tests/cluster/charts_test.py HELM BINARIES CRD...

HELM: the program. BINARIES: a folder with etcd and kube-apiserver. CRD: files with the CustomResourceDefinitions of all
that the charts make. Needs PyYAML and openssl. Prints `ok NAME` or `FAIL NAME: ...` a line.

Every object of every scenario goes through a server-side dry-run: defaults, validation, admission and CEL rules that no
schema has. Pods must pass a namespace that enforces the `restricted` security standard.
"""

import copy
import glob
import os
import sys

import yaml

from control_plane import ControlPlane, Refused

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, f"{ROOT}/tests/charts")

from rendering import Helm, report, results, same, workload  # noqa: E402

EXAMPLE_KINDS = ("ScaledObject", "ScaledJob", "TriggerAuthentication", "ServiceAccount", "Role", "RoleBinding", "Deployment",
                 "PriorityClass")
NAMESPACES = {"stoker": "stoker", "spark-connect": "data"}
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def scenarios(helm, chart):
    """(name, objects) of each set of values that comes with the chart."""
    folder = f"{ROOT}/charts/{chart}"
    for path in sorted(glob.glob(f"{folder}/ci/*-values.yaml") + glob.glob(f"{folder}/presets/*.yaml")):
        name = os.path.basename(path).removesuffix(".yaml").removesuffix("-values")
        yield f"{chart} {name}", helm.render(folder, chart.split("-")[0], NAMESPACES[chart], path)


def examples(kinds):
    """(name, objects) of each folder of config/examples, as far as the API server knows their kinds."""
    for folder in sorted(glob.glob(f"{ROOT}/config/examples/*/")):
        objects = []
        for path in sorted(glob.glob(f"{folder}*.yaml")):
            with open(path, encoding="utf-8") as file:
                objects += [thing for thing in yaml.load_all(file, yaml.CSafeLoader) if thing.get("kind") in kinds]
        yield f"example {os.path.basename(os.path.dirname(folder))}", objects


def pods(objects):
    """The pods that the objects would lead to."""
    for thing in objects:
        if thing["kind"] == "Deployment":
            yield thing["spec"]["template"]
        if thing["kind"] == "ConfigMap" and "executor.yaml" in thing["data"]:
            executor = yaml.safe_load(thing["data"]["executor.yaml"])
            executor["spec"]["containers"][0]["image"] = "of-spark"
            yield executor


def refused(client, objects, dry_run=True):
    """Why the API server does not take one of the objects, or ""."""
    for thing in objects:
        try:
            client.apply(thing, dry_run)
        except Refused as reason:
            return f"{thing['kind']} {thing['metadata']['name']}: {reason}"
    return ""


def prepare(plane, objects):
    """What a cluster has before a chart comes: namespaces, and priority classes that values name."""
    wanted = {thing["metadata"]["namespace"] for thing in objects if "namespace" in thing["metadata"]}
    for namespace in wanted:
        plane.namespace(namespace)
    classes = {thing["metadata"]["name"]: thing for thing in objects if thing["kind"] == "PriorityClass"}
    for pod in pods(objects):
        name = pod["spec"].get("priorityClassName", "")
        if name and not name.startswith("system-"):
            plane.client.apply(classes.get(name) or {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
                                                     "metadata": {"name": name}, "value": 1})


def restricted_pods(objects):
    for number, pod in enumerate(pods(objects)):
        pod = copy.deepcopy(pod)
        pod.update(apiVersion="v1", kind="Pod")
        pod["metadata"].update(name=f"pod-{number}", namespace="restricted")
        # Admission of system-* outside kube-system is the cluster's choice, not the pod's security.
        yield pod


def rules(client, user, namespace):
    """What a user may do in a namespace, but for what everybody may, as a sorted list of (group, resource, name, verb)."""
    answer = client.acting_as(user).create({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "metadata": {},
        "spec": {"namespace": namespace}})
    return {(group, resource, name, verb) for rule in answer["status"]["resourceRules"] for group in rule["apiGroups"]
            for resource in rule["resources"] for name in rule.get("resourceNames", ["*"]) for verb in rule["verbs"]}


def granted(objects):
    """Per namespace what the Roles of the objects say."""
    found = {}
    for role in (thing for thing in objects if thing["kind"] == "Role"):
        found.setdefault(role["metadata"]["namespace"], set()).update(
            (group, resource, name, verb) for rule in role["rules"] for group in rule["apiGroups"]
            for resource in rule["resources"] for name in rule.get("resourceNames", ["*"]) for verb in rule["verbs"])
    return found


def rights(plane, name, objects):
    """The service account's rights are those of its Roles: bound, in the right namespaces, and no others anywhere."""
    account = workload(objects)["spec"]["template"]["spec"]["serviceAccountName"]
    user = f"system:serviceaccount:{workload(objects)['metadata']['namespace']}:{account}"
    made = [thing for thing in objects if thing["kind"] in ("ServiceAccount", "Role", "RoleBinding")]
    for thing in made:
        plane.client.apply(thing)
    everybody = rules(plane.client, "system:serviceaccount:nowhere:nobody", "default")
    namespaces = [item["metadata"]["name"] for item in plane.client.get("v1", "Namespace")["items"]]
    held = {namespace: rules(plane.client, user, namespace) - everybody for namespace in namespaces}
    same(f"{name}: rights are those of the Roles",
         {namespace: found for namespace, found in held.items() if found}, granted(objects))
    for thing in made:
        plane.client.delete(thing["apiVersion"], thing["kind"], thing["metadata"]["namespace"], thing["metadata"]["name"])


def upgrades(plane, cases):
    """A release with the chart's own values can become any other by an upgrade: nothing immutable changes."""
    release = dict(cases)["stoker default"]
    report("stoker default: installed", refused(plane.client, release, dry_run=False))
    name = workload(release)["metadata"]["name"]
    for case, objects in cases:
        if case.startswith("stoker ") and workload(objects)["metadata"]["name"] == name:
            report(f"{case}: upgrade of a running release", refused(plane.client, objects))


def main():
    helm = Helm(sys.argv[1])
    cases = [case for chart in NAMESPACES for case in scenarios(helm, chart)]
    with ControlPlane(sys.argv[2]) as plane:
        for path in sys.argv[3:]:
            with open(path, encoding="utf-8") as file:
                plane.define(yaml.load(file, yaml.CSafeLoader))
        plane.namespace("restricted", RESTRICTED)
        for name, objects in cases:
            prepare(plane, objects)
            report(f"{name}: the API server takes every object", refused(plane.client, objects))
            report(f"{name}: a restricted namespace takes the pods", refused(plane.client, restricted_pods(objects)))
        for name, objects in cases:
            rights(plane, name, objects)
        upgrades(plane, cases)
        for name, objects in examples(EXAMPLE_KINDS):
            prepare(plane, objects)
            report(f"{name}: the API server takes every object", refused(plane.client, objects))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
