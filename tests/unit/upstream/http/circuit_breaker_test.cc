#include "upstream/http/circuit_breaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/testing/fakes.h"

namespace stoker::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Breaker : ::testing::Test {
  testing::FakeClock clock;
  std::vector<std::string> changes;
  CircuitBreaker breaker{{.failures_to_open = 3, .open_time = seconds(7)},
                         clock,
                         [this](bool open, const std::string& why) {
                           changes.push_back(open ? "open: " + why : "closed");
                         }};
  std::stop_source stop;

  Result<CircuitBreaker::Permit> Ask(Duration patience = std::chrono::hours(1)) {
    return breaker.Acquire(clock.MonotonicNow() + patience, stop.get_token());
  }
  void FailTimes(int times) {
    for (int i = 0; i < times; ++i) Ask()->Failed("refused");
  }
  /// Lets `others` calls wait for a probe and gives back how they went on, once `then` was done.
  template <class Then>
  std::vector<std::string> Waiters(int others,
                                   const Then& then,
                                   Duration patience = std::chrono::hours(1)) {
    std::vector<std::string> went(static_cast<std::size_t>(others));
    std::vector<std::thread> threads;
    for (std::string& how : went) {
      threads.emplace_back([&] {
        const auto permit = Ask(patience);
        how = permit ? "passed" : permit.error().message;
      });
    }
    if (patience > Duration::zero()) {
      while (breaker.waiting() < others) std::this_thread::yield();
    }
    then();
    for (std::thread& thread : threads) thread.join();
    return went;
  }
};

TEST_F(Breaker, OpensAfterFailuresInARow) {
  FailTimes(2);
  Ask()->Succeeded();
  FailTimes(2);
  EXPECT_TRUE(Ask());
  EXPECT_TRUE(changes.empty());
  FailTimes(1);
  const auto permit = Ask();
  ASSERT_FALSE(permit);
  EXPECT_EQ(permit.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(permit.error().message,
            "circuit open after 3 failures, next try in 7s; last failure: refused");
  EXPECT_THAT(changes, ElementsAre("open: refused"));
}

TEST_F(Breaker, ACallWithoutAnOutcomeCountsAsNeither) {
  FailTimes(2);
  { const auto dropped = Ask(); }
  FailTimes(1);
  EXPECT_FALSE(Ask());
}

TEST_F(Breaker, OneProbePassesAfterTheOpenTimeAndItsSuccessCloses) {
  FailTimes(3);
  clock.Advance(milliseconds(6999));
  EXPECT_FALSE(Ask());
  clock.Advance(milliseconds(1));
  auto probe = Ask();
  ASSERT_TRUE(probe);
  const auto impatient = Ask(Duration::zero());
  ASSERT_FALSE(impatient);
  EXPECT_THAT(impatient.error().message, HasSubstr("next try under way"));
  probe->Succeeded();
  EXPECT_TRUE(Ask());
  EXPECT_THAT(changes, ElementsAre("open: refused", "closed"));
}

TEST_F(Breaker, AFailedProbeOpensAgainWithoutAnotherNotice) {
  FailTimes(3);
  clock.Advance(seconds(7));
  Ask()->Failed("still refused");
  const auto permit = Ask();
  ASSERT_FALSE(permit);
  EXPECT_THAT(permit.error().message, HasSubstr("after 4 failures, next try in 7s"));
  EXPECT_EQ(changes.size(), 1U);
}

TEST_F(Breaker, CallersWaitForTheProbeAndPassWithIt) {
  FailTimes(3);
  clock.Advance(seconds(7));
  auto probe = Ask();
  const auto went = Waiters(3, [&] { probe->Succeeded(); });
  EXPECT_THAT(went, ElementsAre("passed", "passed", "passed"));
}

TEST_F(Breaker, CallersWaitForTheProbeAndFailWithIt) {
  FailTimes(3);
  clock.Advance(seconds(7));
  auto probe = Ask();
  const auto went = Waiters(2, [&] { probe->Failed("down"); });
  EXPECT_THAT(went, ElementsAre(HasSubstr("circuit open"), HasSubstr("last failure: down")));
}

TEST_F(Breaker, AnotherCallerProbesWhenTheProbeIsGivenUp) {
  FailTimes(3);
  clock.Advance(seconds(7));
  std::optional<Result<CircuitBreaker::Permit>> probe = Ask();
  const auto went = Waiters(1, [&] { probe.reset(); });
  EXPECT_THAT(went, ElementsAre("passed"));
}

TEST_F(Breaker, AStopEndsTheWait) {
  FailTimes(3);
  clock.Advance(seconds(7));
  auto probe = Ask();
  const auto went = Waiters(1, [&] { stop.request_stop(); });
  EXPECT_THAT(went, ElementsAre("stopped"));
}

TEST_F(Breaker, IgnoresOutcomesOfCallsFromBeforeItChanged) {
  auto early = Ask();
  FailTimes(3);
  clock.Advance(seconds(7));
  auto probe = Ask();
  early->Failed("long ago");
  EXPECT_TRUE(probe);
  probe->Succeeded();
  FailTimes(2);
  EXPECT_TRUE(Ask());
}

TEST_F(Breaker, PollsOfTheNextSlotAlwaysGetTheirTry) {
  // Slots every 15 s, polls up to 3 s into them: however they lie, the next slot's first poll
  // probes.
  const Duration interval = seconds(15);
  CircuitBreaker polls({.open_time = CircuitBreaker::OpenTimeFor(interval)}, clock);
  const auto ask = [&] { return polls.Acquire(clock.MonotonicNow(), {}); };
  for (int slot = 0; slot < 10; ++slot) {
    const Duration jitter = slot % 2 == 0 ? seconds(3) : milliseconds(1);
    clock.Advance(jitter);
    auto permit = ask();
    ASSERT_TRUE(permit) << "slot " << slot;
    permit->Failed("down");
    clock.Advance(interval - jitter);
  }
}

}  // namespace
}  // namespace stoker::http
