"""Work that comes and goes: every minute a stage of twelve tasks of ten seconds."""

import time

from pyspark import SparkContext

context = SparkContext()
while True:
    context.parallelize(range(12), 12).foreach(lambda _: time.sleep(10))
    time.sleep(60 - time.time() % 60)
