#include "rightsizing/sizing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rightsizing/inputs.h"

namespace stoker::rightsizing {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

constexpr std::int64_t kTebi = 1024 * kGibibyte;

Plan MustSize(const Input& input) {
  Result<Plan> plan = Size(input);
  EXPECT_TRUE(plan.has_value()) << plan.error().message;
  return plan ? *std::move(plan) : Plan{};
}

std::string WhyNot(const Input& input) {
  const Result<Plan> plan = Size(input);
  EXPECT_FALSE(plan.has_value());
  return plan ? "" : plan.error().message;
}

bool Advises(const Plan& plan, std::string_view code) {
  return std::any_of(plan.advice.begin(), plan.advice.end(), [&](const Advice& advice) {
    return advice.code == code;
  });
}

TEST(Size, AGigabyteTakesOneExecutor) {
  const Plan plan = MustSize({.data_bytes = kGibibyte, .executor = Medium()});
  EXPECT_EQ(plan.executors, 1);
  EXPECT_EQ(plan.tasks, 8);
  EXPECT_EQ(plan.waves, 4);
  EXPECT_EQ(plan.binding, Constraint::kOneExecutor);
  EXPECT_EQ(plan.driver.memory.heap_bytes, 2 * kGibibyte);
  EXPECT_TRUE(Advises(plan, "little_data"));
}

TEST(Size, ATerabyteInFifteenMinutesTakesAboutAHundredSlots) {
  const Plan plan = MustSize({.data_bytes = kTebi, .executor = Medium()});
  EXPECT_EQ(plan.tasks, 8192);
  EXPECT_EQ(plan.slots, 98);
  EXPECT_EQ(plan.executors, 49);
  EXPECT_EQ(plan.binding, Constraint::kTarget);
  EXPECT_EQ(plan.reason, "49 executors take 14m56s of the 15m allowed; 48 would take 15m17s.");
  EXPECT_EQ(plan.shuffle_partitions, 8232);  // 8192 up to a multiple of 98
  EXPECT_EQ(plan.min_executors, 1);
  EXPECT_EQ(plan.initial_executors, 25);
  EXPECT_EQ(plan.max_executors, 49);
  EXPECT_EQ(MustSize({.data_bytes = kTebi, .executor = Large()}).executors, 25);
}

TEST(Size, AHundredTerabytesAreBoundedByTheClusterWithTheHoursStated) {
  const Plan plan = MustSize({.data_bytes = 100 * kTebi,
                              .executor = Large(),
                              .cluster_cpu_millis = 500'000,
                              .cluster_memory_bytes = 2000 * kGibibyte});
  EXPECT_EQ(plan.executors, 124);
  EXPECT_EQ(plan.total_cores, 500);
  EXPECT_EQ(plan.binding, Constraint::kClusterCores);
  EXPECT_FALSE(plan.meets_target);
  EXPECT_EQ(plan.reason,
            "The cluster's 500 cores hold 124 executors beside the driver, where 15m would take "
            "2439: the run takes 4h53m41s.");
  EXPECT_TRUE(Advises(plan, "target_missed"));
  EXPECT_TRUE(Advises(plan, "many_tasks"));
  EXPECT_TRUE(Advises(plan, "spill"));
}

TEST(Size, MemoryBoundsWhereItIsScarcer) {
  const Plan plan = MustSize({.data_bytes = 10 * kTebi,
                              .executor = Large(),
                              .cluster_cpu_millis = 500'000,
                              .cluster_memory_bytes = 100 * kGibibyte});
  EXPECT_EQ(plan.binding, Constraint::kClusterMemory);
  EXPECT_EQ(plan.executors, 11);  // (100 - 2.4) / 8.8
}

TEST(Size, MoreExecutorsThanTasksWouldIdle) {
  const Plan plan = MustSize(
      {.data_bytes = kGibibyte, .executor = Medium(), .target_duration = std::chrono::seconds(5)});
  EXPECT_EQ(plan.executors, 4);
  EXPECT_EQ(plan.binding, Constraint::kTasks);
  EXPECT_FALSE(plan.meets_target);
}

TEST(Size, MeasuredThroughputGoesBeforeEvidenceAndThatBeforeAssumption) {
  Input input{.data_bytes = kTebi, .executor = Medium()};
  EXPECT_EQ(MustSize(input).throughput_source, "assumed for etl");
  EXPECT_GT(MustSize(input).duration_high_seconds, MustSize(input).duration_seconds);
  input.evidence = Evidence{.source = "12 runs of nightly",
                            .throughput_bytes_per_core_second = 24.0 * kMebibyte};
  EXPECT_EQ(MustSize(input).throughput_source, "12 runs of nightly");
  EXPECT_EQ(MustSize(input).executors, 25);
  EXPECT_EQ(MustSize(input).duration_high_seconds, MustSize(input).duration_seconds);
  input.throughput_bytes_per_core_second = 6.0 * kMebibyte;
  EXPECT_EQ(MustSize(input).throughput_source, "given");
  EXPECT_EQ(MustSize(input).executors, 98);
}

TEST(Size, NothingEndsBeforeItsSlowestTask) {
  const Plan plan = MustSize(
      {.data_bytes = kTebi, .executor = Medium(), .evidence = Evidence{.slow_task_seconds = 3600}});
  EXPECT_EQ(plan.duration_seconds, 3600);
  EXPECT_THAT(plan.reason, HasSubstr("The slowest task alone takes 1h."));
}

TEST(Size, PodsAreWhatSparkComputes) {
  const Plan jvm = MustSize({.data_bytes = kTebi, .executor = Large()});
  EXPECT_EQ(jvm.executor.memory.Total(), (8192 + 819) * kMebibyte);
  const Plan python = MustSize({.data_bytes = kTebi,
                                .executor = Large(),
                                .pyspark = true,
                                .off_heap_bytes = kGibibyte,
                                .pyspark_bytes = 2 * kGibibyte});
  EXPECT_EQ(python.executor.memory.Total(), (8192 + 3276 + 1024 + 2048) * kMebibyte);
  EXPECT_THAT(python.spark_conf, Contains(Pair("spark.executor.memoryOverhead", "3276m")));
  EXPECT_THAT(python.spark_conf, Contains(Pair("spark.memory.offHeap.enabled", "true")));
  EXPECT_THAT(python.spark_conf, Contains(Pair("spark.executor.pyspark.memory", "2g")));
}

TEST(Size, OverheadBelowTheMinimumIsRaised) {
  Preset small{.name = "small", .cores = 1, .heap_bytes = kGibibyte};
  small.overhead_bytes = 256 * kMebibyte;
  const Plan plan = MustSize({.data_bytes = kGibibyte, .executor = small});
  EXPECT_EQ(plan.executor.memory.overhead_bytes, kMinOverheadBytes);
  EXPECT_TRUE(Advises(plan, "overhead_below_minimum"));
  Preset large = Large();
  large.overhead_bytes = 512 * kMebibyte;
  const Plan low = MustSize({.data_bytes = kGibibyte, .executor = large});
  EXPECT_EQ(low.executor.memory.overhead_bytes, 512 * kMebibyte);
  EXPECT_TRUE(Advises(low, "overhead_below_default"));
}

TEST(Size, ExecutorsOfAllOfANodesCoresRequestALittleLess) {
  Input input{.data_bytes = kTebi, .executor = Large(), .node = M5Xlarge2()};
  const Plan plan = MustSize(input);
  EXPECT_EQ(plan.executor.cpu_request_millis, 3850);
  EXPECT_EQ(plan.nodes->packing.per_node, 2);
  EXPECT_EQ(plan.nodes->packing.nodes, 13);
  EXPECT_TRUE(Advises(plan, "cpu_request_trimmed"));
  EXPECT_THAT(plan.spark_conf, Contains(Pair("spark.executor.cores", "4")));
  EXPECT_THAT(plan.spark_conf, Contains(Pair("spark.kubernetes.executor.request.cores", "3850m")));
  // Where all of a node's cores are asked for one executor, too.
  input.node->cpu_millis = 4000;
  input.node->memory_bytes = 16 * kGibibyte;
  EXPECT_EQ(MustSize(input).executor.cpu_request_millis, 3720);
  EXPECT_EQ(MustSize(input).nodes->packing.per_node, 1);
}

TEST(Size, NodesCountTheDriver) {
  const Plan plan = MustSize(
      {.data_bytes = 10 * kTebi, .executor = Large(), .node = M5Xlarge2(), .node_count = 10});
  EXPECT_EQ(plan.binding, Constraint::kNodes);
  EXPECT_EQ(plan.executors, 19);
  EXPECT_EQ(plan.nodes->packing.nodes, 10);
}

TEST(Size, SpotKeepsTheDriverOnANodeOfItsOwn) {
  const Plan plan =
      MustSize({.data_bytes = kTebi, .executor = Large(), .node = M5Xlarge2(), .spot = true});
  EXPECT_EQ(plan.nodes->driver_nodes, 1);
  EXPECT_EQ(plan.min_executors, 0);
  EXPECT_NEAR(plan.cost->per_hour, 13 * 0.15 + 0.384, 1e-9);
  EXPECT_NEAR(plan.cost->on_demand_per_hour, 14 * 0.384, 1e-9);
  EXPECT_NEAR(plan.cost->per_run, plan.cost->per_hour * plan.duration_seconds / 3600, 1e-9);
  EXPECT_THAT(plan.spark_conf, Contains(Pair("spark.decommission.enabled", "true")));
  EXPECT_THAT(plan.spark_conf,
              Contains(Pair("spark.kubernetes.driver.node.selector.eks.amazonaws.com/capacityType",
                            "ON_DEMAND")));
  EXPECT_THAT(plan.cost->basis,
              HasSubstr("m5.2xlarge at list prices of us-east-1 as of 2026-01-01"));
}

TEST(Size, SettingsFollowTheSparkVersion) {
  Input input{.data_bytes = kTebi, .executor = Large(), .spot = true};
  input.spark_version = {.major = 3, .minor = 0};
  EXPECT_THAT(MustSize(input).spark_conf,
              Not(Contains(Pair("spark.decommission.enabled", "true"))));
  input.spark_version = {.major = 3, .minor = 5};
  EXPECT_THAT(MustSize(input).spark_conf, Contains(Pair("spark.executor.maxNumFailures", "100")));
}

TEST(Size, WithoutANodeCostIsThePodsShare) {
  const Plan plan =
      MustSize({.data_bytes = kTebi, .executor = Large(), .reference_node = M5Xlarge2()});
  EXPECT_FALSE(plan.nodes.has_value());
  EXPECT_THAT(plan.cost->basis, HasSubstr("the pods' share of m5.2xlarge"));
  const double cpu = (25 * 4.0 + 2) / 7.71;
  EXPECT_NEAR(plan.cost->per_hour, cpu * 0.384, 1e-6);
}

TEST(Size, StreamingHoldsItsExecutors) {
  const Plan plan = MustSize({.data_bytes = 6 * kGibibyte,
                              .executor = Large(),
                              .target_duration = std::chrono::seconds(60),
                              .kind = WorkloadKind::kStreaming});
  EXPECT_FALSE(plan.dynamic_allocation);
  EXPECT_EQ(plan.min_executors, plan.max_executors);
  EXPECT_LE(plan.duration_seconds, 0.7 * 60);
  EXPECT_THAT(plan.spark_conf, Contains(Pair("spark.dynamicAllocation.enabled", "false")));
  EXPECT_THAT(plan.spark_conf,
              Contains(Pair("spark.executor.instances", std::to_string(plan.executors))));
}

TEST(Size, AdvisesAgainstWhatHurts) {
  Preset fat{.name = "fat", .cores = 16, .heap_bytes = 40 * kGibibyte};
  const Plan plan = MustSize(
      {.data_bytes = kTebi,
       .executor = fat,
       .settings = {{"spark.shuffle.service.enabled", "true"}, {"spark.memory.fraction", "0.8"}}});
  EXPECT_TRUE(Advises(plan, "fat_executor"));
  EXPECT_TRUE(Advises(plan, "heap_over_compressed_oops"));
  EXPECT_TRUE(Advises(plan, "external_shuffle_service"));
  EXPECT_TRUE(Advises(plan, "memory_fraction"));
  EXPECT_THAT(plan.spark_conf, Contains(Pair("spark.memory.fraction", "0.8")));
  EXPECT_THAT(plan.spark_conf, Not(Contains(Pair("spark.shuffle.service.enabled", "true"))));
  EXPECT_EQ(plan.advice.front().severity, Advice::Severity::kWarning);
}

TEST(Size, ADiskThatIsTooSmallIsSaid) {
  NodeShape node = M5Xlarge2();
  node.ephemeral_bytes = 20 * kGibibyte;
  const Plan plan = MustSize({.data_bytes = kTebi, .executor = Large(), .node = node});
  EXPECT_TRUE(Advises(plan, "scratch_over_disk"));
  EXPECT_EQ(plan.executor.ephemeral_bytes, 50 * kGibibyte);  // 1 TiB x 1.2 / 25
  EXPECT_EQ(plan.nodes->packing.per_node, 2);
}

TEST(Size, ExplainsItsArithmetic) {
  const Plan plan = MustSize({.data_bytes = kTebi, .executor = Medium()});
  const auto step = std::find_if(plan.steps.begin(), plan.steps.end(), [](const Step& candidate) {
    return candidate.name == "executors wanted";
  });
  ASSERT_NE(step, plan.steps.end());
  EXPECT_EQ(step->formula, "ceil(ceil(8192 / 84) / 2 cores)");
  EXPECT_EQ(step->value, "49");
}

TEST(SizeRefuses, AClusterTooSmallForOneExecutor) {
  EXPECT_EQ(WhyNot({.data_bytes = kTebi, .executor = Large(), .cluster_cpu_millis = 1000}),
            "the cluster is too small for the driver and one large executor: give it at least 5 "
            "cores, or choose a smaller executor");
  EXPECT_EQ(
      WhyNot({.data_bytes = kTebi, .executor = Large(), .cluster_memory_bytes = 8 * kGibibyte}),
      "the cluster is too small for the driver and one large executor: give it at least 12g of "
      "memory, or choose a smaller executor");
}

TEST(SizeRefuses, ANodeTooSmall) {
  NodeShape node = M5Xlarge2();
  node.memory_bytes = 8 * kGibibyte;
  EXPECT_EQ(WhyNot({.data_bytes = kTebi, .executor = Large(), .node = node}),
            "the executor asks for 8.8 GiB of memory, and a node of m5.2xlarge has 6.2 GiB to "
            "give: choose a larger node or a smaller executor");
  EXPECT_THAT(WhyNot({.data_bytes = kTebi,
                      .executor = Large(),
                      .cluster_cpu_millis = 7000,
                      .node = M5Xlarge2()}),
              HasSubstr("smaller than one node of m5.2xlarge"));
}

TEST(SizeRefuses, TooFewNodes) {
  EXPECT_EQ(WhyNot({.data_bytes = kTebi,
                    .executor = Large(),
                    .node = M5Xlarge2(),
                    .node_count = 1,
                    .spot = true}),
            "1 node of m5.2xlarge cannot hold the driver and one executor: give at least 2");
}

TEST(SizeRefuses, AmountsOutOfRange) {
  EXPECT_EQ(WhyNot({.data_bytes = 0, .executor = Large()}),
            "the data size must be between 1m and 1024p");
  EXPECT_THAT(WhyNot({.data_bytes = -5, .executor = Large()}), HasSubstr("the data size"));
  EXPECT_THAT(WhyNot({.data_bytes = kTebi}), HasSubstr("1 to 512 cores"));
  EXPECT_THAT(WhyNot({.data_bytes = kTebi, .executor = {.cores = 1, .heap_bytes = kMebibyte}}),
              HasSubstr("450m"));
  EXPECT_THAT(WhyNot({.data_bytes = kTebi, .executor = Large(), .target_duration = Duration(10)}),
              HasSubstr("target duration"));
  EXPECT_THAT(WhyNot({.data_bytes = kTebi, .executor = Large(), .shuffle_ratio = std::nan("")}),
              HasSubstr("shuffle ratio"));
  EXPECT_THAT(WhyNot({.data_bytes = kTebi,
                      .executor = Large(),
                      .throughput_bytes_per_core_second = std::nan("")}),
              HasSubstr("throughput"));
  EXPECT_THAT(WhyNot({.data_bytes = kTebi, .executor = Large(), .pyspark_bytes = kGibibyte}),
              HasSubstr("--pyspark"));
  EXPECT_THAT(
      WhyNot({.data_bytes = std::int64_t{1} << 60, .executor = Large(), .shuffle_ratio = 2}),
      HasSubstr("exbibyte"));
  EXPECT_THAT(WhyNot({.data_bytes = std::int64_t{1} << 55, .executor = Large()}),
              HasSubstr("100000 is the most"));
  EXPECT_THAT(WhyNot({.data_bytes = kTebi, .executor = Large(), .spark_version = {2, 4}}),
              HasSubstr("3.0 or newer"));
}

TEST(SizeRefuses, SettingsThatThePlanComputes) {
  EXPECT_EQ(WhyNot({.data_bytes = kTebi,
                    .executor = Large(),
                    .settings = {{"spark.executor.memory", "9g"}}}),
            "spark.executor.memory is what is computed here: use --executor-memory");
  EXPECT_EQ(
      WhyNot({.data_bytes = kTebi, .executor = Large(), .settings = {{"executor.memory", "9g"}}}),
      "a setting must be spark.KEY=VALUE");
}

}  // namespace
}  // namespace stoker::rightsizing
