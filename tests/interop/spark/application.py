"""A Spark application that wants as many task slots as a file says: application.py FILE.

The file holds a number of tasks, or `end`. The tasks run until the file says something else.
"""

import sys
import time

from pyspark import SparkContext


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def hold(path, wanted):
    while read(path) == wanted:
        time.sleep(0.1)


def main():
    path = sys.argv[1]
    context = SparkContext()
    while (wanted := read(path)) != "end":
        tasks = int(wanted)
        if tasks == 0:
            time.sleep(0.1)
            continue
        # Python closes over names, so the job gets this round's number as a default.
        context.parallelize(range(tasks), tasks).foreach(lambda _, wanted=wanted: hold(path, wanted))
    context.stop()


main()
