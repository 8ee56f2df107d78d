"""Queries of dashboards as Grafana asks them: with their variables filled in, and of a Prometheus."""

import json
import math
import re
import time
import urllib.error
import urllib.parse
import urllib.request

STEP = 1  # seconds from sample to sample of an answer


def fill(expression, values):
    """As Grafana does with variables."""
    values = {"__rate_interval": "12s", "__range": "1m", "__interval": "2s", **values}
    return re.sub(r"\$\{?([a-z_]\w*)(?::raw)?\}?", lambda found: values.get(found[1], ".*"), expression)


def first_choices(board):
    """What a dashboard opens with where there is no choosing all."""
    return {name: options[0][1] for name, _, options in board.choices}


class Answers:
    """Of the Prometheus at `url`, which has scraped since `started`."""

    def api(self, path, **parameters):
        """(data, error)."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.load(response)["data"], None
        except urllib.error.HTTPError as error:
            return None, json.load(error)["error"]

    def value(self, expression):
        """The only number of an answer, now; None when there is none."""
        data, error = self.api("query", query=expression)
        return float(data["result"][0]["value"][1]) if not error and len(data["result"]) == 1 else None

    def ask(self, expression, instant):
        """(data, error): the newest value, or all since the start."""
        if instant:
            return self.api("query", query=expression)
        return self.api("query_range", query=expression, start=self.started, end=time.time(), step=STEP)

    def numbers(self, expression, instant):
        """(all numbers in the answer, what is wrong if there are none)."""
        data, error = self.ask(expression, instant)
        if error:
            return [], error
        values = [float(value) for series in data["result"] for _, value in series.get("values") or [series["value"]]]
        return [value for value in values if not math.isnan(value)], f"no data: {expression}"

    def offered(self, query, values):
        """(what a variable offers, error)."""
        metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()
        data, error = self.api(f"label/{label}/values", **{"match[]": fill(metric, values)})
        return data or [], error
