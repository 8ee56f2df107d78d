#!/usr/bin/env python3
"""Does the JSON Schema that editors read say what Stoker says? Prints `ok NAME` or `FAIL NAME: ...` a line.

tests/docs/schema_test.py. Needs PyYAML and jsonschema.

The schema itself is held against its metaschema; every configuration in config/examples and in documents' YAML blocks is
accepted; the mistakes in tests/golden/config that a schema can know are refused.
"""

import glob
import json
import os
import re
import sys

import jsonschema
import yaml

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SCHEMA = f"{ROOT}/docs/reference/stoker.schema.json"

# Mistakes that an editor shows. The others lie in what a text means or in two keys together; `stoker check` finds them.
KNOWN = {
    "api-version-missing", "api-version-unknown", "connection-interval-bare-number", "connection-s3-key-in-clear",
    "connection-type-unknown", "connection-url-missing", "policy-headroom-without-percent", "policy-key-unknown",
    "policy-max-zero", "policy-on-fault-then", "policy-signal-name", "policy-without-signals", "section-unknown",
    "server-auth", "server-inline-trust", "server-key-unknown", "server-tls-key-missing",
    "signal-directory-path-missing", "signal-manual-name-missing", "signal-manual-target-size-zero",
    "signal-on-empty", "signal-per", "signal-query-missing", "signal-target-size-missing", "signal-threshold-text",
    "signal-threshold-zero", "signal-type-missing", "signal-type-unknown",
}

failed = False


def report(name, problem=""):
    global failed
    failed = failed or bool(problem)
    print(f"FAIL {name}: {problem}" if problem else f"ok {name}", flush=True)


class Loader(yaml.SafeLoader):
    """YAML 1.2, as editors and Stoker read it: `off` is a text, `1:30` too."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?[0-9]+", list("-+0123456789")),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789"))):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)


def load(text):
    return yaml.load(text, Loader)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def problem_of(validator, text):
    for error in validator.iter_errors(load(text)):
        return f"{'.'.join(map(str, error.absolute_path))}: {error.message[:300]}"
    return ""


def configurations():
    """(name, text) of every configuration that is shown as a good one."""
    for path in sorted(glob.glob(f"{ROOT}/config/examples/**/*.yaml", recursive=True)):
        if re.search(r"^apiVersion: stoker/", read(path), re.M):
            yield os.path.relpath(path, ROOT), read(path)
    for path in sorted([f"{ROOT}/README.md", *glob.glob(f"{ROOT}/docs/**/*.md", recursive=True)]):
        text = read(path)
        for block in re.finditer(r"^```yaml[^\n]*\n(.*?)^```$", text, re.S | re.M):
            if re.search(r"^apiVersion: stoker/", block[1], re.M):
                yield f"{os.path.relpath(path, ROOT)}:{text[:block.start()].count(chr(10)) + 1}", block[1]


def main():
    schema = json.loads(read(SCHEMA))
    jsonschema.Draft202012Validator.check_schema(schema)
    report("the schema fits its metaschema")
    validator = jsonschema.Draft202012Validator(schema)
    for name, text in configurations():
        report(f"{name}: accepted", problem_of(validator, text))

    for name in sorted(KNOWN):
        problem = problem_of(validator, read(f"{ROOT}/tests/golden/config/{name}.bad.yaml"))
        report(f"{name}: refused", "" if problem else "the schema accepts it")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
