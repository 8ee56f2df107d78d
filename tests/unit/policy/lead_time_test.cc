#include "policy/lead_time.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "tests/unit/policy/builders.h"

namespace stoker::policy {
namespace {

using namespace std::chrono_literals;

/// A policy of one signal, `wanted`, in executors.
Policy Measured() {
  Policy policy = PolicyOf({Signal("wanted")});
  policy.replicas.max = 1000;
  policy.capacity.emplace().running = Signal("running");
  return policy;
}

/// One rise every ten minutes, met after `lead`, then let go.
struct Day {
  explicit Day(const std::vector<Duration>& leads) {
    Duration at = 0s;
    Add(at, 0, 0);
    for (const Duration lead : leads) {
      at += 5min;
      Add(at, 10, 0);
      Add(at + lead, 10, 10);
      at += 5min;
      Add(at, 0, 0);
    }
    now = After(at);
  }
  void Add(Duration at, double wanted_value, double running_value) {
    wanted.push_back(Value(at, wanted_value));
    running.push_back(Value(at, running_value));
  }
  [[nodiscard]] LeadTime Find(const Policy& policy = Measured()) const {
    return FindLeadTime(policy, std::vector{Input(wanted)}, Input(running), now);
  }
  std::vector<Reading> wanted;
  std::vector<Reading> running;
  WallTime now;
};

/// Readings every so often would be fresh; these are far apart.
Policy Patient(Policy policy) {
  for (PolicySignal& signal : policy.signals) signal.timing.max_age = 1h;
  policy.capacity->running->timing.max_age = 1h;
  return policy;
}

TEST(LeadTime, IsTheTimeUntilWhatIsWantedRuns) {
  const LeadTime lead = Day({60s, 90s, 45s, 60s, 60s}).Find(Patient(Measured()));
  EXPECT_TRUE(lead.measured());
  EXPECT_EQ(lead.samples, 5);
  EXPECT_EQ(lead.value, 90s);
  EXPECT_EQ(lead.median, 60s);
}

TEST(LeadTime, IsThe90thPercentileByNearestRank) {
  std::vector<Duration> leads;
  for (int i = 1; i <= 20; ++i) leads.push_back(10s * i);
  const LeadTime lead = Day(leads).Find(Patient(Measured()));
  EXPECT_EQ(lead.value, 180s);
  EXPECT_EQ(lead.median, 100s);
}

TEST(LeadTime, IsAssumedWhileThereAreFewSamples) {
  const LeadTime lead = Day({60s, 60s, 60s, 60s}).Find(Patient(Measured()));
  EXPECT_EQ(lead.source, LeadTime::Source::kAssumed);
  EXPECT_EQ(lead.samples, 4);
  EXPECT_EQ(lead.value, 4min);
}

TEST(LeadTime, IsWhatIsConfigured) {
  Policy policy = Patient(Measured());
  policy.capacity->lead_time = LeadTimeChoice{7min};
  EXPECT_FALSE(MeasuresLeadTime(policy));
  EXPECT_EQ(LeadTimeLookback(policy), 0s);
  const LeadTime lead = Day({60s, 60s, 60s, 60s, 60s}).Find(policy);
  EXPECT_EQ(lead.source, LeadTime::Source::kSet);
  EXPECT_EQ(lead.value, 7min);
}

TEST(LeadTime, NeedsToKnowWhatRuns) {
  Policy policy = Measured();
  policy.capacity->running.reset();
  EXPECT_FALSE(MeasuresLeadTime(policy));
  EXPECT_EQ(Day({60s}).Find(policy).source, LeadTime::Source::kAssumed);
}

TEST(LeadTime, LooksBackSixHours) {
  EXPECT_GE(LeadTimeLookback(Measured()), 6h + 30min);
  Day day(std::vector<Duration>(5, 60s));
  day.now += 5h;
  EXPECT_EQ(day.Find(Patient(Measured())).samples, 5);
  day.now += 2h;
  EXPECT_EQ(day.Find(Patient(Measured())).samples, 0);
}

TEST(LeadTime, LeavesOutWhatTellsNothing) {
  const Policy policy = Patient(Measured());
  const auto samples = [&](const std::vector<Reading>& wanted,
                           const std::vector<Reading>& running) {
    return FindLeadTime(policy, std::vector{Input(wanted)}, Input(running), After(30min)).samples;
  };
  const std::vector<Reading> rise{Value(0s, 2), Value(1min, 8)};
  EXPECT_EQ(samples(rise, {Value(0s, 2), Value(3min, 8)}), 1);
  // What ran already.
  EXPECT_EQ(samples(rise, {Value(0s, 8), Value(3min, 9)}), 0);
  // What was wanted first has no beginning.
  EXPECT_EQ(samples({Value(0s, 8)}, {Value(0s, 2), Value(3min, 8)}), 0);
  // Taken back before it was met.
  EXPECT_EQ(samples({Value(0s, 2), Value(1min, 8), Value(2min, 7)}, {Value(0s, 2), Value(3min, 8)}),
            0);
  // Not met yet.
  EXPECT_EQ(samples(rise, {Value(0s, 2), Value(3min, 7)}), 0);
  // A fault on the way: it may have been met in the meantime.
  EXPECT_EQ(samples(rise, {Value(0s, 2), Fault(2min), Value(3min, 8)}), 0);
  EXPECT_EQ(samples({Value(0s, 2), Fault(30s), Value(1min, 8)}, {Value(0s, 2), Value(3min, 8)}), 1)
      << "a held demand is one";
}

TEST(LeadTime, TakesEachRiseByItself) {
  const Policy policy = Patient(Measured());
  const LeadTime lead =
      FindLeadTime(policy,
                   std::vector{Input({Value(0s, 0), Value(1min, 4), Value(2min, 9)})},
                   Input({Value(0s, 0), Value(4min, 5), Value(7min, 9)}),
                   After(10min));
  EXPECT_EQ(lead.samples, 2);
  EXPECT_EQ(lead.median, 3min);
}

TEST(LeadTime, CountsExecutorsAndKeepsWithinTheBounds) {
  Policy policy = Patient(Measured());
  policy.replicas.executors_per_replica = 4;
  policy.replicas.max = 2;  // 8 executors
  const auto samples = [&](double running) {
    return FindLeadTime(policy,
                        std::vector{Input({Value(0s, 1), Value(1min, 9)})},
                        Input({Value(0s, 4), Value(3min, running)}),
                        After(10min))
        .samples;
  };
  EXPECT_EQ(samples(7), 0);
  EXPECT_EQ(samples(8), 1);
}

// Room was made for it before, so it would make the lead time look short.
TEST(LeadTime, LeavesOutWhatAScheduleBrought) {
  const Policy policy = Patient(Measured());
  SignalInput schedule = Input({Value(0s, 0), Value(1min, 9)});
  schedule.upcoming = std::make_shared<const std::vector<ScheduledChange>>();
  EXPECT_EQ(FindLeadTime(
                policy, std::vector{schedule}, Input({Value(0s, 0), Value(2min, 9)}), After(10min))
                .samples,
            0);
}

// Executors are ordered at the first rise, and stabilization cancels no order for a short dip.
TEST(LeadTime, IsNotShortenedByNoise) {
  constexpr Duration kLead = 4min;
  Policy policy = Patient(Measured());
  policy.scale_down.stabilization = 5min;
  std::mt19937 random(1);
  std::normal_distribution<double> noise(0, 4);
  std::vector<Reading> wanted;
  std::vector<Reading> running;
  const auto most = [](const std::vector<Reading>& of, Duration from) {
    double value = 0;
    for (const Reading& reading : of) {
      if (reading.time >= After(from)) value = std::max(value, reading.value);
    }
    return value;
  };
  std::vector<double> ordered;
  for (Duration at = 0s; at < 6h; at += 15s) {
    const double wave = 20 + 10 * std::sin(static_cast<double>(at / 15s) / 100);
    wanted.push_back(Value(at, std::round(std::max(0.0, wave + noise(random)))));
    ordered.push_back(most(wanted, at - policy.scale_down.stabilization));
    // What has been on order for as long as it takes.
    const auto late = std::min<std::ptrdiff_t>(kLead / 15s, std::ssize(ordered) - 1);
    running.push_back(Value(at, *std::min_element(ordered.end() - late - 1, ordered.end())));
  }
  const LeadTime lead = FindLeadTime(policy, std::vector{Input(wanted)}, Input(running), After(6h));
  ASSERT_TRUE(lead.measured()) << lead.samples;
  EXPECT_GE(lead.value, kLead - 15s);
  EXPECT_LE(lead.value, kLead + 15s);
}

// Replicas keep windows that differ in how far they reach back.
TEST(LeadTime, NeedsNoMoreThanItsLookback) {
  std::mt19937 random(1);
  const auto pick = [&](int most) { return std::uniform_int_distribution<int>(0, most)(random); };
  int measured = 0;
  for (int run = 0; run < 50; ++run) {
    Policy policy = Measured();
    policy.signals[0].timing.interval = 1min;
    policy.capacity->running->timing.interval = 1min;
    std::vector<Reading> wanted;
    std::vector<Reading> running;
    int level = 0;
    int there = 0;
    for (Duration at = 0s; at < 10h; at += 1min) {
      if (pick(9) == 0) level = pick(20);
      there += pick(3) * ((level > there) - (level < there));
      wanted.push_back(pick(19) == 0 ? Fault(at) : Value(at, level));
      running.push_back(pick(19) == 0 ? Fault(at) : Value(at, there));
    }
    const WallTime now = After(10h);
    const auto since = [&](const std::vector<Reading>& all) {
      std::vector<Reading> kept;
      for (const Reading& reading : all) {
        if (reading.time >= now - LeadTimeLookback(policy)) kept.push_back(reading);
      }
      return Input(std::move(kept));
    };
    const LeadTime full = FindLeadTime(policy, std::vector{Input(wanted)}, Input(running), now);
    const LeadTime less = FindLeadTime(policy, std::vector{since(wanted)}, since(running), now);
    ASSERT_EQ(full.value, less.value) << run;
    ASSERT_EQ(full.samples, less.samples) << run;
    if (full.measured()) {
      ++measured;
      ASSERT_GT(full.value, 0s);
      ASSERT_LE(full.value, 6h);
      ASSERT_LE(*full.median, full.value);
    }
  }
  EXPECT_GT(measured, 30);
}

}  // namespace
}  // namespace stoker::policy
