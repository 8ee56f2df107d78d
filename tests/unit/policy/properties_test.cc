// Promises of the decision, held against thousands of random policies and windows. Time runs in
// milliseconds here, so that plain code can look at every single moment.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "policy/decision.h"
#include "tests/unit/policy/builders.h"

namespace stoker::policy {
namespace {

using namespace std::chrono_literals;
using State = SignalDecision::State;

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  int Int(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }
  bool Chance(int percent) { return Int(1, 100) <= percent; }
  template <class T>
  T Pick(std::initializer_list<T> choices) {
    return *(choices.begin() + Int(0, static_cast<int>(choices.size()) - 1));
  }

  FaultPolicy::Then Then() {
    return Pick({FaultPolicy::Then::kFail,
                 FaultPolicy::Then::kFail,
                 FaultPolicy::Then::kIgnore,
                 FaultPolicy::Then::kReplicas});
  }

  Policy MakePolicy(bool monotone = false) {
    static const std::vector<std::string> kNames{"a", "b", "c"};
    std::vector<PolicySignal> signals;
    const int count = Int(1, 3);
    for (int i = 0; i < count; ++i) {
      PolicySignal signal = Signal(
          kNames[static_cast<std::size_t>(i)], Pick({1.0, 2.0, 0.5}), Pick({0.0, 0.0, 3.0, -1.0}));
      signal.timing.interval = Duration(4);
      signal.timing.max_age = Duration(Int(1, 6));
      signal.on_fault.hold = Duration(Int(0, 15));
      signal.on_fault.then = Then();
      signal.on_fault.replicas = Int(0, 9);
      signal.on_empty = Pick({OnEmpty::kHold, OnEmpty::kZero, OnEmpty::kError});
      signal.demand.per = Pick({DemandRule::Per::kReplica, DemandRule::Per::kExecutor});
      signals.push_back(signal);
    }
    Policy policy;
    if (!monotone && Chance(20)) {
      policy = PolicyOf(signals, count == 1 ? "10 - a" : count == 2 ? "a / b" : "a - b + 2 * c");
    } else {
      policy =
          PolicyOf(signals, Pick({Combine::kMax, Combine::kSum, Combine::kMin, Combine::kAvg}));
    }
    policy.replicas.min = Pick({0, 0, 1, 2});
    policy.replicas.max = Int(2, 12);
    policy.replicas.executors_per_replica = Pick({1, 2});
    policy.replicas.headroom = Pick({0.0, 0.0, 0.25});
    policy.scale_down.stabilization = Chance(60) ? Duration(Int(1, 15)) : 0ms;
    if (Chance(60)) {
      policy.scale_down.step.percent = Chance(50);
      policy.scale_down.step.amount = policy.scale_down.step.percent ? Int(5, 99) : Int(1, 4);
      policy.scale_down.step.period = Duration(Int(1, 6));
    }
    return policy;
  }

  std::vector<Reading> MakeReadings() {
    std::vector<Reading> readings;
    int time = Int(0, 8);
    bool trouble = false;
    const int until = Int(9, 60);
    while (time < until) {
      if (Chance(20)) trouble = !trouble;
      Reading reading = Value(Duration(time), Int(-1, 15));
      if (trouble) reading = Chance(80) ? Fault(Duration(time)) : Empty(Duration(time));
      readings.push_back(reading);
      time += Chance(90) ? Int(1, 4) : Int(5, 20);
    }
    return readings;
  }

  std::vector<SignalInput> MakeInputs(const Policy& policy) {
    std::vector<SignalInput> inputs;
    for (std::size_t i = 0; i < policy.signals.size(); ++i) inputs.push_back(Input(MakeReadings()));
    return inputs;
  }

 private:
  std::mt19937 random_;
};

// --- the same thing in plain code
// -----------------------------------------------------------------

std::optional<double> PlainWanted(const Policy& policy,
                                  const std::vector<SignalInput>& inputs,
                                  WallTime now) {
  std::vector<double> demands;
  std::vector<bool> part;
  bool active = false;
  for (std::size_t i = 0; i < policy.signals.size(); ++i) {
    const PolicySignal& signal = policy.signals[i];
    const Reading* newest = nullptr;
    const Reading* good = nullptr;
    for (const Reading& reading : *inputs[i].window) {
      if (reading.time > now) continue;
      newest = &reading;
      if (reading.kind == Reading::Kind::kValue ||
          (reading.kind == Reading::Kind::kEmpty && signal.on_empty == OnEmpty::kZero)) {
        good = &reading;
      }
    }
    if (newest == nullptr) return std::nullopt;
    if (newest->kind == Reading::Kind::kEmpty && signal.on_empty == OnEmpty::kError) good = nullptr;
    if (good != nullptr &&
        (now - good->time <= signal.timing.max_age || now - good->time <= signal.on_fault.hold)) {
      double demand = std::max(good->value, 0.0) / signal.demand.target_size;
      if (signal.demand.per == DemandRule::Per::kExecutor) {
        demand /= policy.replicas.executors_per_replica;
      }
      demands.push_back(demand);
      part.push_back(true);
      if (good->value > signal.demand.activation) active = true;
    } else if (signal.on_fault.then == FaultPolicy::Then::kFail) {
      return std::nullopt;
    } else if (signal.on_fault.then == FaultPolicy::Then::kIgnore) {
      demands.push_back(0);
      part.push_back(false);
    } else {
      demands.push_back(signal.on_fault.replicas);
      part.push_back(true);
      if (signal.on_fault.replicas > 0) active = true;
    }
  }
  std::vector<double> parts;
  for (std::size_t i = 0; i < demands.size(); ++i) {
    if (part[i]) parts.push_back(demands[i]);
  }
  if (parts.empty()) return std::nullopt;
  double combined = 0;
  switch (policy.combine) {
    case Combine::kMax:
      combined = *std::max_element(parts.begin(), parts.end());
      break;
    case Combine::kMin:
      combined = *std::min_element(parts.begin(), parts.end());
      break;
    case Combine::kSum:
    case Combine::kAvg:
      for (const double demand : parts) combined += demand;
      if (policy.combine == Combine::kAvg) combined /= static_cast<double>(parts.size());
      break;
    case Combine::kExpression: {
      const auto result = policy.expression->Evaluate(demands);
      if (!result) return std::nullopt;
      combined = std::max(*result, 0.0);
    }
  }
  if (!active) combined = 0;
  combined *= 1 + policy.replicas.headroom;
  if (combined > policy.replicas.max) combined = policy.replicas.max;
  if (combined < policy.replicas.min) combined = policy.replicas.min;
  return combined;
}

double StepDown(const ScaleDownStep& step, double from) {
  if (!step.percent) return std::max(0.0, from - step.amount);
  return from < 1 ? 0 : from * (1 - step.amount / 100);
}

std::optional<double> PlainTarget(const Policy& policy,
                                  const std::vector<SignalInput>& inputs,
                                  WallTime now) {
  const auto moments = static_cast<std::size_t>((now - kStart).count()) + 1;
  std::vector<std::optional<double>> wanted;
  for (std::size_t i = 0; i < moments; ++i) {
    wanted.push_back(PlainWanted(policy, inputs, After(Duration(i))));
  }
  if (!wanted.back()) return std::nullopt;
  const auto window = static_cast<std::size_t>(policy.scale_down.stabilization.count());
  double target = 0;
  for (std::size_t s = 0; s < moments; ++s) {
    if (!wanted[s]) continue;
    double stabilized = 0;
    for (std::size_t u = s > window ? s - window : 0; u <= s; ++u) {
      stabilized = std::max(stabilized, wanted[u].value_or(0));
    }
    const auto period = static_cast<std::size_t>(policy.scale_down.step.period.count());
    for (std::size_t age = 0; age < moments - 1 - s; age += period) {
      stabilized = StepDown(policy.scale_down.step, stabilized);
    }
    target = std::max(target, stabilized);
  }
  return target;
}

std::string Show(const Policy& policy, const std::vector<SignalInput>& inputs, WallTime now) {
  std::ostringstream out;
  out << "now " << (now - kStart).count() << ", " << CombineText(policy) << ", "
      << policy.replicas.min << ".." << policy.replicas.max << " x"
      << policy.replicas.executors_per_replica << " +" << policy.replicas.headroom
      << ", stabilization " << policy.scale_down.stabilization.count() << ", step "
      << StepText(policy.scale_down.step);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const PolicySignal& signal = policy.signals[i];
    out << "\n  " << signal.name << " /" << signal.demand.target_size << " >"
        << signal.demand.activation << " maxAge " << signal.timing.max_age.count() << " hold "
        << signal.on_fault.hold.count() << " then " << static_cast<int>(signal.on_fault.then) << "/"
        << signal.on_fault.replicas << " empty " << static_cast<int>(signal.on_empty) << ":";
    for (const Reading& reading : *inputs[i].window) {
      out << " " << (reading.time - kStart).count() << "=";
      if (reading.kind == Reading::Kind::kValue) {
        out << reading.value;
      } else {
        out << (reading.kind == Reading::Kind::kEmpty ? "empty" : "fault");
      }
    }
  }
  return out.str();
}

std::vector<State> States(const Decision& decision) {
  std::vector<State> states;
  for (const SignalDecision& signal : decision.signals) states.push_back(signal.state);
  return states;
}

// --- the promises
// ---------------------------------------------------------------------------------

TEST(Properties, EqualsPlainCode) {
  Generator generator(1);
  int decided = 0;
  for (int i = 0; i < 6000; ++i) {
    const Policy policy = generator.MakePolicy();
    const auto inputs = generator.MakeInputs(policy);
    const WallTime now = After(Duration(generator.Int(0, 70)));
    const Decision decision = Decide(policy, inputs, now);
    const auto wanted = PlainWanted(policy, inputs, now);
    const auto target = PlainTarget(policy, inputs, now);
    ASSERT_EQ(!decision.error, target.has_value()) << Show(policy, inputs, now);
    if (!target) {
      EXPECT_EQ(decision.error->code, ErrorCode::kUnavailable);
      EXPECT_EQ(decision.bound, Bound::kFault);
      EXPECT_FALSE(decision.active);
      continue;
    }
    ++decided;
    ASSERT_NEAR(decision.clamped, *wanted, 1e-9) << Show(policy, inputs, now);
    ASSERT_NEAR(decision.stepped, *target, 1e-9) << Show(policy, inputs, now);
    ASSERT_EQ(decision.target_replicas, static_cast<int>(std::ceil(*target - 1e-9)))
        << Show(policy, inputs, now);
    ASSERT_EQ(decision.active, decision.target_replicas > 0);
    ASSERT_EQ(decision.target_executors,
              decision.target_replicas * policy.replicas.executors_per_replica);
    ASSERT_LE(decision.target_replicas, policy.replicas.max);
    ASSERT_GE(decision.target_replicas, policy.replicas.min);
  }
  EXPECT_GT(decided, 2000);
}

TEST(Properties, HoldsUntilValidUntil) {
  Generator generator(2);
  int later = 0;
  for (int i = 0; i < 3000; ++i) {
    const Policy policy = generator.MakePolicy();
    const auto inputs = generator.MakeInputs(policy);
    const WallTime now = After(Duration(generator.Int(0, 60)));
    const Decision decision = Decide(policy, inputs, now);
    ASSERT_GT(decision.valid_until, now) << Show(policy, inputs, now);
    for (WallTime at = now + 1ms; at < std::min(decision.valid_until, now + 40ms); at += 1ms) {
      ++later;
      const Decision same = Decide(policy, inputs, at);
      ASSERT_EQ(same.error.has_value(), decision.error.has_value()) << Show(policy, inputs, at);
      ASSERT_EQ(same.target_replicas, decision.target_replicas) << Show(policy, inputs, at);
      ASSERT_EQ(same.bound, decision.bound) << Show(policy, inputs, at);
      ASSERT_EQ(States(same), States(decision)) << Show(policy, inputs, at);
      ASSERT_LE(decision.valid_until, same.valid_until) << Show(policy, inputs, at);
    }
  }
  EXPECT_GT(later, 3000);
}

TEST(Properties, NeedsNoMoreThanLookback) {
  Generator generator(3);
  int pruned = 0;
  for (int i = 0; i < 3000; ++i) {
    Policy policy = generator.MakePolicy();
    // Polls come at their interval; that is what Lookback counts on.
    std::vector<SignalInput> inputs;
    for (PolicySignal& signal : policy.signals) {
      signal.timing.interval = Duration(generator.Int(1, 4));
      std::vector<Reading> readings = generator.MakeReadings();
      for (std::size_t n = 0; n < readings.size(); ++n) {
        readings[n].time = After(signal.timing.interval * (n + 1));
      }
      inputs.push_back(Input(std::move(readings)));
    }
    WallTime now = kStart + 60ms;
    for (const SignalInput& input : inputs) now = std::min(now, input.window->back().time);
    const WallTime from = now - Lookback(policy);
    std::vector<SignalInput> kept;
    for (std::size_t s = 0; s < inputs.size(); ++s) {
      const auto& all = *inputs[s].window;
      const bool zero = policy.signals[s].on_empty == OnEmpty::kZero;
      std::optional<Reading> good;
      std::vector<Reading> some;
      for (const Reading& reading : all) {
        if (reading.time >= from) {
          some.push_back(reading);
        } else if (reading.kind == Reading::Kind::kValue ||
                   (zero && reading.kind == Reading::Kind::kEmpty)) {
          good = reading;
        }
      }
      const bool has_good = std::any_of(some.begin(), some.end(), [&](const Reading& reading) {
        return reading.time <= now && (reading.kind == Reading::Kind::kValue ||
                                       (zero && reading.kind == Reading::Kind::kEmpty));
      });
      if (!has_good && good) some.insert(some.begin(), *good);
      if (some.size() < all.size()) ++pruned;
      kept.push_back(Input(std::move(some)));
    }
    const Decision full = Decide(policy, inputs, now);
    const Decision less = Decide(policy, kept, now);
    ASSERT_EQ(full.error.has_value(), less.error.has_value()) << Show(policy, inputs, now);
    ASSERT_EQ(full.stepped, less.stepped) << Show(policy, inputs, now);
    ASSERT_EQ(full.valid_until, less.valid_until) << Show(policy, inputs, now);
  }
  EXPECT_GT(pruned, 500);
}

// A fault upstream never shrinks a workload.
TEST(Properties, FaultsNeverShrink) {
  Generator generator(4);
  int held = 0;
  for (int i = 0; i < 5000; ++i) {
    Policy policy = generator.MakePolicy(/*monotone=*/true);
    for (PolicySignal& signal : policy.signals) {
      signal.on_fault.then = FaultPolicy::Then::kFail;
      if (signal.on_empty == OnEmpty::kZero) signal.on_empty = OnEmpty::kHold;
    }
    const auto inputs = generator.MakeInputs(policy);
    const WallTime now = After(Duration(generator.Int(0, 70)));
    const Decision decision = Decide(policy, inputs, now);
    if (decision.error) continue;

    // The same world without the faults, and one where each last good reading was read just now.
    std::vector<SignalInput> healthy;
    std::vector<SignalInput> fresh;
    for (const SignalInput& input : inputs) {
      std::vector<Reading> good;
      for (const Reading& reading : *input.window) {
        if (reading.time <= now && reading.kind == Reading::Kind::kValue) good.push_back(reading);
      }
      ASSERT_FALSE(good.empty()) << Show(policy, inputs, now);
      Reading last = good.back();
      last.time = now;
      healthy.push_back(Input(std::move(good)));
      fresh.push_back(Input({last}));
    }
    const Decision without = Decide(policy, healthy, now);
    ASSERT_FALSE(without.error) << Show(policy, inputs, now);
    ASSERT_GE(decision.clamped, without.clamped) << Show(policy, inputs, now);
    const Decision restored = Decide(policy, fresh, now);
    ASSERT_FALSE(restored.error);
    ASSERT_GE(decision.target_replicas, restored.target_replicas) << Show(policy, inputs, now);
    if (decision.held) ++held;
  }
  EXPECT_GT(held, 300);
}

TEST(Properties, MoreNeverAsksForLess) {
  Generator generator(5);
  for (int i = 0; i < 4000; ++i) {
    const Policy policy = generator.MakePolicy(/*monotone=*/true);
    auto inputs = generator.MakeInputs(policy);
    const WallTime now = After(Duration(generator.Int(0, 60)));
    const Decision before = Decide(policy, inputs, now);
    const auto which =
        static_cast<std::size_t>(generator.Int(0, static_cast<int>(inputs.size()) - 1));
    std::vector<Reading> more = *inputs[which].window;
    more[static_cast<std::size_t>(generator.Int(0, static_cast<int>(more.size()) - 1))].value +=
        generator.Int(1, 5);
    inputs[which] = Input(std::move(more));
    const Decision after = Decide(policy, inputs, now);
    ASSERT_EQ(before.error.has_value(), after.error.has_value());
    ASSERT_GE(after.stepped, before.stepped) << Show(policy, inputs, now);
  }
}

TEST(Properties, EnoughIsEnough) {
  Generator generator(6);
  for (int i = 0; i < 4000; ++i) {
    const Policy policy = generator.MakePolicy(/*monotone=*/true);
    auto inputs = generator.MakeInputs(policy);
    const WallTime now = After(Duration(generator.Int(0, 60)));
    const auto which =
        static_cast<std::size_t>(generator.Int(0, static_cast<int>(inputs.size()) - 1));
    const double enough = Enough(policy, which).value();
    const auto replace = [&](double by) {
      std::vector<Reading> readings = *inputs[which].window;
      for (Reading& reading : readings) reading.value = by;
      auto copy = inputs;
      copy[which] = Input(std::move(readings));
      return Decide(policy, copy, now);
    };
    const Decision least = replace(enough);
    const Decision most = replace(enough * generator.Int(2, 1000) + generator.Int(0, 9));
    ASSERT_EQ(least.error.has_value(), most.error.has_value());
    ASSERT_EQ(least.target_replicas, most.target_replicas) << Show(policy, inputs, now);
  }
}

// Never more than the step below the target one period ago, never below a number still in the
// window.
TEST(Properties, ComesDownInSteps) {
  Generator generator(7);
  for (int i = 0; i < 2000; ++i) {
    const Policy policy = generator.MakePolicy();
    const auto inputs = generator.MakeInputs(policy);
    const WallTime now = After(Duration(generator.Int(0, 60)));
    const Decision decision = Decide(policy, inputs, now);
    if (decision.error) continue;
    const ScaleDownStep& step = policy.scale_down.step;
    const Decision before = Decide(policy, inputs, now - step.period);
    if (!before.error) {
      ASSERT_GE(decision.stepped, StepDown(step, before.stepped) - 1e-9)
          << Show(policy, inputs, now);
    }
    for (WallTime at = now - policy.scale_down.stabilization; at <= now; at += 1ms) {
      const Decision past = Decide(policy, inputs, at);
      if (!past.error) {
        ASSERT_GE(decision.stepped, past.clamped) << Show(policy, inputs, now);
      }
    }
  }
}

TEST(Properties, SameInputsSameDecision) {
  Generator generator(8);
  for (int i = 0; i < 500; ++i) {
    const Policy policy = generator.MakePolicy();
    auto inputs = generator.MakeInputs(policy);
    const WallTime now = After(Duration(generator.Int(0, 60)));
    const Decision first = Decide(policy, inputs, now);
    // What a poll said besides its reading only explains.
    for (SignalInput& input : inputs) {
      input.last_error = "refused";
      input.warnings = {"slow"};
      input.detail = "3 series";
    }
    const Decision second = Decide(policy, inputs, now);
    ASSERT_EQ(first.error.has_value(), second.error.has_value());
    ASSERT_EQ(first.stepped, second.stepped);
    ASSERT_EQ(first.target_replicas, second.target_replicas);
    ASSERT_EQ(first.valid_until, second.valid_until);
    ASSERT_EQ(States(first), States(second));
  }
}

}  // namespace
}  // namespace stoker::policy
