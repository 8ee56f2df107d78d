#pragma once

#include "core/result.h"
#include "rightsizing/plan.h"

namespace stoker::rightsizing {

/// Sizes a job. Pure: the same input gives the same plan. docs/explanation/sizing.md tells the
/// method; in short, with P the size of a partition (128 MiB) and R the shuffle ratio:
///
///   tasks         = ceil(max(data, R x data) / P)
///   task seconds  = P / (throughput x max(1, R)), so that tasks x task seconds = data / throughput
///   waves allowed = max(1, floor(target / task seconds))
///   executors     = min(ceil(ceil(tasks / waves allowed) / cores), what the cluster fits), >= 1
///   duration      = ceil(tasks / slots) x task seconds
///
/// Source: "Level of Parallelism" in Spark's tuning guide (2-3 tasks per core: tasks run in waves),
/// not one core for each partition.
///
/// Promised for every input: 0 <= min <= initial <= max <= what fits; driver and executors, with
/// overhead, within the cluster; twice the data never takes more than twice the executors plus
/// one; a larger cluster is never slower.
///
/// kInvalidArgument, one line with the mend: an amount that is not positive or not sensible, a
/// setting that the plan computes, or a cluster (or node) too small for the driver and one
/// executor.
Result<Plan> Size(const Input& input);

}  // namespace stoker::rightsizing
