"""One module a dashboard; each has `board()`."""

from boards import capacity, keda, rightsizing, spark, stoker

MODULES = (stoker, spark, keda, capacity, rightsizing)
