"""The dashboards, one module each."""

from boards import capacity, keda, rightsizing, spark, stoker


def every(price_files=()):
    return [stoker.board(), spark.board(), keda.board(), capacity.board(), rightsizing.board(price_files)]
