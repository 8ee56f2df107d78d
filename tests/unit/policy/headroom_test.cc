#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "policy/decision.h"
#include "tests/unit/policy/builders.h"

namespace stoker::policy {
namespace {

using namespace std::chrono_literals;

PolicySignal CountOf(const std::string& name) {
  PolicySignal signal = Signal(name);
  signal.type = "pods";
  return signal;
}

Policy WithCapacity(Policy policy, bool counts = true) {
  policy.capacity.emplace();
  if (counts) {
    policy.capacity->running = CountOf("running");
    policy.capacity->pending = CountOf("pending");
  }
  return policy;
}

SignalInput Schedule(SignalInput input, std::vector<ScheduledChange> changes) {
  input.upcoming = std::make_shared<const std::vector<ScheduledChange>>(std::move(changes));
  return input;
}

CapacityInput Counts(SignalInput running, SignalInput pending = {}, Duration lead = 4min) {
  CapacityInput input;
  input.running = std::move(running);
  input.pending = std::move(pending);
  input.lead.value = lead;
  return input;
}

TEST(Headroom, IsThereWithCapacityOnly) {
  const Policy policy = PolicyOf({Signal("backlog")});
  EXPECT_FALSE(Decide(policy, std::vector{Input({Value(0s, 5)})}, After(0s)).headroom);
}

TEST(Headroom, IsWhatIsWantedAndNeitherRunsNorWaits) {
  Policy policy = WithCapacity(PolicyOf({Signal("backlog")}));
  policy.replicas.executors_per_replica = 2;
  const Decision decision = Decide(policy,
                                   std::vector{Input({Value(0s, 7)})},
                                   After(10s),
                                   Counts(Input({Value(0s, 5)}), Input({Value(0s, 3)})));
  ASSERT_TRUE(decision.headroom);
  EXPECT_FALSE(decision.headroom->error);
  EXPECT_EQ(decision.headroom->wanted_now, 14);
  EXPECT_EQ(decision.headroom->wanted_ahead, 14);
  EXPECT_EQ(decision.headroom->running, 5);
  EXPECT_EQ(decision.headroom->pending, 3);
  EXPECT_EQ(decision.headroom->executors, 6);
  EXPECT_FALSE(decision.headroom->held);
  ASSERT_EQ(decision.headroom->signals.size(), 2);
  EXPECT_EQ(decision.headroom->signals[0].name, "running");
  EXPECT_EQ(decision.headroom->signals[1].demand, 3);
}

TEST(Headroom, IsNeverBelowNothingNorOverItsCap) {
  Policy policy = WithCapacity(PolicyOf({Signal("backlog")}));
  policy.capacity->max_executors = 4;
  const auto headroom = [&](double running) {
    return *Decide(policy,
                   std::vector{Input({Value(0s, 7)})},
                   After(0s),
                   Counts(Input({Value(0s, running)}), Input({Value(0s, 0)})))
                .headroom;
  };
  EXPECT_EQ(headroom(9).executors, 0);
  EXPECT_EQ(headroom(3).executors, 4);
  EXPECT_FALSE(headroom(3).capped);
  EXPECT_EQ(headroom(2).executors, 4);
  EXPECT_TRUE(headroom(2).capped);
}

TEST(Headroom, CountsWhatIsOnlyPartlyThereAsNotThere) {
  Policy policy = WithCapacity(PolicyOf({Signal("backlog")}));
  policy.capacity->running->demand.target_size = 2;  // the signal counts slots
  const Decision decision = Decide(policy,
                                   std::vector{Input({Value(0s, 7)})},
                                   After(0s),
                                   Counts(Input({Value(0s, 5)}), Input({Value(0s, 0)})));
  EXPECT_EQ(decision.headroom->running, 2);
  EXPECT_EQ(decision.headroom->executors, 5);
}

TEST(Headroom, WithoutCountsTakesTheTargetToBeThere) {
  const Policy policy = WithCapacity(PolicyOf({Signal("hours")}), false);
  const auto headroom = [&](std::vector<ScheduledChange> changes) {
    return *Decide(policy,
                   std::vector{Schedule(Input({Value(0s, 3)}), std::move(changes))},
                   After(0s),
                   Counts({}))
                .headroom;
  };
  EXPECT_EQ(headroom({}).executors, 0);
  const Headroom rise = headroom({{After(1min), 10}});
  EXPECT_EQ(rise.wanted_now, 3);
  EXPECT_EQ(rise.wanted_ahead, 10);
  EXPECT_EQ(rise.executors, 7);
  EXPECT_FALSE(rise.running);
}

TEST(Headroom, SeesAScheduleAsFarAheadAsTheLeadTime) {
  const Policy policy = WithCapacity(PolicyOf({Signal("hours")}), false);
  const std::vector<SignalInput> inputs{
      Schedule(Input({Value(0s, 0)}), {{After(10min), 10}, {After(30min), 0}})};
  const auto at = [&](Duration offset) {
    return Decide(policy, inputs, After(offset), Counts({}, {}, 4min));
  };
  EXPECT_EQ(at(0s).headroom->executors, 0);
  EXPECT_EQ(at(6min - 1ms).headroom->executors, 0);
  EXPECT_EQ(at(6min - 1ms).valid_until, After(6min));
  EXPECT_EQ(at(6min).headroom->executors, 10);
  EXPECT_EQ(at(6min).target_replicas, 0);
}

// What opens and closes within one lead time would else be told and taken back before it is used.
TEST(Headroom, IsForTheMostOnTheWayThere) {
  const Policy policy = WithCapacity(PolicyOf({Signal("hours")}), false);
  const std::vector<SignalInput> inputs{
      Schedule(Input({Value(0s, 0)}), {{After(1min), 10}, {After(2min), 0}})};
  EXPECT_EQ(Decide(policy, inputs, After(30s), Counts({}, {}, 4min)).headroom->executors, 10);
}

TEST(Headroom, TakesAReadingLaterThanAScheduledChangeForTruer) {
  const Policy policy = WithCapacity(PolicyOf({Signal("hours")}));
  const std::vector<SignalInput> inputs{
      Schedule(Input({Value(0s, 0), Value(2min, 4)}), {{After(1min), 10}})};
  const Decision decision =
      Decide(policy, inputs, After(2min), Counts(Input({Value(2min, 0)}), Input({Value(2min, 0)})));
  EXPECT_EQ(decision.headroom->wanted_ahead, 4);
}

TEST(Headroom, CombinesWhatIsScheduledAsThePolicyDoes) {
  const auto ahead = [](Policy policy) {
    policy.replicas.max = 12;
    policy.replicas.headroom = 0.5;
    const std::vector<SignalInput> inputs{Input({Value(0s, 3)}),
                                          Schedule(Input({Value(0s, 0)}), {{After(1min), 4}})};
    return Decide(WithCapacity(policy, false), inputs, After(0s), Counts({}))
        .headroom->wanted_ahead;
  };
  EXPECT_EQ(ahead(PolicyOf({Signal("a"), Signal("hours")}, Combine::kMax)), 6);
  EXPECT_EQ(ahead(PolicyOf({Signal("a"), Signal("hours")}, Combine::kSum)), 11);
  EXPECT_EQ(ahead(PolicyOf({Signal("a"), Signal("hours")}, "a * hours")), 12);
}

TEST(Headroom, AFailedCountIsItsErrorAlone) {
  const Policy policy = WithCapacity(PolicyOf({Signal("backlog")}));
  const std::vector<SignalInput> inputs{Input({Value(1h, 7)})};
  const Decision decision = Decide(
      policy, inputs, After(1h), Counts(Input({Value(0s, 5), Fault(1h)}, "no route"), Input({})));
  EXPECT_FALSE(decision.error);
  EXPECT_EQ(decision.target_replicas, 7);
  ASSERT_TRUE(decision.headroom->error);
  EXPECT_EQ(decision.headroom->error->code, ErrorCode::kUnavailable);
  EXPECT_EQ(decision.headroom->error->message,
            "capacity: signal 'running' has had no good reading for 1h (hold 30m): no route; "
            "signal 'pending' has no reading yet");
}

// A window may come from a sibling before the schedule is asked what is to come.
TEST(Headroom, IsNotKnownBeforeSchedulesAre) {
  const Policy policy = WithCapacity(PolicyOf({Signal("hours")}), false);
  CapacityInput input;
  input.schedules_known = false;
  const Decision decision = Decide(policy, std::vector{Input({Value(0s, 3)})}, After(0s), input);
  EXPECT_EQ(decision.target_replicas, 3);
  ASSERT_TRUE(decision.headroom->error);
  EXPECT_EQ(decision.headroom->error->code, ErrorCode::kUnavailable);
}

TEST(Headroom, HasTheErrorOfItsPolicy) {
  const Policy policy = WithCapacity(PolicyOf({Signal("backlog")}));
  const Decision decision = Decide(policy,
                                   std::vector{Input({})},
                                   After(0s),
                                   Counts(Input({Value(0s, 5)}), Input({Value(0s, 5)})));
  ASSERT_TRUE(decision.error);
  ASSERT_TRUE(decision.headroom->error);
  EXPECT_EQ(decision.headroom->error->message, decision.error->message);
}

// Five pods wait when `pending` fails; then they run. Counted as both, they would take the room of
// five more.
TEST(Headroom, CountsNoPodTwiceWhileOneCountIsHeld) {
  const Policy policy = WithCapacity(PolicyOf({Signal("backlog")}));
  const std::vector<SignalInput> inputs{Input({Value(5min, 20)})};
  const Decision decision =
      Decide(policy,
             inputs,
             After(5min),
             Counts(Input({Value(0s, 10), Value(4min, 15)}), Input({Value(0s, 5), Fault(4min)})));
  EXPECT_TRUE(decision.headroom->held);
  EXPECT_EQ(decision.headroom->running, 10);
  EXPECT_EQ(decision.headroom->pending, 5);
  EXPECT_EQ(decision.headroom->executors, 5);
}

// Five pods wait when `pending` fails, and nobody knows how many run; then these five do.
TEST(Headroom, CountsNoPodTwiceWhereTheOtherCountWasNotKnown) {
  const Policy policy = WithCapacity(PolicyOf({Signal("backlog")}));
  const std::vector<SignalInput> inputs{Input({Value(5min, 20)})};
  for (const std::vector<Reading>& before : {std::vector<Reading>{}, {Fault(-1h), Fault(0s)}}) {
    std::vector<Reading> running = before;
    running.push_back(Value(4min, 15));
    const Decision decision =
        Decide(policy,
               inputs,
               After(5min),
               Counts(Input(std::move(running)), Input({Value(0s, 5), Fault(4min)})));
    EXPECT_FALSE(decision.headroom->error);
    EXPECT_TRUE(decision.headroom->held);
    EXPECT_EQ(decision.headroom->running, 0);
    EXPECT_EQ(decision.headroom->pending, 5);
    EXPECT_EQ(decision.headroom->executors, 15);
  }
}

TEST(HeadroomDecision, IsADecisionForTheHeadroom) {
  const Policy policy = WithCapacity(PolicyOf({Signal("backlog")}));
  const std::vector<SignalInput> inputs{Input({Value(0s, 7)})};
  const auto decide = [&](SignalInput running) {
    return HeadroomDecision(
        Decide(policy, inputs, After(0s), Counts(std::move(running), Input({Value(0s, 0)}))));
  };
  const Decision some = decide(Input({Value(0s, 5)}));
  EXPECT_EQ(some.target_replicas, 2);
  EXPECT_EQ(some.target_executors, 2);
  EXPECT_TRUE(some.active);
  EXPECT_EQ(some.bound, Bound::kNone);
  EXPECT_EQ(some.signals.size(), 3);
  EXPECT_FALSE(decide(Input({Value(0s, 7)})).active);
  const Decision none = decide(Input({}));
  ASSERT_TRUE(none.error);
  EXPECT_FALSE(none.active);
  EXPECT_EQ(none.bound, Bound::kFault);
}

TEST(HeadroomDecision, IsAnErrorWithoutCapacity) {
  const Decision decision = HeadroomDecision(
      Decide(PolicyOf({Signal("backlog")}), std::vector{Input({Value(0s, 7)})}, After(0s)));
  ASSERT_TRUE(decision.error);
  EXPECT_EQ(decision.error->code, ErrorCode::kNotFound);
}

// --- the promises, on random windows
// ------------------------------------------------------------

class World {
 public:
  explicit World(unsigned seed) : random_(seed) {}

  int Int(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }

  SignalInput Readings(int most_value) {
    std::vector<Reading> readings;
    int at = Int(0, 3);
    const int count = Int(1, 12);
    for (int i = 0; i < count; ++i, at += Int(1, 6)) {
      readings.push_back(Int(0, 2) == 0 ? Fault(Duration(at))
                                        : Value(Duration(at), Int(0, most_value)));
    }
    return Input(std::move(readings));
  }

  Policy MakePolicy() {
    std::vector<PolicySignal> signals{Signal("a", Int(1, 3)), Signal("hours")};
    Policy policy = PolicyOf(std::move(signals), static_cast<Combine>(Int(0, 3)));
    policy.replicas.max = Int(5, 30);
    policy.replicas.executors_per_replica = Int(1, 3);
    policy.scale_down.stabilization = Duration(Int(0, 10));
    policy = WithCapacity(std::move(policy), Int(0, 3) > 0);
    policy.capacity->max_executors = Int(1, 60);
    for (PolicySignal* signal : Signals(policy)) {
      signal->timing.max_age = Duration(Int(1, 8));
      signal->on_fault.hold = Duration(Int(0, 20));
    }
    return policy;
  }

  static std::vector<PolicySignal*> Signals(Policy& policy) {
    std::vector<PolicySignal*> signals;
    for (PolicySignal& signal : policy.signals) signals.push_back(&signal);
    if (policy.capacity->running) signals.push_back(&*policy.capacity->running);
    if (policy.capacity->pending) signals.push_back(&*policy.capacity->pending);
    return signals;
  }

  std::vector<SignalInput> MakeInputs() {
    std::vector<ScheduledChange> changes;
    for (int at = Int(0, 30); at < 90; at += Int(1, 30)) {
      changes.push_back({After(Duration(at)), double(Int(0, 20))});
    }
    return {Readings(20), Schedule(Readings(20), std::move(changes))};
  }

  CapacityInput MakeCounts() { return Counts(Readings(20), Readings(10), Duration(Int(0, 20))); }
  WallTime Now() { return After(Duration(Int(0, 60))); }

 private:
  std::mt19937 random_;
};

TEST(HeadroomProperties, NeverTouchesTheTarget) {
  World world(1);
  for (int i = 0; i < 3000; ++i) {
    const Policy policy = world.MakePolicy();
    const auto inputs = world.MakeInputs();
    const WallTime now = world.Now();
    Policy plain = policy;
    plain.capacity.reset();
    const Decision with = Decide(policy, inputs, now, world.MakeCounts());
    const Decision without = Decide(plain, inputs, now);
    ASSERT_EQ(with.error.has_value(), without.error.has_value());
    ASSERT_EQ(with.target_replicas, without.target_replicas);
    ASSERT_EQ(with.stepped, without.stepped);
    ASSERT_EQ(with.bound, without.bound);
    ASSERT_EQ(with.active, without.active);
    ASSERT_EQ(with.held, without.held);
  }
}

TEST(HeadroomProperties, HoldsUntilValidUntil) {
  World world(2);
  int later = 0;
  for (int i = 0; i < 3000; ++i) {
    const Policy policy = world.MakePolicy();
    const auto inputs = world.MakeInputs();
    const CapacityInput counts = world.MakeCounts();
    const WallTime now = world.Now();
    const Decision decision = Decide(policy, inputs, now, counts);
    ASSERT_GT(decision.valid_until, now);
    for (WallTime at = now + 1ms; at < std::min(decision.valid_until, now + 40ms); at += 1ms) {
      ++later;
      const Decision same = Decide(policy, inputs, at, counts);
      ASSERT_EQ(same.headroom->error.has_value(), decision.headroom->error.has_value());
      if (decision.headroom->error) continue;
      ASSERT_EQ(same.headroom->executors, decision.headroom->executors);
      ASSERT_EQ(same.headroom->wanted_ahead, decision.headroom->wanted_ahead);
      ASSERT_EQ(same.headroom->held, decision.headroom->held);
    }
  }
  EXPECT_GT(later, 2000);
}

// A fault of a count makes an error, or at least what its last good reading gives.
TEST(HeadroomProperties, FaultsNeverShrink) {
  World world(3);
  int held = 0;
  for (int i = 0; i < 5000; ++i) {
    const Policy policy = world.MakePolicy();
    const auto inputs = world.MakeInputs();
    const CapacityInput counts = world.MakeCounts();
    const WallTime now = world.Now();
    const Decision decision = Decide(policy, inputs, now, counts);
    if (decision.headroom->error || !policy.capacity->running) continue;
    const auto last = [&](const SignalInput& input) {
      std::vector<Reading> readings;
      for (const Reading& reading : *input.window) {
        if (reading.time <= now && reading.kind == Reading::Kind::kValue) readings = {reading};
      }
      readings.at(0).time = now;
      return Input(std::move(readings));
    };
    const Decision fresh = Decide(
        policy, inputs, now, Counts(last(counts.running), last(counts.pending), counts.lead.value));
    ASSERT_FALSE(fresh.headroom->error);
    ASSERT_GE(decision.headroom->executors, fresh.headroom->executors);
    if (decision.headroom->held) ++held;
  }
  EXPECT_GT(held, 300);
}

// Pods only move from pending to running, whatever of it is seen: room is never taken from the
// others.
TEST(HeadroomProperties, PodsThatMoveTakeRoomOnce) {
  World world(4);
  int held = 0;
  for (int i = 0; i < 5000; ++i) {
    Policy policy = WithCapacity(PolicyOf({Signal("a")}));
    for (PolicySignal* signal : World::Signals(policy)) signal->on_fault.hold = 1h;
    const int pods = world.Int(0, 20);
    int running = 0;
    std::vector<Reading> runs;
    std::vector<Reading> waits;
    for (int at = 0; at < 20; ++at) {
      running = std::min(pods, running + world.Int(0, 3));
      runs.push_back(at > 0 && world.Int(0, 2) == 0 ? Fault(Duration(at))
                                                    : Value(Duration(at), running));
      waits.push_back(at > 0 && world.Int(0, 2) == 0 ? Fault(Duration(at))
                                                     : Value(Duration(at), pods - running));
    }
    const Decision decision = Decide(policy,
                                     std::vector{Input({Value(0s, 25)})},
                                     After(19ms),
                                     Counts(Input(std::move(runs)), Input(std::move(waits))));
    ASSERT_FALSE(decision.headroom->error);
    ASSERT_GE(decision.headroom->executors, 25 - pods);
    if (decision.headroom->held) ++held;
  }
  EXPECT_GT(held, 1000);
}

TEST(HeadroomProperties, MoreDemandNeverMakesLessRoom) {
  World world(5);
  for (int i = 0; i < 3000; ++i) {
    const Policy policy = world.MakePolicy();
    if (!policy.capacity->running) continue;
    auto inputs = world.MakeInputs();
    const CapacityInput counts = world.MakeCounts();
    const WallTime now = world.Now();
    const Decision before = Decide(policy, inputs, now, counts);
    std::vector<Reading> more = *inputs[0].window;
    for (Reading& reading : more) reading.value += world.Int(0, 5);
    inputs[0].window = std::make_shared<const std::vector<Reading>>(std::move(more));
    const Decision after = Decide(policy, inputs, now, counts);
    ASSERT_EQ(before.headroom->error.has_value(), after.headroom->error.has_value());
    if (before.headroom->error) continue;
    ASSERT_GE(after.headroom->executors, before.headroom->executors);
  }
}

}  // namespace
}  // namespace stoker::policy
