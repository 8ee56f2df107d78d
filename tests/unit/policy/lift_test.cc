// What forecasts do to a decision: they lift it, and nothing else.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "policy/decision.h"
#include "policy/forecast/forecast.h"
#include "tests/unit/policy/builders.h"

namespace stoker::policy {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// Predicts `values` for kStart, kStart + 5m, ...; 10m ahead.
std::shared_ptr<forecast::Forecast> Predicting(const std::vector<double>& values) {
  auto forecast = std::make_shared<forecast::Forecast>();
  forecast->used = true;
  forecast->step = 5min;
  forecast->horizon = 10min;
  forecast->first = kStart;
  for (const double value : values) {
    forecast->used_until = kStart + 5min * std::ssize(forecast->predictions);
    forecast->predictions.push_back(
        forecast::Prediction{.value = value, .low = value - 1, .high = value + 1, .used = true});
  }
  return forecast;
}

Policy Lifting(std::vector<PolicySignal> signals = {Signal("busy")}) {
  Policy policy = PolicyOf(std::move(signals));
  policy.forecast.emplace().lifts = forecast::Lifts::kReplicas;
  return policy;
}

SignalInput With(SignalInput input, std::shared_ptr<const forecast::Forecast> forecast) {
  input.forecast = std::move(forecast);
  return input;
}

TEST(Lift, AsksForWhatIsForecastByTheHorizon) {
  const auto forecast = Predicting({1, 1, 5, 9, 2});
  const std::vector<SignalInput> inputs{With(Input({Value(0min, 2)}), forecast)};
  const Decision decision = Decide(Lifting(), inputs, After(30s));
  EXPECT_EQ(decision.reactive, 2);
  EXPECT_EQ(decision.target_replicas, 9);  // 10m30s ahead is the slot at 15m
  const SignalDecision& busy = decision.signals[0];
  EXPECT_EQ(busy.value, 2) << "the reading stays what was read";
  EXPECT_EQ(busy.demand, 9);
  EXPECT_EQ(busy.lifted, 9);
  EXPECT_EQ(busy.forecast, forecast);
  EXPECT_TRUE(busy.winner);
}

TEST(Lift, HoldsUntilAShortPeakHasCome) {
  const auto forecast = Predicting({0, 0, 0, 7, 0, 0, 0, 0});
  const std::vector<SignalInput> inputs{With(Input({Value(0min, 1)}), forecast)};
  for (const Duration at : {5min, 7min, 12min, 15min}) {
    EXPECT_EQ(Decide(Lifting(), inputs, After(at)).target_replicas, 7) << at.count();
  }
  EXPECT_EQ(Decide(Lifting(), inputs, After(15min + 1ms)).target_replicas, 1);
}

TEST(Lift, NeverLowers) {
  const std::vector<SignalInput> inputs{With(Input({Value(0min, 8)}), Predicting({1, 2, 3, 4, 5}))};
  const Decision decision = Decide(Lifting(), inputs, After(30s));
  EXPECT_EQ(decision.target_replicas, 8);
  EXPECT_FALSE(decision.signals[0].lifted);
}

TEST(Lift, IsOnlyForHeadroomUnlessAskedFor) {
  Policy policy = Lifting();
  policy.forecast->lifts = forecast::Lifts::kHeadroom;
  const std::vector<SignalInput> inputs{With(Input({Value(0min, 2)}), Predicting({9, 9, 9, 9}))};
  const Decision decision = Decide(policy, inputs, After(30s));
  EXPECT_EQ(decision.target_replicas, 2);
  EXPECT_TRUE(decision.signals[0].forecast) << "shown all the same";
}

TEST(Lift, NeedsAForecastThatIsUsed) {
  const auto forecast = Predicting({9, 9, 9, 9});
  for (auto& prediction : forecast->predictions) prediction->used = false;
  const std::vector<SignalInput> inputs{With(Input({Value(0min, 2)}), forecast)};
  EXPECT_EQ(Decide(Lifting(), inputs, After(30s)).target_replicas, 2);
}

TEST(Lift, WakesFromZero) {
  const std::vector<SignalInput> inputs{With(Input({Value(0min, 0)}), Predicting({0, 0, 0, 6}))};
  Policy policy = Lifting({Signal("busy", 2, 4)});
  EXPECT_TRUE(Decide(policy, inputs, After(1min)).active);
  policy.signals[0].demand.activation = 6;
  EXPECT_FALSE(Decide(policy, inputs, After(1min)).active);
}

TEST(Lift, StaysWithinMax) {
  Policy policy = Lifting();
  policy.replicas.max = 4;
  const std::vector<SignalInput> inputs{With(Input({Value(0min, 2)}), Predicting({9, 9, 9, 9}))};
  const Decision decision = Decide(policy, inputs, After(30s));
  EXPECT_EQ(decision.target_replicas, 4);
  EXPECT_EQ(decision.bound, Bound::kMax);
}

TEST(Lift, NeverStandsInForASignalAtFault) {
  Policy policy = Lifting();
  policy.signals[0].on_fault.hold = 2min;
  const std::vector<SignalInput> inputs{
      With(Input({Value(0min, 2), Fault(1min), Fault(10min)}), Predicting({9, 9, 9, 9, 9}))};
  EXPECT_EQ(Decide(policy, inputs, After(2min)).target_replicas, 9) << "held";
  EXPECT_TRUE(Decide(policy, inputs, After(10min)).error);
}

TEST(Lift, DoesNotLowerAnExpressionThatFallsAsItsSignalRises) {
  Policy policy = PolicyOf({Signal("busy"), Signal("idle")}, "busy - idle");
  policy.forecast.emplace().lifts = forecast::Lifts::kReplicas;
  const std::vector<SignalInput> inputs{Input({Value(0min, 8)}),
                                        With(Input({Value(0min, 1)}), Predicting({6, 6, 6, 6}))};
  const Decision decision = Decide(policy, inputs, After(30s));
  EXPECT_EQ(decision.target_replicas, 7);
  EXPECT_FALSE(decision.signals[1].lifted);
}

TEST(Lift, IsKeptUpByStabilization) {
  Policy policy = Lifting();
  policy.scale_down.stabilization = 20min;
  const std::vector<SignalInput> inputs{With(Input({Value(0min, 1), Value(20min, 1)}),
                                             Predicting({1, 1, 1, 7, 1, 1, 1, 1, 1, 1, 1, 1, 1}))};
  EXPECT_EQ(Decide(policy, inputs, After(16min)).target_replicas, 7);
  EXPECT_EQ(Decide(policy, inputs, After(34min)).target_replicas, 7);
  EXPECT_EQ(Decide(policy, inputs, After(36min)).target_replicas, 1);
}

TEST(Lift, IsKeptUpByStabilizationThoughTheForecastIsNoLongerUsed) {
  Policy policy = Lifting();
  policy.scale_down.stabilization = 20min;
  const auto forecast = Predicting({1, 1, 1, 7, 9, 9, 9, 9, 9, 9, 9, 9, 9});
  forecast->used = false;
  forecast->used_until = After(15min);
  for (std::size_t slot = 4; slot < forecast->predictions.size(); ++slot) {
    forecast->predictions[slot]->used = false;
  }
  const std::vector<SignalInput> inputs{With(Input({Value(0min, 1), Value(20min, 1)}), forecast)};
  EXPECT_EQ(Decide(policy, inputs, After(16min)).target_replicas, 7);
  EXPECT_EQ(Decide(policy, inputs, After(34min)).target_replicas, 7);
  EXPECT_EQ(Decide(policy, inputs, After(36min)).target_replicas, 1);
}

TEST(Lift, IsValidUntilItMayBeAnother) {
  const auto forecast = Predicting({1, 1, 5, 9, 2, 2, 3, 4, 4});
  const std::vector<SignalInput> inputs{With(Input({Value(0min, 2)}), forecast)};
  Policy policy = Lifting();
  policy.signals[0].timing.max_age = 1h;
  for (WallTime now = After(0s); now < After(25min);) {
    const Decision decision = Decide(policy, inputs, now);
    ASSERT_GT(decision.valid_until, now);
    EXPECT_EQ(Decide(policy, inputs, decision.valid_until - 1ms).target_replicas,
              decision.target_replicas);
    now = decision.valid_until;
  }
}

TEST(Lift, IsTold) {
  const std::vector<SignalInput> inputs{With(Input({Value(0min, 2)}), Predicting({9, 9, 9, 9}))};
  const Policy policy = Lifting({Signal("busy", 2)});
  EXPECT_EQ(Summarize(policy, Decide(policy, inputs, After(30s))),
            "5 replicas: busy asks for 4.5 (9 / 2, forecast within 10m; now 2)");
}

TEST(Lift, AddsToTheHeadroom) {
  Policy policy = Lifting();
  policy.forecast->lifts = forecast::Lifts::kHeadroom;
  policy.capacity.emplace();
  const std::vector<SignalInput> inputs{
      With(Input({Value(0min, 2)}), Predicting({1, 1, 5, 9, 20, 30}))};
  const Decision decision = Decide(policy, inputs, After(30s), {.lead = {.value = 8min}});
  EXPECT_EQ(decision.target_replicas, 2);
  ASSERT_TRUE(decision.headroom);
  EXPECT_EQ(decision.headroom->wanted_ahead, 5);
  EXPECT_EQ(decision.headroom->executors, 3);
  EXPECT_EQ(decision.valid_until, After(2min + 1ms)) << "when 15m comes within the lead";
}

/// With forecasts a target is never below what it is without.
TEST(LiftProperty, NeverBelowTheReactiveTarget) {
  unsigned state = 7;
  const auto next = [&state](unsigned below) {
    state = state * 1664525U + 1013904223U;
    return (state >> 8U) % below;
  };
  for (int round = 0; round < 3000; ++round) {
    static const std::vector<std::string> kExpressions{
        "max(a, b)", "a - b", "a * b", "10 - a", "a > 3 ? b : 2", "a / b"};
    Policy policy = PolicyOf({Signal("a", 1, next(4)), Signal("b", 2)}, kExpressions[next(6)]);
    if (next(2) == 0) {
      policy.combine = static_cast<Combine>(next(4));
      policy.expression.reset();
    }
    policy.replicas.max = 20;
    policy.scale_down.stabilization = std::chrono::minutes(next(3) * 7);
    if (next(2) == 0) policy.scale_down.step = {.percent = false, .amount = 3, .period = 2min};
    policy.signals[0].on_fault.hold = std::chrono::minutes(next(20));
    std::vector<SignalInput> plain(2);
    std::vector<SignalInput> lifted(2);
    for (std::size_t i = 0; i < 2; ++i) {
      std::vector<Reading> readings;
      for (int minute = 0; minute < 40; minute += 2) {
        readings.push_back(next(6) == 0 ? Fault(std::chrono::minutes(minute))
                                        : Value(std::chrono::minutes(minute), next(12)));
      }
      plain[i] = lifted[i] = Input(readings);
      std::vector<double> predictions;
      for (int slot = 0; slot < 12; ++slot) predictions.push_back(next(25));
      if (next(3) > 0) lifted[i].forecast = Predicting(predictions);
    }
    const Decision without = Decide(policy, plain, After(39min));
    policy.forecast.emplace().lifts = forecast::Lifts::kReplicas;
    const Decision with = Decide(policy, lifted, After(39min));
    ASSERT_EQ(with.error.has_value(), without.error.has_value()) << round;
    EXPECT_GE(with.target_replicas, without.target_replicas) << round;
  }
}

}  // namespace
}  // namespace stoker::policy
