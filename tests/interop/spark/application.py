"""A Spark application that wants as many task slots as a file says: application.py FILE.

The file holds a number of tasks, `NUMBER busy` or `end`. The tasks run until the file says something else; busy, they also leave
something in every panel of the dashboard.
"""

import sys
import time

from pyspark import SparkContext, StorageLevel, TaskContext


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def hold(path, wanted):
    while read(path) == wanted:
        time.sleep(0.1)


def fail_once(_):
    if TaskContext.get().attemptNumber() == 0:
        raise ValueError("as is meant")


def busy(context, path, wanted, tasks):
    """Input is read; of a cache on disk a stage is made that waits, and one behind it that shuffles and at first fails."""
    context.textFile(__file__, 1).count()
    cached = context.parallelize(range(tasks), tasks).persist(StorageLevel.DISK_ONLY)
    cached.map(lambda number: (hold(path, wanted), number)).groupByKey(1).foreach(fail_once)


def main():
    path = sys.argv[1]
    context = SparkContext()
    while (wanted := read(path)) != "end":
        tasks, *more = wanted.split()
        tasks = int(tasks)
        if tasks == 0:
            time.sleep(0.1)
        elif more:
            busy(context, path, wanted, tasks)
        else:
            # Python closes over names, so the job gets this round's number as a default.
            context.parallelize(range(tasks), tasks).foreach(lambda _, wanted=wanted: hold(path, wanted))
    context.stop()


main()
