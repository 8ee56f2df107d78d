// Stabilization and step, as tables of what is wanted and what is answered.

#include <gtest/gtest.h>

#include <vector>

#include "policy/decision.h"
#include "tests/unit/policy/builders.h"

namespace stoker::policy {
namespace {

using namespace std::chrono_literals;

/// Readings each 15 s, oldest first; each number is a reading's value.
SignalInput Every15s(const std::vector<double>& values) {
  std::vector<Reading> readings;
  Duration at = 0s;
  for (const double value : values) {
    readings.push_back(Value(at, value));
    at += 15s;
  }
  return Input(std::move(readings));
}

Policy Stabilized(Duration stabilization) {
  Policy policy = PolicyOf({Signal("a")});
  policy.scale_down.stabilization = stabilization;
  return policy;
}

Policy Stepped(ScaleDownStep step) {
  Policy policy = PolicyOf({Signal("a")});
  policy.scale_down.step = step;
  return policy;
}

int TargetAt(const Policy& policy, const SignalInput& input, Duration at) {
  const Decision decision = Decide(policy, {&input, 1}, After(at));
  EXPECT_FALSE(decision.error);
  return decision.target_replicas;
}

TEST(Stabilization, RisesAtOnceAndFallsLate) {
  const SignalInput input = Every15s({2, 10, 3, 3, 3, 3, 3});
  const Policy policy = Stabilized(1min);
  EXPECT_EQ(TargetAt(policy, input, 14s), 2);
  EXPECT_EQ(TargetAt(policy, input, 15s), 10);
  EXPECT_EQ(TargetAt(policy, input, 30s), 10);
  // 10 was wanted until just before 30s.
  EXPECT_EQ(TargetAt(policy, input, 90s - 1ms), 10);
  EXPECT_EQ(TargetAt(policy, input, 90s), 3);
}

TEST(Stabilization, SaysSo) {
  const SignalInput input = Every15s({10, 3});
  const Decision decision = Decide(Stabilized(1min), {&input, 1}, After(20s));
  EXPECT_EQ(decision.bound, Bound::kStabilization);
  EXPECT_EQ(decision.clamped, 3);
  EXPECT_EQ(decision.stabilized, 10);
  EXPECT_EQ(decision.valid_until, After(75s));
}

TEST(Stabilization, KeepsWhatHeadroomAndMaxMade) {
  Policy policy = Stabilized(1min);
  policy.replicas.headroom = 0.5;
  policy.replicas.max = 12;
  EXPECT_EQ(TargetAt(policy, Every15s({10, 3}), 20s), 12);
}

TEST(Stabilization, SkipsTimesWithoutADecision) {
  Policy policy = Stabilized(10min);
  policy.signals[0].timing.max_age = 1min;
  policy.signals[0].on_fault.hold = 0s;
  const SignalInput input =
      Input({Value(0s, 20), Fault(1min), Fault(3min), Value(5min, 4), Value(11min, 4)});
  EXPECT_TRUE(Decide(policy, {&input, 1}, After(2min)).error);
  EXPECT_EQ(TargetAt(policy, input, 5min), 20);
  EXPECT_EQ(TargetAt(policy, input, 11min), 20);  // 20 was last wanted at 1m
  EXPECT_EQ(TargetAt(policy, input, 11min + 1ms), 4);
}

TEST(Stabilization, RemembersWhatWasHeld) {
  // The hold reaches further back than the window; what was answered while it lasted counts.
  const SignalInput input = Input({Value(0s, 20), Fault(15s), Fault(10min), Value(20min, 4)});
  const Policy policy = Stabilized(5min);
  EXPECT_EQ(TargetAt(policy, input, 19min), 20);
  EXPECT_EQ(TargetAt(policy, input, 21min), 20);
  EXPECT_EQ(TargetAt(policy, input, 25min - 1ms), 20);
}

TEST(Step, PercentFallsByAFractionOfWhatItWas) {
  const Policy policy = Stepped({true, 10, 1min});
  const SignalInput input = Input({Value(0s, 40), Value(1min, 0), Value(9min, 0)});
  EXPECT_EQ(TargetAt(policy, input, 1min - 1ms), 40);
  EXPECT_EQ(TargetAt(policy, input, 1min), 36);
  EXPECT_EQ(TargetAt(policy, input, 2min - 1ms), 36);
  EXPECT_EQ(TargetAt(policy, input, 2min), 33);  // 32.4
  EXPECT_EQ(TargetAt(policy, input, 3min), 30);  // 29.16
}

TEST(Step, SaysSo) {
  const SignalInput input = Input({Value(0s, 40), Value(1min, 0)});
  const Decision decision = Decide(Stepped({true, 10, 1min}), {&input, 1}, After(1min));
  EXPECT_EQ(decision.bound, Bound::kStep);
  EXPECT_EQ(decision.stabilized, 0);
  EXPECT_DOUBLE_EQ(decision.stepped, 36);
  EXPECT_TRUE(decision.active);
  EXPECT_EQ(decision.valid_until, After(2min));
}

TEST(Step, PercentLetsGoOfTheLastReplica) {
  const Policy policy = Stepped({true, 50, 1min});
  const SignalInput input = Input({Value(0s, 4), Value(1min, 0)});
  EXPECT_EQ(TargetAt(policy, input, 1min), 2);
  EXPECT_EQ(TargetAt(policy, input, 2min), 1);
  EXPECT_EQ(TargetAt(policy, input, 3min), 1);  // 0.5
  EXPECT_EQ(TargetAt(policy, input, 4min), 0);
}

TEST(Step, CountFallsByReplicas) {
  const Policy policy = Stepped({false, 5, 30s});
  const SignalInput input = Input({Value(0s, 12), Value(1min, 1)});
  EXPECT_EQ(TargetAt(policy, input, 1min), 7);
  EXPECT_EQ(TargetAt(policy, input, 90s), 2);
  EXPECT_EQ(TargetAt(policy, input, 2min), 1);
}

TEST(Step, RisesAtOnce) {
  const Policy policy = Stepped({false, 1, 1h});
  EXPECT_EQ(TargetAt(policy, Every15s({1, 30}), 15s), 30);
}

TEST(Step, DoesNotDependOnHowOftenOthersAreRead) {
  Policy policy = Stepped({true, 10, 1min});
  policy.signals.push_back(Signal("b"));
  const SignalInput a = Input({Value(0s, 40), Value(70s, 0)});
  std::vector<Reading> often;
  for (Duration at = 0s; at <= 3min; at += 1s) often.push_back(Value(at, 0));
  const std::vector<SignalInput> rare{a, Input({Value(0s, 0), Value(3min, 0)})};
  const std::vector<SignalInput> busy{a, Input(often)};
  for (Duration at = 1s; at < 3min; at += 7s) {
    EXPECT_EQ(Decide(policy, rare, After(at)).stepped, Decide(policy, busy, After(at)).stepped);
  }
}

TEST(Step, FollowsStabilization) {
  Policy policy = Stepped({false, 2, 1min});
  policy.scale_down.stabilization = 5min;
  const SignalInput input = Input({Value(0s, 10), Value(1min, 0)});
  EXPECT_EQ(TargetAt(policy, input, 6min - 1ms), 10);
  EXPECT_EQ(TargetAt(policy, input, 6min), 8);
  EXPECT_EQ(TargetAt(policy, input, 7min), 6);
}

TEST(Step, StopsAtMin) {
  Policy policy = Stepped({true, 50, 1min});
  policy.replicas.min = 3;
  const SignalInput input = Input({Value(0s, 8), Value(1min, 0)});
  EXPECT_EQ(TargetAt(policy, input, 1min), 4);
  EXPECT_EQ(TargetAt(policy, input, 2min), 3);
}

// Two signals polled each second for an hour: the sweep is one pass.
TEST(History, LongWindowsAreCheap) {
  Policy policy = PolicyOf({Signal("a"), Signal("b")});
  policy.scale_down.stabilization = 1h;
  policy.scale_down.step = {true, 1, 1s};
  policy.replicas.max = 1000;
  std::vector<Reading> falling;
  std::vector<Reading> zero;
  for (int i = 0; i < 20000; ++i) {
    falling.push_back(Value(i * 1s, (20000 - i) / 20.0));
    zero.push_back(Value(i * 1s, 0));
  }
  const std::vector<SignalInput> inputs{Input(falling), Input(zero)};
  for (int i = 0; i < 20; ++i) {
    EXPECT_GT(Decide(policy, inputs, After((19980 + i) * 1s)).target_replicas, 180);
  }
}

}  // namespace
}  // namespace stoker::policy
