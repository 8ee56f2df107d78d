#include "rightsizing/spark_conf.h"

#include <algorithm>

#include "core/units.h"

namespace stoker::rightsizing {
namespace {

/// Spark asks for this many pods a second and waits for them before it asks for more; its default
/// of 5 (10 since 4.0) makes a large job wait.
constexpr std::int64_t kMostPodsAtOnce = 100;

class Conf {
 public:
  void Set(std::string key, std::string value) {
    entries_.emplace_back(std::move(key), std::move(value));
  }
  void Set(std::string key, std::int64_t value) { Set(std::move(key), std::to_string(value)); }
  void SetBytes(std::string key, std::int64_t bytes) {
    Set(std::move(key), FormatSparkBytes(bytes));
  }
  void Enable(std::string key) { Set(std::move(key), std::string("true")); }
  std::vector<std::pair<std::string, std::string>> Take() { return std::move(entries_); }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

void AddPods(const Plan& plan, Conf& conf) {
  const PodMemory& executor = plan.executor.memory;
  conf.Set("spark.executor.cores", plan.executor.cores);
  conf.SetBytes("spark.executor.memory", executor.heap_bytes);
  conf.SetBytes("spark.executor.memoryOverhead", executor.overhead_bytes);
  if (executor.pyspark_bytes > 0) {
    conf.SetBytes("spark.executor.pyspark.memory", executor.pyspark_bytes);
  }
  if (executor.off_heap_bytes > 0) {
    conf.Enable("spark.memory.offHeap.enabled");
    conf.SetBytes("spark.memory.offHeap.size", executor.off_heap_bytes);
  }
  if (plan.executor.cpu_request_millis != std::int64_t{1000} * plan.executor.cores) {
    conf.Set("spark.kubernetes.executor.request.cores",
             FormatCpuMillis(plan.executor.cpu_request_millis));
  }
  conf.Set("spark.driver.cores", plan.driver.cores);
  conf.SetBytes("spark.driver.memory", plan.driver.memory.heap_bytes);
  conf.SetBytes("spark.driver.memoryOverhead", plan.driver.memory.overhead_bytes);
  conf.SetBytes("spark.driver.maxResultSize", plan.max_result_bytes);
}

void AddAllocation(const Plan& plan, Conf& conf) {
  if (plan.dynamic_allocation) {
    conf.Enable("spark.dynamicAllocation.enabled");
    // There is no external shuffle service on Kubernetes; executors with shuffle files stay.
    conf.Enable("spark.dynamicAllocation.shuffleTracking.enabled");
    conf.Set("spark.dynamicAllocation.minExecutors", plan.min_executors);
    conf.Set("spark.dynamicAllocation.initialExecutors", plan.initial_executors);
    conf.Set("spark.dynamicAllocation.maxExecutors", plan.max_executors);
    if (plan.input.kind == WorkloadKind::kInteractive) {
      // Its default is infinity: a forgotten cache() would keep executors for ever.
      conf.Set("spark.dynamicAllocation.cachedExecutorIdleTimeout", std::string("30m"));
    }
  } else {
    conf.Set("spark.dynamicAllocation.enabled", std::string("false"));
    conf.Set("spark.executor.instances", plan.executors);
  }
  if (plan.executors > 50) {  // five rounds then, where they do not become too large
    conf.Set("spark.kubernetes.allocation.batch.size",
             std::min((plan.executors + 4) / 5, kMostPodsAtOnce));
  }
}

void AddSql(const Plan& plan, Conf& conf) {
  conf.SetBytes("spark.sql.files.maxPartitionBytes", plan.input.partition_bytes);
  conf.Set("spark.sql.shuffle.partitions", plan.shuffle_partitions);
  conf.Enable("spark.sql.adaptive.enabled");  // the default since 3.2 only
  conf.Enable("spark.sql.adaptive.coalescePartitions.enabled");
  conf.SetBytes("spark.sql.adaptive.advisoryPartitionSizeInBytes", plan.input.partition_bytes);
}

/// What lets a job outlive the nodes that are taken away, and puts the driver where none are.
void AddSpot(const Plan& plan, Conf& conf) {
  const SparkVersion version = plan.input.spark_version;
  if (version >= SparkVersion{3, 1}) {
    conf.Enable("spark.decommission.enabled");
    conf.Enable("spark.storage.decommission.enabled");
    conf.Enable("spark.storage.decommission.rddBlocks.enabled");
    conf.Enable("spark.storage.decommission.shuffleBlocks.enabled");
  }
  conf.Set("spark.task.maxFailures", std::string("8"));
  conf.Set("spark.stage.maxConsecutiveAttempts", std::string("8"));
  if (version >= SparkVersion{3, 5}) {
    // Twice the executors is the default, and counts lost nodes over the whole life of the job.
    conf.Set("spark.executor.maxNumFailures", std::max<std::int64_t>(4 * plan.max_executors, 20));
    conf.Set("spark.executor.failuresValidityInterval", std::string("1h"));
  }
  if (!plan.input.node || version < SparkVersion{3, 3}) return;
  switch (plan.input.node->provider) {
    case Provider::kAws:
      conf.Set("spark.kubernetes.driver.node.selector.eks.amazonaws.com/capacityType",
               std::string("ON_DEMAND"));
      conf.Set("spark.kubernetes.executor.node.selector.eks.amazonaws.com/capacityType",
               std::string("SPOT"));
      break;
    case Provider::kGcp:
      conf.Set("spark.kubernetes.driver.node.selector.cloud.google.com/gke-provisioning",
               std::string("standard"));
      conf.Set("spark.kubernetes.executor.node.selector.cloud.google.com/gke-provisioning",
               std::string("spot"));
      break;
    case Provider::kAzure:  // its on-demand nodes carry no label, its spot nodes a taint
      conf.Set("spark.kubernetes.executor.node.selector.kubernetes.azure.com/scalesetpriority",
               std::string("spot"));
      break;
    case Provider::kOther:
      break;
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> SparkConf(const Plan& plan) {
  Conf conf;
  AddPods(plan, conf);
  AddAllocation(plan, conf);
  AddSql(plan, conf);
  if (plan.input.spot) AddSpot(plan, conf);
  std::vector<std::pair<std::string, std::string>> entries = conf.Take();
  for (const auto& [key, value] : plan.input.settings) {
    // Executors would fail to register with a shuffle service that Kubernetes does not have.
    if (key.starts_with("spark.shuffle.service.")) continue;
    const auto same = std::find_if(
        entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
    if (same == entries.end()) {
      entries.emplace_back(key, value);
    } else {
      same->second = value;
    }
  }
  return entries;
}

}  // namespace stoker::rightsizing
