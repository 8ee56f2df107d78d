#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "rightsizing/shape.h"

namespace stoker::rightsizing {

/// What the job mostly does; sets the throughput and shuffle that are assumed where nothing was
/// measured, and how dynamic allocation is bounded.
enum class WorkloadKind : std::uint8_t { kEtl, kSql, kMl, kStreaming, kInteractive };

/// "etl", "sql", "ml", "streaming", "interactive".
std::string_view Name(WorkloadKind kind);

/// What is assumed of a kind of work when nothing was measured.
struct Assumptions {
  /// Bytes of input by core and second over the whole job, shuffles included. Published runs on
  /// clouds (sorting, grouping, joining and training with Spark) lie within half and twice of it.
  double throughput_bytes_per_core_second = 0;
  double shuffle_ratio = 0;  ///< bytes shuffled by byte read
};
Assumptions AssumptionsFor(WorkloadKind kind);

/// An executor size with a name; config/presets holds ours, people add theirs.
struct Preset {
  std::string name;                            ///< "medium"
  std::string description;                     ///< one line, for help and reports
  int cores = 0;                               ///< spark.executor.cores: tasks at a time
  std::int64_t heap_bytes = 0;                 ///< spark.executor.memory
  std::optional<std::int64_t> overhead_bytes;  ///< spark.executor.memoryOverhead; else computed
};

/// A release of Spark; 3.0 is the oldest whose settings are known here.
struct SparkVersion {
  int major = 4;
  int minor = 0;
  friend auto operator<=>(const SparkVersion&, const SparkVersion&) = default;
};

/// What was seen of this job, or of jobs like it. Each field is used where the matching field of
/// Input is absent.
struct Evidence {
  std::string source;  ///< for the report: "12 runs of nightly-etl"
  std::optional<double> throughput_bytes_per_core_second;
  /// Seconds that the slow tasks take (95th percentile); nothing ends before its slowest task.
  std::optional<double> slow_task_seconds;
  std::optional<double> shuffle_ratio;
  std::optional<std::int64_t> peak_heap_bytes;  ///< of one executor's JVM
  std::optional<std::int64_t> peak_task_bytes;  ///< execution memory of one task
};

/// Everything a plan depends on. Size() checks it; nothing is assumed about where it came from.
struct Input {
  std::int64_t data_bytes = 0;  ///< what the job reads; for streaming, in one target_duration
  Preset executor;
  Duration target_duration = std::chrono::minutes(15);  ///< streaming: the trigger interval
  WorkloadKind kind = WorkloadKind::kEtl;
  bool pyspark = false;
  std::int64_t off_heap_bytes = 0;      ///< 0 = off
  std::int64_t pyspark_bytes = 0;       ///< spark.executor.pyspark.memory; 0 = not set
  std::optional<double> shuffle_ratio;  ///< shuffled bytes by bytes read
  std::optional<double> throughput_bytes_per_core_second;  ///< measured, over the whole job
  std::int64_t partition_bytes = std::int64_t{128} << 20;  ///< spark.sql.files.maxPartitionBytes
  std::int64_t result_bytes = 0;                           ///< collected to the driver; 0 = little
  std::optional<std::int64_t> cluster_cpu_millis;          ///< for driver and executors together
  std::optional<std::int64_t> cluster_memory_bytes;        ///< likewise
  std::optional<NodeShape> node;                           ///< executors are packed on these
  std::optional<std::int64_t> node_count;                  ///< at most so many of `node`
  DaemonSets daemon_sets;
  /// Where no node is given: cost is the pods' share of nodes of this shape.
  std::optional<NodeShape> reference_node;
  bool spot = false;  ///< executors on spot capacity, driver on demand
  SparkVersion spark_version;
  std::optional<Evidence> evidence;
  /// Settings the user wants besides, in order. Those that a plan computes are refused; those known
  /// to hurt come back as advice.
  std::vector<std::pair<std::string, std::string>> settings;
};

}  // namespace stoker::rightsizing
