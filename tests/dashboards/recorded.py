"""Metrics as their projects declare them: dashboards/names, and Stoker's own from tests/golden/metrics.txt."""

import dataclasses
import glob
import re


@dataclasses.dataclass
class Metric:
    kind: str
    labels: list


def declared():
    """Name: Metric."""
    result = {}
    for path in glob.glob("dashboards/names/*.txt"):
        with open(path, encoding="utf-8") as file:
            for line in file:
                if not line.startswith("#"):
                    name, kind, *labels = line.split()
                    result[name] = Metric(kind, labels[0].split(",") if labels else [])
    with open("tests/golden/metrics.txt", encoding="utf-8") as file:
        for line in file:
            name, kind, labels = re.match(r"(\w+) (\w+) \{(.*?)\}", line).groups()
            result[name] = Metric(kind, labels.split(",") if labels else [])
    return result


def sample(line):
    """(name, labels, value) of a line of Prometheus's text format."""
    name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
    return name, dict(re.findall(r'(\w+)="([^"]*)"', labels or "")), float(value)
