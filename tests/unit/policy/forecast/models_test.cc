#include "policy/forecast/models.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/forecast/series.h"
#include "tests/unit/policy/forecast/builders.h"

namespace stoker::forecast {
namespace {

using ::testing::ElementsAre;
using ::testing::NanSensitiveDoubleEq;

const auto kUnknownValue = NanSensitiveDoubleEq(kUnknown);

TEST(Naive, RepeatsTheNewestKnownValue) {
  EXPECT_THAT(Naive(std::vector<double>{1, kUnknown, 3}, 2),
              ElementsAre(kUnknownValue, kUnknownValue, 1, 1, 3));
}

TEST(SeasonalNaive, RepeatsTheSeasonBefore) {
  EXPECT_THAT(SeasonalNaive(std::vector<double>{1, 2, 3, 4, 5, 6}, 1, 3),
              ElementsAre(kUnknownValue, kUnknownValue, kUnknownValue, 1, 2, 3, 4));
}

TEST(SeasonalNaive, GoesBackSeasonsUntilOneIsKnown) {
  EXPECT_THAT(SeasonalNaive(std::vector<double>{1, 2, kUnknown, 4}, 2, 2),
              ElementsAre(kUnknownValue, kUnknownValue, 1, 2, 1, 4));
}

TEST(SeasonalNaive, SeesNothingOfTheHorizon) {
  // Two seasons of two back, as the one before is not known three slots ahead.
  EXPECT_THAT(SeasonalNaive(std::vector<double>{1, 2, 3, 4}, 3, 2),
              ElementsAre(kUnknownValue, kUnknownValue, kUnknownValue, kUnknownValue, 1, 2, 3));
}

TEST(HoltWinters, SmoothsTheLevelExponentially) {
  // By hand: 10, then 10 + 0.5 (20 - 10), then 15 + 0.5 (30 - 15).
  const auto predicted =
      HoltWinters(std::vector<double>{10, 20, 30}, 1, 0, {.level = 0.5, .trend = 0});
  EXPECT_THAT(predicted, ElementsAre(kUnknownValue, kUnknownValue, 15, 22.5));
}

TEST(HoltWinters, DampsTheTrend) {
  // Level 10 + 0.5 x 10, trend 0.5 x 0.4 x 10, two slots ahead 0.5 + 0.25 of it.
  const auto predicted =
      HoltWinters(std::vector<double>{10, 20}, 2, 0, {.level = 0.5, .trend = 0.4, .damping = 0.5});
  EXPECT_DOUBLE_EQ(predicted[3], 15 + 0.75 * 2);
}

TEST(HoltWinters, LearnsASeason) {
  std::vector<double> values;
  for (int i = 0; i < 40; ++i) values.push_back(i % 4 == 0 ? 8 : 0);
  const auto predicted = HoltWinters(values, 3, 4, {.level = 0.1, .season = 0.2});
  for (std::size_t t = 12; t < predicted.size(); ++t) {
    EXPECT_NEAR(predicted[t], t % 4 == 0 ? 8 : 0, 1e-9) << t;
  }
}

TEST(HoltWinters, CarriesItsErrorForward) {
  const std::vector<double> values{0, 0, 0, 0, 10};
  const Smoothing smoothing{.level = 0, .season = 0, .error = 0.5};
  EXPECT_DOUBLE_EQ(HoltWinters(values, 1, 2, smoothing)[5], 5);
  EXPECT_DOUBLE_EQ(HoltWinters(values, 2, 2, smoothing)[6], 2.5);
}

TEST(HoltWinters, PassesOverWhatIsUnknown) {
  std::vector<double> values = OfficeHours(6 * kDay, 0);
  const auto whole = HoltWinters(values, 6, kDay, {});
  for (std::size_t t = 4 * kDay; t < 4 * kDay + 100; ++t) values[t] = kUnknown;
  const auto holed = HoltWinters(values, 6, kDay, {});
  for (std::size_t t = kDay + 6; t < holed.size(); ++t) {
    EXPECT_NEAR(holed[t], whole[t], 25) << t;
  }
}

/// What every model must keep to: the prediction for t knows nothing later than t - steps.
TEST(Models, NeverLookAhead) {
  std::vector<double> values = OfficeHours(4 * kDay, 20);
  const std::size_t steps = 12;
  const auto all = [&] {
    return std::vector<std::vector<double>>{
        Naive(values, steps),
        SeasonalNaive(values, steps, kDay),
        HoltWinters(values, steps, 0, {.level = 0.4, .trend = 0.1}),
        HoltWinters(values, steps, kDay, {.error = 0.9})};
  };
  const auto before = all();
  const std::size_t changed = 3 * kDay;
  for (std::size_t t = changed; t < values.size(); ++t) values[t] = -1e6;
  const auto after = all();
  for (std::size_t model = 0; model < before.size(); ++model) {
    for (std::size_t t = 0; t < changed + steps; ++t) {
      EXPECT_THAT(after[model][t], NanSensitiveDoubleEq(before[model][t])) << model << " " << t;
    }
    EXPECT_NE(after[model].back(), before[model].back());
  }
}

TEST(Models, OfNothingPredictNothing) {
  for (const auto& predicted : {Naive({}, 2),
                                SeasonalNaive({}, 2, 3),
                                HoltWinters({}, 2, 0, {}),
                                HoltWinters({}, 2, 3, {})}) {
    EXPECT_THAT(predicted, ElementsAre(kUnknownValue, kUnknownValue));
  }
}

}  // namespace
}  // namespace stoker::forecast
