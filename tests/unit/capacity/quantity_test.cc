#include "capacity/quantity.h"

#include <gtest/gtest.h>

namespace stoker::capacity {
namespace {

TEST(Quantity, ReadsWhatKubernetesWrites) {
  EXPECT_EQ(QuantityMillis("1500m"), 1500);
  EXPECT_EQ(QuantityMillis("4"), 4000);
  EXPECT_EQ(QuantityMillis("1.1"), 1100);
  EXPECT_EQ(QuantityMillis("100u"), 1);
  EXPECT_EQ(QuantityMillis("0"), 0);
  EXPECT_EQ(QuantityUnits("18Gi"), std::int64_t{18} << 30);
  EXPECT_EQ(QuantityUnits("500M"), 500'000'000);
  EXPECT_EQ(QuantityUnits("2k"), 2000);
  EXPECT_EQ(QuantityUnits("1e3"), 1000);
  EXPECT_EQ(QuantityUnits("128974848"), 128974848);
  EXPECT_EQ(QuantityUnits("1E"), 1'000'000'000'000'000'000);
  EXPECT_EQ(QuantityUnits("0.5"), 1) << "rounded up";
  EXPECT_EQ(QuantityUnits("1500m"), 2) << "rounded up";
}

TEST(Quantity, RefusesWhatIsNone) {
  for (const char* text :
       {"", "Gi", "-1", "1GB", "1 Gi", "nan", "inf", "99999999Ei", "0x10", "4cores"}) {
    EXPECT_EQ(QuantityUnits(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace stoker::capacity
