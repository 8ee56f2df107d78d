"""Builds Grafana dashboards: a few functions from what a panel says to the JSON that Grafana reads.

A board is a list of rows, a row a title and panels, a panel a title, a description, a unit and queries.
Ids and positions follow from the order, so the same source always makes the same bytes. `docs` is where this
project's docs/ can be read; without it panels name the pages in their descriptions and have no links.
"""

import dataclasses

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
KEPT = "${__url_time_range}&${datasource:queryparam}"  # on the way to another board
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"


@dataclasses.dataclass
class Query:
    expr: str
    legend: str


@dataclasses.dataclass
class Panel:
    title: str
    description: str
    unit: str
    queries: list
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    thresholds: list = dataclasses.field(default_factory=list)  # (from this value on, colour)
    mappings: dict = dataclasses.field(default_factory=dict)  # value: (text, colour)
    stacked: bool = False
    minimum: float = 0
    maximum: float = None
    links: list = dataclasses.field(default_factory=list)  # (title, page below docs/)
    boards: list = dataclasses.field(default_factory=list)  # (title, uid) of boards that tell more
    nothing: str = ""  # what it means that there are no series, in place of Grafana's "No data"
    since: str = ""  # the Spark version that has its metrics; empty: all that we know

    def json(self, number, x, y, docs):
        defaults = {"unit": self.unit}
        if self.minimum is not None:
            defaults["min"] = self.minimum
        if self.maximum is not None:
            defaults["max"] = self.maximum
        if self.nothing:
            defaults["noValue"] = self.nothing
        steps = [{"color": GREEN if self.thresholds else BLUE, "value": None}]
        steps += [{"color": color, "value": value} for value, color in self.thresholds]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        if self.thresholds and self.kind == "timeseries":
            defaults["custom"] = {"thresholdsStyle": {"mode": "dashed"}}
        if self.mappings:
            defaults["mappings"] = [{"type": "value", "options": {
                str(value): {"text": text, "color": color} for value, (text, color) in self.mappings.items()}}]
        if self.kind == "timeseries":
            custom = defaults.setdefault("custom", {})
            custom |= {"fillOpacity": 25 if self.stacked else 0, "lineWidth": 1, "showPoints": "never"}
            if self.unit in ("none", "percentunit") and self.maximum is None:
                # Else a line at 0 gets an axis up to 100, or 10000%.
                custom["axisSoftMax"] = self.thresholds[-1][0] if self.thresholds and self.unit == "percentunit" else 1
            if self.stacked:
                custom["stacking"] = {"mode": "normal", "group": "A"}
        see = "".join(f"\n\n{title}: docs/{page}" for title, page in self.links)
        return {
            "id": number, "type": self.kind, "title": self.title, "description": self.description + see,
            "datasource": DATASOURCE, "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": OPTIONS[self.kind],
            "links": [*({"title": title, "url": f"/d/{uid}?{KEPT}"} for title, uid in self.boards),
                      *({"title": title, "url": f"{docs}/{page}", "targetBlank": True}
                        for title, page in self.links if docs)],
            "targets": [{"refId": chr(ord("A") + index), "datasource": DATASOURCE, "expr": query.expr,
                         "legendFormat": query.legend, "editorMode": "code", "range": self.kind != "stat",
                         "instant": self.kind == "stat"} for index, query in enumerate(self.queries)],
        }


OPTIONS = {
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                   "tooltip": {"mode": "multi", "sort": "desc"}},
    "stat": {"colorMode": "value", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}},
    "state-timeline": {"mergeValues": True, "showValue": "never", "rowHeight": 0.8,
                       "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}},
}


@dataclasses.dataclass
class Row:
    title: str
    panels: list


@dataclasses.dataclass
class Board:
    uid: str  # also the file's name
    title: str
    description: str
    variables: list  # (name, label, query[, what all of them are]) in the order of choosing
    rows: list
    tags: tuple = ()
    page: str = "how-to/dashboards.md"
    choices: list = dataclasses.field(default_factory=list)  # (name, label, [(text, value)]): the first is chosen

    def panels(self):
        return [panel for row in self.rows for panel in row.panels]

    def json(self, docs):
        panels = []
        y = 0
        for row in self.rows:
            panels.append({"id": len(panels) + 1, "type": "row", "title": row.title, "collapsed": False, "panels": [],
                           "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y}})
            y += 1
            x = height = 0
            for panel in row.panels:
                if x + panel.width > WIDTH:
                    x, y, height = 0, y + height, 0
                panels.append(panel.json(len(panels) + 1, x, y, docs))
                x += panel.width
                height = max(height, panel.height)
            y += height
        return {
            "uid": self.uid, "title": self.title,
            "description": f"{self.description} See docs/{self.page}.",
            "tags": ["stoker", *self.tags], "schemaVersion": 39, "version": 1, "editable": True, "graphTooltip": 1,
            "refresh": "30s", "time": {"from": "now-3h", "to": "now"}, "timezone": "",
            "annotations": {"list": []},
            "links": [
                {"type": "dashboards", "title": "Stoker", "tags": ["stoker"], "asDropdown": True, "keepTime": True,
                 "includeVars": True},
                *([{"type": "link", "title": "What this shows", "url": f"{docs}/{self.page}", "targetBlank": True,
                    "icon": "doc"}] if docs else [])],
            "templating": {"list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
                *(variable(*one) for one in self.variables), *(choice(*one) for one in self.choices)]},
            "panels": panels,
        }


def variable(name, label, query, everything=".*"):
    """Several values or all; `.*` for all, so that series without the label count, too."""
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE,
            "query": {"query": query, "refId": name}, "refresh": 2, "sort": 1,
            "multi": True, "includeAll": True, "allValue": everything,
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}


def choice(name, label, options):
    """One of some values that have names. A comma separates options, a backslash before it says that it does not."""
    text, value = options[0]
    return {"name": name, "label": label, "type": "custom", "multi": False, "includeAll": False,
            "query": ", ".join(f"{text} : {value}".replace(",", "\\,") for text, value in options),
            "current": {"selected": True, "text": text, "value": value}}


def stat(title, description, unit, expr, width=4, **more):
    return Panel(title, description, unit, [Query(expr, "")], kind="stat", width=width, height=4, **more)


def graph(title, description, unit, *queries, **more):
    return Panel(title, description, unit, [Query(*query) for query in queries], **more)


def states(title, description, expr, legend, mappings, **more):
    return Panel(title, description, "none", [Query(expr, legend)], kind="state-timeline", mappings=mappings, **more)


def quantiles(metric, selector, by, points=(0.5, 0.95, 0.99)):
    """(expression, legend) of a histogram's quantiles, by these labels."""
    legend = " ".join("{{%s}}" % label for label in by)
    return [(f"histogram_quantile({point}, sum by ({', '.join((*by, 'le'))}) "
             f"(rate({metric}_bucket{{{selector}}}[$__rate_interval])))",
             f"{legend} p{point * 100:g}") for point in points]
