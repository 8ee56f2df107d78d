"""What a node costs by the core and by the byte, from the catalogue of config/prices.

A container's cost is its share of a node as it is sold: the larger of its shares of CPU and memory, times the price. Within a family the price of a core is the same in all sizes, so one size a family is
offered: the one with 8 CPUs.
"""

import glob
import os
import re

import yaml

FOLDER = f"{os.path.dirname(os.path.abspath(__file__))}/../config/prices"
FIRST = "m5.2xlarge"  # what rightsize takes without a node type
CPUS = 8
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def count(cpus):
    """`8` or `7500m`."""
    return float(cpus[:-1]) / 1000 if isinstance(cpus, str) and cpus.endswith("m") else float(cpus)


def size(memory):
    """`32GiB`; all units are binary, as everywhere in Stoker."""
    number, unit = re.fullmatch(r"([\d.]+) ?([KMGT])i?B?", str(memory), re.IGNORECASE).groups()
    return float(number) * UNITS[unit.upper()]


def nodes(more=()):
    """Name: (price an hour on demand, on spot or None, CPUs, memory in bytes), of the catalogue and of price files."""
    result = {}
    for path in (*sorted(glob.glob(f"{FOLDER}/*.yaml")), *more):
        with open(path, encoding="utf-8") as file:
            text = yaml.safe_load(file)
        discount = float(str(text.get("spotDiscount", "0")).rstrip("%")) / 100
        for name, own in text["nodes"].items():
            node = {**result.get(name, {}), **own}
            if "price" in own and "spotPrice" not in own:
                node["spotPrice"] = own["price"] * (1 - discount) if discount else None
            result[name] = node
    for name, node in result.items():
        if "price" in node:
            yield name, node["price"], node.get("spotPrice"), count(node["cpu"]), size(node["memory"])


def expression(price, cpus, memory):
    """PromQL: dollars an hour of a core and of a byte, by the label `resource` of kube-state-metrics."""
    return (f'label_replace(vector({price / cpus:.6g}), "resource", "cpu", "", "") or '
            f'label_replace(vector({price / memory:.6g}), "resource", "memory", "", "")')


def options(more=()):
    """(name, PromQL) of the node types to choose from: those of price files, and of the catalogue one a family."""
    own = set()
    for path in more:
        with open(path, encoding="utf-8") as file:
            own |= set(yaml.safe_load(file)["nodes"])
    result = []
    for name, price, spot, cpus, memory in nodes(more):
        if name in own or cpus == CPUS:
            result.append((name, expression(price, cpus, memory)))
            if spot:
                result.append((f"{name} spot", expression(spot, cpus, memory)))
    first = next((name for name, _ in result if name in own), FIRST)
    return sorted(result, key=lambda option: option[0].removesuffix(" spot") != first)
