#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/decision.h"
#include "tests/unit/policy/builders.h"

namespace stoker::policy {
namespace {

using namespace std::chrono_literals;

std::string Said(const Policy& policy, const std::vector<SignalInput>& inputs, Duration at = 0s) {
  return Summarize(policy, Decide(policy, inputs, After(at)));
}

TEST(Summarize, SaysWhoAsksForWhat) {
  EXPECT_EQ(Said(PolicyOf({Signal("backlog", 5), Signal("hours")}),
                 {Input({Value(0s, 60)}), Input({Value(0s, 10)})}),
            "12 replicas: backlog asks for 12 (60 / 5); hours asks for 10");
  EXPECT_EQ(Said(PolicyOf({Signal("backlog", 3)}), {Input({Value(0s, 2)})}),
            "1 replica: backlog asks for 0.67 (2 / 3)");
}

TEST(Summarize, SaysHowTheyCombine) {
  EXPECT_EQ(Said(PolicyOf({Signal("a"), Signal("b")}, Combine::kSum),
                 {Input({Value(0s, 6)}), Input({Value(0s, 10)})}),
            "16 replicas: a asks for 6; b asks for 10; combined by sum: 16");
  EXPECT_EQ(Said(PolicyOf({Signal("a"), Signal("b")}, "a + b / 2"),
                 {Input({Value(0s, 6)}), Input({Value(0s, 10)})}),
            "11 replicas: a asks for 6; b asks for 10; combined by a + b / 2: 11");
}

TEST(Summarize, CountsExecutors) {
  Policy policy = PolicyOf({Signal("tasks", 8)});
  policy.signals[0].demand.per = DemandRule::Per::kExecutor;
  policy.replicas.executors_per_replica = 4;
  EXPECT_EQ(Said(policy, {Input({Value(0s, 96)})}),
            "3 replicas (12 executors): tasks asks for 3 (96 / 8 / 4)");
}

TEST(Summarize, SaysAtLeast) {
  EXPECT_EQ(
      Said(PolicyOf({Signal("a", 5)}), {Input({{After(0s), Reading::Kind::kValue, 250, true}})}),
      "50 replicas: a asks for at least 50 (250 / 5)");
}

TEST(Summarize, SaysWhatBoundIt) {
  Policy policy = PolicyOf({Signal("a")});
  policy.replicas.max = 10;
  policy.replicas.min = 2;
  EXPECT_EQ(Said(policy, {Input({Value(0s, 12)})}), "10 replicas: a asks for 12; capped by max 10");
  EXPECT_EQ(Said(policy, {Input({Value(0s, 0)})}), "2 replicas: a asks for 0; raised to min 2");
  policy.replicas.headroom = 0.25;
  EXPECT_EQ(Said(policy, {Input({Value(0s, 5)})}),
            "7 replicas: a asks for 5; with 25% headroom: 6.25");
}

TEST(Summarize, SaysThatNothingIsActive) {
  EXPECT_EQ(Said(PolicyOf({Signal("a", 1, 5)}), {Input({Value(0s, 4)})}),
            "0 replicas: a asks for 4; no signal is above its activation");
}

TEST(Summarize, SaysWhatKeepsItUp) {
  Policy policy = PolicyOf({Signal("a")});
  policy.scale_down.stabilization = 5min;
  const std::vector<SignalInput> inputs{Input({Value(0s, 14), Value(1min, 4)})};
  EXPECT_EQ(Said(policy, inputs, 1min),
            "14 replicas: a asks for 4; kept up by stabilization 5m (peak 14)");
  policy.scale_down.stabilization = 0s;
  policy.scale_down.step = {true, 10, 1min};
  EXPECT_EQ(Said(policy, inputs, 1min),
            "13 replicas: a asks for 4; step 10%/1m allows no lower than 12.6");
}

TEST(Summarize, SaysWhatIsHeldAndSince) {
  const std::vector<SignalInput> inputs{
      Input({Value(9h + 30min, 12), Fault(9h + 31min)}, "connection refused")};
  EXPECT_EQ(Said(PolicyOf({Signal("busy")}), inputs, 9h + 31min),
            "12 replicas: busy asks for 12; busy is failing, its value is held since 09:30 UTC");
}

TEST(Summarize, TellsSilenceFromFailure) {
  EXPECT_EQ(
      Said(PolicyOf({Signal("busy")}), {Input({Value(0s, 12), Empty(1min)})}, 1min),
      "12 replicas: busy asks for 12; busy gives nothing new, its value is held since 00:00 UTC");
  EXPECT_EQ(
      Said(PolicyOf({Signal("busy")}), {Input({Value(0s, 12)})}, 3min),
      "12 replicas: busy asks for 12; busy gives nothing new, its value is held since 00:00 UTC");
}

TEST(Summarize, SaysWhatStandsIn) {
  Policy policy = PolicyOf({Signal("a"), Signal("b"), Signal("c")});
  policy.signals[0].on_fault.then = FaultPolicy::Then::kIgnore;
  policy.signals[1].on_fault.then = FaultPolicy::Then::kReplicas;
  policy.signals[1].on_fault.replicas = 3;
  EXPECT_EQ(Said(policy, {Input({Fault(0s)}), Input({Fault(0s)}), Input({Value(0s, 1)})}),
            "3 replicas: a is at fault and ignored; b asks for 3 (stands in while at fault); "
            "c asks for 1");
}

TEST(Summarize, SaysWhyThereIsNone) {
  EXPECT_EQ(Said(PolicyOf({Signal("busy")}), {Input({Fault(0s)}, "connection refused")}),
            "unavailable: signal 'busy' has had no good reading yet: connection refused");
}

}  // namespace
}  // namespace stoker::policy
