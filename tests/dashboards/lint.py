"""Rules for dashboards and alerts that need nothing but their text. Each yields problems, a line each."""

import os
import re

import recorded

FAMILY = re.compile(r"\b((?:stoker|metrics_executor|keda|cluster_autoscaler|kube|container)_\w+)")
SPARK_COUNTER = re.compile(r"metrics_executor_\w+_total$")
UNITS = {"none", "short", "s", "ms", "bytes", "Bps", "ops", "reqps", "percentunit", "currencyUSD"}


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


def rated(name, expression):
    return re.search(rf"(rate|increase)\({name}\b", expression)


def linted(board):
    """What Grafana's dashboard-linter asks for, as (its rule's name, panel's title or "", what is wrong). Its rules for
    PromQL's syntax are left to a real Prometheus."""
    variables = {one["name"]: one for one in board["templating"]["list"]}
    if variables.get("datasource", {}).get("query") != "prometheus":
        yield "template-datasource-rule", "", "no variable `datasource` for Prometheus"
    for name in ("job", "instance"):
        if name not in variables or not variables[name]["multi"] or not variables[name]["includeAll"]:
            yield f"template-{name}-rule", "", f"no variable `{name}` with several values and all"
    for name, one in variables.items():
        if one["type"] == "query" and one["refresh"] != 2:
            yield "template-on-time-change-reload-rule", "", f"variable {name} is not read anew when the time changes"
    if board["editable"]:
        yield "uneditable-dashboard", "", "it can be edited"
    for panel in board["panels"]:
        if panel["type"] == "row":
            continue
        title = panel["title"]
        if not title or not panel["description"]:
            yield "panel-title-description-rule", title, "no title or no description"
        defaults = panel["fieldConfig"]["defaults"]
        if defaults["unit"] not in UNITS:
            yield "panel-units-rule", title, "no unit that we know"
        if not panel["targets"]:
            yield "panel-no-targets-rule", title, "no query"
        for target in panel["targets"]:
            if {panel["datasource"]["uid"], target["datasource"]["uid"]} != {"${datasource}"}:
                yield "panel-datasource-rule", title, "does not ask the chosen data source"
            expression = target["expr"]
            for span in re.findall(r"\[([^\]]*)\]", re.sub(r'"[^"]*"', '""', expression)):
                if span != "$__rate_interval":
                    yield "target-rate-interval-rule", title, f"a range that does not follow the resolution: [{span}]"
            for name in names_in(expression):
                if name.endswith("_total") and not rated(name, expression):
                    yield "target-counter-agg-rule", title, f"{name} is a counter: rate() it"
            for name in ("job", "instance"):
                selectors = [text for _, text in re.findall(rf"{FAMILY.pattern}(\{{[^}}]*\}})?", expression)]
                if any(not re.search(rf'\b{name}=~"\${name}"', text) for text in selectors):
                    yield f"target-{name}-rule", title, f'a selector without {name}=~"${name}"'


def excused(found, board, excuses):
    """What of `linted` nobody has excused, and excuses that nobody needs; the form is that of dashboard-linter."""
    used = set()
    for rule, panel, what in found:
        excuse = excuses.get(rule, {})
        entries = excuse.get("entries")
        match = [] if entries is None else [
            index for index, entry in enumerate(entries)
            if entry["dashboard"] == board["title"] and entry.get("panel", panel) == panel]
        used |= {(rule, index) for index in match}
        if rule not in excuses or entries is not None and not match:
            yield f"{rule}: {panel or 'dashboard'}: {what}"
    for rule, excuse in excuses.items():
        if not excuse.get("reason") and not all(entry.get("reason") for entry in excuse.get("entries", [{}])):
            yield f"{rule}: excused without a reason"
        for index, entry in enumerate(excuse.get("entries") or ()):
            if entry["dashboard"] == board["title"] and (rule, index) not in used:
                yield f"{rule}: {entry.get('panel') or 'dashboard'}: excused, and nothing is wrong"


def dashboard(board, kinds):
    """What dashboard-linter does not ask for: places, texts, legends, names and kinds of metrics, variables in use."""
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
        if not panel["description"].split("\n")[0].endswith("."):
            yield f"{where}: the description is no sentence"
        for page in re.findall(r"docs/([\w/.-]+\.md)", panel["description"]):
            if not os.path.exists(f"docs/{page}"):
                yield f"{where}: docs/{page} is not there"
        for page, anchor in re.findall(r"docs/([\w/.-]+\.md)#(\S+)", panel["description"]):
            if os.path.exists(f"docs/{page}") and anchor not in anchors(f"docs/{page}"):
                yield f"{where}: docs/{page} has no #{anchor}"
        for uid in re.findall(r"/d/([\w-]+)", " ".join(link["url"] for link in panel["links"])):
            if not os.path.exists(f"dashboards/out/{uid}.json"):
                yield f"{where}: leads to a dashboard {uid} that is not there"
        for target in panel["targets"]:
            expression = target["expr"]
            used |= set(re.findall(r"\$\{?([a-z_]\w*)", expression))
            if not target["legendFormat"] and panel["type"] != "stat":
                yield f"{where}: no legend"
            for name in names_in(expression):
                kind = kind_of(name, kinds)
                if kind is None and not name.startswith("metrics_executor_"):
                    yield f"{where}: {name} is in no list of metrics"
                if name.endswith("_total") and kind == "counter":
                    continue  # target-counter-agg-rule
                if (kind == "counter") != bool(rated(name, expression)):
                    yield f"{where}: {name} is a {kind or 'gauge'}: {'rate() it' if kind == 'counter' else 'no rate()'}"
    for one in board["templating"]["list"]:
        if one["type"] != "query":
            continue
        used |= set(re.findall(r"\$(\w+)", one["query"]["query"]))
        for name in names_in(one["query"]["query"]):
            if not name.startswith("metrics_executor_") and kind_of(name, kinds) is None:
                yield f"variable {one['name']}: {name} is in no list of metrics"
    for name in sorted(variables - used - {"datasource"}):
        yield f"variable {name} is not used"
    for name in sorted(used - variables):
        if not name.startswith("__"):
            yield f"${name} is no variable"


def anchors(path):
    """Of headings, as GitHub makes them."""
    with open(path, encoding="utf-8") as file:
        titles = re.findall(r"^#+ (.*)$", file.read(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


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
