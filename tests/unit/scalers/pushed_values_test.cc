#include "scalers/pushed_values.h"

#include <gtest/gtest.h>

namespace stoker::scalers {
namespace {

WallTime At(int seconds) { return WallTime(std::chrono::seconds(seconds)); }

TEST(PushedValues, LaterWins) {
  PushedValues values;
  EXPECT_EQ(values.Get("demand"), std::nullopt);
  EXPECT_TRUE(values.Set("demand", {9, At(1)}));
  EXPECT_TRUE(values.Set("demand", {2, At(2)}));
  EXPECT_FALSE(values.Set("demand", {7, At(1)}));
  EXPECT_EQ(values.Get("demand"), (PushedValue{2, At(2)}));
}

TEST(PushedValues, OfTheSameMomentTheGreaterWinsInAnyOrder) {
  PushedValues one;
  PushedValues other;
  one.Set("demand", {2, At(1)});
  one.Set("demand", {5, At(1)});
  other.Set("demand", {5, At(1)});
  other.Set("demand", {2, At(1)});
  EXPECT_EQ(one.All(), other.All());
  EXPECT_EQ(one.Get("demand")->value, 5);
}

TEST(PushedValues, TheSameAgainChangesNothing) {
  PushedValues values;
  values.Set("demand", {5, At(1)});
  EXPECT_FALSE(values.Set("demand", {5, At(1)}));
}

}  // namespace
}  // namespace stoker::scalers
