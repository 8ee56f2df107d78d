#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "rightsizing/memory.h"
#include "rightsizing/packing.h"
#include "rightsizing/workload.h"

namespace stoker::rightsizing {

/// What keeps the number of executors from being another.
enum class Constraint : std::uint8_t {
  kOneExecutor,    ///< one is the least there can be, and enough
  kTarget,         ///< fewer would miss the target duration
  kTasks,          ///< more would have no task to run
  kClusterCores,   ///< more do not fit
  kClusterMemory,  ///< more do not fit
  kNodes,          ///< more do not fit on the nodes
};

/// "one_executor", "target_duration", "tasks", "cluster_cores", "cluster_memory", "nodes".
std::string_view Name(Constraint constraint);

/// Something the reader should know. `code` is stable, for programs: "spill",
/// "cpu_request_trimmed".
struct Advice {
  enum class Severity : std::uint8_t { kNote, kWarning };
  Severity severity = Severity::kNote;
  std::string code;
  std::string text;  ///< one sentence or two: what, and the mend
};

/// One line of arithmetic, for --explain: "tasks", "1 TiB / 128 MiB", "8192".
struct Step {
  std::string name;
  std::string formula;
  std::string value;
};

/// A driver or executor pod.
struct Pod {
  int cores = 0;                        ///< tasks at a time, spark.{driver,executor}.cores
  std::int64_t cpu_request_millis = 0;  ///< at most cores; less where that packs nodes better
  PodMemory memory;
  std::int64_t ephemeral_bytes = 0;  ///< scratch for shuffle and spill; 0 for the driver
  [[nodiscard]] Resources Requests() const {
    return {cpu_request_millis, memory.Total(), ephemeral_bytes};
  }
};

/// Executors on nodes of the shape that was given.
struct NodePlan {
  NodeShape shape;
  Resources allocatable;          ///< on one node
  Packing packing;                ///< executors, and the driver unless it has a node to itself
  std::int64_t driver_nodes = 0;  ///< 1 with spot: an on-demand node for the driver
};

/// In US dollars, from list prices.
struct Cost {
  double per_hour = 0;  ///< as asked: with spot, executors at the spot price
  double per_run = 0;   ///< for the estimated duration, 60 s at least
  double on_demand_per_hour = 0;
  double on_demand_per_run = 0;
  std::string basis;  ///< "list prices of m5.2xlarge in us-east-1 as of 2026-08-01"
};

/// The answer: everything computed, nothing to be computed again by who prints it.
struct Plan {
  Input input;  ///< what was asked

  // Work
  double throughput_bytes_per_core_second = 0;
  std::string throughput_source;  ///< "assumed for etl", "given", "12 runs of nightly-etl"
  double shuffle_ratio = 0;
  double work_core_seconds = 0;
  std::int64_t tasks = 0;   ///< of the widest stage
  double task_seconds = 0;  ///< of one task
  std::int64_t waves = 0;   ///< rounds of tasks over all slots
  double duration_seconds = 0;
  double duration_low_seconds = 0;   ///< as long as it may take when the throughput is better
  double duration_high_seconds = 0;  ///< or worse than assumed; all equal where it was measured
  bool meets_target = false;

  // Executors
  std::int64_t executors = 0;
  std::int64_t slots = 0;  ///< executors x cores
  bool dynamic_allocation = false;
  std::int64_t min_executors = 0;
  std::int64_t initial_executors = 0;
  std::int64_t max_executors = 0;
  std::optional<std::int64_t> executors_that_fit;  ///< absent: no cluster was given
  Constraint binding = Constraint::kTarget;
  std::string reason;  ///< the binding constraint, in one sentence
  Pod executor;
  std::int64_t task_memory_bytes = 0;  ///< per concurrent task

  // Driver
  Pod driver;
  std::int64_t max_result_bytes = 0;  ///< spark.driver.maxResultSize

  // Shuffle
  std::int64_t shuffle_bytes = 0;
  std::int64_t shuffle_partitions = 0;
  std::int64_t shuffle_partition_bytes = 0;

  // Sums, driver included
  std::int64_t total_cores = 0;
  Resources total;

  std::optional<NodePlan> nodes;
  std::optional<Cost> cost;

  std::vector<Advice> advice;
  std::vector<Step> steps;
  /// The same in Spark's own words, in a stable order, values in Spark's syntax.
  std::vector<std::pair<std::string, std::string>> spark_conf;
};

}  // namespace stoker::rightsizing
