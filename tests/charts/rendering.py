"""What tests of charts share: helm, the schemas that a cluster holds objects against, and the way results are told."""

import functools
import json
import os
import re
import subprocess
import sys

import jsonschema
import yaml

# Newer than `kubeVersion` of the charts; a helm that is built from its module knows no version of its own.
KUBE_VERSION = "1.36.0"

results = []


def report(name, problem=""):
    results.append(not problem)
    print(f"FAIL {name}: {problem}" if problem else f"ok {name}", flush=True)


def check(name, holds, problem):
    report(name, "" if holds else problem)


def same(name, actual, expected):
    check(name, actual == expected, f"{actual!r} instead of {expected!r}")


class Schemas:
    """Schemas of objects by (apiVersion, kind): all that there are, of an operator's newest and oldest release. A key that one does
    not name is an error."""

    def __init__(self, kubernetes, crds):
        with open(kubernetes, encoding="utf-8") as file:
            self.definitions = json.load(file)["definitions"]
        self.definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"]["type"] = ["string", "number"]
        self.by_kind = {}
        for name, definition in self.definitions.items():
            for kind in definition.get("x-kubernetes-group-version-kind", []):
                version = f"{kind['group']}/{kind['version']}".removeprefix("/")
                self.by_kind[version, kind["kind"]] = [{"$ref": f"#/definitions/{name}"}]
        for path in crds:
            with open(path, encoding="utf-8") as file:
                spec = yaml.load(file, yaml.CSafeLoader)["spec"]
            for version in spec["versions"]:
                schema = version["schema"]["openAPIV3Schema"]
                schema["properties"]["metadata"] = {
                    "$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
                self.by_kind.setdefault((f"{spec['group']}/{version['name']}", spec["names"]["kind"]), []).append(self.strict(schema))
        self.definitions = {name: self.strict(definition) for name, definition in self.definitions.items()}

    def strict(self, schema):
        """As the API server reads it: its own types told to JSON schema, and nothing unknown."""
        if isinstance(schema, list):
            return [self.strict(part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        made = {key: self.strict(value) for key, value in schema.items() if key != "default"}
        if made.get("format") == "int-or-string":
            made["type"] = ["string", "integer"]
        if (isinstance(made.get("properties"), dict) and made.get("type", "object") == "object"
                and "additionalProperties" not in made and not made.get("x-kubernetes-preserve-unknown-fields")):
            made["additionalProperties"] = False
        return made

    @functools.lru_cache(maxsize=None)
    def validators(self, version, kind):
        return [jsonschema.Draft7Validator({**schema, "definitions": self.definitions})
                for schema in self.by_kind.get((version, kind), [])]

    def problem(self, thing):
        """The first thing wrong with an object, or ""."""
        name = f"{thing.get('kind')} {thing.get('metadata', {}).get('name')}"
        validators = self.validators(thing.get("apiVersion"), thing.get("kind"))
        if not validators:
            return f"{name}: no schema for {thing.get('apiVersion')}"
        for error in (error for validator in validators for error in validator.iter_errors(thing)):
            return f"{name}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}"
        return ""

    def problem_of(self, things):
        return next(filter(None, map(self.problem, things)), "")


class Helm:
    def __init__(self, program):
        self.program = program

    def run(self, *arguments, stdin=None):
        """(exit code, output, error)"""
        done = subprocess.run([self.program, *arguments, "--kube-version", KUBE_VERSION], input=stdin, capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def text(self, chart, release, namespace, *values, stdin=None):
        flags = [part for path in values for part in ("--values", path)]
        code, output, error = self.run("template", release, chart, "--namespace", namespace, *flags, stdin=stdin)
        if code != 0:
            raise RuntimeError(error.strip())
        return output

    def render(self, *arguments, stdin=None):
        """Objects, as a list. RuntimeError with helm's reason when it refuses."""
        return [thing for thing in yaml.load_all(self.text(*arguments, stdin=stdin), yaml.CSafeLoader) if thing]

    def lint(self, chart, *values):
        """What helm has against the chart with these values, or ""."""
        flags = [part for path in values for part in ("--values", path)]
        code, output, error = self.run("lint", "--strict", chart, *flags)
        return "" if code == 0 else output + error


def chart_docs(root, chart):
    """What is stale or lacks a comment, or ""."""
    done = subprocess.run([sys.executable, f"{root}/scripts/chart-docs", "--check", chart], capture_output=True, text=True,
                          check=False)
    return done.stderr


def golden(path, text):
    """Reports whether a file is as it was; STOKER_UPDATE_GOLDEN writes it anew."""
    if os.environ.get("STOKER_UPDATE_GOLDEN"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    with open(path, encoding="utf-8") as file:
        check("default: as in the golden file", file.read() == text,
              f"differs from {os.path.relpath(path)}; STOKER_UPDATE_GOLDEN=1 writes it anew")


def shown_values(document, folder):
    """(name, path) of the values that a document shows, each in a file."""
    with open(document, encoding="utf-8") as file:
        blocks = re.findall(r"^```yaml file=(\S*values\S*)\n(.*?)^```", file.read(), re.M | re.S)
    for name, text in blocks:
        path = f"{folder}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        yield f"{os.path.basename(document)} {name.removesuffix('.yaml')}", path


def one(objects, kind, name=None):
    found = [thing for thing in objects if thing["kind"] == kind and name in (None, thing["metadata"]["name"])]
    return found[0] if len(found) == 1 else None


def workload(objects):
    """The Deployment that the chart is for; placeholders are beside it."""
    return next(thing for thing in objects if thing["kind"] == "Deployment"
                and thing["metadata"]["labels"].get("app.kubernetes.io/component") != "placeholder")
