#include "policy/forecast/backtest.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/forecast/series.h"
#include "tests/unit/policy/forecast/builders.h"

namespace stoker::forecast {
namespace {

using ::testing::NanSensitiveDoubleEq;

constexpr std::size_t kSeasons[] = {kDay, 7 * kDay};
constexpr double kQuantile = 0.8;

TEST(PinballLoss, WeighsTooLowAgainstTooHigh) {
  EXPECT_DOUBLE_EQ(PinballLoss(10, 8, 0.8), 1.6);
  EXPECT_DOUBLE_EQ(PinballLoss(8, 10, 0.8), 0.4);
  EXPECT_DOUBLE_EQ(PinballLoss(8, 8, 0.8), 0);
}

TEST(Backtest, BeatsNaiveAndSeasonalNaiveWhereThereIsASeason) {
  const auto values = OfficeHours(14 * kDay, 10);
  const Backtest test = RunBacktest(values, 6, kSeasons, kQuantile);
  ASSERT_TRUE(test.seasonal);
  EXPECT_GT(test.standing().Skill(), 0.4);
  EXPECT_LT(test.mix.loss, test.seasonal->loss);
  EXPECT_GT(test.standing().gain_t, 3);
  EXPECT_GT(test.standing().tested, 1900U);
}

TEST(Backtest, DoesNotBeatNaiveOnARandomWalk) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const Backtest test = RunBacktest(RandomWalk(14 * kDay, seed), 6, kSeasons, kQuantile);
    EXPECT_LT(test.standing().Skill(), 0.05) << seed;
    EXPECT_GT(test.standing().Skill(), -0.2) << seed;
  }
}

TEST(Backtest, CoversWhatItsQuantilesSay) {
  const Backtest test = RunBacktest(OfficeHours(14 * kDay, 30), 3, kSeasons, kQuantile);
  const auto values = OfficeHours(14 * kDay, 30);
  double below = 0;
  double within = 0;
  double count = 0;
  for (std::size_t t = test.first_tested; t < values.size(); ++t) {
    below += values[t] <= test.mix.quantile[t] ? 1 : 0;
    within += values[t] >= test.mix.low[t] && values[t] <= test.mix.high[t] ? 1 : 0;
    ++count;
  }
  EXPECT_NEAR(below / count, 0.8, 0.04);
  EXPECT_NEAR(within / count, 0.8, 0.04);
}

TEST(Backtest, NeverLooksAhead) {
  auto values = OfficeHours(14 * kDay, 10);
  const std::size_t steps = 6;
  const Backtest before = RunBacktest(values, steps, kSeasons, kQuantile);
  const std::size_t changed = 12 * kDay;
  for (std::size_t t = changed; t < values.size(); ++t) values[t] = -1e6;
  const Backtest after = RunBacktest(values, steps, kSeasons, kQuantile);
  for (std::size_t t = 0; t < changed + steps; ++t) {
    EXPECT_THAT(after.mix.quantile[t], NanSensitiveDoubleEq(before.mix.quantile[t])) << t;
  }
}

TEST(Backtest, LeavesOutASeasonThatWasNotThereTwice) {
  const Backtest test = RunBacktest(OfficeHours(10 * kDay, 10), 6, kSeasons, kQuantile);
  for (const Share& share : test.shares) EXPECT_NE(share.season, 7 * kDay);
}

TEST(Backtest, OfAConstantHasNothingToGain) {
  const Backtest test = RunBacktest(std::vector<double>(4 * kDay, 7.0), 6, kSeasons, kQuantile);
  EXPECT_EQ(test.naive.loss, 0);
  EXPECT_EQ(test.standing().Skill(), 0);
  EXPECT_DOUBLE_EQ(test.mix.quantile.back(), 7);
}

TEST(Backtest, SharesAddUp) {
  const Backtest test = RunBacktest(OfficeHours(14 * kDay, 10), 6, kSeasons, kQuantile);
  double sum = 0;
  for (const Share& share : test.shares) sum += share.weight;
  EXPECT_NEAR(sum, 1, 1e-9);
  EXPECT_GE(test.shares.front().weight, test.shares.back().weight);
}

}  // namespace
}  // namespace stoker::forecast
