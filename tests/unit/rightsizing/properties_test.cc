// What a plan promises whatever is asked: thousands of inputs from the whole space, the same ones
// every time.
#include <gtest/gtest.h>

#include "rightsizing/sizing.h"
#include "tests/unit/rightsizing/inputs.h"

namespace stoker::rightsizing {
namespace {

constexpr int kRounds = 5000;

std::string Show(const Input& input) {
  std::string text =
      std::to_string(input.data_bytes) + " B, " + std::to_string(input.executor.cores) +
      " cores, " + std::to_string(input.executor.heap_bytes) + " heap, " +
      std::to_string(input.target_duration.count()) + " ms, kind " + std::string(Name(input.kind));
  if (input.cluster_cpu_millis) text += ", " + std::to_string(*input.cluster_cpu_millis) + "m";
  if (input.cluster_memory_bytes) text += ", " + std::to_string(*input.cluster_memory_bytes) + " B";
  if (input.node) {
    text += ", nodes of " + std::to_string(input.node->cpu_millis) + "m and " +
            std::to_string(input.node->memory_bytes);
  }
  if (input.node_count) text += " x " + std::to_string(*input.node_count);
  if (input.spot) text += ", spot";
  return text;
}

/// Runs `check` on the plans of drawn inputs; most inputs must have one for the test to mean much.
template <class Check>
void ForPlans(unsigned seed, const Check& check) {
  Draw draw(seed);
  int plans = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Input input = draw.Input();
    const Result<Plan> plan = Size(input);
    if (!plan) {
      ASSERT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
      ASSERT_EQ(plan.error().message.find('\n'), std::string::npos);
      continue;
    }
    ++plans;
    check(draw, input, *plan);
    if (testing::Test::HasFatalFailure()) {
      FAIL() << "round " << round << ": " << Show(input);
    }
  }
  EXPECT_GT(plans, kRounds / 3);
}

TEST(PlanProperty, BoundsAreInOrder) {
  ForPlans(1, [](Draw&, const Input&, const Plan& plan) {
    ASSERT_GE(plan.min_executors, 0);
    ASSERT_LE(plan.min_executors, plan.initial_executors);
    ASSERT_LE(plan.initial_executors, plan.max_executors);
    ASSERT_GE(plan.max_executors, 1);
    ASSERT_GE(plan.executors, 1);
    ASSERT_LE(plan.executors, plan.max_executors);
    if (plan.executors_that_fit) {
      ASSERT_LE(plan.max_executors, *plan.executors_that_fit);
    }
    // Never more executors than there are tasks to run, and never a slot count that is not theirs.
    ASSERT_LT((plan.executors - 1) * plan.executor.cores, plan.tasks);
    ASSERT_EQ(plan.slots, plan.executors * plan.executor.cores);
  });
}

TEST(PlanProperty, DriverAndExecutorsAreWithinTheCluster) {
  ForPlans(2, [](Draw&, const Input& input, const Plan& plan) {
    ASSERT_EQ(plan.total_cores, plan.executors * plan.executor.cores + plan.driver.cores);
    ASSERT_EQ(plan.total.memory_bytes,
              plan.executors * plan.executor.memory.Total() + plan.driver.memory.Total());
    if (input.cluster_cpu_millis) {
      ASSERT_LE(1000 * plan.total_cores, *input.cluster_cpu_millis);
    }
    if (input.cluster_memory_bytes) {
      ASSERT_LE(plan.total.memory_bytes, *input.cluster_memory_bytes);
    }
    if (!input.node) return;
    ASSERT_TRUE(plan.nodes.has_value());
    const std::int64_t nodes = plan.nodes->packing.nodes + plan.nodes->driver_nodes;
    if (input.node_count) {
      ASSERT_LE(nodes, *input.node_count);
    }
    if (input.cluster_cpu_millis) {
      ASSERT_LE(nodes * input.node->cpu_millis, *input.cluster_cpu_millis);
    }
    if (input.cluster_memory_bytes) {
      ASSERT_LE(nodes * input.node->memory_bytes, *input.cluster_memory_bytes);
    }
    ASSERT_LE(plan.total.cpu_millis, nodes * plan.nodes->allocatable.cpu_millis);
    ASSERT_LE(plan.total.memory_bytes, nodes * plan.nodes->allocatable.memory_bytes);
    ASSERT_GE(plan.nodes->packing.stranded.cpu_millis, 0);
    ASSERT_GE(plan.nodes->packing.stranded.memory_bytes, 0);
  });
}

TEST(PlanProperty, AmountsAreSane) {
  ForPlans(3, [](Draw&, const Input& input, const Plan& plan) {
    ASSERT_GT(plan.duration_seconds, 0);
    ASSERT_LE(plan.duration_low_seconds, plan.duration_seconds);
    ASSERT_GE(plan.duration_high_seconds, plan.duration_seconds);
    ASSERT_GE(plan.waves * plan.slots, plan.tasks);
    ASSERT_GE(plan.executor.memory.overhead_bytes, kMinOverheadBytes);
    ASSERT_EQ(plan.executor.memory.Total() % kMebibyte, 0);
    ASSERT_LT(plan.max_result_bytes, plan.driver.memory.heap_bytes);
    ASSERT_EQ(plan.shuffle_partitions % plan.slots, 0);
    ASSERT_GT(plan.shuffle_partitions, 0);
    ASSERT_GE(plan.executor.ephemeral_bytes, 0);
    ASSERT_GT(plan.executor.cpu_request_millis, 0);
    ASSERT_LE(plan.executor.cpu_request_millis, 1000 * plan.executor.cores);
    ASSERT_GE(10 * plan.executor.cpu_request_millis + 100, 8000 * plan.executor.cores);
    ASSERT_FALSE(plan.reason.empty());
    if (!plan.cost) return;
    ASSERT_GE(plan.cost->per_hour, 0);
    if (!input.spot) {
      ASSERT_EQ(plan.cost->per_hour, plan.cost->on_demand_per_hour);
    }
  });
}

TEST(PlanProperty, TheReasonIsTrue) {
  ForPlans(4, [](Draw&, const Input& input, const Plan& plan) {
    const double run = static_cast<double>(plan.waves) * plan.task_seconds;
    const double target = std::chrono::duration<double>(input.target_duration).count() *
                          (input.kind == WorkloadKind::kStreaming ? 0.7 : 1.0);
    const auto run_with = [&](std::int64_t executors) {
      const std::int64_t slots = executors * plan.executor.cores;
      return static_cast<double>((plan.tasks + slots - 1) / slots) * plan.task_seconds;
    };
    switch (plan.binding) {
      case Constraint::kOneExecutor:
        ASSERT_EQ(plan.executors, 1);
        ASSERT_TRUE(run <= target || plan.slots >= plan.tasks);
        break;
      case Constraint::kTarget:
        ASSERT_LE(run, target);
        ASSERT_GT(run_with(plan.executors - 1), target);
        break;
      case Constraint::kTasks:
        ASSERT_GE(plan.slots, plan.tasks);
        ASSERT_GT(run, target);
        break;
      case Constraint::kClusterCores:
        ASSERT_GT(1000 * (plan.total_cores + plan.executor.cores), *input.cluster_cpu_millis);
        break;
      case Constraint::kClusterMemory:
        ASSERT_GT(plan.total.memory_bytes + plan.executor.memory.Total(),
                  *input.cluster_memory_bytes);
        break;
      case Constraint::kNodes:
        ASSERT_EQ(plan.executors, *plan.executors_that_fit);
        break;
    }
  });
}

TEST(PlanProperty, TwiceTheDataTakesAtMostTwiceTheExecutorsAndOne) {
  ForPlans(5, [](Draw&, Input input, const Plan& plan) {
    input.data_bytes *= 2;
    const Result<Plan> twice = Size(input);
    if (!twice) return;  // over a limit, or a driver too large for the cluster
    ASSERT_LE(twice->executors, 2 * plan.executors + 1);
  });
}

TEST(PlanProperty, ALargerClusterIsNeverSlower) {
  ForPlans(6, [](Draw& draw, Input input, const Plan& plan) {
    if (input.cluster_cpu_millis) *input.cluster_cpu_millis += draw.Magnitude(1, 1'000'000);
    if (input.cluster_memory_bytes && draw.Chance(0.5)) {
      *input.cluster_memory_bytes += draw.Magnitude(1, std::int64_t{1} << 45);
    }
    if (input.node_count && draw.Chance(0.5)) *input.node_count += draw.Magnitude(1, 1000);
    const Result<Plan> larger = Size(input);
    ASSERT_TRUE(larger.has_value()) << larger.error().message;
    ASSERT_LE(larger->duration_seconds, plan.duration_seconds);
    ASSERT_GE(larger->executors, plan.executors);
  });
}

TEST(PlanProperty, SettingsAreOncePerKeyAndInSparksSyntax) {
  ForPlans(7, [](Draw&, const Input&, const Plan& plan) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : plan.spark_conf) {
      ASSERT_TRUE(key.starts_with("spark.")) << key;
      ASSERT_FALSE(value.empty()) << key;
      ASSERT_EQ(value.find("Gi"), std::string::npos) << key << "=" << value;
      ASSERT_EQ(value.find("Mi"), std::string::npos) << key << "=" << value;
      keys.push_back(key);
    }
    std::sort(keys.begin(), keys.end());
    ASSERT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
  });
}

}  // namespace
}  // namespace stoker::rightsizing
