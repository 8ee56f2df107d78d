#include "policy/forecast/series.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/forecast/builders.h"

namespace stoker::forecast {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::NanSensitiveDoubleEq;

const auto kUnknownValue = NanSensitiveDoubleEq(kUnknown);

Reading Value(Duration at, double value) {
  return {kStart + at, Reading::Kind::kValue, value, false};
}
Reading Empty(Duration at) { return {kStart + at, Reading::Kind::kEmpty, 0, false}; }
Reading Fault(Duration at) { return {kStart + at, Reading::Kind::kFault, 0, false}; }

TEST(Series, TakesTheNewestGoodReadingOfEachSlot) {
  const std::vector<Reading> readings{
      Value(0min, 1), Value(2min, 2), Value(5min, 3), Value(8min, 4), Fault(9min), Value(15min, 5)};
  const Series series = Resample(readings, OnEmpty::kHold, 5min, 24h);
  EXPECT_EQ(series.first, kStart);
  EXPECT_THAT(series.values, ElementsAre(1, 3, 4, 5));
  EXPECT_EQ(series.TimeOf(2), kStart + 10min);
}

TEST(Series, KeepsGapsAndFaultsUnknown) {
  const std::vector<Reading> readings{Value(0min, 1), Fault(5min), Value(15min, 2), Fault(20min)};
  EXPECT_THAT(Resample(readings, OnEmpty::kHold, 5min, 24h).values,
              ElementsAre(1, kUnknownValue, kUnknownValue, 2, kUnknownValue));
}

TEST(Series, CountsEmptyAsItsSignalDoes) {
  const std::vector<Reading> readings{Value(0min, 1),
                                      Empty(5min),
                                      Value(10min, std::numeric_limits<double>::infinity()),
                                      Value(15min, 3)};
  EXPECT_THAT(Resample(readings, OnEmpty::kZero, 5min, 24h).values, ElementsAre(1, 0, 0, 3));
  for (const OnEmpty on_empty : {OnEmpty::kHold, OnEmpty::kError}) {
    EXPECT_THAT(Resample(readings, on_empty, 5min, 24h).values,
                ElementsAre(1, kUnknownValue, kUnknownValue, 3));
  }
}

TEST(Series, LeavesOutTheSlotThatIsNotOver) {
  const std::vector<Reading> readings{Value(0min, 1), Value(5min, 2), Value(9min, 3)};
  EXPECT_THAT(Resample(readings, OnEmpty::kHold, 5min, 24h).values, ElementsAre(1, 2));
}

TEST(Series, CoversTheWindowFromTheFirstKnownValueOn) {
  const std::vector<Reading> readings{
      Value(0min, 1), Fault(5min), Value(10min, 3), Value(15min, 4)};
  const Series series = Resample(readings, OnEmpty::kHold, 5min, 15min);
  EXPECT_EQ(series.first, kStart + 10min);
  EXPECT_THAT(series.values, ElementsAre(3, 4));
}

TEST(Series, OfNothingIsEmpty) {
  EXPECT_THAT(Resample({}, OnEmpty::kZero, 5min, 24h).values, IsEmpty());
  const std::vector<Reading> faults{Fault(0min), Fault(5min)};
  EXPECT_THAT(Resample(faults, OnEmpty::kZero, 5min, 24h).values, IsEmpty());
}

}  // namespace
}  // namespace stoker::forecast
