#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "upstream/spark/needed_executors.h"

namespace stoker::spark {

// Readers of what a driver (Spark 3.0 and later) answers: its REST API, and its metrics as JSON.
// All are total: any bytes give a value or kUnavailable, and numbers that are read are neither
// negative nor too large to add up.

/// An application that has not ended.
struct Application {
  std::string id;
  std::string name;
};

/// /applications. Those whose newest attempt is completed are left out.
Result<std::vector<Application>> ParseApplications(std::string_view body);

/// /applications/ID/stages?status=active. Other stages are left out.
Result<std::vector<Stage>> ParseStages(std::string_view body);

/// /applications/ID/executors: tasks at a time (maxTasks) of the executors of each resource
/// profile; the most where they differ. The driver's own entry does not count.
Result<SlotsByProfile> ParseExecutors(std::string_view body);

/// What of an application's configuration its need depends on; fixed while it runs, but for
/// resource profiles that it adds.
struct Environment {
  double allocation_ratio = 1;  ///< spark.dynamicAllocation.executorAllocationRatio, in (0, 1]
  SlotsByProfile slots;         ///< as the resource profiles say; always has the default profile's
};

/// /applications/ID/environment.
Result<Environment> ParseEnvironment(std::string_view body);

/// /metrics/json/, which every driver has unless it was configured away: Spark's own count, the
/// gauge numberMaxNeededExecutors; empty without dynamic allocation.
Result<std::optional<double>> ParseMetrics(std::string_view body);

}  // namespace stoker::spark
