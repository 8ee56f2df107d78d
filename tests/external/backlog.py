#!/usr/bin/env python3
"""A real job backlog through `stoker simulate`: what a forecast saves in waiting, and what it costs.

tests/external/backlog.py TRACE [--days N]   prints `ok NAME` or `FAIL NAME: ...` a line, the table on stderr.

TRACE has a job a row: when it came (gmt_create) and how long it ran (exec_time_seconds). The signal is how
many jobs would run if none ever waited, the most in each minute: what a Prometheus of such a service shows,
whatever the policy. The executors that the simulation says run then serve the jobs in order of arrival.
"""

import argparse
import collections
import csv
import datetime
import heapq
import json
import os
import subprocess
import sys
import tempfile

STARTUP = 240

CONFIG = """\
apiVersion: stoker/v1
connections:
  prometheus: {main: {url: "http://localhost:9090"}}
policies:
  reactive:
    replicas: {min: 0, max: 40}
    scaleDown: {stabilization: 10m}
    signals: {busy: &busy {type: prometheus, query: busy, threshold: 1, interval: 1m, maxAge: 5m}}
  scheduled:
    replicas: {min: 0, max: 40}
    scaleDown: {stabilization: 10m}
    signals:
      busy: *busy
      hours: {type: cron, timezone: UTC, start: "0 16 * * *", end: "0 4 * * *", desiredReplicas: 4}
  forecast:
    replicas: {min: 0, max: 40}
    scaleDown: {stabilization: 10m}
    forecast: {lifts: replicas, step: 5m, horizon: 5m, quantile: 0.8}
    signals: {busy: *busy}
  forecast_95:
    replicas: {min: 0, max: 40}
    scaleDown: {stabilization: 10m}
    forecast: {lifts: replicas, step: 5m, horizon: 5m, quantile: 0.95}
    signals: {busy: *busy}
"""


def jobs_of(path):
    """(arrival, seconds), in order of arrival."""
    with open(path, newline="", encoding="utf-8") as file:
        jobs = []
        for row in csv.DictReader(file):
            arrival = datetime.datetime.fromisoformat(row["gmt_create"]).replace(tzinfo=datetime.timezone.utc)
            jobs.append((arrival.timestamp(), float(row["exec_time_seconds"])))
    return sorted(jobs)


def peaks(jobs):
    """The most jobs at a time in the minute before each full one."""
    events = sorted([(arrival, 1) for arrival, _ in jobs] + [(arrival + took, -1) for arrival, took in jobs])
    minute = int(events[0][0] // 60 + 1) * 60
    rows, running, most = [], 0, 0
    for when, change in events:
        while when >= minute:
            rows.append((minute, most))
            most = running
            minute += 60
        running += change
        most = max(most, running)
    return rows


def waits(jobs, steps):
    """Seconds from arrival to start of each job, on as many executors as `steps` [(time, executors)] says."""
    moments = sorted([(when, 0, executors) for when, executors in steps] + [(when, 1, took) for when, took in jobs])
    waited, queue, ends, executors = [], collections.deque(), [], 0

    def start(now):
        while queue and len(ends) < executors:
            arrival, took = queue.popleft()
            waited.append(now - arrival)
            heapq.heappush(ends, now + took)

    for now, kind, value in moments:
        while ends and ends[0] <= now:
            start(heapq.heappop(ends))
        if kind == 0:
            executors = value
        else:
            queue.append((now, value))
        start(now)
    return sorted(waited + [moments[-1][0] - arrival for arrival, _ in queue])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("trace")
    parser.add_argument("--days", type=float, default=8)
    arguments = parser.parse_args()
    jobs = jobs_of(arguments.trace)
    rows = peaks(jobs)
    end = rows[-1][0]
    begin = max(int(end - arguments.days * 86400) // 3600 * 3600, rows[0][0] + 3600)
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/busy.csv", "w", encoding="utf-8") as file:
            file.write("time,busy\n" + "".join(f"{when},{count}\n" for when, count in rows))
        with open(f"{folder}/stoker.yaml", "w", encoding="utf-8") as file:
            file.write(CONFIG)
        start = datetime.datetime.fromtimestamp(begin, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        command = [os.environ["STOKER_BIN"], "simulate", "--config", f"{folder}/stoker.yaml", "--csv",
                   f"{folder}/busy.csv", "--from", start, "--startup", f"{STARTUP}s", "--output", "json",
                   "--timeline", "all", "--step", "30s"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"FAIL backlog: {done.stderr.strip()}")
            return 1
        document = json.loads(done.stdout)
    served = [job for job in jobs if begin <= job[0] < end]
    hours = (end - begin) / 3600
    print(f"{len(served)} jobs in {hours / 24:.1f} d, startup {STARTUP} s", file=sys.stderr)
    print("| policy | executor-hours | waiting executor-hours | mean wait | 95 % wait | jobs that wait |\n"
          "|---|---|---|---|---|---|", file=sys.stderr)
    mean, cost = {}, {}
    for policy in document["policies"]:
        steps = [(datetime.datetime.fromisoformat(step["time"].replace("Z", "+00:00")).timestamp(),
                  step["running_replicas"]) for step in policy["steps"]]
        waited = waits(served, steps)
        name, figures = policy["policy"], policy["figures"]
        mean[name] = sum(waited) / len(waited)
        cost[name] = figures["executor_hours"]
        print(f"| {name} | {cost[name]:.1f} | {figures['waiting_executor_hours']:.1f} | {mean[name]:.1f} s | "
              f"{waited[int(0.95 * len(waited))]:.0f} s | {sum(wait > 1 for wait in waited) / len(waited):.1%} |",
              file=sys.stderr)
    failed = False
    for name, holds in (
            ("a forecast waits less than a reactive policy", mean["forecast"] < mean["reactive"]),
            ("a greater quantile waits less, and costs more",
             mean["forecast_95"] <= mean["forecast"] and cost["forecast_95"] >= cost["forecast"])):
        print(f"ok {name}" if holds else f"FAIL {name}: mean waits {mean}, executor-hours {cost}")
        failed = failed or not holds
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
