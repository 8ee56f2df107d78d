#include "adapter/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fakes.h"

namespace stoker::adapter {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// One signal that counts replicas, polled every minute from `kFrom` on.
struct SimulationTest : ::testing::Test {
  SimulationTest() {
    policy.name = "etl";
    policy.replicas = {.min = 0, .max = 10};
    policy.signals.push_back({.name = "backlog",
                              .type = "test",
                              .timing = {.interval = minutes(1), .max_age = minutes(2)},
                              .demand = {.target_size = 1}});
    options.from = kFrom;
    options.startup = Duration(0);
  }

  /// One value a minute; a negative one is a fault.
  Simulation Run(const std::vector<double>& values) {
    std::vector<std::vector<Reading>> readings(1);
    WallTime slot = kFrom;
    for (const double value : values) {
      readings[0].push_back(value < 0 ? Reading{.time = slot}
                                      : Reading{slot, Reading::Kind::kValue, value});
      slot += minutes(1);
    }
    options.to = slot;
    return Simulate(policy, readings, options);
  }
  /// "from-to target/running", in minutes or seconds since the beginning.
  static std::vector<std::string> Spans(const Simulation& simulation) {
    std::vector<std::string> texts;
    for (const SimulatedSpan& span : simulation.spans) {
      const auto offset = [](WallTime time) {
        return std::to_string(std::chrono::duration_cast<seconds>(time - kFrom).count());
      };
      texts.push_back(offset(span.begin) + "-" + offset(span.end) + " " +
                      std::to_string(span.target) + "/" + std::to_string(span.running));
    }
    return texts;
  }

  static inline const WallTime kFrom = testing::At("2026-01-05T00:00:00Z");
  policy::Policy policy;
  SimulationOptions options;
};

TEST_F(SimulationTest, ForecastsFromTheHistoryBefore) {
  // Every hour 6 for ten minutes, forecast from ten hours before; the startup is the horizon.
  forecast::Settings& settings = policy.forecast.emplace();
  settings.step = minutes(1);
  settings.window = hours(10);
  settings.seasons = {hours(1)};
  settings.quantile = 0.9;
  settings.lifts = forecast::Lifts::kReplicas;
  options.startup = minutes(3);
  options.to = kFrom + hours(4);
  std::vector<std::vector<Reading>> history(1);
  for (WallTime slot = kFrom - hours(10); slot < options.to; slot += minutes(1)) {
    const bool busy = slot.time_since_epoch() % hours(1) < minutes(10);
    history[0].push_back({slot, Reading::Kind::kValue, busy ? 6.0 : 0.0});
  }
  std::vector<std::vector<Reading>> readings(1);
  for (const Reading& reading : history[0]) {
    if (reading.time >= kFrom) readings[0].push_back(reading);
  }
  const Simulation ahead = Simulate(policy, readings, options, history);
  const Simulation reactive = Simulate(policy, readings, options);
  EXPECT_GT(reactive.figures.waiting_executor_hours, 0.8);
  EXPECT_LT(ahead.figures.waiting_executor_hours, 0.1);
  EXPECT_LT(ahead.figures.executor_hours, 1.6 * reactive.figures.executor_hours);
  EXPECT_THAT(ahead.changes[2].why, HasSubstr("forecast within 3m"));
}

TEST_F(SimulationTest, FollowsTheSignalAndAddsUp) {
  // 2 for 15 minutes, 8 for 30, 0 for 15: 0.5 + 4 executor-hours.
  std::vector<double> values(15, 2);
  values.insert(values.end(), 30, 8);
  values.insert(values.end(), 15, 0);
  const Simulation simulation = Run(values);
  EXPECT_THAT(Spans(simulation), ElementsAre("0-900 2/2", "900-2700 8/8", "2700-3600 0/0"));
  const SimulationFigures& figures = simulation.figures;
  EXPECT_DOUBLE_EQ(figures.hours, 1);
  EXPECT_DOUBLE_EQ(figures.executor_hours, 4.5);
  EXPECT_DOUBLE_EQ(figures.demanded_executor_hours, 4.5);
  EXPECT_EQ(figures.waiting_executor_hours, 0);
  EXPECT_EQ(figures.short_share, 0);
  EXPECT_EQ(figures.increases, 1) << "the first target is no change";
  EXPECT_EQ(figures.decreases, 1);
  EXPECT_EQ(figures.peak_replicas, 8);
  EXPECT_DOUBLE_EQ(figures.at_min_share, 0.25);
  EXPECT_EQ(figures.at_max_share, 0);
  EXPECT_EQ(figures.held, Duration(0));
  EXPECT_EQ(figures.unavailable, Duration(0));
}

TEST_F(SimulationTest, ExecutorsTakeTimeToStartAndCostMeanwhile) {
  options.startup = seconds(90);
  policy.replicas.executors_per_replica = 4;
  const Simulation simulation = Run({2, 6, 6, 6});
  EXPECT_THAT(Spans(simulation), ElementsAre("0-60 2/2", "60-150 6/2", "150-240 6/6"));
  // 2 replicas for 1 minute, 6 for 3; 4 are missing for 1.5 minutes.
  EXPECT_DOUBLE_EQ(simulation.figures.executor_hours, 4 * 20.0 / 60);
  EXPECT_DOUBLE_EQ(simulation.figures.waiting_executor_hours, 4 * 6.0 / 60);
  EXPECT_DOUBLE_EQ(simulation.figures.short_share, 90.0 / 240);
}

TEST_F(SimulationTest, WhatIsStillStartingGoesFirst) {
  options.startup = seconds(150);
  // 3 more are wanted at 60 s and 2 more at 120 s; at 180 s all but one of those go again.
  EXPECT_THAT(Spans(Run({1, 4, 6, 2, 2})),
              ElementsAre("0-60 1/1", "60-120 4/1", "120-180 6/1", "180-210 2/1", "210-300 2/2"));
}

TEST_F(SimulationTest, DemandBeyondMaxWaits) {
  const Simulation simulation = Run(std::vector<double>(60, 15));
  EXPECT_DOUBLE_EQ(simulation.figures.demanded_executor_hours, 15);
  EXPECT_DOUBLE_EQ(simulation.figures.executor_hours, 10);
  EXPECT_DOUBLE_EQ(simulation.figures.waiting_executor_hours, 5);
  EXPECT_EQ(simulation.figures.short_share, 1);
  EXPECT_EQ(simulation.figures.at_max_share, 1);
}

TEST_F(SimulationTest, DemandIsNotRoundedButReplicasAre) {
  policy.signals[0].demand.target_size = 4;
  const Simulation simulation = Run(std::vector<double>(60, 5));
  EXPECT_DOUBLE_EQ(simulation.figures.demanded_executor_hours, 1.25);
  EXPECT_DOUBLE_EQ(simulation.figures.executor_hours, 2);
  EXPECT_EQ(simulation.figures.waiting_executor_hours, 0);
}

TEST_F(SimulationTest, StabilizationCostsAndItsEndIsAMomentOfItsOwn) {
  // The 8 leave the window 90 s after they last held, which is in the middle of a slot.
  policy.scale_down.stabilization = seconds(90);
  const Simulation simulation = Run({8, 1, 1, 1});
  EXPECT_THAT(Spans(simulation), ElementsAre("0-60 8/8", "60-150 8/8", "150-240 1/1"))
      << "the demand changes at 60 s, the target at 150 s";
  EXPECT_DOUBLE_EQ(simulation.figures.executor_hours, (8 * 150 + 90) / 3600.0);
  EXPECT_DOUBLE_EQ(simulation.figures.demanded_executor_hours, (8 * 60 + 180) / 3600.0);
}

TEST_F(SimulationTest, FaultsAreHeldThenUnavailableAndTheLastTargetGoesOn) {
  policy.signals[0].on_fault.hold = minutes(3);
  const Simulation simulation = Run({5, -1, -1, -1, -1, -1, 2});
  const SimulationFigures& figures = simulation.figures;
  // Held from 1:00 to 3:00.001, then nothing until 6:00.
  EXPECT_EQ(figures.held, minutes(2) + Duration(1));
  EXPECT_EQ(figures.unavailable, minutes(3) - Duration(1));
  EXPECT_DOUBLE_EQ(figures.executor_hours, (5 * 6 + 2) / 60.0);
  EXPECT_EQ(figures.increases, 0);
  EXPECT_EQ(figures.decreases, 1);
  ASSERT_EQ(simulation.changes.size(), 3);
  EXPECT_FALSE(simulation.changes[0].before);
  EXPECT_FALSE(simulation.changes[1].available);
  EXPECT_EQ(simulation.changes[1].target, 5);
  EXPECT_THAT(simulation.changes[1].why, HasSubstr("no good reading"));
  EXPECT_EQ(simulation.changes[2].before, 5);
  EXPECT_EQ(simulation.changes[2].target, 2);
}

TEST_F(SimulationTest, WithoutAnyReadingTheMinimumStands) {
  policy.replicas.min = 2;
  const Simulation simulation = Run({-1, -1});
  EXPECT_THAT(Spans(simulation), ElementsAre("0-120 2/2"));
  EXPECT_EQ(simulation.figures.unavailable, minutes(2));
}

TEST_F(SimulationTest, ReadingsBeforeTheBeginningAreLookedBackOn) {
  policy.scale_down.stabilization = minutes(5);
  const std::vector<std::vector<Reading>> readings = {
      {{kFrom - minutes(2), Reading::Kind::kValue, 9}, {kFrom, Reading::Kind::kValue, 1}}};
  options.to = kFrom + minutes(1);
  const Simulation simulation = Simulate(policy, readings, options);
  EXPECT_THAT(Spans(simulation), ElementsAre("0-60 9/9"));
  EXPECT_EQ(simulation.changes.size(), 1);
  EXPECT_GE(SimulationHistory(policy), minutes(5));
}

TEST_F(SimulationTest, DecidesAsDecideDoesAtEveryMoment) {
  policy.scale_down = {.stabilization = minutes(3), .step = {.amount = 30, .period = minutes(1)}};
  policy.on_fault.hold = policy.signals[0].on_fault.hold = minutes(4);
  std::vector<std::vector<Reading>> readings(1);
  for (int minute = 0; minute < 120; ++minute) {
    const int value = minute * 37 % 11;
    Reading reading{.time = kFrom + minutes(minute)};
    if (value != 3) reading = {kFrom + minutes(minute), Reading::Kind::kValue, value * 1.0};
    readings[0].push_back(reading);
  }
  options.to = kFrom + minutes(120);
  const Simulation simulation = Simulate(policy, readings, options);
  const auto whole = std::make_shared<const std::vector<Reading>>(readings[0]);
  const std::vector<policy::SignalInput> inputs{{.window = whole}};
  for (const SimulatedSpan& span : simulation.spans) {
    for (const WallTime time : {span.begin, span.end - Duration(1)}) {
      // Decide looks at no reading after `time`.
      const policy::Decision decision = policy::Decide(policy, inputs, time);
      ASSERT_EQ(span.available, !decision.error);
      if (span.available) {
        EXPECT_EQ(span.target, decision.target_replicas);
      }
    }
  }
  EXPECT_GT(simulation.changes.size(), 20U);
}

}  // namespace
}  // namespace stoker::adapter
