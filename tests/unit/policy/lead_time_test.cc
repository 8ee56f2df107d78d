#include "policy/lead_time.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
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
                        After(4min))
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

// What a dip of the signal does not take back was ordered at the first rise.
TEST(LeadTime, IsNotBegunAnewByADipThatScaleDownBridges) {
  const auto expect = [](const ScaleDown& scale_down, double dip) {
    Policy policy = Patient(Measured());
    policy.scale_down = scale_down;
    const LeadTime lead = FindLeadTime(
        policy,
        std::vector{Input({Value(0s, 10), Value(60s, 12), Value(260s, dip), Value(275s, 12)})},
        Input({Value(0s, 10), Value(300s, 12)}),
        After(10min));
    EXPECT_EQ(lead.samples, 1);
    EXPECT_EQ(lead.median, 240s);
  };
  expect({.stabilization = 5min, .step = {}}, 11);
  expect({.stabilization = 0s, .step = {.percent = true, .amount = 5, .period = 5min}}, 2);
}

// Nodes that are waited for no more come nevertheless, and meet the next rise.
TEST(LeadTime, LeavesOutARiseAfterOneThatWasTakenBack) {
  const Policy policy = Patient(Measured());
  const auto samples = [&](Duration again, double to) {
    return FindLeadTime(
               policy,
               std::vector{Input(
                   {Value(0s, 10), Value(60s, 12), Value(260s, 11), Value(260s + again, to)})},
               Input({Value(0s, 10), Value(285s + again, to)}),
               After(30min))
        .samples;
  };
  EXPECT_EQ(samples(15s, 12), 0);
  EXPECT_EQ(samples(10min, 12), 0);
  EXPECT_EQ(samples(10min + 1ms, 12), 1);
  EXPECT_EQ(samples(15s, 13), 1);
}

/// Seven hours of a slow wave and noise, polled every 15 s. A node comes `lead` after its executor
/// was ordered, and stays for ten minutes after the executor was let go of.
struct Noise {
  Duration lead = 4min;
  double sigma = 2;
  double correlation = 0;     ///< of the noise, from poll to poll
  Duration kept_by_hpa{0};    ///< executors stay that much longer than the policy says
  Duration stabilization{0};  ///< what the policy says

  [[nodiscard]] LeadTime Find() const {
    constexpr Duration kPoll = 15s;
    Policy policy = Measured();
    policy.scale_down.stabilization = stabilization;
    std::mt19937 random(7);
    std::normal_distribution<double> step(0, sigma * std::sqrt(1 - correlation * correlation));
    double noise = 0;
    std::vector<Reading> wanted;
    std::vector<Reading> running;
    std::vector<int> ordered;
    // The most that was ordered from `from` ago until `to` ago.
    const auto most = [&](Duration from, Duration to) {
      const auto ago = [&](Duration span) {
        return ordered.cend() - std::min<std::ptrdiff_t>(span / kPoll + 1, std::ssize(ordered));
      };
      return *std::max_element(ago(from), ago(to) + 1);
    };
    std::vector<int> target;
    for (Duration at = 0s; at <= 7h; at += kPoll) {
      noise = correlation * noise + step(random);
      const double wave = 20 + 6 * std::sin(static_cast<double>(at / 1s) / 2000);
      wanted.push_back(Value(at, std::max(0.0, std::round(wave + noise))));
      target.push_back(
          Decide(policy, std::vector{Input(wanted)}, wanted.back().time).target_executors);
      const auto kept = std::min<std::ptrdiff_t>(kept_by_hpa / kPoll + 1, std::ssize(target));
      ordered.push_back(*std::max_element(target.cend() - kept, target.cend()));
      running.push_back(Value(at, std::min(ordered.back(), most(lead + 10min, lead))));
    }
    return FindLeadTime(policy, std::vector{Input(wanted)}, Input(running), After(7h));
  }
};

TEST(LeadTime, IsNoShorterForNoise) {
  for (const Duration stabilization : {5min, 10min}) {
    for (const double correlation : {0.0, 0.8}) {
      for (const double sigma : {1.0, 2.0, 4.0}) {
        SCOPED_TRACE(sigma);
        const LeadTime lead =
            Noise{.sigma = sigma, .correlation = correlation, .stabilization = stabilization}
                .Find();
        EXPECT_TRUE(lead.measured());
        EXPECT_GE(lead.value, 200s);
        EXPECT_LE(lead.value, 280s);
      }
    }
  }
}

TEST(LeadTime, IsNoShorterForRisesThatWereTakenBack) {
  int measured = 0;
  for (const Duration stabilization : {0min, 5min}) {
    for (const double sigma : {1.0, 2.0, 4.0}) {
      SCOPED_TRACE(sigma);
      for (const double correlation : {0.0, 0.8}) {
        const Noise slow{.lead = 15min,
                         .sigma = sigma,
                         .correlation = correlation,
                         .kept_by_hpa = 5min,
                         .stabilization = stabilization};
        const LeadTime lead = slow.Find();
        if (lead.measured()) {
          ++measured;
          EXPECT_GE(lead.value, 12min);
          EXPECT_LE(lead.value, 18min);
        }
      }
    }
  }
  EXPECT_GT(measured, 0);
}

TEST(LeadTime, CountsWhatHasWaitedForLonger) {
  const Policy policy = Patient(Measured());
  // So many rises, a second apart, the oldest of which has waited for `age`.
  const auto find = [&](int waiting, Duration age, const std::vector<Duration>& leads) {
    Day day(leads);
    const Duration end = day.now - kStart;
    for (int i = 0; i < waiting; ++i) day.wanted.push_back(Value(end + (1 + i) * 1s, 1 + i));
    for (Duration at = 10min; at < age; at += 10min) day.Add(end + at, waiting, 0);
    day.Add(end + 1s + age, waiting, 0);
    day.now = After(end + 1s + age);
    return day.Find(policy);
  };
  const std::vector<Duration> morning(6, 40s);
  const LeadTime quick = find(3, 40s, morning);
  EXPECT_EQ(quick.samples, 6);
  EXPECT_EQ(quick.value, 40s);
  const LeadTime slow = find(3, 30min, morning);
  EXPECT_EQ(slow.samples, 9);
  EXPECT_EQ(slow.value, 30min);
  EXPECT_EQ(slow.median, 40s);
  EXPECT_EQ(find(3, 90min, morning).value, 1h) << "they may never be met";
  // What is assumed is not made less by it.
  EXPECT_EQ(find(5, 3min, {}).source, LeadTime::Source::kAssumed);
  EXPECT_EQ(find(5, 10min, {}).value, 10min);
}

// Nothing shrinks because a count of pods failed.
TEST(LeadTime, ForgetsNoWaitInAFault) {
  const Policy policy = Patient(Measured());
  Day day(std::vector<Duration>(6, 40s));
  const Duration end = day.now - kStart + 1s;
  day.wanted.push_back(Value(end, 3));
  for (Duration at = 10min; at <= 30min; at += 10min) day.Add(end + at, 3, 0);
  day.now = After(end + 30min);
  EXPECT_EQ(day.Find(policy).value, 30min);
  day.running.push_back(Fault(end + 31min));
  day.now = After(end + 32min);
  EXPECT_EQ(day.Find(policy).value, 31min) << "so long it was seen to wait";
  day.running.push_back(Value(end + 33min, 0));
  day.now = After(end + 34min);
  EXPECT_EQ(day.Find(policy).value, 34min) << "it still does";
  day.running.push_back(Fault(end + 35min));
  day.running.push_back(Value(end + 40min, 3));
  day.now = After(end + 45min);
  EXPECT_EQ(day.Find(policy).value, 35min) << "it was met some time after that";
}

// Nodes of one that was taken back may have met it early, so it tells the least that it takes.
TEST(LeadTime, KeepsTheWaitOfARiseAfterOneThatWasTakenBack) {
  Day day(std::vector<Duration>(6, 40s));
  const Duration end = day.now - kStart + 1s;
  day.Add(end, 12, 0);
  day.Add(end + 4min, 11, 0);
  day.Add(end + 5min, 12, 0);
  day.Add(end + 50min, 12, 12);
  day.now = After(end + 49min);
  EXPECT_EQ(day.Find(Patient(Measured())).value, 44min);
  day.now = After(end + 55min);
  EXPECT_EQ(day.Find(Patient(Measured())).value, 45min);
}

// Counted as an hour, what has waited for longer must not make longer ones less.
TEST(LeadTime, IsNotMadeLessByWhatStillWaits) {
  Policy policy = Patient(Measured());
  policy.signals[0].timing.max_age = policy.capacity->running->timing.max_age = 5h;
  std::vector<Reading> wanted{Value(0s, 0)};
  for (int i = 1; i <= 6; ++i) wanted.push_back(Value(i * 1s, i));
  const LeadTime lead = FindLeadTime(policy,
                                     std::vector{Input(std::move(wanted))},
                                     Input({Value(0s, 0), Value(90min, 5)}),
                                     After(100min));
  EXPECT_EQ(lead.samples, 5);
  EXPECT_EQ(lead.value, 90min - 1s);
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
    policy.scale_down.stabilization = 4min * pick(2);
    if (pick(1) == 0) policy.scale_down.step = {.percent = true, .amount = 50, .period = 3min};
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
