#include "rightsizing/sizing.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/text.h"
#include "core/units.h"
#include "rightsizing/advice.h"
#include "rightsizing/check_input.h"
#include "rightsizing/spark_conf.h"
#include "rightsizing/text.h"

namespace stoker::rightsizing {
namespace {

/// The upper end for shuffle partitions: every map task keeps the sizes of all of them, and the
/// driver keeps what all map tasks say.
constexpr std::int64_t kMostShufflePartitions = 20'000;
/// Shuffle files and spill by executor, with a fifth to spare for uneven partitions.
constexpr double kScratchReserve = 1.2;
/// The part of its trigger interval that a streaming batch may take, so that it catches up after a
/// pause.
constexpr double kStreamingShare = 0.7;
/// A throughput that is assumed may be off by this factor either way.
constexpr double kAssumptionSpread = 2;
/// By task, in the driver: its result's metrics on the way in, and its row in the UI's store.
constexpr std::int64_t kTaskStatusBytes = 4096;
/// The driver's own: scheduler, UI, plans.
constexpr std::int64_t kDriverBytes = 512 * kMebibyte;
/// spark.ui.retainedTasks.
constexpr std::int64_t kRetainedTasks = 100'000;
/// spark.shuffle.minNumPartitionsToHighlyCompress: up to here a map status is a byte by partition,
/// beyond it a bit.
constexpr std::int64_t kHighlyCompressedPartitions = 2'000;
/// The driver's heap stays under the compressed-oops edge.
constexpr std::int64_t kMostDriverHeap = 31 * kGibibyte;
/// How far below its cores a pod may request CPU for one more to fit on a node.
constexpr double kLeastCpuShare = 0.8;
constexpr double kLeastBilledSeconds = 60;
/// No cluster runs more; also keeps every sum within 63 bits.
constexpr std::int64_t kMostExecutors = 100'000;

std::int64_t DivideUp(std::int64_t a, std::int64_t b) { return a / b + (a % b > 0 ? 1 : 0); }

std::int64_t RoundUp(std::int64_t value, std::int64_t unit) { return DivideUp(value, unit) * unit; }

std::string Text(std::int64_t value) { return std::to_string(value); }

/// Builds the plan step by step; each step reads what those before it wrote.
class Sizer {
 public:
  explicit Sizer(const Input& input) { plan_.input = input; }

  Result<Plan> Run() {
    Throughput();
    Work();
    Executor();
    Driver();
    TrimCpuRequest();
    if (Status status = Executors(); !status) return Fail(status.error());
    Shuffle();
    Time();
    Reason();
    DynamicAllocation();
    Nodes();
    Sums();
    Price();
    plan_.spark_conf = SparkConf(plan_);
    AddAdvice(plan_);
    return std::move(plan_);
  }

 private:
  [[nodiscard]] const Input& in() const { return plan_.input; }

  void Explain(std::string name, std::string formula, std::string value) {
    plan_.steps.push_back({std::move(name), std::move(formula), std::move(value)});
  }

  /// What was given goes before what was seen, and that before what is assumed.
  void Throughput() {
    const Assumptions assumed = AssumptionsFor(in().kind);
    const std::string kind = "assumed for " + std::string(Name(in().kind));
    const Evidence evidence = in().evidence.value_or(Evidence{});
    plan_.throughput_bytes_per_core_second = assumed.throughput_bytes_per_core_second;
    plan_.throughput_source = kind;
    if (in().throughput_bytes_per_core_second) {
      plan_.throughput_bytes_per_core_second = *in().throughput_bytes_per_core_second;
      plan_.throughput_source = "given";
    } else if (evidence.throughput_bytes_per_core_second) {
      plan_.throughput_bytes_per_core_second = *evidence.throughput_bytes_per_core_second;
      plan_.throughput_source = evidence.source.empty() ? "measured" : evidence.source;
    }
    assumed_ = plan_.throughput_source == kind;
    plan_.shuffle_ratio =
        in().shuffle_ratio.value_or(evidence.shuffle_ratio.value_or(assumed.shuffle_ratio));
    Explain("throughput",
            "by core, " + plan_.throughput_source,
            RateText(plan_.throughput_bytes_per_core_second));
  }

  /// Core-seconds, and the tasks they come in ("Level of Parallelism" in Spark's tuning guide).
  void Work() {
    const auto data = static_cast<double>(in().data_bytes);
    const double throughput = plan_.throughput_bytes_per_core_second;
    plan_.shuffle_bytes = std::llround(data * plan_.shuffle_ratio);
    plan_.work_core_seconds = data / throughput;
    plan_.tasks = DivideUp(std::max(in().data_bytes, plan_.shuffle_bytes), in().partition_bytes);
    const double widest = std::max(1.0, plan_.shuffle_ratio);
    plan_.task_seconds = plan_.tasks == 1
                             ? plan_.work_core_seconds
                             : static_cast<double>(in().partition_bytes) / (throughput * widest);
    Explain("work",
            SizeText(in().data_bytes) + " / " + RateText(throughput),
            DecimalText(plan_.work_core_seconds, 1) + " core-seconds");
    Explain("shuffle",
            SizeText(in().data_bytes) + " x " + FormatNumber(plan_.shuffle_ratio),
            SizeText(plan_.shuffle_bytes));
    Explain("tasks",
            "ceil(" + SizeText(std::max(in().data_bytes, plan_.shuffle_bytes)) + " / " +
                SizeText(in().partition_bytes) + ")",
            Text(plan_.tasks) + " of " + SecondsText(plan_.task_seconds));
  }

  void Executor() {
    Pod& pod = plan_.executor;
    pod.cores = in().executor.cores;
    pod.cpu_request_millis = std::int64_t{1000} * pod.cores;
    const double factor = in().pyspark ? kPythonOverheadFactor : kJvmOverheadFactor;
    pod.memory.heap_bytes = RoundUpToMebibyte(in().executor.heap_bytes);
    // Explicitly given, Spark would also take less than its own minimum.
    pod.memory.overhead_bytes =
        std::max(in().executor.overhead_bytes ? RoundUpToMebibyte(*in().executor.overhead_bytes)
                                              : OverheadBytes(pod.memory.heap_bytes, factor),
                 kMinOverheadBytes);
    pod.memory.off_heap_bytes = RoundUpToMebibyte(in().off_heap_bytes);
    pod.memory.pyspark_bytes = RoundUpToMebibyte(in().pyspark_bytes);
    plan_.task_memory_bytes =
        TaskMemoryBytes(pod.memory.heap_bytes, pod.memory.off_heap_bytes, pod.cores);
    const std::string overhead = in().executor.overhead_bytes
                                     ? SizeText(pod.memory.overhead_bytes) + " (given)"
                                     : "max(" + FormatNumber(factor) + " x heap, 384 MiB)";
    std::string formula = SizeText(pod.memory.heap_bytes) + " heap + " + overhead;
    if (pod.memory.off_heap_bytes > 0) {
      formula += " + " + SizeText(pod.memory.off_heap_bytes) + " off-heap";
    }
    if (pod.memory.pyspark_bytes > 0) {
      formula += " + " + SizeText(pod.memory.pyspark_bytes) + " PySpark";
    }
    Explain("executor pod", formula, SizeText(pod.memory.Total()));
    Explain("memory by task",
            "((" + SizeText(pod.memory.heap_bytes) + " - 300 MiB) x 0.6" +
                (pod.memory.off_heap_bytes > 0
                     ? " + " + SizeText(pod.memory.off_heap_bytes) + " off-heap"
                     : "") +
                ") / " + CountText(pod.cores, "core"),
            SizeText(plan_.task_memory_bytes));
  }

  /// By task count and result size, and not by executors, which depend on what it leaves them.
  void Driver() {
    const std::int64_t tasks = plan_.tasks;
    const std::int64_t partitions =
        std::min(DivideUp(plan_.shuffle_bytes, in().partition_bytes), kMostShufflePartitions);
    // spark.driver.maxResultSize, 1g unless said otherwise, counts what tasks send back (metrics
    // too), and must be less than the heap.
    const double sent = static_cast<double>(tasks) * static_cast<double>(kTaskStatusBytes);
    const double result = std::min(sent, 16.0 * kGibibyte) + static_cast<double>(in().result_bytes);
    plan_.max_result_bytes = std::clamp(
        RoundUp(static_cast<std::int64_t>(result), kGibibyte), kGibibyte, 16 * kGibibyte);
    const std::int64_t by_map_task =
        partitions <= kHighlyCompressedPartitions ? partitions : partitions / 8;
    const double map_statuses = static_cast<double>(tasks) * static_cast<double>(by_map_task);
    const double heap = static_cast<double>(kDriverBytes + plan_.max_result_bytes) +
                        static_cast<double>(std::min(tasks, kRetainedTasks) * kTaskStatusBytes) +
                        map_statuses;
    Pod& pod = plan_.driver;
    // Half a GiB up, so that a small job keeps a small driver.
    constexpr std::int64_t kUnit = kGibibyte / 2;
    pod.memory.heap_bytes = RoundUp(
        static_cast<std::int64_t>(std::min(heap, static_cast<double>(kMostDriverHeap))), kUnit);
    pod.memory.overhead_bytes = OverheadBytes(
        pod.memory.heap_bytes, in().pyspark ? kPythonOverheadFactor : kJvmOverheadFactor);
    int cores = tasks < 1'000 ? 1 : tasks < 50'000 ? 2 : 4;
    if (in().kind == WorkloadKind::kInteractive || in().kind == WorkloadKind::kStreaming) {
      cores = std::max(cores, 2);
    }
    if (in().node) {
      cores = static_cast<int>(std::clamp<std::int64_t>(in().node->cpu_millis / 4'000, 1, cores));
    } else if (in().cluster_cpu_millis) {
      // A larger cluster gives the driver one core more for every ten, so that it never leaves the
      // executors fewer.
      cores =
          static_cast<int>(std::clamp<std::int64_t>(*in().cluster_cpu_millis / 10'000, 1, cores));
    }
    pod.cores = cores;
    pod.cpu_request_millis = std::int64_t{1000} * cores;
    Explain("driver heap",
            SizeText(kDriverBytes) + " + " + SizeText(plan_.max_result_bytes) +
                " results + 4 KiB x " + Text(std::min(tasks, kRetainedTasks)) + " tasks + " +
                SizeText(static_cast<std::int64_t>(std::min(map_statuses, 1e18))) + " map statuses",
            SizeText(pod.memory.heap_bytes));
  }

  /// A node of 8 CPUs has 7.7 to give, so that two executors of 4 do not fit: asking for a little
  /// less CPU than there are cores fits both. Spark runs as many tasks all the same.
  void TrimCpuRequest() {
    if (!in().node) return;
    allocatable_ = Allocatable(*in().node, in().daemon_sets);
    Pod& pod = plan_.executor;
    const std::int64_t full = pod.cpu_request_millis;
    const std::int64_t by_memory = allocatable_.memory_bytes / pod.memory.Total();
    const std::int64_t wanted = std::min(in().node->cpu_millis / full, by_memory);
    if (wanted <= 0 || wanted * full <= allocatable_.cpu_millis) return;
    const std::int64_t trimmed = allocatable_.cpu_millis / wanted / 10 * 10;
    if (static_cast<double>(trimmed) < kLeastCpuShare * static_cast<double>(full)) return;
    pod.cpu_request_millis = trimmed;
    Explain("CPU request",
            FormatCpuMillis(allocatable_.cpu_millis) + " allocatable / " +
                CountText(wanted, "executor"),
            FormatCpuMillis(trimmed));
  }

  Status Executors() {
    const std::int64_t cores = plan_.executor.cores;
    const double target = std::chrono::duration<double>(in().target_duration).count() *
                          (in().kind == WorkloadKind::kStreaming ? kStreamingShare : 1.0);
    const double allowed = std::floor(target / plan_.task_seconds);
    const std::int64_t waves =
        static_cast<std::int64_t>(std::clamp(allowed, 1.0, static_cast<double>(plan_.tasks)));
    wanted_ = DivideUp(DivideUp(plan_.tasks, waves), cores);
    Explain("waves allowed",
            "floor(" + SecondsText(target) + " / " + SecondsText(plan_.task_seconds) +
                "), at least 1 and at most " + Text(plan_.tasks),
            Text(waves));
    Explain("executors wanted",
            "ceil(ceil(" + Text(plan_.tasks) + " / " + Text(waves) + ") / " +
                CountText(cores, "core") + ")",
            Text(wanted_));
    plan_.binding = wanted_ == 1                  ? Constraint::kOneExecutor
                    : plan_.task_seconds > target ? Constraint::kTasks
                                                  : Constraint::kTarget;
    plan_.executors = wanted_;
    if (Status status = LimitToCluster(); !status) return status;
    if (plan_.executors_that_fit && *plan_.executors_that_fit < wanted_) {
      plan_.executors = *plan_.executors_that_fit;
    }
    if (plan_.executors > kMostExecutors) {
      return Fail(ErrorCode::kInvalidArgument,
                  "this would take " + Text(plan_.executors) + " executors, and " +
                      Text(kMostExecutors) +
                      " is the most that is planned: allow a longer --target-duration, or say how "
                      "large the cluster is");
    }
    plan_.slots = plan_.executors * cores;
    return {};
  }

  /// How many executors fit beside the driver, by the tightest of the limits.
  Status LimitToCluster() {
    const Resources driver = plan_.driver.Requests();
    const Resources executor = plan_.executor.Requests();
    const auto limit = [&](std::int64_t fit, Constraint constraint) {
      if (plan_.executors_that_fit && *plan_.executors_that_fit <= fit) return;
      plan_.executors_that_fit = fit;
      if (fit < wanted_) plan_.binding = constraint;
    };
    std::int64_t nodes = in().node_count.value_or(kUnlimited);
    if (in().cluster_cpu_millis) {
      // Counted by cores, also where fewer are requested: the promise is about cores.
      const std::int64_t left = *in().cluster_cpu_millis - std::int64_t{1000} * plan_.driver.cores;
      const std::int64_t fit =
          std::max<std::int64_t>(left, 0) / (std::int64_t{1000} * plan_.executor.cores);
      if (fit < 1) return TooSmall("cores");
      limit(fit, Constraint::kClusterCores);
      Explain("fit by cores",
              "floor((" + FormatCpuMillis(*in().cluster_cpu_millis) + " - " +
                  Text(plan_.driver.cores) + ") / " + Text(plan_.executor.cores) + ")",
              Text(fit));
      if (in().node) nodes = std::min(nodes, *in().cluster_cpu_millis / in().node->cpu_millis);
    }
    if (in().cluster_memory_bytes) {
      const std::int64_t left = *in().cluster_memory_bytes - driver.memory_bytes;
      const std::int64_t fit = std::max<std::int64_t>(left, 0) / executor.memory_bytes;
      if (fit < 1) return TooSmall("memory");
      limit(fit, Constraint::kClusterMemory);
      Explain("fit by memory",
              "floor((" + SizeText(*in().cluster_memory_bytes) + " - " +
                  SizeText(driver.memory_bytes) + ") / " + SizeText(executor.memory_bytes) + ")",
              Text(fit));
      if (in().node) nodes = std::min(nodes, *in().cluster_memory_bytes / in().node->memory_bytes);
    }
    if (!in().node) return {};
    if (Status status = FitsNode("executor", plan_.executor); !status) return status;
    if (Status status = FitsNode("driver", plan_.driver); !status) return status;
    if (nodes == kUnlimited) return {};
    if (nodes < 1) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the cluster is smaller than one node of " + in().node->name +
                      ": give it more, or choose a smaller node");
    }
    const std::int64_t fit = in().spot ? Capacity(executor, nodes - 1, allocatable_)
                                       : Capacity(executor, nodes, allocatable_, driver);
    Explain("fit on nodes",
            CountText(nodes, "node") + " of " + in().node->name +
                (in().spot ? ", one for the driver" : ", one shared with the driver"),
            Text(fit));
    if (fit < 1) {
      return Fail(ErrorCode::kInvalidArgument,
                  CountText(nodes, "node") + " of " + in().node->name +
                      " cannot hold the driver and one executor: give at least 2");
    }
    limit(fit, Constraint::kNodes);
    return {};
  }

  [[nodiscard]] Status TooSmall(const std::string& what) const {
    const std::int64_t cores = plan_.driver.cores + plan_.executor.cores;
    const std::int64_t memory = plan_.driver.memory.Total() + plan_.executor.memory.Total();
    const std::string need = what == "cores"
                                 ? CountText(cores, "core")
                                 : FormatSparkBytes(RoundUp(memory, kGibibyte)) + " of memory";
    const std::string shape =
        in().executor.name.empty() ? "one executor" : "one " + in().executor.name + " executor";
    return Fail(ErrorCode::kInvalidArgument,
                "the cluster is too small for the driver and " + shape + ": give it at least " +
                    need + ", or choose a smaller executor");
  }

  [[nodiscard]] Status FitsNode(const std::string& what, const Pod& pod) const {
    const Fit fit = FitPods(pod.Requests(), allocatable_);
    if (fit.pods > 0) return {};
    const bool cpu = fit.scarce == Scarce::kCpu;
    const std::string asks = cpu ? FormatCpuMillis(pod.cpu_request_millis) + " CPU"
                                 : SizeText(pod.memory.Total()) + " of memory";
    const std::string has =
        cpu ? FormatCpuMillis(allocatable_.cpu_millis) : SizeText(allocatable_.memory_bytes);
    return Fail(ErrorCode::kInvalidArgument,
                "the " + what + " asks for " + asks + ", and a node of " + in().node->name +
                    " has " + has + " to give: choose a larger node" +
                    (what == "driver" ? "" : " or a smaller executor"));
  }

  /// About the size of a partition each, a multiple of the slots so that no wave is half empty, and
  /// not without end. Adaptive execution merges what turns out too small.
  void Shuffle() {
    const std::int64_t slots = plan_.slots;
    const std::int64_t by_size = DivideUp(plan_.shuffle_bytes, in().partition_bytes);
    const std::int64_t most = std::max(kMostShufflePartitions, slots);
    plan_.shuffle_partitions = RoundUp(std::clamp(by_size, slots, most), slots);
    plan_.shuffle_partition_bytes = DivideUp(plan_.shuffle_bytes, plan_.shuffle_partitions);
    Explain("shuffle partitions",
            "ceil(" + SizeText(plan_.shuffle_bytes) + " / " + SizeText(in().partition_bytes) +
                "), between " + Text(slots) + " and " + Text(most) + ", up to a multiple of " +
                CountText(slots, "slot"),
            Text(plan_.shuffle_partitions) + " of " + SizeText(plan_.shuffle_partition_bytes));
    const double spill = Spills(plan_) ? 2 : 1;  // what spills is written once more
    const double scratch = static_cast<double>(plan_.shuffle_bytes) * spill * kScratchReserve /
                           static_cast<double>(plan_.executors);
    plan_.executor.ephemeral_bytes =
        RoundUp(static_cast<std::int64_t>(std::ceil(scratch)), kGibibyte);
    Explain("scratch disk",
            SizeText(plan_.shuffle_bytes) + (spill > 1 ? " x 2 for spill" : "") + " x " +
                FormatNumber(kScratchReserve) + " / " + CountText(plan_.executors, "executor"),
            SizeText(plan_.executor.ephemeral_bytes) + " by executor");
  }

  void Time() {
    plan_.waves = DivideUp(plan_.tasks, plan_.slots);
    const double slow = in().evidence ? in().evidence->slow_task_seconds.value_or(0) : 0;
    const double run = static_cast<double>(plan_.waves) * plan_.task_seconds;
    plan_.duration_seconds = std::max(run, slow);
    const double spread = assumed_ ? kAssumptionSpread : 1;
    plan_.duration_low_seconds = std::max(run / spread, slow);
    plan_.duration_high_seconds = std::max(run * spread, slow);
    const double target = std::chrono::duration<double>(in().target_duration).count();
    plan_.meets_target = plan_.duration_seconds <= target;
    Explain("duration",
            "ceil(" + Text(plan_.tasks) + " / " + CountText(plan_.slots, "slot") +
                ") = " + CountText(plan_.waves, "wave") + " of " + SecondsText(plan_.task_seconds) +
                (slow > run ? ", at least the slowest task" : ""),
            SecondsText(plan_.duration_seconds));
  }

  void Reason() {
    const std::string target = FormatDuration(in().target_duration);
    const double run_seconds = static_cast<double>(plan_.waves) * plan_.task_seconds;
    const std::string run = SecondsText(run_seconds);
    const std::string executors = CountText(plan_.executors, "executor");
    const auto seconds_with = [&](std::int64_t count) {
      return SecondsText(static_cast<double>(DivideUp(plan_.tasks, count * plan_.executor.cores)) *
                         plan_.task_seconds);
    };
    const auto cluster = [&](const std::string& room) {
      return room + " " + (plan_.executors == 1 ? "holds " : "hold ") + executors +
             " beside the driver, where " + target + " would take " + Text(wanted_) +
             ": the run takes " + run + ".";
    };
    switch (plan_.binding) {
      case Constraint::kOneExecutor:
        plan_.reason = "One executor is the least, and enough: it takes " + run + ", with " +
                       target + " allowed.";
        if (plan_.tasks <= plan_.slots && !plan_.meets_target) {
          plan_.reason = "One executor runs all " + CountText(plan_.tasks, "task") +
                         " at once, which takes " + run + ": more would idle.";
        }
        break;
      case Constraint::kTarget:
        plan_.reason =
            executors + " take " + run + " of the " + target + " allowed" +
            (in().kind == WorkloadKind::kStreaming
                 ? ", of which a batch may use " + DecimalText(kStreamingShare * 100, 0) +
                       "% to catch up after a pause"
                 : "") +
            "; " + Text(plan_.executors - 1) + " would take " + seconds_with(plan_.executors - 1) +
            ".";
        break;
      case Constraint::kTasks:
        plan_.reason = "The data splits into " + CountText(plan_.tasks, "task") +
                       ", and each has a core: more executors would idle, and " + target +
                       " is less than one task takes.";
        break;
      case Constraint::kClusterCores:
        plan_.reason = cluster("The cluster's " + CoresText(*in().cluster_cpu_millis));
        break;
      case Constraint::kClusterMemory:
        plan_.reason = cluster("The cluster's " + SizeText(*in().cluster_memory_bytes));
        break;
      case Constraint::kNodes:
        plan_.reason = cluster("The nodes");
        break;
    }
    if (plan_.duration_seconds > run_seconds) {
      plan_.reason += " The slowest task alone takes " + SecondsText(plan_.duration_seconds) + ".";
    }
  }

  /// 0 <= min <= initial <= max <= what fits. The most is what the target takes and not more: Spark
  /// asks for an executor for every waiting task and knows nothing of a target.
  void DynamicAllocation() {
    const std::int64_t executors = plan_.executors;
    plan_.dynamic_allocation = in().kind != WorkloadKind::kStreaming;
    plan_.max_executors = executors;
    if (!plan_.dynamic_allocation) {
      plan_.min_executors = executors;
      plan_.initial_executors = executors;
      return;
    }
    if (in().kind == WorkloadKind::kInteractive) {
      // A tenth stays warm for the next question.
      plan_.min_executors = DivideUp(executors, 10);
      plan_.initial_executors = DivideUp(executors, 4);
    } else {
      // On spot nothing needs to outlive the nodes that are taken away.
      plan_.min_executors = in().spot ? 0 : 1;
      plan_.initial_executors = DivideUp(executors, 2);
    }
  }

  void Nodes() {
    if (!in().node) return;
    const Resources driver = in().spot ? Resources{} : plan_.driver.Requests();
    Resources executor = plan_.executor.Requests();
    // Disks can be added to nodes: too little is worth a warning, not more nodes.
    const Fit with_disk = FitPods(executor, allocatable_);
    if (with_disk.scarce == Scarce::kEphemeral) executor.ephemeral_bytes = 0;
    NodePlan nodes{.shape = *in().node,
                   .allocatable = allocatable_,
                   .packing = Pack(executor, plan_.executors, allocatable_, driver),
                   .driver_nodes = in().spot ? 1 : 0};
    Explain("executors by node",
            "floor(" + FormatCpuMillis(allocatable_.cpu_millis) + " / " +
                FormatCpuMillis(executor.cpu_millis) + ") by CPU, floor(" +
                SizeText(allocatable_.memory_bytes) + " / " + SizeText(executor.memory_bytes) +
                ") by memory",
            Text(nodes.packing.per_node));
    Explain("nodes",
            CountText(plan_.executors, "executor") + ", " + Text(nodes.packing.per_node) +
                " by node" +
                (in().spot ? ", and one for the driver"
                           : ", " + Text(nodes.packing.beside) + " beside the driver"),
            Text(nodes.packing.nodes + nodes.driver_nodes));
    plan_.nodes = std::move(nodes);
  }

  void Sums() {
    const Resources executor = plan_.executor.Requests();
    const Resources driver = plan_.driver.Requests();
    plan_.total_cores = plan_.slots + plan_.driver.cores;
    plan_.total = {.cpu_millis = executor.cpu_millis * plan_.executors + driver.cpu_millis,
                   .memory_bytes = executor.memory_bytes * plan_.executors + driver.memory_bytes,
                   .ephemeral_bytes = executor.ephemeral_bytes * plan_.executors};
  }

  /// Whole nodes where their kind is known, else the pods' share of nodes of the reference shape.
  void Price() {
    const std::optional<NodeShape>& shape = in().node ? in().node : in().reference_node;
    if (!shape || !shape->price) return;
    const rightsizing::Price& price = *shape->price;
    const double spot = price.spot_per_hour.value_or(price.on_demand_per_hour);
    double executor_nodes = 0;
    double driver_nodes = 0;
    Cost cost;
    if (plan_.nodes) {
      executor_nodes = static_cast<double>(plan_.nodes->packing.nodes);
      driver_nodes = static_cast<double>(plan_.nodes->driver_nodes);
      cost.basis = "whole nodes";
    } else {
      const Resources room = Allocatable(*shape, in().daemon_sets);
      const auto share = [&](const Resources& pod) {
        return std::max(static_cast<double>(pod.cpu_millis) /
                            static_cast<double>(std::max<std::int64_t>(room.cpu_millis, 1)),
                        static_cast<double>(pod.memory_bytes) /
                            static_cast<double>(std::max<std::int64_t>(room.memory_bytes, 1)));
      };
      executor_nodes = share(plan_.executor.Requests()) * static_cast<double>(plan_.executors);
      driver_nodes = share(plan_.driver.Requests());
      cost.basis = "the pods' share";
    }
    cost.basis += " of " + shape->name + " at list prices";
    if (!price.region.empty()) cost.basis += " of " + price.region;
    if (!price.as_of.empty()) cost.basis += " as of " + price.as_of;
    if (in().spot && !price.spot_per_hour) cost.basis += "; its spot price is not known";
    if (in().spot && price.spot_estimated) cost.basis += "; its spot price is an estimate";
    const double hours = std::max(plan_.duration_seconds, kLeastBilledSeconds) / 3600;
    cost.on_demand_per_hour = (executor_nodes + driver_nodes) * price.on_demand_per_hour;
    cost.on_demand_per_run = cost.on_demand_per_hour * hours;
    cost.per_hour = cost.on_demand_per_hour;
    if (in().spot) {
      cost.per_hour = executor_nodes * spot + driver_nodes * price.on_demand_per_hour;
    }
    cost.per_run = cost.per_hour * hours;
    Explain("cost by hour",
            DecimalText(executor_nodes, 2) + " x $" +
                DecimalText(in().spot ? spot : price.on_demand_per_hour, 4) +
                (driver_nodes > 0 ? " + " + DecimalText(driver_nodes, 2) + " x $" +
                                        DecimalText(price.on_demand_per_hour, 4)
                                  : ""),
            DollarText(cost.per_hour));
    Explain("cost by run",
            DollarText(cost.per_hour) + " x " + SecondsText(hours * 3600) + " / 1h",
            DollarText(cost.per_run));
    plan_.cost = std::move(cost);
  }

  Plan plan_;
  bool assumed_ = false;
  Resources allocatable_;
  std::int64_t wanted_ = 0;  ///< executors, were there room
};

}  // namespace

std::string_view Name(WorkloadKind kind) {
  switch (kind) {
    case WorkloadKind::kEtl:
      return "etl";
    case WorkloadKind::kSql:
      return "sql";
    case WorkloadKind::kMl:
      return "ml";
    case WorkloadKind::kStreaming:
      return "streaming";
    case WorkloadKind::kInteractive:
      return "interactive";
  }
  return "etl";
}

std::string_view Name(Constraint constraint) {
  switch (constraint) {
    case Constraint::kOneExecutor:
      return "one_executor";
    case Constraint::kTarget:
      return "target_duration";
    case Constraint::kTasks:
      return "tasks";
    case Constraint::kClusterCores:
      return "cluster_cores";
    case Constraint::kClusterMemory:
      return "cluster_memory";
    case Constraint::kNodes:
      return "nodes";
  }
  return "target_duration";
}

Assumptions AssumptionsFor(WorkloadKind kind) {
  constexpr auto kMebi = static_cast<double>(kMebibyte);
  switch (kind) {
    case WorkloadKind::kEtl:
      return {.throughput_bytes_per_core_second = 12 * kMebi, .shuffle_ratio = 1};
    case WorkloadKind::kSql:
      return {.throughput_bytes_per_core_second = 15 * kMebi, .shuffle_ratio = 0.5};
    case WorkloadKind::kMl:
      return {.throughput_bytes_per_core_second = 4 * kMebi, .shuffle_ratio = 0.2};
    case WorkloadKind::kStreaming:
      return {.throughput_bytes_per_core_second = 10 * kMebi, .shuffle_ratio = 0.3};
    case WorkloadKind::kInteractive:
      return {.throughput_bytes_per_core_second = 20 * kMebi, .shuffle_ratio = 0.3};
  }
  return {};
}

Result<Plan> Size(const Input& input) {
  if (Status status = CheckInput(input); !status) return Fail(status.error());
  return Sizer(input).Run();
}

}  // namespace stoker::rightsizing
