#include "adapter/poller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_signals.h"
#include "tests/testing/scaler_world.h"

namespace stoker::adapter {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::At;
using ::testing::HasSubstr;
using ::testing::Not;

class PollCounts final : public PollObserver {
 public:
  void OnPoll(std::string_view, std::string_view, std::string_view result, Duration) override {
    ++counts[std::string(result)];
  }
  std::map<std::string, int> counts;
};

class PollerTest : public ::testing::Test {
 protected:
  scalers::SignalDefinition Definition(const std::string& source,
                                       const std::string& connection = "") {
    config::Diagnostics diagnostics;
    const scalers::SignalContext context{connections_, "", false, world_.deps};
    const config::Node node = config::Node::FromMetadata({{"type", "fake"}, {"source", source}});
    auto definition = registry_.ParseSignal(node, context, diagnostics);
    EXPECT_TRUE(definition) << diagnostics.ToString();
    definition->connection = connection;
    return *definition;
  }
  static SourceNeeds Needs(Duration interval) {
    SourceNeeds needs;
    needs.timing.interval = interval;
    needs.timing.timeout = seconds(3);
    needs.label = "policy etl, signal busy";
    needs.on_reading = [] {};
    return needs;
  }
  std::vector<WallTime> Slots(const std::string& source) {
    std::vector<WallTime> slots;
    for (const auto& poll : upstream_.polls(source)) slots.push_back(poll.slot);
    return slots;
  }

  testing::ScalerWorld world_;
  testing::FakeUpstream upstream_;
  scalers::Registry registry_ = testing::MakeFakeRegistry(upstream_);
  scalers::ConnectionSet connections_;
  PollCounts counts_;
  Poller poller_{world_.clock, world_.executor, world_.executor, counts_, world_.logger};
};

TEST_F(PollerTest, PollsAtOnceAndThenOnAlignedSlots) {
  world_.clock.Advance(seconds(7));  // 00:00:07
  upstream_.Set("a", 5);
  const auto lease = poller_.Acquire(Definition("a"), Needs(seconds(15)));
  world_.executor.RunReady();
  world_.clock.Advance(seconds(40));
  EXPECT_EQ(Slots("a"),
            (std::vector{At("2026-01-05T00:00:00Z"),
                         At("2026-01-05T00:00:15Z"),
                         At("2026-01-05T00:00:30Z"),
                         At("2026-01-05T00:00:45Z")}));
  EXPECT_EQ(lease->window()->back().value, 5);
}

TEST_F(PollerTest, ManyUsersOfOneSourceAreOnePollPerInterval) {
  upstream_.Set("a", 5);
  std::vector<std::unique_ptr<Poller::Lease>> leases;
  for (int i = 0; i < 100; ++i) {
    leases.push_back(poller_.Acquire(Definition("a"), Needs(seconds(15))));
  }
  world_.executor.RunReady();
  world_.clock.Advance(minutes(1));
  EXPECT_EQ(upstream_.polls("a").size(), 5U);
  EXPECT_EQ(poller_.source_count(), 1U);
}

TEST_F(PollerTest, ShortestIntervalWinsAndTheLongerComesBack) {
  upstream_.Set("a", 5);
  const auto slow = poller_.Acquire(Definition("a"), Needs(seconds(60)));
  auto fast = poller_.Acquire(Definition("a"), Needs(seconds(10)));
  world_.executor.RunReady();
  world_.clock.Advance(seconds(30));
  EXPECT_EQ(upstream_.polls("a").size(), 4U);
  fast.reset();
  world_.clock.Advance(minutes(3));
  // 00:00:40 was planned already; then every minute: 01:00, 02:00, 03:00.
  EXPECT_EQ(Slots("a").back(), At("2026-01-05T00:03:00Z"));
  EXPECT_LE(upstream_.polls("a").size(), 8U);
}

TEST_F(PollerTest, LastUserGoneEndsPolling) {
  upstream_.Set("a", 5);
  auto lease = poller_.Acquire(Definition("a"), Needs(seconds(15)));
  world_.executor.RunReady();
  lease.reset();
  world_.clock.Advance(minutes(5));
  EXPECT_EQ(upstream_.polls("a").size(), 1U);
  EXPECT_EQ(poller_.source_count(), 0U);
}

TEST_F(PollerTest, FaultsBecomeReadingsAndOneLineEach) {
  upstream_.Set("a", 5);
  const auto lease = poller_.Acquire(Definition("a", "main"), Needs(seconds(15)));
  world_.executor.RunReady();
  upstream_.SetFault("a", "connection refused");
  world_.clock.Advance(minutes(2));
  EXPECT_EQ(lease->window()->front().value, 5);
  EXPECT_EQ(lease->window()->back().kind, Reading::Kind::kFault);
  EXPECT_EQ(lease->status().error, "connection refused");
  upstream_.Set("a", 6);
  world_.clock.Advance(minutes(1));
  EXPECT_EQ(lease->window()->back().value, 6);
  const std::vector<std::string> lines = world_.logger.lines();
  ASSERT_EQ(lines.size(), 2U) << world_.logger.text();
  EXPECT_THAT(lines[0], ::testing::HasSubstr("error=connection refused"));
  EXPECT_THAT(lines[1], ::testing::StartsWith("info signal is back"));
  EXPECT_EQ(counts_.counts["error"], 8);
}

TEST_F(PollerTest, SaysWhenThereIsNothingToHold) {
  const auto lease = poller_.Acquire(Definition("a"), Needs(seconds(15)));
  world_.executor.RunReady();
  EXPECT_THAT(world_.logger.text(), ::testing::HasSubstr("no earlier value to hold"));
}

TEST_F(PollerTest, TellsTheSourceWhenItHasCountedEnough) {
  upstream_.Set("a", 5);
  SourceNeeds few = Needs(seconds(15));
  few.enough = 10;
  SourceNeeds more = Needs(seconds(15));
  more.enough = 100;
  const auto first = poller_.Acquire(Definition("a"), few);
  world_.executor.RunReady();
  EXPECT_EQ(upstream_.polls("a").back().enough, 10);
  const auto second = poller_.Acquire(Definition("a"), more);
  world_.executor.RunReady();
  // The reading at hand may have stopped at 10, so there is a new one at once.
  ASSERT_EQ(upstream_.polls("a").size(), 2U);
  EXPECT_EQ(upstream_.polls("a").back().enough, 100);
  auto exact = poller_.Acquire(Definition("a"), Needs(seconds(15)));
  world_.executor.RunReady();
  EXPECT_EQ(upstream_.polls("a").back().enough, std::nullopt);
}

TEST_F(PollerTest, ReplacedSourceKeepsItsWindow) {
  upstream_.Set("a", 5);
  const auto first = poller_.Acquire(Definition("a"), Needs(seconds(15)));
  world_.executor.RunReady();
  upstream_.SetFault("a", "gone");
  const auto second = poller_.Acquire(Definition("a"), Needs(seconds(15)), true);
  world_.clock.Advance(seconds(15));
  EXPECT_EQ(second->window()->front().value, 5);
}

TEST_F(PollerTest, WallClockSetBackGoesOnFromThere) {
  upstream_.Set("a", 5);
  const auto lease = poller_.Acquire(Definition("a"), Needs(seconds(15)));
  world_.executor.RunReady();
  world_.clock.Advance(minutes(10));
  world_.clock.JumpWall(-minutes(5));
  world_.clock.Advance(seconds(15));
  EXPECT_LE(lease->window()->back().time, world_.clock.WallNow());
  EXPECT_GT(lease->window()->back().time, world_.clock.WallNow() - seconds(30));
}

TEST_F(PollerTest, TimerThatIsEarlyDoesNotPollASlotTwice) {
  upstream_.Set("a", 5);
  std::vector<Duration> ages;
  std::unique_ptr<Poller::Lease> lease;
  SourceNeeds needs = Needs(seconds(15));
  needs.on_reading = [&] { ages.push_back(world_.clock.WallNow() - lease->window()->back().time); };
  lease = poller_.Acquire(Definition("a"), std::move(needs));
  world_.executor.RunReady();
  world_.clock.JumpWall(-milliseconds(1));
  world_.clock.Advance(seconds(31));
  EXPECT_EQ(
      Slots("a"),
      (std::vector{
          At("2026-01-05T00:00:00Z"), At("2026-01-05T00:00:15Z"), At("2026-01-05T00:00:30Z")}));
  EXPECT_THAT(ages, ::testing::Each(::testing::Ge(Duration(0))));
}

TEST_F(PollerTest, AllAttemptedOnceEverySourceAnswered) {
  upstream_.Set("a", 5);
  EXPECT_TRUE(poller_.AllAttempted());
  const auto a = poller_.Acquire(Definition("a"), Needs(seconds(15)));
  const auto b = poller_.Acquire(Definition("b"), Needs(seconds(15)));
  EXPECT_FALSE(poller_.AllAttempted());
  world_.executor.RunReady();
  EXPECT_TRUE(poller_.AllAttempted()) << "b failed, and that counts as an attempt";
}

TEST_F(PollerTest, WhatSiblingsReadIsNewsToTheUsers) {
  upstream_.SetFault("a", "down");
  int told = 0;
  SourceNeeds needs = Needs(seconds(15));
  needs.on_reading = [&told] { ++told; };
  const scalers::SignalDefinition definition = Definition("a");
  const auto lease = poller_.Acquire(definition, std::move(needs));
  world_.executor.RunReady();
  EXPECT_EQ(told, 1);
  const Reading reading{
      .time = At("2026-01-05T00:00:00Z"), .kind = Reading::Kind::kValue, .value = 7};
  poller_.Merge(SourceId(definition.source_key), {&reading, 1});
  EXPECT_EQ(told, 2);
  EXPECT_EQ(lease->window()->back(), reading);
  poller_.Merge(SourceId(definition.source_key), {&reading, 1});
  EXPECT_EQ(told, 2) << "no news";
  poller_.Merge("somebody else's", {&reading, 1});
}

/// Knows the readings of all slots but those of the last minute.
class WithPast final : public scalers::Source {
 public:
  explicit WithPast(std::vector<scalers::SlotSpan>& asked,
                    const bool* down = nullptr,
                    const bool* past_fails = nullptr)
      : asked_(asked), down_(down), past_fails_(past_fails) {}
  Result<scalers::Observation> Poll(const scalers::PollContext&) override {
    if (down_ != nullptr && *down_) return Fail(ErrorCode::kUnavailable, "down");
    return testing::FakeUpstream::Value(1);
  }
  Result<std::vector<Reading>> PastReadings(const scalers::SlotSpan& span,
                                            MonoTime,
                                            const std::stop_token&) override {
    asked_.push_back(span);
    if (past_fails_ != nullptr && *past_fails_) return Fail(ErrorCode::kDeadlineExceeded, "slow");
    std::vector<Reading> readings;
    for (WallTime slot = span.first; slot <= span.last; slot += span.interval) {
      readings.push_back({.time = slot, .kind = Reading::Kind::kValue, .value = 30});
    }
    return readings;
  }

 private:
  std::vector<scalers::SlotSpan>& asked_;
  const bool* const down_;
  const bool* const past_fails_;
};

TEST_F(PollerTest, ReadsThePastThatUsersLookBackOnWithTheFirstPoll) {
  std::vector<scalers::SlotSpan> asked;
  scalers::SignalDefinition definition = Definition("a");
  definition.make_source = [&asked] { return std::make_unique<WithPast>(asked); };
  world_.clock.Advance(minutes(10) + seconds(4));
  SourceNeeds needs = Needs(seconds(15));
  needs.lookback = minutes(5);
  std::size_t first_window = 0;
  std::unique_ptr<Poller::Lease> lease;
  needs.on_reading = [&] {
    if (first_window == 0) first_window = lease->window()->size();
  };
  lease = poller_.Acquire(definition, std::move(needs));
  world_.executor.RunReady();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].first, At("2026-01-05T00:05:00Z"));
  EXPECT_EQ(asked[0].last, At("2026-01-05T00:09:45Z"));
  EXPECT_EQ(first_window, 21U);
  world_.clock.Advance(minutes(1));
  EXPECT_EQ(asked.size(), 1U);

  asked.clear();
  definition.source_key += "other";
  const auto recent = poller_.Acquire(definition, Needs(seconds(15)));
  world_.executor.RunReady();
  EXPECT_TRUE(asked.empty()) << "nobody looks back";
}

// Else the first target after an outage that we started in would be smaller than the last before.
TEST_F(PollerTest, ReadsThePastOnceAnUpstreamThatWasDownAtTheStartIsBack) {
  std::vector<scalers::SlotSpan> asked;
  bool down = true;
  scalers::SignalDefinition definition = Definition("a");
  definition.make_source = [&] { return std::make_unique<WithPast>(asked, &down); };
  SourceNeeds needs = Needs(seconds(15));
  needs.lookback = minutes(5);
  const auto lease = poller_.Acquire(definition, std::move(needs));
  world_.executor.RunReady();
  world_.clock.Advance(minutes(1));
  EXPECT_TRUE(asked.empty()) << "it cannot tell";
  down = false;
  world_.clock.Advance(seconds(15));
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(lease->window()->front().value, 30);
  EXPECT_EQ(lease->window()->back().value, 1);
}

// A forecast would miss it for a week.
TEST_F(PollerTest, AsksAgainForAPastThatCouldNotBeRead) {
  std::vector<scalers::SlotSpan> asked;
  bool fails = true;
  scalers::SignalDefinition definition = Definition("a");
  definition.make_source = [&] { return std::make_unique<WithPast>(asked, nullptr, &fails); };
  SourceNeeds needs = Needs(seconds(15));
  needs.lookback = minutes(30);
  const auto lease = poller_.Acquire(definition, std::move(needs));
  world_.executor.RunReady();
  EXPECT_EQ(asked.size(), 1U);
  EXPECT_EQ(lease->window()->back().value, 1) << "the reading counts all the same";
  world_.clock.Advance(seconds(45));
  EXPECT_EQ(asked.size(), 1U) << "not with every poll";
  world_.clock.Advance(minutes(10));
  EXPECT_EQ(asked.size(), 4U) << "after 1, 2 and 4 minutes more";
  const std::string said = world_.logger.text();
  EXPECT_EQ(said.find("the past of"), said.rfind("the past of")) << "said once";
  fails = false;
  world_.clock.Advance(minutes(10));
  EXPECT_EQ(asked.size(), 5U);
  EXPECT_EQ(lease->window()->front().value, 30);
  EXPECT_EQ(lease->window()->back().value, 1);
  world_.clock.Advance(minutes(30));
  EXPECT_EQ(asked.size(), 5U) << "told once";
}

/// Gives readings of 7, from a moment on.
struct Sibling final : ReadingExchange {
  void Publish(const std::string&, WallTime) override {}
  void Fetch(const std::string& id, std::function<void()> done) override {
    executor->Post([this, id, done = std::move(done)] {
      std::vector<Reading> readings;
      for (WallTime slot = since; slot < until; slot += seconds(15)) {
        readings.push_back({.time = slot, .kind = Reading::Kind::kValue, .value = 7});
      }
      poller->Merge(id, readings);
      done();
    });
  }
  Executor* executor = nullptr;
  Poller* poller = nullptr;
  WallTime since{};
  WallTime until{};
};

TEST_F(PollerTest, TakesASiblingsWindowForAPastUnlessTheSiblingIsYoung) {
  world_.clock.Advance(minutes(60));
  Sibling sibling;
  Poller poller(world_.clock, world_.executor, world_.executor, counts_, world_.logger, &sibling);
  sibling.executor = &world_.executor;
  sibling.poller = &poller;
  sibling.until = world_.clock.WallNow();
  std::vector<scalers::SlotSpan> asked;
  const auto acquire = [&](const char* name, Duration known) {
    sibling.since = sibling.until - known;
    scalers::SignalDefinition definition = Definition(name);
    definition.make_source = [&] { return std::make_unique<WithPast>(asked); };
    SourceNeeds needs = Needs(seconds(15));
    needs.lookback = minutes(30);
    auto lease = poller.Acquire(definition, std::move(needs));
    world_.executor.RunReady();
    return lease;
  };
  const auto old = acquire("a", minutes(20));
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(old->window()->front().value, 7);
  const auto young = acquire("b", minutes(5));
  EXPECT_EQ(asked.size(), 1U);
  EXPECT_EQ(young->window()->front().value, 30) << "its own past, read";
}

class Throwing final : public scalers::Source {
 public:
  explicit Throwing(const bool& throws) : throws_(throws) {}
  Result<scalers::Observation> Poll(const scalers::PollContext&) override {
    if (throws_) throw std::out_of_range("token-of-somebody");
    return testing::FakeUpstream::Value(1);
  }

 private:
  const bool& throws_;
};

TEST_F(PollerTest, APollThatThrowsIsAFaultOfThatPollAlone) {
  bool throws = true;
  scalers::SignalDefinition definition = Definition("a");
  definition.make_source = [&] { return std::make_unique<Throwing>(throws); };
  const auto lease = poller_.Acquire(definition, Needs(seconds(15)));
  world_.executor.RunReady();
  EXPECT_EQ(lease->window()->back().kind, Reading::Kind::kFault);
  EXPECT_THAT(world_.logger.text(), HasSubstr("std::out_of_range"));
  EXPECT_THAT(world_.logger.text(), Not(HasSubstr("token-of-somebody")));
  throws = false;
  world_.clock.Advance(seconds(15));
  EXPECT_EQ(lease->window()->back().value, 1);
}

TEST_F(PollerTest, NeedsOfManyUsersComeAndGo) {
  upstream_.Set("a", 5);
  std::vector<std::unique_ptr<Poller::Lease>> leases;
  for (int i = 0; i < 20'000; ++i) {
    SourceNeeds needs = Needs(seconds(15 + i % 3));
    needs.enough = i;
    leases.push_back(poller_.Acquire(Definition("a"), std::move(needs)));
  }
  leases.erase(leases.begin() + 100, leases.end());
  world_.executor.RunReady();
  world_.clock.Advance(seconds(15));
  EXPECT_EQ(upstream_.polls("a").back().enough, 99);
}

TEST_F(PollerTest, LeaseMayGoFromInsideItsOwnCallback) {
  upstream_.Set("a", 5);
  std::unique_ptr<Poller::Lease> lease;
  SourceNeeds needs = Needs(seconds(15));
  needs.on_reading = [&lease] { lease.reset(); };
  lease = poller_.Acquire(Definition("a"), std::move(needs));
  world_.executor.RunReady();
  EXPECT_EQ(lease, nullptr);
  EXPECT_EQ(poller_.source_count(), 0U);
}

TEST_F(PollerTest, StopEndsPolling) {
  upstream_.Set("a", 5);
  const auto lease = poller_.Acquire(Definition("a"), Needs(seconds(15)));
  world_.executor.RunReady();
  poller_.Stop();
  world_.clock.Advance(minutes(1));
  EXPECT_EQ(upstream_.polls("a").size(), 1U);
  EXPECT_TRUE(upstream_.polls("a").front().stop.stop_requested());
}

TEST_F(PollerTest, StopLetsGoOfWhatWaitsForItsTurn) {
  std::vector<std::weak_ptr<int>> sources;
  {
    Poller poller(world_.clock, world_.executor, world_.executor, counts_, world_.logger);
    std::vector<std::unique_ptr<Poller::Lease>> leases;
    for (const char* name : {"a", "b", "c"}) {
      scalers::SignalDefinition definition = Definition(name, "main");
      definition.max_concurrent = 1;
      auto alive = std::make_shared<int>(0);
      sources.push_back(alive);
      definition.make_source = [make = definition.make_source, alive = std::move(alive)] {
        struct Alive final : scalers::Source {
          Result<scalers::Observation> Poll(const scalers::PollContext& context) override {
            return source->Poll(context);
          }
          std::shared_ptr<int> alive;
          std::unique_ptr<scalers::Source> source;
        };
        auto source = std::make_unique<Alive>();
        source->alive = alive;
        source->source = make();
        return source;
      };
      leases.push_back(poller.Acquire(definition, Needs(seconds(15))));
    }
  }
  world_.executor.RunReady();
  for (const std::weak_ptr<int>& source : sources) EXPECT_TRUE(source.expired());
}

}  // namespace
}  // namespace stoker::adapter
