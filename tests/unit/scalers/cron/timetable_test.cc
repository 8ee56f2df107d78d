#include "scalers/cron/timetable.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "core/units.h"
#include "tests/testing/fakes.h"

namespace stoker::scalers {
namespace {

using std::chrono::hours;
using std::chrono::local_days;
using std::chrono::minutes;
using std::chrono::year;
using testing::At;

Window MakeWindow(std::string_view start,
                  std::string_view end,
                  std::string_view zone = "UTC",
                  const std::vector<local_days>& skip_dates = {}) {
  const TimeZone tz = TimeZone::Find(zone).value();
  return {Schedule::Parse(start, tz).value(), Schedule::Parse(end, tz).value(), skip_dates};
}

Timetable One(const Window& window, Duration lead = Duration::zero()) {
  return Timetable({{window, 10}}, lead);
}

/// The changes from `from` on, as "TIME VALUE", by following next_change. The first is the state at
/// from.
std::vector<std::string> Changes(const Timetable& table, std::string_view from, int count) {
  std::vector<std::string> changes;
  WallTime time = At(from);
  for (int i = 0; i < count; ++i) {
    const Timetable::Plan plan = table.At(time);
    changes.push_back(FormatTime(time) + " " + std::to_string(plan.replicas));
    if (!plan.next_change) break;
    EXPECT_EQ(*plan.next_change, plan.until);
    time = *plan.next_change;
  }
  return changes;
}

using Lines = std::vector<std::string>;

TEST(Window, StartIsInsideAndEndIsNot) {
  const Window window = MakeWindow("0 8 * * *", "0 18 * * *");
  EXPECT_FALSE(window.At(At("2026-01-05T07:59:59.999Z")).open);
  EXPECT_TRUE(window.At(At("2026-01-05T08:00:00Z")).open);
  EXPECT_TRUE(window.At(At("2026-01-05T17:59:59.999Z")).open);
  EXPECT_FALSE(window.At(At("2026-01-05T18:00:00Z")).open);
}

TEST(Timetable, DailyWindow) {
  EXPECT_EQ(Changes(One(MakeWindow("0 8 * * *", "0 18 * * *", "America/New_York")),
                    "2026-01-05T00:00:00Z",
                    4),
            (Lines{"2026-01-05T00:00:00Z 0",
                   "2026-01-05T13:00:00Z 10",
                   "2026-01-05T23:00:00Z 0",
                   "2026-01-06T13:00:00Z 10"}));
}

TEST(Timetable, WindowOverMidnightAndWeekend) {
  EXPECT_EQ(Changes(One(MakeWindow("0 22 * * FRI", "0 6 * * MON")), "2026-01-05T07:00:00Z", 3),
            (Lines{"2026-01-05T07:00:00Z 0", "2026-01-09T22:00:00Z 10", "2026-01-12T06:00:00Z 0"}));
}

TEST(Timetable, WeekdaysOnly) {
  EXPECT_EQ(
      Changes(One(MakeWindow("0 8 * * MON-FRI", "0 18 * * MON-FRI")), "2026-01-09T12:00:00Z", 3),
      (Lines{"2026-01-09T12:00:00Z 10", "2026-01-09T18:00:00Z 0", "2026-01-12T08:00:00Z 10"}));
}

TEST(Timetable, SeveralStartsOpenAtTheLastAsInKeda) {
  EXPECT_EQ(Changes(One(MakeWindow("0 8,10 * * *", "0 12,18 * * *")), "2026-01-05T00:00:00Z", 3),
            (Lines{"2026-01-05T00:00:00Z 0", "2026-01-05T10:00:00Z 10", "2026-01-05T18:00:00Z 0"}));
}

TEST(Timetable, EndThatIsAlsoAStartKeepsItOpen) {
  // Ties are inside: at 12:00 the window closes and opens.
  EXPECT_EQ(Changes(One(MakeWindow("0 8,12 * * *", "0 12,16 * * *")), "2026-01-05T09:00:00Z", 2),
            (Lines{"2026-01-05T09:00:00Z 10", "2026-01-05T16:00:00Z 0"}));
}

// The four cases that KEDA gets wrong, New York 2026.
TEST(TimetableDst, SkippedEndClosesWhenTheClocksGoForward) {
  EXPECT_EQ(Changes(One(MakeWindow("0 1 * * *", "30 2 * * *", "America/New_York")),
                    "2026-03-08T00:00:00Z",
                    4),
            (Lines{"2026-03-08T00:00:00Z 0",
                   "2026-03-08T06:00:00Z 10",
                   "2026-03-08T07:00:00Z 0",
                   "2026-03-09T05:00:00Z 10"}));
}

TEST(TimetableDst, SkippedStartOpensWhenTheClocksGoForward) {
  EXPECT_EQ(Changes(One(MakeWindow("30 2 * * *", "0 5 * * *", "America/New_York")),
                    "2026-03-07T12:00:00Z",
                    3),
            (Lines{"2026-03-07T12:00:00Z 0", "2026-03-08T07:00:00Z 10", "2026-03-08T09:00:00Z 0"}));
}

TEST(TimetableDst, WindowInTheSkippedHourStaysClosed) {
  for (const char* end : {"45 2 * * *", "0 3 * * *"}) {
    EXPECT_EQ(
        Changes(One(MakeWindow("15 2 * * *", end, "America/New_York")), "2026-03-07T12:00:00Z", 2),
        (Lines{"2026-03-07T12:00:00Z 0", "2026-03-09T06:15:00Z 10"}));
  }
}

TEST(TimetableDst, GapInTheSkippedHourStaysOpen) {
  const Timetable table = One(MakeWindow("45 2 * * *", "15 2 * * *", "America/New_York"));
  EXPECT_EQ(Changes(table, "2026-03-08T00:00:00Z", 2),
            (Lines{"2026-03-08T00:00:00Z 10", "2026-03-09T06:15:00Z 0"}));
}

TEST(TimetableDst, WindowInTheRepeatedHourOpensOnce) {
  EXPECT_EQ(Changes(One(MakeWindow("30 1 * * *", "45 1 * * *", "America/New_York")),
                    "2026-11-01T00:00:00Z",
                    4),
            (Lines{"2026-11-01T00:00:00Z 0",
                   "2026-11-01T05:30:00Z 10",
                   "2026-11-01T05:45:00Z 0",
                   "2026-11-02T06:30:00Z 10"}));
}

TEST(TimetableDst, EndInTheRepeatedHourClosesTheFirstTime) {
  EXPECT_EQ(
      Changes(One(MakeWindow("0 22 * * *", "30 1 * * *", "America/New_York")),
              "2026-11-01T03:00:00Z",
              3),
      (Lines{"2026-11-01T03:00:00Z 10", "2026-11-01T05:30:00Z 0", "2026-11-02T03:00:00Z 10"}));
}

TEST(TimetableDst, WindowAcrossTheChangeKeepsItsLocalTimes) {
  EXPECT_EQ(
      Changes(
          One(MakeWindow("0 0 * * *", "0 6 * * *", "Europe/London")), "2026-03-28T12:00:00Z", 3),
      (Lines{"2026-03-28T12:00:00Z 0", "2026-03-29T00:00:00Z 10", "2026-03-29T05:00:00Z 0"}));
}

TEST(Timetable, SkippedDatesDoNotOpen) {
  const std::vector<local_days> holidays = {local_days{year{2026} / 12 / 25},
                                            local_days{year{2026} / 12 / 28}};
  EXPECT_EQ(
      Changes(One(MakeWindow("0 8 * * MON-FRI", "0 18 * * MON-FRI", "Europe/London", holidays)),
              "2026-12-24T12:00:00Z",
              3),
      (Lines{"2026-12-24T12:00:00Z 10", "2026-12-24T18:00:00Z 0", "2026-12-29T08:00:00Z 10"}));
}

TEST(Timetable, SkippedDateIsTheStartsLocalDate) {
  // 22:00 to 06:00 in Tokyo; the night that begins on the 25th is skipped, the one before is not.
  EXPECT_EQ(
      Changes(One(MakeWindow(
                  "0 22 * * *", "0 6 * * *", "Asia/Tokyo", {local_days{year{2026} / 12 / 25}})),
              "2026-12-24T20:00:00Z",
              3),
      (Lines{"2026-12-24T20:00:00Z 10", "2026-12-24T21:00:00Z 0", "2026-12-26T13:00:00Z 10"}));
}

TEST(Timetable, LeadOpensEarlierAndClosesOnTime) {
  EXPECT_EQ(
      Changes(One(MakeWindow("0 8 * * *", "0 18 * * *"), minutes(20)), "2026-01-05T00:00:00Z", 4),
      (Lines{"2026-01-05T00:00:00Z 0",
             "2026-01-05T07:40:00Z 10",
             "2026-01-05T18:00:00Z 0",
             "2026-01-06T07:40:00Z 10"}));
}

TEST(Timetable, LeadLongerThanTheWindowAndThanTheGap) {
  EXPECT_EQ(Changes(One(MakeWindow("0 8 * * *", "5 8 * * *"), hours(1)), "2026-01-05T00:00:00Z", 3),
            (Lines{"2026-01-05T00:00:00Z 0", "2026-01-05T07:00:00Z 10", "2026-01-05T08:05:00Z 0"}));
  // 12:00 to 13:00 is closed, and bridged.
  EXPECT_EQ(
      Changes(
          One(MakeWindow("0 8,13 * * *", "0 12,18 * * *"), hours(2)), "2026-01-05T09:00:00Z", 2),
      (Lines{"2026-01-05T09:00:00Z 10", "2026-01-05T18:00:00Z 0"}));
}

TEST(Timetable, OverlappingWindowsGiveTheLargest) {
  const Timetable table({{MakeWindow("0 8 * * *", "0 20 * * *"), 10},
                         {MakeWindow("0 12 * * *", "0 14 * * *"), 40},
                         {MakeWindow("0 13 * * *", "0 22 * * *"), 5}},
                        Duration::zero());
  EXPECT_EQ(Changes(table, "2026-01-05T00:00:00Z", 6),
            (Lines{"2026-01-05T00:00:00Z 0",
                   "2026-01-05T08:00:00Z 10",
                   "2026-01-05T12:00:00Z 40",
                   "2026-01-05T14:00:00Z 10",
                   "2026-01-05T20:00:00Z 5",
                   "2026-01-05T22:00:00Z 0"}));
}

TEST(Timetable, CoveredWindowsAreNoChange) {
  const Timetable table({{MakeWindow("0 8 * * *", "0 18 * * *"), 10},
                         {MakeWindow("*/10 9-16 * * *", "5/10 9-16 * * *"), 3}},
                        Duration::zero());
  EXPECT_EQ(Changes(table, "2026-01-05T00:00:00Z", 3),
            (Lines{"2026-01-05T00:00:00Z 0", "2026-01-05T08:00:00Z 10", "2026-01-05T18:00:00Z 0"}));
}

TEST(Timetable, SearchForTheNextChangeIsBounded) {
  // Together they are always open; each opens and closes every minute or so.
  const Timetable table({{MakeWindow("*/2 * * * *", "1/2 * * * *"), 7},
                         {MakeWindow("1/2 * * * *", "*/2 * * * *"), 7}},
                        Duration::zero());
  const Timetable::Plan plan = table.At(At("2026-01-05T00:00:00Z"));
  EXPECT_EQ(plan.replicas, 7);
  EXPECT_FALSE(plan.next_change);
  EXPECT_GT(plan.until, At("2026-01-05T01:00:00Z"));
}

TEST(Timetable, OpensOnceInFourYears) {
  EXPECT_EQ(Changes(One(MakeWindow("0 12 29 2 *", "0 18 29 2 *")), "2026-01-05T00:00:00Z", 3),
            (Lines{"2026-01-05T00:00:00Z 0", "2028-02-29T12:00:00Z 10", "2028-02-29T18:00:00Z 0"}));
}

TEST(Timetable, EndWithoutAStartBeforeItKeepsOpenAsInKeda) {
  // Saturday's and Sunday's ends come before Monday's start.
  EXPECT_EQ(
      Changes(One(MakeWindow("0 8 * * MON-FRI", "0 18 * * *")), "2026-01-09T12:00:00Z", 3),
      (Lines{"2026-01-09T12:00:00Z 10", "2026-01-11T18:00:00Z 0", "2026-01-12T08:00:00Z 10"}));
}

/// What At and next_change say must agree with asking again and again.
TEST(Timetable, NextChangeAgreesWithAskingAgain) {
  std::mt19937 random(7);
  const auto pick = [&](int low, int high) {
    return std::to_string(std::uniform_int_distribution<int>(low, high)(random));
  };
  int changes_seen = 0;
  for (int round = 0; round < 24; ++round) {
    const std::string start = pick(0, 59) + "," + pick(0, 59) + " " + pick(0, 23) + "," +
                              pick(0, 4) + " * * " + pick(0, 3) + "-" + pick(3, 6);
    const std::string end = pick(0, 59) + " */" + pick(1, 9) + " * * *";
    const char* zone = round % 2 == 0 ? "America/New_York" : "Australia/Lord_Howe";
    const WallTime from =
        At(round % 3 == 0 ? "2026-03-07T00:00:00Z"
                          : (round % 3 == 1 ? "2026-10-31T00:00:00Z" : "2026-10-02T12:00:00Z"));
    SCOPED_TRACE(start + " to " + end + " in " + zone);
    const Window window =
        MakeWindow(start,
                   end,
                   zone,
                   {std::chrono::floor<std::chrono::days>(
                       std::chrono::local_time<Duration>((from + hours(24)).time_since_epoch()))});
    const Timetable table = One(window, minutes(round % 4 * 10));
    Timetable::Plan plan = table.At(from);
    for (WallTime time = from; time < from + hours(48); time += minutes(7)) {
      if (time < plan.until) {
        const Timetable::Plan now = table.At(time);
        ASSERT_EQ(now.replicas, plan.replicas) << FormatTime(time);
        ASSERT_EQ(now.next_change, plan.next_change) << FormatTime(time);
      } else {
        const WallTime change = plan.until;
        ASSERT_EQ(table.At(change - Duration(1)).replicas, plan.replicas) << FormatTime(change);
        plan = table.At(change);
        ASSERT_NE(plan.replicas, table.At(change - Duration(1)).replicas) << FormatTime(change);
        ++changes_seen;
      }
    }
  }
  EXPECT_GT(changes_seen, 20);
}

}  // namespace
}  // namespace stoker::scalers
