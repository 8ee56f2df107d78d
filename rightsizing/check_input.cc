#include "rightsizing/check_input.h"

#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "core/text.h"
#include "core/units.h"
#include "rightsizing/memory.h"

namespace stoker::rightsizing {
namespace {

constexpr std::int64_t kTebibyte = 1024 * kGibibyte;
constexpr std::int64_t kExbibyte = 1024 * (1024 * kTebibyte);
/// UnifiedMemoryManager refuses a heap below 1.5 x its reserve.
constexpr std::int64_t kLeastHeap = 450 * kMebibyte;
constexpr std::int64_t kMostCpuMillis = 100'000'000'000;
constexpr int kMostCores = 512;

/// What the plan computes, and how a person asks for another value.
constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kComputed{
    {{"spark.executor.cores", "--executor-cores"},
     {"spark.executor.memory", "--executor-memory"},
     {"spark.executor.memoryOverhead", "--executor-memory-overhead"},
     {"spark.executor.memoryOverheadFactor", "--executor-memory-overhead"},
     {"spark.kubernetes.memoryOverheadFactor", "--executor-memory-overhead"},
     {"spark.executor.instances", "--target-duration"},
     {"spark.executor.pyspark.memory", "--pyspark-memory"},
     {"spark.memory.offHeap.enabled", "--off-heap"},
     {"spark.memory.offHeap.size", "--off-heap"},
     {"spark.kubernetes.executor.request.cores", "--node-type"},
     {"spark.driver.cores", "--data-size"},
     {"spark.driver.memory", "--result-size"},
     {"spark.driver.memoryOverhead", "--pyspark"},
     {"spark.driver.memoryOverheadFactor", "--pyspark"},
     {"spark.driver.maxResultSize", "--result-size"},
     {"spark.dynamicAllocation.enabled", "--workload"},
     {"spark.dynamicAllocation.minExecutors", "--workload"},
     {"spark.dynamicAllocation.initialExecutors", "--workload"},
     {"spark.dynamicAllocation.maxExecutors", "--target-duration"},
     {"spark.dynamicAllocation.shuffleTracking.enabled", "--workload"},
     {"spark.sql.shuffle.partitions", "--shuffle-ratio"},
     {"spark.sql.files.maxPartitionBytes", "--partition-size"},
     {"spark.sql.adaptive.advisoryPartitionSizeInBytes", "--partition-size"},
     {"spark.sql.adaptive.enabled", "--shuffle-ratio"}}};

tl::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

Status Between(std::string_view what, std::int64_t bytes, std::int64_t least, std::int64_t most) {
  if (bytes >= least && bytes <= most) return {};
  return Invalid(std::string(what) + " must be between " + FormatSparkBytes(least) + " and " +
                 FormatSparkBytes(most));
}

Status Between(std::string_view what, double value, double least, double most) {
  if (value >= least && value <= most) return {};  // NaN is not
  return Invalid(std::string(what) + " must be between " + FormatNumber(least) + " and " +
                 FormatNumber(most));
}

/// Throughputs of below 1 KiB/s or over 100 GiB/s for a core are slips of the unit.
Status CheckThroughput(double bytes_per_second) {
  if (bytes_per_second >= 1024 && bytes_per_second <= 100.0 * static_cast<double>(kGibibyte)) {
    return {};
  }
  return Invalid("the throughput must be between 1k and 100g per core and second");
}

Status CheckExecutor(const Preset& executor) {
  if (executor.cores < 1 || executor.cores > kMostCores) {
    return Invalid("an executor must have 1 to " + std::to_string(kMostCores) + " cores");
  }
  if (executor.heap_bytes < kLeastHeap || executor.heap_bytes > 4 * kTebibyte) {
    return Invalid(
        "the executor memory must be between 450m, the least that Spark starts with, "
        "and 4096g");
  }
  if (!executor.overhead_bytes) return {};
  return Between("the memory overhead", *executor.overhead_bytes, 1, 4 * kTebibyte);
}

Status CheckNode(const NodeShape& node) {
  if (node.cpu_millis < 1 || node.cpu_millis > 10'000'000) {
    return Invalid("a node must have between 1m and 10000 CPUs");
  }
  const Status memory = Between("the memory of a node", node.memory_bytes, 1, 64 * kTebibyte);
  if (!memory) return memory;
  const Status disk = Between("the disk of a node", node.ephemeral_bytes, 0, 1024 * kTebibyte);
  if (!disk) return disk;
  if (node.max_pods < 1 || node.max_pods > 10'000)
    return Invalid("a node must hold 1 to 10000 pods");
  if (!node.price) return {};
  const Status price = Between("a price by the hour", node.price->on_demand_per_hour, 0, 1e6);
  if (!price || !node.price->spot_per_hour) return price;
  return Between("a spot price by the hour", *node.price->spot_per_hour, 0, 1e6);
}

Status CheckCluster(const Input& input) {
  if (input.cluster_cpu_millis &&
      (*input.cluster_cpu_millis < 1 || *input.cluster_cpu_millis > kMostCpuMillis)) {
    return Invalid("the cluster must have between 1m and 100000000 cores");
  }
  if (input.cluster_memory_bytes) {
    const Status memory =
        Between("the cluster's memory", *input.cluster_memory_bytes, 1, kExbibyte);
    if (!memory) return memory;
  }
  if (input.node_count) {
    if (!input.node) return Invalid("a number of nodes needs the kind of node: give --node-type");
    if (*input.node_count < 1 || *input.node_count > 1'000'000) {
      return Invalid("the number of nodes must be between 1 and 1000000");
    }
  }
  for (const auto& node : {input.node, input.reference_node}) {
    if (!node) continue;
    if (const Status status = CheckNode(*node); !status) return status;
  }
  if (input.daemon_sets.cpu_millis < 0 || input.daemon_sets.memory_bytes < 0) {
    return Invalid("what the DaemonSets request cannot be negative");
  }
  return {};
}

Status CheckEvidence(const Evidence& evidence) {
  if (evidence.throughput_bytes_per_core_second) {
    const Status status = CheckThroughput(*evidence.throughput_bytes_per_core_second);
    if (!status) return status;
  }
  if (evidence.slow_task_seconds) {
    const Status status =
        Between("the seconds of a slow task", *evidence.slow_task_seconds, 0, 1e8);
    if (!status) return status;
  }
  if (evidence.shuffle_ratio) {
    const Status status = Between("the shuffle ratio", *evidence.shuffle_ratio, 0, 1000);
    if (!status) return status;
  }
  for (const auto& peak : {evidence.peak_heap_bytes, evidence.peak_task_bytes}) {
    if (!peak) continue;
    const Status status = Between("the peak memory", *peak, 0, 4 * kTebibyte);
    if (!status) return status;
  }
  return {};
}

Status CheckSettings(const Input& input) {
  for (const auto& [key, value] : input.settings) {
    if (!key.starts_with("spark.") || key.find_first_of(" \t\n\r=:\"'") != std::string::npos) {
      return Invalid("a setting must be spark.KEY=VALUE");
    }
    if (value.find_first_of("\n\r") != std::string::npos) {
      return Invalid(key + ": a value has one line");
    }
    for (const auto& [computed, option] : kComputed) {
      if (key == computed) {
        return Invalid(key + " is what is computed here: use " + std::string(option));
      }
    }
  }
  return {};
}

}  // namespace

Status CheckInput(const Input& input) {
  using std::chrono::hours;
  using std::chrono::seconds;
  if (input.data_bytes < kMebibyte || input.data_bytes > kExbibyte) {
    return Invalid("the data size must be between 1m and 1024p");
  }
  if (Status status = CheckExecutor(input.executor); !status) return status;
  if (input.target_duration < seconds(1) || input.target_duration > hours(24 * 365)) {
    return Invalid("the target duration must be between 1s and 1y");
  }
  if (Status status = Between("off-heap memory", input.off_heap_bytes, 0, 4 * kTebibyte); !status) {
    return status;
  }
  if (Status status = Between("PySpark memory", input.pyspark_bytes, 0, 4 * kTebibyte); !status) {
    return status;
  }
  if (input.pyspark_bytes > 0 && !input.pyspark) {
    return Invalid("Spark counts PySpark memory for Python applications only: add --pyspark");
  }
  if (Status status =
          Between("the size of a partition", input.partition_bytes, kMebibyte, 16 * kGibibyte);
      !status) {
    return status;
  }
  if (input.result_bytes < 0 || input.result_bytes > 16 * kGibibyte) {
    return Invalid("at most 16g can be collected to the driver: write the result to storage");
  }
  if (input.shuffle_ratio) {
    if (Status status = Between("the shuffle ratio", *input.shuffle_ratio, 0, 1000); !status) {
      return status;
    }
  }
  if (input.throughput_bytes_per_core_second) {
    const Status status = CheckThroughput(*input.throughput_bytes_per_core_second);
    if (!status) return status;
  }
  if (input.evidence) {
    if (Status status = CheckEvidence(*input.evidence); !status) return status;
  }
  const double ratio =
      input.shuffle_ratio.value_or(input.evidence ? input.evidence->shuffle_ratio.value_or(1) : 1);
  if (static_cast<double>(input.data_bytes) * ratio > static_cast<double>(kExbibyte)) {
    return Invalid("data size x shuffle ratio is over an exbibyte: check both");
  }
  if (input.spark_version < SparkVersion{3, 0} || input.spark_version.major > 9) {
    return Invalid("the Spark version must be 3.0 or newer, such as 3.5");
  }
  if (Status status = CheckCluster(input); !status) return status;
  return CheckSettings(input);
}

}  // namespace stoker::rightsizing
