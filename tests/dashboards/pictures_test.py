"""Draws the dashboards, to be looked at: each panel by Grafana's own component, from what a real Prometheus answers
(world.py), in headless Chromium. Prints `ok CHECK` or `FAIL CHECK: ...` a line.

    STOKER_BIN=build/dev/cli/stoker tests/dashboards/pictures_test.py TOOLS PICTURES

TOOLS is a folder with tests/dashboards/pictures and its npm packages; PICTURES gets a PNG a dashboard. This is not a
whole Grafana: no variables to choose, no links to click, no menus.
"""

import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../../dashboards")

import boards  # noqa: E402
import recorded  # noqa: E402
from queries import STEP, fill, first_choices  # noqa: E402
from world import CAPTURES, Failed, namespace, running  # noqa: E402

WATCH = 60  # seconds of data beyond the first


def choices(board):
    """(suffix of the picture's name, variables)."""
    yield "", first_choices(board)
    if board.uid == "stoker-spark":
        yield "-one", {"namespace": namespace(CAPTURES[-1]), "application": "analytics-job"}


def answers(prometheus, panel, values):
    for query in panel.queries:
        data, error = prometheus.ask(fill(query.expr, values), panel.kind == "stat")
        if error:
            raise Failed(f"{panel.title}: {error}")
        yield data


def write(prometheus, folder):
    """A file a picture; returns {its name: its board as JSON}."""
    result = {}
    for board in boards.every():
        for suffix, values in choices(board):
            text = board.json("")
            shown = [panel for panel in text["panels"] if panel["type"] != "row"]
            data = {panel["id"]: list(answers(prometheus, source, values))
                    for panel, source in zip(shown, board.panels())}
            variables = {name: values.get(name, "All") for name, *_ in board.variables}
            variables |= {label: options[0][0] for _, label, options in board.choices}
            with open(f"{folder}/{board.uid}{suffix}.json", "w", encoding="utf-8") as file:
                json.dump({"board": text, "variables": variables, "from": prometheus.started, "to": time.time(),
                           "step": STEP, "answers": data}, file)
            result[f"{board.uid}{suffix}"] = text
    return result


def main():
    tools, pictures = map(os.path.abspath, sys.argv[1:])
    os.makedirs(pictures, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = False
    try:
        with running({name: metric.kind for name, metric in recorded.declared().items()}) as (stoker, prometheus, _):
            prometheus.watch(stoker, WATCH)
            written = write(prometheus, pictures)
    except Failed as reason:
        print(f"FAIL {reason}", flush=True)
        return 1
    done = subprocess.run(["node", "shoot.mjs", pictures], cwd=tools, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"FAIL drawing: {done.stderr}", flush=True)
        return 1
    for name, shown in json.loads(done.stdout).items():
        titles = {str(panel["id"]): panel["title"] for panel in written[name]["panels"] if panel["type"] != "row"}
        empty = [title for number, title in titles.items() if not shown["drawn"].get(number)]
        problems = shown["errors"] + [f"'{title}' shows nothing" for title in empty]
        print(f"FAIL {name}: {'; '.join(problems)}" if problems else f"ok {name}.png", flush=True)
        failed |= bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
