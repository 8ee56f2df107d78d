#!/usr/bin/env python3
"""Would a cluster take the examples and the manifests that the documents show? Prints `ok NAME` or `FAIL NAME: ...` a line.

tests/charts/examples_test.py KUBERNETES CRD...

KUBERNETES: OpenAPI description (swagger.json) of a Kubernetes release. CRD: files with the CustomResourceDefinitions of KEDA,
the Prometheus operator and the Spark operators. STOKER_BIN: the program. Needs PyYAML and jsonschema.

Each folder of config/examples with manifests is a configuration and what goes with it: `stoker check --strict` passes it, every
object fits its schema, every ScaledObject's target can be scaled, and every TriggerAuthentication that a trigger names is there
and gives only what KEDA reads for an external scaler. Kubernetes objects in documents' YAML blocks fit their schemas, too.
"""

import glob
import json
import os
import re
import subprocess
import sys

import yaml

from rendering import Schemas, check, report, results, same

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
EXAMPLES = f"{ROOT}/config/examples"
STOKER = os.environ["STOKER_BIN"]
EXTERNAL_SCALER_PARAMETERS = {"caCert", "tlsClientCert", "tlsClientKey"}


def scalable(kubernetes, crds):
    """Kinds with a scale subresource, by the API server's paths and the CRDs."""
    with open(kubernetes, encoding="utf-8") as file:
        paths = json.load(file)["paths"]
    plurals = {match[1] for path in paths if (match := re.fullmatch(r"/apis/apps/v1/.*/(\w+)/{name}/scale", path))}
    kinds = {kind for kind in ("Deployment", "StatefulSet", "ReplicaSet", "DaemonSet") if f"{kind.lower()}s" in plurals}
    for crd in crds:
        with open(crd, encoding="utf-8") as file:
            spec = yaml.load(file, yaml.CSafeLoader)["spec"]
        if any("scale" in version.get("subresources", {}) for version in spec["versions"]):
            kinds.add(spec["names"]["kind"])
    return kinds


def stoker_check(*paths):
    done = subprocess.run([STOKER, "check", "--strict", *paths], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def objects_of(folder):
    for path in sorted(glob.glob(f"{folder}/*.yaml")):
        with open(path, encoding="utf-8") as file:
            for thing in yaml.load_all(file, yaml.CSafeLoader):
                if "kind" in thing:
                    yield thing


def references(objects):
    """What triggers name and nobody brings, or brings in vain, or ""."""
    given = {(thing["metadata"]["namespace"], thing["metadata"]["name"]): thing["spec"] for thing in objects
             if thing["kind"] == "TriggerAuthentication"}
    used = set()
    for thing in objects:
        for trigger in thing.get("spec", {}).get("triggers", []):
            if "authenticationRef" not in trigger:
                return f"a trigger of {thing['metadata']['name']} has no authenticationRef"
            used.add((thing["metadata"]["namespace"], trigger["authenticationRef"]["name"]))
    if used != set(given):
        return f"TriggerAuthentications named: {sorted(used)}, there: {sorted(given)}"
    for spec in given.values():
        parameters = {entry["parameter"] for entry in spec["secretTargetRef"]}
        if parameters - EXTERNAL_SCALER_PARAMETERS or "caCert" not in parameters:
            return f"KEDA reads {sorted(EXTERNAL_SCALER_PARAMETERS)} for an external scaler, given are {sorted(parameters)}"
        if len(parameters & {"tlsClientCert", "tlsClientKey"}) == 1:
            return "a client certificate without its key, or the other way round"
    return ""


def example(folder, schemas, kinds):
    name = os.path.relpath(folder, ROOT)
    report(f"{name}: stoker check", stoker_check(folder))
    objects = list(objects_of(folder))
    check(f"{name}: has a ScaledObject or a ScaledJob",
          any(thing["kind"] in ("ScaledObject", "ScaledJob") for thing in objects), "none")
    report(f"{name}: objects fit their schemas", schemas.problem_of(objects))
    report(f"{name}: triggers and their authentication", references(objects))
    for workers in (thing["spec"]["workerSpec"]["statefulSetSpec"]["template"] for thing in objects if thing["kind"] == "SparkCluster"):
        same(f"{name}: Stoker's expander knows its workers", workers.get("metadata", {}).get("labels"),
             {"stoker/stands-in-for": "executor"})
    targets = {thing["spec"]["scaleTargetRef"].get("kind", "Deployment") for thing in objects
               if thing["kind"] == "ScaledObject"}
    same(f"{name}: its targets can be scaled", targets - kinds, set())


def documents(schemas):
    """Each YAML block that begins as a Kubernetes object."""
    paths = [f"{ROOT}/README.md", *glob.glob(f"{ROOT}/docs/**/*.md", recursive=True)]
    for path in sorted(paths):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for block in re.finditer(r"^```yaml[^\n]*\n(.*?)^```$", text, re.S | re.M):
            if not re.match(r"(#[^\n]*\n)*apiVersion: (?!stoker/)", block[1]):
                continue
            line = text[:block.start()].count("\n") + 1
            report(f"{os.path.relpath(path, ROOT)}:{line}", schemas.problem_of(list(yaml.safe_load_all(block[1]))))


def main():
    kubernetes, crds = sys.argv[1], sys.argv[2:]
    schemas = Schemas(kubernetes, crds)
    kinds = scalable(kubernetes, crds)
    same("what the documents say of targets: these can be scaled", {"Deployment", "StatefulSet"} - kinds, set())
    same("what the documents say of targets: these cannot",
         kinds & {"SparkApplication", "ScheduledSparkApplication", "SparkConnect", "SparkCluster"}, set())
    folders = {folder.rstrip("/") for folder in glob.glob(f"{EXAMPLES}/*/")}
    with_manifests = {folder for folder in folders if any(objects_of(folder))}
    for folder in sorted(with_manifests):
        example(folder, schemas, kinds)
    alone = glob.glob(f"{EXAMPLES}/*.yaml") + [f"{folder}/stoker.yaml" for folder in folders - with_manifests]
    for path in sorted(alone):
        report(f"{os.path.relpath(path, ROOT)}: stoker check", stoker_check(path))
    documents(schemas)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
