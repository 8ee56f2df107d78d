#!/usr/bin/env python3
"""Do those who read them take what `stoker hints` writes? Prints `ok NAME` or `FAIL NAME: ...` a line.

tests/charts/hints_test.py KUBERNETES CRD...

KUBERNETES: OpenAPI description (swagger.json) of a Kubernetes release. CRD: files with the CustomResourceDefinitions of
KEDA, of ProvisioningRequests and of CapacityBuffers. STOKER_BIN: the program. Needs PyYAML and jsonschema.

The golden files of tests/golden/hints are what is held against the schemas, unknown keys refused.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile

import yaml

from rendering import Schemas, check, report, results, same

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
FOLDER = f"{ROOT}/tests/golden/hints"
STOKER = os.environ["STOKER_BIN"]
QUANTITY = re.compile(r"^[0-9]+(m|Ki|Mi|Gi|Ti)?$")


def documents(name):
    with open(f"{FOLDER}/{name}", encoding="utf-8") as file:
        return [thing for thing in yaml.load_all(file, yaml.CSafeLoader) if thing]


def capacity_quota_problem(quota):
    """Its CustomResourceDefinition is in no published module, so this is what it says (v1beta1)."""
    spec = dict(quota["spec"])
    labels = spec.pop("selector")["matchLabels"]
    resources = spec.pop("limits")["resources"]
    if spec or set(resources) - {"cpu", "memory", "nodes"}:
        return f"unknown keys in {quota['spec']}"
    if not labels or not all(isinstance(value, str) for value in labels.values()):
        return f"bad selector {labels}"
    if "namespace" in quota["metadata"]:
        return "it is of the cluster, not of a namespace"
    bad = [value for value in resources.values() if not QUANTITY.match(str(value))]
    return f"bad quantities {bad}" if bad else ""


def flags_of(name):
    flags = documents(name)[0]
    check(f"{name} is a list of flags", all(re.match(r"^--[a-z0-9-]+=\S+$", flag) for flag in flags), flags)
    return dict(flag[2:].split("=", 1) for flag in flags)


def helm_of(name):
    """The chart makes `--KEY=VALUE` of each of extraArgs."""
    values = documents(name)[0]
    check(f"{name} has texts in extraArgs", all(isinstance(value, (str, int, float, bool))
                                                for value in values["extraArgs"].values()), values)
    return values


def main():
    schemas = Schemas(sys.argv[1], sys.argv[2:])
    for name in ("buffer.yaml", "request.yaml", "placeholder.yaml", "priority.yaml", "quota.yaml"):
        things = documents(name)
        quotas = [thing for thing in things if thing["kind"] == "CapacityQuota"]
        problem = schemas.problem_of([thing for thing in things if thing not in quotas])
        report(f"{name} fits its schemas", problem or next(filter(None, map(capacity_quota_problem, quotas)), ""))
    kinds = {thing["kind"] for name in ("buffer.yaml", "request.yaml", "placeholder.yaml", "quota.yaml")
             for thing in documents(name)}
    same("every kind is held against a schema", kinds, {
        "CapacityBuffer", "CapacityQuota", "Deployment", "PodTemplate", "PriorityClass", "ProvisioningRequest",
        "ResourceQuota", "ScaledObject"})

    for plain in ("", "-plain"):
        flags = flags_of(f"flags{plain}.yaml")
        values = helm_of(f"helm{plain}.yaml")
        as_text = {key: str(value).lower() if isinstance(value, bool) else str(value)
                   for key, value in values["extraArgs"].items()}
        same(f"helm{plain}.yaml sets the flags", as_text, flags)
        same(f"helm{plain}.yaml gives priorities if they are asked", "expanderPriorities" in values,
             "priority" in flags["expander"])
        same(f"helm{plain}.yaml mounts a CA if the expander is asked", "extraVolumeSecrets" in values,
             "grpc" in flags["expander"])
    priorities = yaml.load(documents("priority.yaml")[0]["data"]["priorities"], yaml.CSafeLoader)
    same("priorities are those of the chart's values", priorities, helm_of("helm.yaml")["expanderPriorities"])
    check("priorities are numbers with patterns", all(
        isinstance(key, int) and key > 0 and all(re.compile(pattern) for pattern in patterns)
        for key, patterns in priorities.items()), priorities)

    with tempfile.TemporaryDirectory() as folder:
        for thing in documents("placeholder.yaml"):
            if thing["kind"] == "ScaledObject":
                with open(f"{folder}/{thing['metadata']['name']}.yaml", "w", encoding="utf-8") as file:
                    yaml.safe_dump(thing, file)
        done = subprocess.run([STOKER, "check", *glob.glob(f"{folder}/*.yaml"), "--strict"],
                              capture_output=True, text=True, check=False)
        report("stoker check passes the ScaledObject", "" if done.returncode == 0 else done.stdout + done.stderr)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
