#include "policy/decision.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/unit/policy/builders.h"

namespace stoker::policy {
namespace {

using namespace std::chrono_literals;
using State = SignalDecision::State;

/// Decides at kStart + `at`.
Decision At(const Policy& policy, const std::vector<SignalInput>& inputs, Duration at = 0s) {
  return Decide(policy, inputs, After(at));
}

/// The target for values read just now, one for each signal.
Decision Now(const Policy& policy, const std::vector<double>& values) {
  std::vector<SignalInput> inputs;
  for (const double value : values) inputs.push_back(Input({Value(0s, value)}));
  return At(policy, inputs);
}

std::string Message(const Decision& decision) {
  return decision.error ? decision.error->message : "";
}

// --- demand
// ---------------------------------------------------------------------------------------

TEST(Demand, IsValueOverTargetSize) {
  const Decision decision = Now(PolicyOf({Signal("backlog", 5)}), {60});
  EXPECT_EQ(decision.signals[0].demand, 12);
  EXPECT_EQ(decision.signals[0].value, 60);
  EXPECT_EQ(decision.target_replicas, 12);
  EXPECT_TRUE(decision.active);
  EXPECT_EQ(decision.bound, Bound::kNone);
}

TEST(Demand, RoundsUpOnceAtTheEnd) {
  const Policy policy = PolicyOf({Signal("a", 5), Signal("b", 5)}, Combine::kSum);
  EXPECT_EQ(Now(policy, {1, 1}).target_replicas, 1);  // 0.4, not 1 + 1
  EXPECT_EQ(Now(policy, {1, 5}).target_replicas, 2);
}

TEST(Demand, IgnoresWhatBinaryArithmeticAdds) {
  // 0.1 + 0.2 is a hair over 0.3.
  const Policy policy = PolicyOf({Signal("a", 0.1), Signal("b", 0.1)}, Combine::kSum);
  EXPECT_EQ(Now(policy, {0.1, 0.2}).target_replicas, 3);
}

TEST(Demand, PerExecutorDividesByExecutorsPerReplica) {
  Policy policy = PolicyOf({Signal("tasks", 8)});
  policy.signals[0].demand.per = DemandRule::Per::kExecutor;
  policy.replicas.executors_per_replica = 4;
  const Decision decision = Now(policy, {100});
  EXPECT_DOUBLE_EQ(decision.signals[0].demand.value_or(0), 100.0 / 8 / 4);
  EXPECT_EQ(decision.target_replicas, 4);
  EXPECT_EQ(decision.target_executors, 16);
}

TEST(Demand, CountsNegativeAsZero) {
  const Decision decision = Now(PolicyOf({Signal("a"), Signal("b")}, Combine::kSum), {-5, 3});
  EXPECT_EQ(decision.signals[0].demand, 0);
  EXPECT_EQ(decision.target_replicas, 3);
}

TEST(Demand, StaysFiniteForAbsurdValues) {
  const Decision decision = Now(PolicyOf({Signal("a", 1e-300), Signal("b")}, Combine::kSum),
                                {std::numeric_limits<double>::max(), 1});
  EXPECT_TRUE(std::isfinite(decision.combined));
  EXPECT_EQ(decision.target_replicas, 50);
  EXPECT_EQ(decision.bound, Bound::kMax);
}

// --- combine
// --------------------------------------------------------------------------------------

TEST(Combine, TakesMaxSumMinAvg) {
  const std::vector<PolicySignal> signals{Signal("a"), Signal("b"), Signal("c")};
  EXPECT_EQ(Now(PolicyOf(signals, Combine::kMax), {2, 9, 4}).target_replicas, 9);
  EXPECT_EQ(Now(PolicyOf(signals, Combine::kSum), {2, 9, 4}).target_replicas, 15);
  EXPECT_EQ(Now(PolicyOf(signals, Combine::kMin), {2, 9, 4}).target_replicas, 2);
  EXPECT_EQ(Now(PolicyOf(signals, Combine::kAvg), {2, 9, 4}).target_replicas, 5);
}

TEST(Combine, NamesTheFirstWinner) {
  const std::vector<PolicySignal> signals{Signal("a"), Signal("b"), Signal("c")};
  const Decision most = Now(PolicyOf(signals, Combine::kMax), {2, 9, 9});
  EXPECT_FALSE(most.signals[0].winner);
  EXPECT_TRUE(most.signals[1].winner);
  EXPECT_FALSE(most.signals[2].winner);
  EXPECT_TRUE(Now(PolicyOf(signals, Combine::kMin), {2, 9, 9}).signals[0].winner);
  for (const SignalDecision& signal : Now(PolicyOf(signals, Combine::kSum), {2, 0, 0}).signals) {
    EXPECT_FALSE(signal.winner);
  }
}

TEST(Combine, ExpressionIsOverDemandsInReplicas) {
  const Policy policy = PolicyOf({Signal("a", 10), Signal("b")}, "a + 2 * b");
  EXPECT_EQ(Now(policy, {50, 3}).target_replicas, 11);
}

TEST(Combine, NegativeExpressionIsZero) {
  const Policy policy = PolicyOf({Signal("a"), Signal("b")}, "a - b");
  const Decision decision = Now(policy, {3, 5});
  EXPECT_EQ(decision.combined, 0);
  EXPECT_EQ(decision.target_replicas, 0);
}

TEST(Combine, ExpressionWithoutANumberIsUnavailable) {
  const Policy policy = PolicyOf({Signal("a"), Signal("b")}, "a / b");
  const Decision decision = Now(policy, {3, 0});
  ASSERT_TRUE(decision.error);
  EXPECT_EQ(decision.error->code, ErrorCode::kUnavailable);
  EXPECT_EQ(Message(decision), "combine: the expression gives infinity");
  EXPECT_EQ(decision.bound, Bound::kFault);
  EXPECT_FALSE(decision.active);
}

// --- activation
// -----------------------------------------------------------------------------------

TEST(Activation, IsStrictlyAbove) {
  const Policy policy = PolicyOf({Signal("a", 1, 5)});
  const Decision at = Now(policy, {5});
  EXPECT_FALSE(at.signals[0].active);
  EXPECT_TRUE(at.gated);
  EXPECT_EQ(at.target_replicas, 0);
  EXPECT_FALSE(at.signals[0].winner);
  const Decision above = Now(policy, {5.5});
  EXPECT_TRUE(above.signals[0].active);
  EXPECT_FALSE(above.gated);
  EXPECT_EQ(above.target_replicas, 6);
}

TEST(Activation, OneActiveSignalLetsAllDemandsCount) {
  const Policy policy = PolicyOf({Signal("a", 1, 5), Signal("b")});
  EXPECT_EQ(Now(policy, {4, 1}).target_replicas, 4);
  EXPECT_EQ(Now(policy, {4, 0}).target_replicas, 0);
}

TEST(Activation, DoesNotGateMin) {
  Policy policy = PolicyOf({Signal("a", 1, 5)});
  policy.replicas.min = 2;
  const Decision decision = Now(policy, {4});
  EXPECT_EQ(decision.target_replicas, 2);
  EXPECT_TRUE(decision.active);
  EXPECT_EQ(decision.bound, Bound::kMin);
}

TEST(Activation, GatesExpressionsToo) {
  const Policy policy = PolicyOf({Signal("a", 1, 1)}, "a + 5");
  EXPECT_EQ(Now(policy, {1}).target_replicas, 0);
  EXPECT_EQ(Now(policy, {2}).target_replicas, 7);
}

// --- headroom and bounds
// --------------------------------------------------------------------------

TEST(Headroom, AddsAFractionBeforeTheCap) {
  Policy policy = PolicyOf({Signal("a")});
  policy.replicas.headroom = 0.25;
  const Decision decision = Now(policy, {10});
  EXPECT_EQ(decision.combined, 10);
  EXPECT_EQ(decision.with_headroom, 12.5);
  EXPECT_EQ(decision.target_replicas, 13);
  policy.replicas.max = 12;
  EXPECT_EQ(Now(policy, {10}).target_replicas, 12);
  EXPECT_EQ(Now(policy, {10}).bound, Bound::kMax);
  EXPECT_EQ(Now(policy, {0}).target_replicas, 0);
}

// --- hold and fault
// -------------------------------------------------------------------------------

/// maxAge 2m, hold 30m.
Policy OneSignal(FaultPolicy::Then then = FaultPolicy::Then::kFail, int replicas = 0) {
  Policy policy = PolicyOf({Signal("busy", 5)});
  policy.signals[0].on_fault.then = then;
  policy.signals[0].on_fault.replicas = replicas;
  return policy;
}

TEST(Fault, WithoutAnyReadingWaitsWhateverOnFaultSays) {
  for (const auto then :
       {FaultPolicy::Then::kFail, FaultPolicy::Then::kIgnore, FaultPolicy::Then::kReplicas}) {
    for (const auto& input : {SignalInput{}, Input({}), Input({Value(1s, 5)})}) {
      const Decision decision = At(OneSignal(then, 3), {input});
      ASSERT_TRUE(decision.error);
      EXPECT_EQ(decision.error->code, ErrorCode::kUnavailable);
      EXPECT_EQ(Message(decision), "signal 'busy' has no reading yet");
      EXPECT_EQ(decision.signals[0].state, State::kWaiting);
    }
  }
  EXPECT_TRUE(At(OneSignal(), {}).error);
}

TEST(Fault, AFreshReadingIsFreshUntilMaxAge) {
  const std::vector<SignalInput> inputs{Input({Value(0s, 60)})};
  const Decision fresh = At(OneSignal(), inputs, 2min);
  EXPECT_EQ(fresh.signals[0].state, State::kFresh);
  EXPECT_TRUE(fresh.signals[0].up);
  EXPECT_FALSE(fresh.held);
  EXPECT_EQ(fresh.signals[0].age, 2min);
  EXPECT_EQ(fresh.signals[0].reading_time, After(0s));
  EXPECT_EQ(fresh.valid_until, After(2min + 1ms));
  const Decision held = At(OneSignal(), inputs, 2min + 1ms);
  EXPECT_EQ(held.signals[0].state, State::kHeld);
  EXPECT_FALSE(held.signals[0].up);
  EXPECT_EQ(held.target_replicas, 12);
  EXPECT_EQ(held.bound, Bound::kHold);
  EXPECT_EQ(held.valid_until, After(30min + 1ms));
}

TEST(Fault, IsHeldAtOnceAndForTheHoldTime) {
  const std::vector<SignalInput> inputs{Input({Value(0s, 60), Fault(15s)}, "connection refused")};
  const Decision soon = At(OneSignal(), inputs, 15s);
  EXPECT_EQ(soon.signals[0].state, State::kHeld);
  EXPECT_EQ(soon.signals[0].error, "connection refused");
  EXPECT_FALSE(soon.signals[0].up);
  EXPECT_TRUE(soon.held);
  EXPECT_EQ(soon.target_replicas, 12);
  EXPECT_EQ(At(OneSignal(), inputs, 30min).target_replicas, 12);
  const Decision over = At(OneSignal(), inputs, 31min);
  ASSERT_TRUE(over.error);
  EXPECT_EQ(over.error->code, ErrorCode::kUnavailable);
  EXPECT_EQ(Message(over),
            "signal 'busy' has had no good reading for 31m (hold 30m): connection refused");
  EXPECT_EQ(over.signals[0].state, State::kFaulted);
  EXPECT_EQ(over.bound, Bound::kFault);
  EXPECT_FALSE(over.active);
}

TEST(Fault, MaxAgeBeyondHoldCounts) {
  Policy policy = OneSignal();
  policy.signals[0].on_fault.hold = 0s;
  const std::vector<SignalInput> inputs{Input({Value(0s, 60), Fault(15s)})};
  EXPECT_EQ(At(policy, inputs, 2min).target_replicas, 12);
  EXPECT_EQ(Message(At(policy, inputs, 2min + 1s)),
            "signal 'busy' has had no good reading for 2m1s (hold 2m)");
}

TEST(Fault, WithNothingToHoldFails) {
  const Decision decision = At(OneSignal(), {Input({Fault(0s)}, "timed out")});
  EXPECT_EQ(Message(decision), "signal 'busy' has had no good reading yet: timed out");
  EXPECT_EQ(decision.signals[0].state, State::kFaulted);
}

TEST(Fault, IgnoredTakesNoPart) {
  Policy policy = PolicyOf({Signal("a"), Signal("b")}, Combine::kAvg);
  policy.signals[0].on_fault.then = FaultPolicy::Then::kIgnore;
  const Decision decision = At(policy, {Input({Fault(0s)}), Input({Value(0s, 4)})});
  EXPECT_EQ(decision.signals[0].state, State::kIgnored);
  EXPECT_FALSE(decision.signals[0].demand);
  EXPECT_EQ(decision.target_replicas, 4);
}

TEST(Fault, AllIgnoredIsUnavailableNeverZero) {
  Policy policy = OneSignal(FaultPolicy::Then::kIgnore);
  policy.replicas.min = 1;
  const Decision decision = At(policy, {Input({Fault(0s)})});
  ASSERT_TRUE(decision.error);
  EXPECT_EQ(decision.error->code, ErrorCode::kUnavailable);
  EXPECT_EQ(Message(decision), "nothing left to decide from: every signal is at fault and ignored");
}

TEST(Fault, IgnoredIsZeroInExpressions) {
  Policy policy = PolicyOf({Signal("a"), Signal("b")}, "a + b + 1");
  policy.signals[0].on_fault.then = FaultPolicy::Then::kIgnore;
  EXPECT_EQ(At(policy, {Input({Fault(0s)}), Input({Value(0s, 4)})}).target_replicas, 5);
}

TEST(Fault, ReplicasStandIn) {
  const Decision decision = At(OneSignal(FaultPolicy::Then::kReplicas, 7), {Input({Fault(0s)})});
  EXPECT_EQ(decision.signals[0].state, State::kSubstituted);
  EXPECT_EQ(decision.signals[0].demand, 7);
  EXPECT_TRUE(decision.signals[0].active);
  EXPECT_EQ(decision.target_replicas, 7);
  const Decision none = At(OneSignal(FaultPolicy::Then::kReplicas, 0), {Input({Fault(0s)})});
  EXPECT_FALSE(none.signals[0].active);
  EXPECT_EQ(none.target_replicas, 0);
  EXPECT_FALSE(none.error);
}

TEST(Fault, AllFaultsAreNamed) {
  const Policy policy = PolicyOf({Signal("a"), Signal("b"), Signal("c")});
  const Decision decision =
      At(policy, {Input({Fault(0s)}, "refused"), Input({Value(0s, 1)}), Input({})});
  EXPECT_EQ(Message(decision),
            "signal 'a' has had no good reading yet: refused; signal 'c' has no reading yet");
}

TEST(Fault, OnlyReadingsUpToNowCount) {
  const std::vector<SignalInput> inputs{Input({Value(0s, 10), Value(15s, 50)})};
  EXPECT_EQ(At(OneSignal(), inputs, 14s).target_replicas, 2);
  EXPECT_EQ(At(OneSignal(), inputs, 14s).valid_until, After(15s));
  EXPECT_EQ(At(OneSignal(), inputs, 15s).target_replicas, 10);
}

// --- empty
// ----------------------------------------------------------------------------------------

TEST(Empty, IsHeldLikeAFault) {
  const std::vector<SignalInput> inputs{Input({Value(0s, 60), Empty(15s)})};
  const Decision decision = At(OneSignal(), inputs, 15s);
  EXPECT_EQ(decision.signals[0].state, State::kHeld);
  EXPECT_EQ(decision.target_replicas, 12);
  EXPECT_EQ(Message(At(OneSignal(), inputs, 40min)),
            "signal 'busy' has had no good reading for 40m (hold 30m): it finds nothing");
}

TEST(Empty, CanBeZero) {
  Policy policy = OneSignal();
  policy.signals[0].on_empty = OnEmpty::kZero;
  const Decision decision = At(policy, {Input({Value(0s, 60), Empty(15s)})}, 15s);
  EXPECT_EQ(decision.signals[0].state, State::kZero);
  EXPECT_TRUE(decision.signals[0].up);
  EXPECT_EQ(decision.signals[0].value, 0);
  EXPECT_EQ(decision.target_replicas, 0);
  EXPECT_FALSE(decision.error);
  // The zero is held in turn.
  const Decision held = At(policy, {Input({Value(0s, 60), Empty(15s), Fault(30s)})}, 30s);
  EXPECT_EQ(held.signals[0].state, State::kHeld);
  EXPECT_EQ(held.target_replicas, 0);
}

TEST(Empty, CanBeAnErrorThatIsNotHeld) {
  Policy policy = OneSignal();
  policy.signals[0].on_empty = OnEmpty::kError;
  const std::vector<SignalInput> inputs{Input({Value(0s, 60), Empty(15s)})};
  EXPECT_EQ(Message(At(policy, inputs, 15s)), "signal 'busy' found nothing (onEmpty: error)");
  policy.signals[0].on_fault.then = FaultPolicy::Then::kReplicas;
  policy.signals[0].on_fault.replicas = 3;
  EXPECT_EQ(At(policy, inputs, 15s).target_replicas, 3);
}

TEST(Empty, NotANumberIsEmpty) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(At(OneSignal(), {Input({Value(0s, 60), Value(15s, nan)})}, 15s).signals[0].state,
            State::kHeld);
}

// --- explanation
// ----------------------------------------------------------------------------------

TEST(Explanation, CarriesWhatThePollSaid) {
  SignalInput input = Input({{After(0s), Reading::Kind::kValue, 40, true}}, "");
  input.warnings = {"partial response"};
  input.detail = "101 requests";
  input.next_change = After(1h);
  const Decision decision = At(OneSignal(), {input});
  EXPECT_EQ(decision.time, After(0s));
  EXPECT_EQ(decision.signals[0].name, "busy");
  EXPECT_EQ(decision.signals[0].type, "test");
  EXPECT_TRUE(decision.signals[0].at_least);
  EXPECT_EQ(decision.signals[0].warnings, input.warnings);
  EXPECT_EQ(decision.signals[0].detail, "101 requests");
  EXPECT_EQ(decision.signals[0].next_change, After(1h));
}

TEST(Explanation, AHeldLoserIsNoBound) {
  const Policy policy = PolicyOf({Signal("a"), Signal("b")});
  const Decision loser = At(policy, {Input({Value(0s, 3), Fault(1s)}), Input({Value(0s, 5)})}, 1s);
  EXPECT_TRUE(loser.held);
  EXPECT_EQ(loser.bound, Bound::kNone);
  const Decision winner = At(policy, {Input({Value(0s, 9), Fault(1s)}), Input({Value(0s, 5)})}, 1s);
  EXPECT_EQ(winner.bound, Bound::kHold);
}

TEST(Explanation, HasANameForEverything) {
  EXPECT_EQ(BoundName(Bound::kStabilization), "stabilization");
  EXPECT_EQ(BoundName(Bound::kFault), "fault");
  EXPECT_EQ(StateName(State::kSubstituted), "substituted");
  EXPECT_EQ(StateName(State::kFresh), "fresh");
}

// --- what goes with a policy
// ----------------------------------------------------------------------

TEST(Enough, IsWhatMaxAsksFor) {
  Policy policy = PolicyOf({Signal("a", 5), Signal("b", 1, 400)});
  EXPECT_EQ(Enough(policy, 0), 250);
  EXPECT_EQ(Enough(policy, 1), 401);
  policy.combine = Combine::kAvg;
  EXPECT_EQ(Enough(policy, 0), 500);
  policy.signals[0].demand.per = DemandRule::Per::kExecutor;
  policy.replicas.executors_per_replica = 2;
  EXPECT_EQ(Enough(policy, 0), 1000);
  EXPECT_EQ(Enough(PolicyOf({Signal("a")}, "100 - a"), 0), std::nullopt);
}

TEST(Lookback, CoversWhatHistoryNeeds) {
  Policy policy = PolicyOf({Signal("a"), Signal("b")});
  policy.signals[1].timing.interval = 30s;
  EXPECT_EQ(Lookback(policy), 30s);
  policy.scale_down.stabilization = 5min;
  EXPECT_EQ(Lookback(policy), 5min + 30min + 30s);
  policy.scale_down.step = {false, 5, 30s};
  EXPECT_EQ(StepReach(policy), 5min);
  EXPECT_EQ(Lookback(policy), 5min + 5min + 30min + 30s);
}

TEST(StepReach, IsHowLongMaxTakesToComeDown) {
  Policy policy = PolicyOf({Signal("a")});
  const auto reach = [&](int max, ScaleDownStep step) {
    policy.replicas.max = max;
    policy.scale_down.step = step;
    return StepReach(policy);
  };
  EXPECT_EQ(reach(50, {true, 100, 1min}), 0s);
  EXPECT_EQ(reach(4, {true, 50, 1min}), 3min);  // 4 2 1 0.5
  EXPECT_EQ(reach(3, {true, 50, 1min}), 2min);  // 3 1.5 0.75
  EXPECT_EQ(reach(1, {true, 10, 1min}), 1min);
  EXPECT_EQ(reach(50, {true, 10, 1min}), 38min);
  EXPECT_EQ(reach(50, {false, 7, 1min}), 8min);
  EXPECT_GT(reach(50, {true, 0, 1min}), 24h);
  EXPECT_GT(reach(50, {true, -3, 1min}), 24h);
  EXPECT_GT(reach(100000, {true, 1e-8, 24h}), 24h);
}

}  // namespace
}  // namespace stoker::policy
