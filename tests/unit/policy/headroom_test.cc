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

}  // namespace
}  // namespace stoker::policy
