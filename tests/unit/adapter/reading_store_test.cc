#include "adapter/reading_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/testing/fakes.h"

namespace stoker::adapter {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::At;
using Kind = Reading::Kind;

Reading Value(WallTime time, double value, bool at_least = false) {
  return Reading{.time = time, .kind = Kind::kValue, .value = value, .at_least = at_least};
}
Reading Fault(WallTime time) { return Reading{.time = time, .kind = Kind::kFault}; }
Reading Empty(WallTime time) { return Reading{.time = time, .kind = Kind::kEmpty}; }

ReadingWindow Merge(const ReadingWindow& window, const Reading& reading, Duration lookback) {
  return MergeReadings(window, {&reading, 1}, lookback);
}

const WallTime kStart = At("2026-01-05T10:00:00Z");

TEST(JoinReadings, ValueBeatsEmptyBeatsFault) {
  EXPECT_EQ(JoinReadings(Fault(kStart), Empty(kStart)), Empty(kStart));
  EXPECT_EQ(JoinReadings(Empty(kStart), Value(kStart, -1)), Value(kStart, -1));
  EXPECT_EQ(JoinReadings(Value(kStart, 0), Fault(kStart)), Value(kStart, 0));
}

TEST(JoinReadings, TheGreaterValueStands) {
  EXPECT_EQ(JoinReadings(Value(kStart, 3), Value(kStart, 5)), Value(kStart, 5));
  EXPECT_EQ(JoinReadings(Value(kStart, 5, true), Value(kStart, 5)), Value(kStart, 5));
  EXPECT_EQ(JoinReadings(Value(kStart, 9, true), Value(kStart, 5, true)), Value(kStart, 9, true));
  EXPECT_EQ(JoinReadings(Value(kStart, 9, true), Value(kStart, 5)), Value(kStart, 9))
      << "somebody counted to the end";
}

TEST(MergeReadings, KeepsLookBackAndOrder) {
  ReadingWindow window;
  for (int i = 0; i < 10; ++i) {
    window = Merge(window, Value(kStart + seconds(15 * i), i), seconds(30));
  }
  // Three readings within 30 s, and the newest good one before them.
  ASSERT_EQ(window->size(), 4U);
  EXPECT_EQ(window->front().value, 6);
  EXPECT_EQ(window->back().value, 9);
}

TEST(MergeReadings, KeepsLastGoodReadingHoweverOld) {
  ReadingWindow window = Merge(nullptr, Value(kStart, 7), seconds(0));
  for (int i = 1; i < 200; ++i) window = Merge(window, Fault(kStart + minutes(i)), seconds(0));
  ASSERT_EQ(window->size(), 2U);
  EXPECT_EQ(window->front(), Value(kStart, 7));
  EXPECT_EQ(window->back().kind, Kind::kFault);
}

TEST(MergeReadings, KeepsLastValueBehindEmptyReadings) {
  ReadingWindow window = Merge(nullptr, Value(kStart, 7), seconds(0));
  for (int i = 1; i < 5; ++i) window = Merge(window, Empty(kStart + minutes(i)), seconds(0));
  EXPECT_EQ(window->front(), Value(kStart, 7));
  EXPECT_EQ(window->size(), 3U) << "the value, the newest empty reading before the last, the last";
}

TEST(MergeReadings, WhatOneReplicaCouldReadIsNotLost) {
  ReadingWindow window = Merge(nullptr, Fault(kStart), minutes(5));
  window = Merge(window, Value(kStart, 3), minutes(5));
  ASSERT_EQ(window->size(), 1U);
  EXPECT_EQ(window->front(), Value(kStart, 3));
  EXPECT_EQ(Merge(window, Fault(kStart), minutes(5)), window);
  EXPECT_EQ(Merge(window, Empty(kStart), minutes(5)), window);
}

TEST(MergeReadings, ALateReadingTakesItsPlace) {
  ReadingWindow window = Merge(nullptr, Value(kStart, 1), minutes(60));
  window = Merge(window, Value(kStart + minutes(10), 2), minutes(60));
  window = Merge(window, Value(kStart + minutes(5), 3), minutes(60));
  EXPECT_EQ(*window,
            (std::vector{
                Value(kStart, 1), Value(kStart + minutes(5), 3), Value(kStart + minutes(10), 2)}));
}

TEST(MergeReadings, SaysWhenThereIsNoNews) {
  const ReadingWindow window = Merge(nullptr, Value(kStart, 5), minutes(1));
  EXPECT_EQ(Merge(window, Value(kStart, 4), minutes(1)), window);
  EXPECT_EQ(Merge(window, Fault(kStart - minutes(2)), minutes(1)), window)
      << "older than anybody looks";
  EXPECT_EQ(MergeReadings(nullptr, {}, minutes(1)), nullptr);
}

TEST(MergeReadings, LeavesTheOldWindowAlone) {
  const ReadingWindow old = Merge(nullptr, Value(kStart, 1), minutes(60));
  const ReadingWindow next = Merge(old, Value(kStart + seconds(15), 2), minutes(60));
  EXPECT_EQ(old->size(), 1U);
  EXPECT_EQ(next->size(), 2U);
}

/// Readings of few slots, so that many meet in one.
std::vector<Reading> RandomReadings(std::mt19937& random) {
  std::vector<Reading> readings(random() % 30);
  for (Reading& reading : readings) {
    const WallTime slot = kStart + seconds(15) * static_cast<int>(random() % 20);
    switch (random() % 3) {
      case 0:
        reading = Fault(slot);
        break;
      case 1:
        reading = Empty(slot);
        break;
      default:
        reading = Value(slot, static_cast<double>(random() % 5), random() % 3 == 0);
    }
  }
  return readings;
}

TEST(MergeReadings, WhoeverHeardTheSameHoldsTheSame) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    std::mt19937 random(seed);
    std::vector<Reading> readings = RandomReadings(random);
    const Duration lookback = seconds(15) * static_cast<int>(random() % 8);
    ReadingWindow one_by_one;
    for (const Reading& reading : readings) one_by_one = Merge(one_by_one, reading, lookback);
    const ReadingWindow at_once = MergeReadings(nullptr, readings, lookback);

    std::shuffle(readings.begin(), readings.end(), random);
    ReadingWindow shuffled;
    std::vector<Reading> again;  // heard twice, and in pieces of any size
    for (const Reading& reading : readings) {
      again.push_back(reading);
      if (random() % 2 == 0) continue;
      shuffled = MergeReadings(shuffled, again, lookback);
      if (random() % 2 == 0) again.clear();
    }
    shuffled = MergeReadings(shuffled, again, lookback);
    // By way of another replica, which has trimmed its own.
    if (shuffled)
      shuffled = MergeReadings(MergeReadings(nullptr, *shuffled, lookback), *shuffled, lookback);

    if (readings.empty()) continue;
    ASSERT_EQ(*shuffled, *one_by_one) << "seed " << seed;
    ASSERT_EQ(*at_once, *one_by_one) << "seed " << seed;
  }
}

TEST(JoinReadings, IsASemilattice) {
  std::vector<Reading> all{Fault(kStart), Empty(kStart)};
  for (const double value : {0.0, 1.0, 2.0}) {
    all.push_back(Value(kStart, value));
    all.push_back(Value(kStart, value, true));
  }
  for (const Reading& a : all) {
    EXPECT_EQ(JoinReadings(a, a), a);
    for (const Reading& b : all) {
      EXPECT_EQ(JoinReadings(a, b), JoinReadings(b, a));
      for (const Reading& c : all) {
        EXPECT_EQ(JoinReadings(a, JoinReadings(b, c)), JoinReadings(JoinReadings(a, b), c));
      }
    }
  }
}

TEST(RewindTo, DropsTheFuture) {
  ReadingWindow window = Merge(nullptr, Value(kStart, 1), minutes(60));
  window = Merge(window, Value(kStart + minutes(10), 2), minutes(60));
  EXPECT_EQ(*RewindTo(window, kStart + minutes(5)), std::vector{Value(kStart, 1)});
  EXPECT_EQ(RewindTo(window, kStart + minutes(10)), window);
}

TEST(RewindTo, KeepsWhatHoldServes) {
  ReadingWindow window = Merge(nullptr, Value(kStart + minutes(10), 5), minutes(60));
  window = Merge(window, Empty(kStart + minutes(11)), minutes(60));
  window = Merge(window, Fault(kStart + minutes(12)), minutes(60));
  EXPECT_EQ(*RewindTo(window, kStart), std::vector{Value(kStart, 5)});
}

TEST(SlotAt, IsAMultipleOfTheInterval) {
  EXPECT_EQ(SlotAt(At("2026-01-05T10:00:14Z"), seconds(15)), kStart);
  EXPECT_EQ(SlotAt(kStart, seconds(15)), kStart);
  EXPECT_EQ(SlotAt(At("2026-01-05T10:00:59Z"), seconds(30)), At("2026-01-05T10:00:30Z"));
}

}  // namespace
}  // namespace stoker::adapter
