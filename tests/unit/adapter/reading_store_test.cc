#include "adapter/reading_store.h"

#include <gtest/gtest.h>

#include "tests/testing/fakes.h"

namespace stoker::adapter {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::At;

Reading Value(WallTime time, double value) {
  return Reading{.time = time, .kind = Reading::Kind::kValue, .value = value};
}
Reading Fault(WallTime time) { return Reading{.time = time, .kind = Reading::Kind::kFault}; }

const WallTime kStart = At("2026-01-05T10:00:00Z");

TEST(AppendReading, KeepsLookBackAndOrder) {
  ReadingWindow window;
  for (int i = 0; i < 10; ++i) {
    window = AppendReading(window, Value(kStart + seconds(15 * i), i), seconds(30));
  }
  // Three readings within 30 s, and the newest good one before them.
  ASSERT_EQ(window->size(), 4U);
  EXPECT_EQ(window->front().value, 6);
  EXPECT_EQ(window->back().value, 9);
}

TEST(AppendReading, KeepsLastGoodReadingHoweverOld) {
  ReadingWindow window = AppendReading(nullptr, Value(kStart, 7), seconds(0));
  for (int i = 1; i < 200; ++i) {
    window = AppendReading(window, Fault(kStart + minutes(i)), seconds(0));
  }
  ASSERT_EQ(window->size(), 2U);
  EXPECT_EQ(window->front(), Value(kStart, 7));
  EXPECT_EQ(window->back().kind, Reading::Kind::kFault);
}

TEST(AppendReading, KeepsLastValueBehindEmptyReadings) {
  ReadingWindow window = AppendReading(nullptr, Value(kStart, 7), seconds(0));
  for (int i = 1; i < 5; ++i) {
    window = AppendReading(
        window, {.time = kStart + minutes(i), .kind = Reading::Kind::kEmpty}, seconds(0));
  }
  EXPECT_EQ(window->front(), Value(kStart, 7));
  EXPECT_EQ(window->size(), 3U) << "the value, the newest empty reading before the last, the last";
}

TEST(AppendReading, SameSlotReplaces) {
  ReadingWindow window = AppendReading(nullptr, Fault(kStart), minutes(5));
  window = AppendReading(window, Value(kStart, 3), minutes(5));
  ASSERT_EQ(window->size(), 1U);
  EXPECT_EQ(window->front().value, 3);
}

TEST(AppendReading, ClockSetBackDropsTheFuture) {
  ReadingWindow window = AppendReading(nullptr, Value(kStart, 1), minutes(60));
  window = AppendReading(window, Value(kStart + minutes(10), 2), minutes(60));
  window = AppendReading(window, Value(kStart + minutes(5), 3), minutes(60));
  ASSERT_EQ(window->size(), 2U);
  EXPECT_EQ(window->back().value, 3);
}

TEST(AppendReading, FaultInTheSameSlotKeepsTheGoodReading) {
  ReadingWindow window = AppendReading(nullptr, Value(kStart, 5), seconds(0));
  window = AppendReading(window, Fault(kStart), seconds(0));
  ASSERT_EQ(window->size(), 2U);
  EXPECT_EQ(window->front(), Value(kStart, 5));
  EXPECT_EQ(window->back(), Fault(kStart));
}

TEST(AppendReading, FaultAfterClockSetBackKeepsTheGoodReading) {
  ReadingWindow window = AppendReading(nullptr, Value(kStart + minutes(10), 5), minutes(60));
  window = AppendReading(window, Fault(kStart), minutes(60));
  ASSERT_EQ(window->size(), 2U);
  EXPECT_EQ(window->front(), Value(kStart, 5));
}

TEST(AppendReading, EmptyInTheSameSlotKeepsTheValue) {
  ReadingWindow window = AppendReading(nullptr, Value(kStart, 5), seconds(0));
  for (int i = 0; i < 3; ++i) {
    window = AppendReading(window, {.time = kStart, .kind = Reading::Kind::kEmpty}, seconds(0));
  }
  EXPECT_EQ(window->front(), Value(kStart, 5));
  EXPECT_EQ(window->back().kind, Reading::Kind::kEmpty);
}

TEST(AppendReading, FaultAfterClockSetBackKeepsTheValueBehindAnEmptyReading) {
  ReadingWindow window = AppendReading(nullptr, Value(kStart + minutes(10), 5), minutes(60));
  window = AppendReading(
      window, {.time = kStart + minutes(11), .kind = Reading::Kind::kEmpty}, minutes(60));
  window = AppendReading(window, Fault(kStart), minutes(60));
  ASSERT_EQ(window->size(), 3U);
  EXPECT_EQ(window->front(), Value(kStart, 5));
  EXPECT_EQ((*window)[1].kind, Reading::Kind::kEmpty);
}

TEST(AppendReading, LeavesTheOldWindowAlone) {
  const ReadingWindow old = AppendReading(nullptr, Value(kStart, 1), minutes(60));
  const ReadingWindow next = AppendReading(old, Value(kStart + seconds(15), 2), minutes(60));
  EXPECT_EQ(old->size(), 1U);
  EXPECT_EQ(next->size(), 2U);
}

TEST(SlotAt, IsAMultipleOfTheInterval) {
  EXPECT_EQ(SlotAt(At("2026-01-05T10:00:14Z"), seconds(15)), kStart);
  EXPECT_EQ(SlotAt(kStart, seconds(15)), kStart);
  EXPECT_EQ(SlotAt(At("2026-01-05T10:00:59Z"), seconds(30)), At("2026-01-05T10:00:30Z"));
}

}  // namespace
}  // namespace stoker::adapter
