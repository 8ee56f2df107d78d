#include "policy/forecast/forecast.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/forecast/series.h"
#include "tests/unit/policy/forecast/builders.h"

namespace stoker::forecast {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Forecast Of(const std::vector<double>& values, Duration horizon = 15min, Duration serves = 30min) {
  return MakeForecast(Readings(values), OnEmpty::kHold, serves, Settings{}, horizon);
}

WallTime TimeOf(std::size_t slot) { return kStart + kStep * static_cast<Duration::rep>(slot); }

TEST(Forecast, IsUsedWhereItBeatsNaive) {
  const std::size_t now = 14 * kDay + 100;
  const auto values = OfficeHours(now + 20, 10);
  const Forecast forecast = Of({values.begin(), values.begin() + now});
  EXPECT_TRUE(forecast.used) << forecast.reason;
  EXPECT_GT(forecast.skill, 0.3);
  EXPECT_LT(forecast.loss, forecast.naive_loss);
  ASSERT_TRUE(forecast.seasonal_loss);
  EXPECT_THAT(Summarize(forecast), StartsWith("used: "));
  EXPECT_THAT(Summarize(forecast), HasSubstr("Holt-Winters 24h"));
  const auto ahead = forecast.At(TimeOf(now + 2));
  ASSERT_TRUE(ahead);
  EXPECT_LE(ahead->low, ahead->value);
  EXPECT_LE(ahead->value, ahead->high);
  EXPECT_NEAR(ahead->value, values[now + 2], 15);
}

TEST(Forecast, LiftsAheadOfTheRise) {
  // The 15th day's rise begins at slot 72; at slot 78 it is at its steepest.
  const std::size_t now = 14 * kDay + 78;
  const auto values = OfficeHours(now + 20, 5);
  const Forecast forecast = Of({values.begin(), values.begin() + now + 1}, 30min);
  ASSERT_TRUE(forecast.used) << forecast.reason;
  const auto lift = forecast.Lift(TimeOf(now));
  ASSERT_TRUE(lift);
  EXPECT_GT(*lift, values[now] + 5);
  EXPECT_NEAR(*lift, values[now + 6], 10);
}

TEST(Forecast, LiftHoldsUntilThePeakHasCome) {
  const Forecast forecast = Of(OfficeHours(14 * kDay + 90, 5), 30min);
  const WallTime now = forecast.newest;
  double most = 0;
  for (Duration ahead = 0s; ahead <= 30min; ahead += kStep) {
    most = std::max(most, forecast.At(now + ahead)->value);
  }
  EXPECT_EQ(forecast.Lift(now), most);
}

TEST(Forecast, ReachesItsHorizonForAStepAfterTheNewestValue) {
  for (const Duration horizon : {Duration(0), Duration(4min), Duration(5min), Duration(17min)}) {
    const Forecast forecast = Of(OfficeHours(14 * kDay, 10), horizon);
    for (Duration since = 0s; since <= kStep; since += 1min) {
      EXPECT_TRUE(forecast.At(forecast.newest + since + horizon)) << horizon.count();
      EXPECT_TRUE(forecast.Lift(forecast.newest + since)) << horizon.count();
    }
    // A history that nobody adds to runs out.
    EXPECT_FALSE(forecast.At(forecast.newest + 2 * kStep + horizon)) << horizon.count();
    EXPECT_FALSE(forecast.Lift(forecast.newest + 2 * kStep + horizon)) << horizon.count();
  }
}

TEST(Forecast, LiftOnlyChangesWhereItSays) {
  const Forecast forecast = Of(OfficeHours(14 * kDay + 80, 10), 12min);
  const WallTime end = forecast.newest + 5min;
  WallTime time = forecast.newest - 2h;
  while (time < end) {
    const auto lift = forecast.Lift(time);
    const WallTime next = forecast.NextChange(time, forecast.horizon);
    ASSERT_GT(next, time);
    EXPECT_EQ(forecast.Lift(std::min(next - 1ms, end)), lift);
    EXPECT_EQ(forecast.Lift(time + (next - 1ms - time) / 2), lift);
    time = next;
  }
}

TEST(Forecast, PredictionsOfThePastStayWhatTheyWere) {
  const auto values = OfficeHours(14 * kDay + 40, 10);
  const Forecast earlier = Of({values.begin(), values.begin() + 14 * kDay});
  const Forecast later = Of({values.begin(), values.begin() + 14 * kDay + 12});
  // The window has moved on by an hour, so not to the last digit.
  for (std::size_t slot = 13 * kDay; slot < 14 * kDay; ++slot) {
    EXPECT_NEAR(earlier.At(TimeOf(slot))->value, later.At(TimeOf(slot))->value, 2) << slot;
  }
}

TEST(Forecast, IsNotUsedOnARandomWalk) {
  const Forecast forecast = Of(RandomWalk(14 * kDay));
  EXPECT_FALSE(forecast.used);
  EXPECT_THAT(Summarize(forecast), HasSubstr("loss than naive, 5% less are needed"));
  EXPECT_FALSE(forecast.Lift(forecast.newest));
  EXPECT_TRUE(forecast.At(forecast.newest + 10min)) << "shown, though not used";
}

// Ten hours a day, each day the same: nothing is left to chance.
TEST(Forecast, IsUsedOnWhatIsTheSameEveryDay) {
  for (const double level : {3.0, 7.0, 18.0}) {
    std::vector<double> values(14 * kDay);
    for (std::size_t t = 0; t < values.size(); ++t) {
      values[t] = t % kDay < kDay * 10 / 24 ? level : 0;
    }
    EXPECT_TRUE(Of(values).used) << level << ": " << Of(values).reason;
  }
}

// Else a target would fall at once, past its stabilization, when the newest back-test is a little
// too bad.
TEST(Forecast, WhatWasUsedStaysUsedUntilItHasCome) {
  auto values = OfficeHours(14 * kDay, 10);
  const std::size_t calm = values.size();
  // From here on nothing is as it was.
  Noise noise(7);
  Forecast before = Of(values);
  ASSERT_TRUE(before.used);
  for (int step = 0; step < 7 * static_cast<int>(kDay); ++step) {
    values.push_back(200 * noise.Next());
    const Forecast now = Of({values.end() - 14 * kDay, values.end()});
    if (!now.used) {
      // The window moved on, and so did its clock.
      const WallTime newest = now.newest;
      EXPECT_TRUE(now.Lift(newest)) << "what was told a step before";
      EXPECT_TRUE(now.Lift(newest - 10min)) << "stabilization looks back";
      EXPECT_FALSE(now.predictions.back()->used);
      EXPECT_GT(values.size(), calm);
      return;
    }
    before = now;
  }
  FAIL() << "it is used on noise";
}

TEST(Forecast, IsNotUsedWhereMostOfItsPastIsMissing) {
  auto values = OfficeHours(14 * kDay, 10);
  for (std::size_t t = 7 * kDay; t < 11 * kDay; ++t) values[t] = kUnknown;
  EXPECT_THAT(Of(values).reason, HasSubstr("of 7 parts of it"));
}

TEST(Forecast, SaysWhatIsMissing) {
  EXPECT_EQ(Of({}).reason, "no history yet");
  EXPECT_EQ(Of({kUnknown, kUnknown}).reason, "no history yet");
  EXPECT_THAT(Of(OfficeHours(100, 10)).reason, StartsWith("too little history: tested on "));
  EXPECT_EQ(Of(std::vector<double>(3 * kDay, 5.0)).reason,
            "nothing to gain: the signal stays what it is");
}

TEST(Forecast, OutlivesAShortSilenceOnly) {
  auto values = OfficeHours(14 * kDay, 10);
  values.resize(values.size() + 12, kUnknown);
  EXPECT_TRUE(Of(values).used) << Of(values).reason;
  values.push_back(kUnknown);
  EXPECT_EQ(Of(values).reason, "its history has no value for the last 1h5m");
}

TEST(Forecast, LiftsAsLongAsTheReadingIsHeld) {
  auto values = OfficeHours(14 * kDay, 10);
  values.resize(values.size() + 4 * 12, kUnknown);
  const Forecast forecast = Of(values, 15min, 4h);
  EXPECT_TRUE(forecast.used) << forecast.reason;
  EXPECT_TRUE(forecast.Lift(TimeOf(values.size())));
  EXPECT_FALSE(Of(values).Lift(TimeOf(values.size())));
}

TEST(Forecast, AGainThatIsOneLuckyStrokeIsNotUsed) {
  // A walk, but for one day on which a great wave comes as it did the day before.
  auto values = RandomWalk(14 * kDay);
  for (std::size_t t = 12 * kDay; t < 14 * kDay; ++t) {
    values[t] += 300 * std::sin(6.2831853 * static_cast<double>(t % kDay) / kDay);
  }
  const Forecast forecast = Of(values);
  EXPECT_FALSE(forecast.used);
  EXPECT_GT(forecast.skill, Forecast::kMargin);
  EXPECT_THAT(forecast.reason, HasSubstr("may be chance"));
}

/// Whatever the readings: finite, ordered, never below 0 when the signal never was, and the same
/// twice.
TEST(ForecastProperty, HoldsForAnyHistory) {
  Noise random(42);
  for (int round = 0; round < 60; ++round) {
    std::vector<double> values;
    const auto slots = static_cast<std::size_t>(random.Next() * 1500);
    const double scale = std::pow(10, random.Next() * 12 - 3);
    const double faults = random.Next() * 0.5;
    double walk = 0;
    for (std::size_t t = 0; t < slots; ++t) {
      walk = std::max(0.0, walk + (random.Next() - 0.5) * scale);
      const double spike = random.Next() < 0.01 ? 100 * scale : 0;
      values.push_back(random.Next() < faults ? kUnknown : walk + spike);
    }
    const Settings settings{.window = 4 * 24h, .seasons = {1h, 24h}, .quantile = 0.5};
    const Duration horizon = std::chrono::minutes(static_cast<int>(random.Next() * 120));
    const auto make = [&] {
      return MakeForecast(Readings(values), OnEmpty::kZero, 30min, settings, horizon);
    };
    const Forecast forecast = make();
    const Forecast again = make();
    EXPECT_EQ(forecast.used, forecast.reason.empty());
    EXPECT_TRUE(std::isfinite(forecast.skill));
    ASSERT_EQ(forecast.predictions.size(), again.predictions.size());
    for (std::size_t i = 0; i < forecast.predictions.size(); ++i) {
      if (!forecast.predictions[i]) continue;
      const Prediction& prediction = *forecast.predictions[i];
      EXPECT_EQ(prediction.value, again.predictions[i]->value);
      ASSERT_TRUE(std::isfinite(prediction.value));
      EXPECT_GE(prediction.low, 0);
      EXPECT_LE(prediction.low, prediction.value);
      EXPECT_LE(prediction.value, prediction.high);
    }
  }
}

TEST(ForecastProperty, NumbersBeyondReasonGiveNoNumbersBeyondReason) {
  std::vector<double> values = OfficeHours(2 * kDay, 10);
  for (std::size_t t = 0; t < values.size(); t += 7) values[t] = t % 2 == 0 ? 1.7e308 : -1.7e308;
  const Forecast forecast = Of(values);
  EXPECT_TRUE(std::isfinite(forecast.skill));
  for (const auto& prediction : forecast.predictions) {
    EXPECT_TRUE(!prediction || std::isfinite(prediction->value));
  }
}

}  // namespace
}  // namespace stoker::forecast
