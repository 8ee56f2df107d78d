#include "rightsizing/advice.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "core/units.h"
#include "rightsizing/text.h"

namespace stoker::rightsizing {
namespace {

using Severity = Advice::Severity;

/// Compressed bytes to objects in memory: 2 to 4, say 3.
constexpr std::int64_t kExpansion = 3;
/// More tasks than this make a driver slow: each is an object, an event and a row in the UI.
constexpr std::int64_t kManyTasks = 100'000;
/// More cores in one JVM than this share one garbage collector and one shuffle server.
constexpr int kManyCores = 8;
/// Data that one machine reads as fast as a cluster starts.
constexpr std::int64_t kLittleData = kGibibyte;
/// The root volume of a node of EKS where nobody asked for another.
constexpr std::int64_t kUsualDisk = 20 * kGibibyte;
/// Of a node's CPU or memory that no executor can use.
constexpr double kMuchStranded = 0.25;

std::int64_t TaskNeeds(const Plan& plan) {
  if (plan.input.evidence && plan.input.evidence->peak_task_bytes) {
    return *plan.input.evidence->peak_task_bytes;
  }
  return kExpansion * plan.shuffle_partition_bytes;
}

double Share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

class Adviser {
 public:
  explicit Adviser(Plan& plan) : plan_(plan) {}

  void Run() {
    Target();
    Memory();
    Shape();
    Disk();
    Driver();
    Nodes();
    Spot();
    Settings();
    std::stable_sort(plan_.advice.begin(), plan_.advice.end(), [](const auto& a, const auto& b) {
      return a.severity > b.severity;
    });
  }

 private:
  void Warn(std::string code, std::string text) {
    plan_.advice.push_back({Severity::kWarning, std::move(code), std::move(text)});
  }
  void Note(std::string code, std::string text) {
    plan_.advice.push_back({Severity::kNote, std::move(code), std::move(text)});
  }

  void Target() {
    if (!plan_.meets_target) {
      std::string mend = "allow a longer --target-duration, or give a larger cluster";
      if (plan_.tasks <= plan_.slots) mend = "make --partition-size smaller, or allow longer";
      if (plan_.input.kind == WorkloadKind::kStreaming) {
        mend += "; until then batches fall behind";
      }
      Warn("target_missed",
           "the run takes " + SecondsText(plan_.duration_seconds) + ", over the target of " +
               FormatDuration(plan_.input.target_duration) + ": " + mend);
    }
    if (plan_.input.data_bytes <= kLittleData && plan_.executors == 1) {
      Note("little_data",
           "so little data needs no cluster: --master local[*] answers before executors start");
    }
  }

  void Memory() {
    const PodMemory& memory = plan_.executor.memory;
    const auto& overhead = plan_.input.executor.overhead_bytes;
    if (overhead && *overhead < kMinOverheadBytes) {
      Warn("overhead_below_minimum",
           "a memory overhead of " + SizeText(*overhead) +
               " is below Spark's minimum, and Kubernetes would kill the executor for it: " +
               SizeText(memory.overhead_bytes) + " is used");
    } else if (overhead && memory.pyspark_bytes == 0) {
      const bool python = plan_.input.pyspark;
      const std::int64_t usual =
          OverheadBytes(memory.heap_bytes, python ? kPythonOverheadFactor : kJvmOverheadFactor);
      if (memory.overhead_bytes < usual) {
        Warn("overhead_below_default",
             "a memory overhead of " + SizeText(memory.overhead_bytes) + " is below the " +
                 SizeText(usual) + " that Spark sets aside by itself" +
                 (python ? " for Python workers: leave it out, or give --pyspark-memory"
                         : ", and Kubernetes kills what exceeds it: leave it out"));
      }
    }
    if (memory.heap_bytes >= kCompressedOopsBytes) {
      Warn("heap_over_compressed_oops",
           "a heap of 32 GiB or more cannot compress its pointers and holds less than one of 31 "
           "GiB up to about 48 GiB: use --executor-memory 31g and more executors");
    }
    if (Spills(plan_)) {
      const std::int64_t needs = TaskNeeds(plan_);
      // At the upper end of their number, partitions are larger than asked for.
      const bool may_shrink = plan_.shuffle_partition_bytes <= plan_.input.partition_bytes;
      const bool measured = plan_.input.evidence && plan_.input.evidence->peak_task_bytes;
      Warn("spill",
           "a task has " + SizeText(plan_.task_memory_bytes) + " and " +
               (measured ? "took up to " : "needs about ") + SizeText(needs) +
               ", so that shuffles spill to disk: give more memory by core" +
               (may_shrink ? ", or a smaller --partition-size" : ""));
    }
    const Evidence evidence = plan_.input.evidence.value_or(Evidence{});
    if (evidence.peak_heap_bytes && *evidence.peak_heap_bytes > memory.heap_bytes / 10 * 9) {
      Warn("heap_below_peak",
           "executors were seen with " + SizeText(*evidence.peak_heap_bytes) +
               " of heap in use, and this one has " + SizeText(memory.heap_bytes) +
               ": give --executor-memory a tenth more than the peak");
    }
    if (plan_.input.kind == WorkloadKind::kMl) {
      // Half of the unified memory is safe from execution (spark.memory.storageFraction).
      const std::int64_t cache =
          plan_.task_memory_bytes / 2 * plan_.executor.cores * plan_.executors;
      if (cache < plan_.input.data_bytes) {
        Note("cache_smaller_than_data",
             "the executors can cache " + SizeText(cache) + " of " +
                 SizeText(plan_.input.data_bytes) +
                 ": persist with MEMORY_AND_DISK if the data is read again and again");
      }
    }
  }

  void Shape() {
    const int cores = plan_.executor.cores;
    if (cores > kManyCores) {
      Warn("fat_executor",
           CountText(cores, "core") +
               " in one JVM wait for each other's garbage collection and share one shuffle server: "
               "4 or 5 cores by executor do more");
    } else if (plan_.executors == 1 && cores >= 4 && plan_.tasks >= cores) {
      Note("one_executor",
           "one executor of " + CountText(cores, "core") +
               " is lost whole when it is lost: two of half the size cost the same");
    }
    const std::int64_t full = std::int64_t{1000} * cores;
    if (plan_.executor.cpu_request_millis < full) {
      Note("cpu_request_trimmed",
           CountText(cores, "core") + " by executor do not pack on " + plan_.input.node->name +
               ", which has " + FormatCpuMillis(plan_.nodes->allocatable.cpu_millis) +
               " of its CPU to give: pods request " +
               FormatCpuMillis(plan_.executor.cpu_request_millis) + " and still run " +
               CountText(cores, "task") + " at a time");
    }
  }

  void Disk() {
    const std::int64_t room = plan_.nodes ? plan_.nodes->allocatable.ephemeral_bytes : 0;
    const std::int64_t on_node =
        plan_.nodes ? std::min(plan_.nodes->packing.per_node, plan_.executors) : 1;
    const std::int64_t wanted = plan_.executor.ephemeral_bytes * on_node;
    const std::string writers = plan_.nodes ? "the executors of one node" : "an executor";
    if (room == 0 && wanted > kUsualDisk) {
      Note("scratch_disk",
           writers + " may write " + SizeText(wanted) +
               " of shuffle and spill, and a full disk evicts pods: see that the nodes' "
               "disks hold it, since many have 20 GiB unless told otherwise");
    } else if (room > 0 && wanted > room) {
      Warn("scratch_over_disk",
           writers + " may write " + SizeText(wanted) + " of shuffle and spill, and its disk has " +
               SizeText(room) +
               ": give the nodes a larger disk, or mount a volume named spark-local-dir-1 "
               "(spark.kubernetes.executor.volumes.persistentVolumeClaim.spark-local-dir-1.*)");
    }
  }

  void Driver() {
    if (plan_.tasks > kManyTasks) {
      Warn("many_tasks",
           std::to_string(plan_.tasks) +
               " tasks keep the driver busy with book-keeping: --partition-size 512m makes them a "
               "quarter");
    }
  }

  void Nodes() {
    if (!plan_.nodes) return;
    const Packing& packing = plan_.nodes->packing;
    const Resources& room = plan_.nodes->allocatable;
    const double cpu = Share(packing.stranded_per_node.cpu_millis, room.cpu_millis);
    const double memory = Share(packing.stranded_per_node.memory_bytes, room.memory_bytes);
    const std::string name = plan_.nodes->shape.name;
    if (cpu > kMuchStranded) {
      Note("stranded_cpu",
           DecimalText(cpu * 100, 0) + "% of the CPU of a full " + name +
               " stays unused, because executors run out of " +
               (packing.scarce == Scarce::kMemory ? "memory" : "whole places") +
               ": try another executor size or node");
    }
    if (memory > kMuchStranded) {
      Note("stranded_memory",
           DecimalText(memory * 100, 0) + "% of the memory of a full " + name +
               " stays unused, because executors run out of " +
               (packing.scarce == Scarce::kCpu ? "CPU" : "whole places") +
               ": a node with less memory costs less, and a larger heap spills less");
    }
  }

  void Spot() {
    if (!plan_.input.spot) return;
    std::string where = "keep the driver on on-demand nodes, since losing it loses the job";
    const auto& node = plan_.input.node;
    if (node && node->provider == Provider::kAws) {
      where +=
          "; the node selectors are those of EKS managed node groups, with Karpenter use "
          "karpenter.sh/capacity-type";
    } else if (node && node->provider == Provider::kAzure) {
      where +=
          "; AKS taints spot nodes, so that executors need the toleration for "
          "kubernetes.azure.com/scalesetpriority in their pod template";
    } else if (!node) {
      where += ": set a node selector for it";
    }
    Note("driver_on_demand", where);
    const auto& priced = node ? node : plan_.input.reference_node;
    if (plan_.cost && priced && priced->price && !priced->price->spot_per_hour) {
      Note("no_spot_price",
           "there is no spot price for " + priced->name +
               ", so that the cost is on demand: give one with --price-file");
    }
  }

  void Settings() {
    for (const auto& [key, value] : plan_.input.settings) {
      if (key == "spark.shuffle.service.enabled" && EqualsIgnoreCase(value, "true")) {
        Warn("external_shuffle_service",
             "Spark on Kubernetes has no external shuffle service and executors would fail to "
             "register with it: left out, shuffle tracking does its work");
      } else if (key == "spark.memory.fraction") {
        const Result<double> fraction = ParseNumber(value);
        if (fraction && *fraction > kMemoryFraction) {
          Warn("memory_fraction",
               "spark.memory.fraction over 0.6 takes from the objects of your own code and makes "
               "garbage collection worse: raise the heap instead");
        }
      } else if (key == "spark.speculation" && plan_.input.kind == WorkloadKind::kStreaming) {
        Note("speculation_in_streaming",
             "speculation may write a streaming batch's output twice where the sink is not "
             "idempotent");
      }
    }
  }

  Plan& plan_;
};

}  // namespace

bool Spills(const Plan& plan) {
  return plan.shuffle_bytes > 0 && TaskNeeds(plan) > plan.task_memory_bytes;
}

void AddAdvice(Plan& plan) { Adviser(plan).Run(); }

}  // namespace stoker::rightsizing
