#include "scalers/manual/manual_scaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/signal_test.h"

namespace stoker::scalers {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ManualScalerTest : public testing::SignalTest {
 protected:
  ManualScalerTest() { RegisterManual(registry_); }

  std::optional<SignalDefinition> Signal(const std::string& more = "") {
    return ParseSignal("{type: manual, name: batch, targetSize: 5, " + more + "}");
  }
  Observation Poll(const std::string& more = "") {
    const auto observation = Signal(more)->make_source()->Poll({.slot = now()});
    EXPECT_TRUE(observation);
    return observation.value_or(Observation{});
  }
  [[nodiscard]] WallTime now() const { return world_.clock.WallNow(); }
};

TEST_F(ManualScalerTest, ReadsWhatWasSetLast) {
  world_.pushed.Set("other", {7, now()});
  EXPECT_TRUE(Poll().empty);
  EXPECT_EQ(Poll().detail, "never set");
  world_.pushed.Set("batch", {12, now()});
  EXPECT_FALSE(Poll().empty);
  EXPECT_EQ(Poll().value, 12);
  world_.clock.Advance(std::chrono::hours(1000));
  EXPECT_EQ(Poll().value, 12) << "it stays until another one is set";
  world_.pushed.Set("batch", {0, now()});
  EXPECT_FALSE(Poll().empty) << "0 is a value";
  EXPECT_EQ(Poll().value, 0);
}

TEST_F(ManualScalerTest, IsEmptyAfterItsTtl) {
  world_.pushed.Set("batch", {12, now()});
  world_.clock.Advance(minutes(10));
  EXPECT_EQ(Poll("ttl: 10m").value, 12);
  world_.clock.Advance(seconds(1));
  EXPECT_TRUE(Poll("ttl: 10m").empty);
  EXPECT_EQ(Poll().value, 12);
}

TEST_F(ManualScalerTest, TellsItsPastSinceTheValueWasSet) {
  const WallTime begin = now();
  const auto source = Signal("ttl: 2s")->make_source();
  const SlotSpan span{begin, begin + seconds(4), seconds(1)};
  EXPECT_THAT(*source->PastReadings(span, {}, {}), IsEmpty());
  world_.pushed.Set("batch", {12, begin + seconds(1)});
  EXPECT_THAT(*source->PastReadings(span, {}, {}),
              ElementsAre(Reading{begin + seconds(1), Reading::Kind::kValue, 12},
                          Reading{begin + seconds(2), Reading::Kind::kValue, 12},
                          Reading{begin + seconds(3), Reading::Kind::kValue, 12},
                          Reading{begin + seconds(4), Reading::Kind::kEmpty, 0}));
}

TEST_F(ManualScalerTest, IsLookedAtEverySecond) {
  const auto signal = Signal("activationTargetSize: 1");
  ASSERT_TRUE(signal) << diagnostics_.ToString();
  EXPECT_EQ(signal->timing.interval, seconds(1));
  EXPECT_EQ(signal->demand.target_size, 5);
  EXPECT_EQ(signal->demand.activation, 1);
  EXPECT_EQ(signal->pushed_name, "batch");
  EXPECT_EQ(signal->connection, "");
}

TEST_F(ManualScalerTest, NamesFitAnAddress) {
  for (const char* name : {"''", "Batch", "a/b", "-a", "a b", "ä"}) {
    EXPECT_FALSE(ParseSignal("{type: manual, targetSize: 1, name: " + std::string(name) + "}"));
    EXPECT_THAT(diagnostics_.ToString(), HasSubstr("name")) << name;
  }
  EXPECT_TRUE(ParseSignal("{type: manual, targetSize: 1, name: a-b_9}"));
}

TEST_F(ManualScalerTest, IsNotForMetadata) {
  EXPECT_FALSE(ParseSignal("{type: manual, name: batch, targetSize: 5}", "team", true));
}

}  // namespace
}  // namespace stoker::scalers
