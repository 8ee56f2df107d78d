"""Rules for dashboards and alerts that need nothing but their text. Each yields problems, a line each."""

import os
import re

import recorded

FAMILY = re.compile(r"\b((?:stoker|metrics_executor|keda|cluster_autoscaler|kube|container)_\w+)")
SPARK_COUNTER = re.compile(r"metrics_executor_\w+_total$")
UNITS = {"none", "short", "s", "ms", "bytes", "Bps", "ops", "reqps", "percentunit"}


def names_in(expression):
    """Metric names, without what is between quotes or a label in by(), on() and the like."""
    text = re.sub(r'"[^"]*"', '""', expression)
    text = re.sub(r"\b(by|on|without|ignoring|group_left|group_right) *\([^)]*\)", "", text)
    return FAMILY.findall(text)


def kind_of(name, kinds):
    if SPARK_COUNTER.match(name):
        return "counter"
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return kinds.get(name) or ("counter" if kinds.get(base) in ("histogram", "summary") else None)


def dashboard(board, kinds):
    """As Grafana's own lint has them: data source, texts, units, rates over the right range, legends, variables."""
    variables = {one["name"] for one in board["templating"]["list"]}
    used = set()
    ids = [panel["id"] for panel in board["panels"]]
    if len(ids) != len(set(ids)):
        yield "two panels have one id"
    cells = {}
    for panel in board["panels"]:
        where = f"panel '{panel['title']}'"
        grid = panel["gridPos"]
        for x in range(grid["x"], grid["x"] + grid["w"]):
            for y in range(grid["y"], grid["y"] + grid["h"]):
                if x >= 24 or cells.setdefault((x, y), panel["id"]) != panel["id"]:
                    yield f"{where}: does not fit where it is"
                    break
        if panel["type"] == "row":
            continue
        for key in ("title", "description"):
            if not panel[key]:
                yield f"{where}: no {key}"
        if not panel["description"].split("\n")[0].endswith("."):
            yield f"{where}: the description is no sentence"
        if panel["fieldConfig"]["defaults"]["unit"] not in UNITS:
            yield f"{where}: no unit that we know"
        for page in re.findall(r"docs/([\w/.-]+\.md)", panel["description"]):
            if not os.path.exists(f"docs/{page}"):
                yield f"{where}: docs/{page} is not there"
        if not panel["targets"]:
            yield f"{where}: no query"
        for target in panel["targets"]:
            expression = target["expr"]
            used |= set(re.findall(r"\$\{?([a-z_]\w*)", expression))
            if {panel["datasource"]["uid"], target["datasource"]["uid"]} != {"${datasource}"}:
                yield f"{where}: does not ask the chosen data source"
            if not target["legendFormat"] and panel["type"] != "stat":
                yield f"{where}: no legend"
            for span in re.findall(r"\[([^\]]*)\]", re.sub(r'"[^"]*"', '""', expression)):
                if span not in ("$__rate_interval", "$__range"):
                    yield f"{where}: a range that does not follow the resolution: [{span}]"
            for name in names_in(expression):
                kind = kind_of(name, kinds)
                if kind is None and not name.startswith("metrics_executor_"):
                    yield f"{where}: {name} is in no list of metrics"
                rated = re.search(rf"(rate|increase)\({name}\b", expression)
                if (kind == "counter") != bool(rated):
                    yield f"{where}: {name} is a {kind or 'gauge'}: {'rate() it' if kind == 'counter' else 'no rate()'}"
    for one in board["templating"]["list"][1:]:
        used |= set(re.findall(r"\$(\w+)", one["query"]["query"]))
        for name in names_in(one["query"]["query"]):
            if not name.startswith("metrics_executor_") and kind_of(name, kinds) is None:
                yield f"variable {one['name']}: {name} is in no list of metrics"
    for name in sorted(variables - used - {"datasource"}):
        yield f"variable {name} is not used"
    for name in sorted(used - variables):
        if not name.startswith("__"):
            yield f"${name} is no variable"


def headings(runbook):
    """Alert: the text of its section."""
    parts = re.split(r"^## (\w+)\n", runbook, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def alerts(rules, runbook, kinds):
    """Severity and texts, a section of the runbook for each with all four steps, and none too many."""
    sections = headings(runbook)
    for rule in rules:
        name = rule["name"]
        if rule["labels"].get("severity") not in ("critical", "warning"):
            yield f"{name}: severity is critical or warning"
        for key in ("summary", "description", "runbook_url"):
            if not rule["annotations"].get(key):
                yield f"{name}: no {key}"
        if rule["annotations"].get("runbook_url") != f"docs/how-to/runbook.md#{name.lower()}":
            yield f"{name}: runbook_url does not lead to its section"
        for metric in names_in(rule["query"]):
            if kind_of(metric, kinds) is None:
                yield f"{name}: {metric} is in no list of metrics"
        if name not in sections:
            yield f"{name}: the runbook has no section"
            continue
        steps = re.split(r"^\*\*(\w+)\*\*", sections[name], flags=re.MULTILINE)
        if steps[1::2] != ["Detect", "Diagnose", "Remedy", "Validate"]:
            yield f"{name}: its section has not the steps Detect, Diagnose, Remedy, Validate"
        for step, body in zip(steps[1::2], steps[2::2]):
            if "```sh\n" not in body:
                yield f"{name}: {step} has no command"
    for name in sorted(set(sections) - {rule["name"] for rule in rules}):
        yield f"{name}: a section of the runbook without an alert"


def samples(text, declared):
    """That what a test serves as another project's metrics is what that project declares."""
    for line in text.splitlines():
        name, labels, _ = recorded.sample(line)
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        metric = declared.get(name) or declared.get(base)
        if metric is None:
            yield f"{name} is not declared"
        elif unknown := set(labels) - set(metric.labels) - {"le"}:
            yield f"{name} has no label {', '.join(sorted(unknown))}"
