#include "scalers/cron/schedule.h"

#include <date/tz.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "core/units.h"
#include "tests/testing/fakes.h"

namespace stoker::scalers {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::At;

TimeZone Zone(std::string_view name) { return TimeZone::Find(name).value(); }

Schedule Cron(std::string_view expression, std::string_view zone = "UTC") {
  const auto schedule = Schedule::Parse(expression, Zone(zone));
  EXPECT_TRUE(schedule) << expression << ": " << (schedule ? "" : schedule.error().message);
  return schedule.value();
}

/// The next `count` fires, as text.
std::vector<std::string> Fires(const Schedule& schedule, std::string_view after, int count) {
  std::vector<std::string> fires;
  WallTime time = At(after);
  for (int i = 0; i < count; ++i) {
    const auto fire = schedule.Next(time);
    if (!fire) break;
    fires.push_back(FormatTime(fire->at));
    time = fire->at;
  }
  return fires;
}

using Times = std::vector<std::string>;

TEST(TimeZone, FindsZonesByTheirIanaName) {
  EXPECT_TRUE(TimeZone::Find("UTC"));
  EXPECT_TRUE(TimeZone::Find("Asia/Kolkata"));
  for (const char* name : {"", "Mars/Olympus", "america/new_york", "../../etc/passwd", "Local"}) {
    const auto zone = TimeZone::Find(name);
    ASSERT_FALSE(zone) << name;
    EXPECT_EQ(zone.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(zone.error().message.find("Mars"), std::string::npos) << "repeats a value";
  }
}

TEST(TimeZone, SaysWhenTheClocksChange) {
  const TimeZone::Span span = Zone("America/New_York").SpanAt(At("2026-01-05T00:00:00Z"));
  EXPECT_EQ(span.offset, hours(-5));
  EXPECT_EQ(FormatTime(span.end), "2026-03-08T07:00:00Z");
  EXPECT_GT(Zone("UTC").SpanAt(At("2026-01-05T00:00:00Z")).end, At("9999-01-01T00:00:00Z"));
}

TEST(ScheduleParse, AcceptsWhatKedaAccepts) {
  for (const char* text : {"* * * * *",
                           "? ? ? ? ?",
                           "0 8 * * MON-FRI",
                           "0 8 * jan,Feb,DEC sun",
                           "*/15 */2 1-31/10 * 0-6",
                           "5/20 3/4 * * *",
                           "0,,30 8 * * *",
                           "+5 08 * * *",
                           "  0\t8 \n* * *  ",
                           "*/1 * * * *",
                           "0 0 29 2 *",
                           "0 0 31 * *",
                           "0 0 30 2 MON",
                           "TZ=Asia/Tokyo 0 8 * * *",
                           "CRON_TZ=Europe/London   0 8 * * *",
                           "*-7 8 * * *",
                           "0/99999999999 8 * * *",
                           "59 23 31 12 6"}) {
    const auto schedule = Schedule::Parse(text, Zone("UTC"));
    EXPECT_TRUE(schedule) << text << ": " << (schedule ? "" : schedule.error().message);
  }
}

TEST(ScheduleParse, RefusesWithTheFieldAndTheMend) {
  struct Case {
    const char* text;
    const char* message;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"", "expected five fields (minute, hour, day of month, month, day of week), found 0"},
           {"0 8 * *", "found 4"},
           {"0 0 8 * * *", "found 6"},
           {"@daily", "names such as @daily are not accepted; write five fields"},
           {"60 * * * *", "the minute field has a number that is out of range (it takes 0 to 59)"},
           {"0 24 * * *", "the hour field has a number that is out of range (it takes 0 to 23)"},
           {"0 8 0 * *", "the day-of-month field has a number that is out of range"},
           {"0 8 32 * *", "the day-of-month field"},
           {"0 8 * 13 *", "it takes 1 to 12 or JAN to DEC"},
           {"0 8 * * 7",
            "the day-of-week field has a number that is out of range (it takes 0 to 6"},
           {"0 8 * * SAT-SUN", "runs backwards"},
           {"0 22-6 * * *", "the hour field has a range that runs backwards"},
           {"0 8 * * MO", "the day-of-week field is neither number"},
           {"0 8 JAN * *", "the day-of-month field is neither number"},
           {"-5 8 * * *", "the minute field is neither number"},
           {"1-2-3 8 * * *", "more than one hyphen"},
           {"1- 8 * * *", "neither number"},
           {"/5 8 * * *", "neither number"},
           {"*/0 8 * * *", "a step that is no positive number"},
           {"*/ 8 * * *", "a step that is no positive number"},
           {"*/-1 8 * * *", "a step that is no positive number"},
           {"*/2/2 8 * * *", "more than one step"},
           {"0 8 L * *", "neither number"},
           {"0 8 * * 1#2", "neither number"},
           {", 8 * * *", "never fires"},
           {"0 0 30 2 *", "never fires"},
           {"0 0 31 4,6,9,11 *", "never fires"},
           {"TZ=Mars/Olympus 0 8 * * *", "unknown time zone"},
           {"TZ= 0 8 * * *", "unknown time zone"},
           {"TZ=UTC", "write five fields behind it"}}) {
    const auto schedule = Schedule::Parse(c.text, Zone("UTC"));
    ASSERT_FALSE(schedule) << c.text;
    EXPECT_EQ(schedule.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(schedule.error().message.find(c.message), std::string::npos)
        << c.text << ": " << schedule.error().message;
  }
}

TEST(ScheduleParse, NeverRepeatsTheText) {
  for (const char* text : {"s3cr3t 8 * * *", "TZ=s3cr3t 0 8 * * *", "s3cr3t", "0 8 * * s3cr3t-5"}) {
    const auto schedule = Schedule::Parse(text, Zone("UTC"));
    ASSERT_FALSE(schedule);
    EXPECT_EQ(schedule.error().message.find("s3cr3t"), std::string::npos);
  }
}

TEST(ScheduleNext, IsStrictlyLater) {
  const Schedule schedule = Cron("0 8 * * *");
  EXPECT_EQ(Fires(schedule, "2026-01-05T07:59:59.999Z", 1), Times{"2026-01-05T08:00:00Z"});
  EXPECT_EQ(Fires(schedule, "2026-01-05T08:00:00Z", 1), Times{"2026-01-06T08:00:00Z"});
}

TEST(ScheduleNext, StepsListsAndRanges) {
  EXPECT_EQ(Fires(Cron("*/20 9-10 * * *"), "2026-01-05T00:00:00Z", 7),
            (Times{"2026-01-05T09:00:00Z",
                   "2026-01-05T09:20:00Z",
                   "2026-01-05T09:40:00Z",
                   "2026-01-05T10:00:00Z",
                   "2026-01-05T10:20:00Z",
                   "2026-01-05T10:40:00Z",
                   "2026-01-06T09:00:00Z"}));
  EXPECT_EQ(Fires(Cron("50/4 3,1 * * *"), "2026-01-05T00:00:00Z", 4),
            (Times{"2026-01-05T01:50:00Z",
                   "2026-01-05T01:54:00Z",
                   "2026-01-05T01:58:00Z",
                   "2026-01-05T03:50:00Z"}));
}

TEST(ScheduleNext, DayOfMonthOrDayOfWeek) {
  // Both restricted: either. 2026-01-05 is a Monday.
  EXPECT_EQ(Fires(Cron("0 0 7 * MON"), "2026-01-04T00:00:00Z", 4),
            (Times{"2026-01-05T00:00:00Z",
                   "2026-01-07T00:00:00Z",
                   "2026-01-12T00:00:00Z",
                   "2026-01-19T00:00:00Z"}));
  // A star with a step is a restriction, one with step 1 is not.
  EXPECT_EQ(Fires(Cron("0 0 */1 * MON"), "2026-01-04T00:00:00Z", 2),
            (Times{"2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"}));
  EXPECT_EQ(Fires(Cron("0 0 */15 * MON"), "2026-01-04T00:00:00Z", 4),
            (Times{"2026-01-05T00:00:00Z",
                   "2026-01-12T00:00:00Z",
                   "2026-01-16T00:00:00Z",
                   "2026-01-19T00:00:00Z"}));
}

TEST(ScheduleNext, LeapDay) {
  EXPECT_EQ(Fires(Cron("0 12 29 2 *"), "2026-01-01T00:00:00Z", 2),
            (Times{"2028-02-29T12:00:00Z", "2032-02-29T12:00:00Z"}));
  // 2100 is no leap year, and 2104 is more than five years after 2097.
  EXPECT_TRUE(Fires(Cron("0 12 29 2 *"), "2097-01-01T00:00:00Z", 1).empty());
}

TEST(ScheduleNext, LastDaysOfMonths) {
  EXPECT_EQ(Fires(Cron("0 0 31 * *"), "2026-01-31T00:00:00Z", 3),
            (Times{"2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z", "2026-07-31T00:00:00Z"}));
}

TEST(ScheduleNext, OwnZoneOverrulesTheSignals) {
  EXPECT_EQ(Fires(Cron("TZ=Asia/Tokyo 0 8 * * *", "America/New_York"), "2026-01-05T00:00:00Z", 1),
            Times{"2026-01-05T23:00:00Z"});
  EXPECT_EQ(Fires(Cron("30 9 * * *", "Asia/Kolkata"), "2026-01-05T00:00:00Z", 1),
            Times{"2026-01-05T04:00:00Z"});
}

// New York 2026: 02:00 EST on 8 March becomes 03:00 EDT; 02:00 EDT on 1 November becomes 01:00 EST.
TEST(ScheduleDst, SkippedTimeFiresWhenTheClocksGoForward) {
  const Schedule schedule = Cron("30 2 * * *", "America/New_York");
  EXPECT_EQ(Fires(schedule, "2026-03-07T00:00:00Z", 3),
            (Times{"2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"}));
}

TEST(ScheduleDst, SeveralSkippedTimesAreOneMoment) {
  EXPECT_EQ(Fires(Cron("0,15,30,45 2 * * *", "America/New_York"), "2026-03-08T00:00:00Z", 2),
            (Times{"2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"}));
}

TEST(ScheduleDst, RepeatedTimeFiresTheFirstTimeOnly) {
  EXPECT_EQ(Fires(Cron("30 1 * * *", "America/New_York"), "2026-11-01T00:00:00Z", 2),
            (Times{"2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"}));
  // Asked within the second occurrence.
  EXPECT_EQ(Fires(Cron("30 1 * * *", "America/New_York"), "2026-11-01T06:15:00Z", 1),
            Times{"2026-11-02T06:30:00Z"});
}

TEST(ScheduleDst, EveryHourMeansEveryHourThatHappens) {
  EXPECT_EQ(Fires(Cron("30 * * * *", "America/New_York"), "2026-03-08T06:00:00Z", 3),
            (Times{"2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z", "2026-03-08T08:30:00Z"}));
  EXPECT_EQ(Fires(Cron("30 0-23 * * *", "America/New_York"), "2026-11-01T05:00:00Z", 3),
            (Times{"2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-01T07:30:00Z"}));
}

TEST(ScheduleDst, OtherPlaces) {
  // London 2026: forward at 01:00 UTC on 29 March, back at 01:00 UTC on 25 October.
  EXPECT_EQ(Fires(Cron("30 1 * * *", "Europe/London"), "2026-03-29T00:00:00Z", 2),
            (Times{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}));
  EXPECT_EQ(Fires(Cron("30 1 * * *", "Europe/London"), "2026-10-25T00:00:00Z", 2),
            (Times{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}));
  // Sydney's spring is in October: 02:00 on the 4th becomes 03:00, at 16:00 UTC on the 3rd.
  EXPECT_EQ(Fires(Cron("30 2 * * *", "Australia/Sydney"), "2026-10-03T00:00:00Z", 2),
            (Times{"2026-10-03T16:00:00Z", "2026-10-04T15:30:00Z"}));
  // Lord Howe moves by half an hour: 02:00 becomes 02:30, at 15:30 UTC.
  EXPECT_EQ(Fires(Cron("15,45 2 * * *", "Australia/Lord_Howe"), "2026-10-03T00:00:00Z", 3),
            (Times{"2026-10-03T15:30:00Z", "2026-10-03T15:45:00Z", "2026-10-04T15:15:00Z"}));
  // Santiago goes forward at midnight: 6 September 2026 has no 00:00.
  EXPECT_EQ(Fires(Cron("0 0 * * *", "America/Santiago"), "2026-09-05T12:00:00Z", 2),
            (Times{"2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"}));
}

TEST(ScheduleNextFrom, FindsTheFirstFireOfADate) {
  using std::chrono::local_days;
  using std::chrono::year;
  const Schedule schedule = Cron("0 9,17 * * MON-FRI", "Europe/London");
  const local_days friday{year{2026} / 12 / 25};
  EXPECT_EQ(FormatTime(schedule.NextFrom(friday)->at), "2026-12-25T09:00:00Z");
  EXPECT_EQ(schedule.NextFrom(friday)->date, friday);
  EXPECT_EQ(schedule.NextFrom(friday + std::chrono::days{1})->date, friday + std::chrono::days{3});
}

TEST(ScheduleLast, FindsTheLastFireBeforeALimit) {
  const Schedule often = Cron("*/7 8-17 * * MON-FRI");
  const Schedule limit = Cron("0 0 1 * *");
  const auto first = often.Next(At("2026-01-05T00:00:00Z")).value();
  const auto end = limit.Next(At("2026-01-05T00:00:00Z")).value();
  EXPECT_EQ(FormatTime(often.Last(first, end, false).at), "2026-01-30T17:56:00Z");
  // At the limit itself only when asked for.
  const Schedule hourly = Cron("0 * * * *");
  const auto hour = hourly.Next(At("2026-01-05T00:00:00Z")).value();
  EXPECT_EQ(FormatTime(hourly.Last(hour, end, false).at), "2026-01-31T23:00:00Z");
  EXPECT_EQ(FormatTime(hourly.Last(hour, end, true).at), "2026-02-01T00:00:00Z");
}

TEST(ScheduleNext, IsTotal) {
  const Schedule schedule = Cron("30 2 * * *", "America/New_York");
  EXPECT_FALSE(schedule.Next(WallTime::min()));
  EXPECT_FALSE(schedule.Next(WallTime::max()));
  EXPECT_TRUE(schedule.Next(At("1900-01-01T00:00:00Z")));
}

/// Walks over every minute of some weeks, shows each to a plain reading of the rules, and compares.
/// The fields are drawn as sets of values, and the text is written from the sets.
class Oracle {
 public:
  explicit Oracle(std::mt19937& random) {
    Draw(random, 0, 59, minute_);
    Draw(random, 0, 23, hour_);
    Draw(random, 1, 31, day_);
    Draw(random, 1, 12, month_);
    Draw(random, 0, 6, weekday_);
  }

  [[nodiscard]] std::string text() const {
    return minute_.text + " " + hour_.text + " " + day_.text + " " + month_.text + " " +
           weekday_.text;
  }

  /// The expected fires in [from, to), minute by minute.
  [[nodiscard]] std::vector<WallTime> Fires(const date::time_zone* zone,
                                            WallTime from,
                                            WallTime to) const {
    std::vector<WallTime> fires;
    const bool every_hour = hour_.values.size() == 24;
    for (auto time = std::chrono::floor<minutes>(from); time < to; time += minutes{1}) {
      const auto local = zone->to_local(std::chrono::time_point_cast<std::chrono::seconds>(time));
      bool fires_now = Matches(local);
      const date::sys_info info = zone->get_info(time);
      const date::sys_info before = zone->get_info(time - minutes{1});
      if (!every_hour) {
        // The same local time an hour (or less) ago: this is its second occurrence.
        for (auto ago = minutes{1}; fires_now && ago <= hours{2}; ++ago) {
          if (zone->to_local(time - ago) == local) fires_now = false;
        }
        // The first minute after the clocks went forward also stands for what was skipped.
        for (auto skipped = info.offset - before.offset; skipped > minutes{0};
             skipped -= minutes{1}) {
          fires_now = fires_now || Matches(local - skipped);
        }
      }
      if (fires_now) fires.push_back(time);
    }
    return fires;
  }

 private:
  struct Values {
    std::string text;
    std::vector<unsigned> values;
    bool star = false;
  };

  static void Draw(std::mt19937& random, unsigned min, unsigned max, Values& out) {
    const auto pick = [&](unsigned low, unsigned high) {
      return std::uniform_int_distribution<unsigned>(low, high)(random);
    };
    const unsigned kind = pick(0, 3);
    if (kind == 0) {
      out.text = "*";
      out.star = true;
      for (unsigned v = min; v <= max; ++v) out.values.push_back(v);
    } else if (kind == 1) {
      const unsigned step = pick(2, 9);
      out.text = "*/" + std::to_string(step);
      for (unsigned v = min; v <= max; v += step) out.values.push_back(v);
    } else if (kind == 2) {
      const unsigned low = pick(min, max);
      const unsigned high = pick(low, max);
      out.text = std::to_string(low) + "-" + std::to_string(high);
      for (unsigned v = low; v <= high; ++v) out.values.push_back(v);
    } else {
      for (unsigned i = pick(1, 3); i > 0; --i) {
        const unsigned v = pick(min, max);
        out.text += (out.text.empty() ? "" : ",") + std::to_string(v);
        if (!In(out.values, v)) out.values.push_back(v);
      }
    }
  }

  static bool In(const std::vector<unsigned>& values, unsigned value) {
    return std::find(values.begin(), values.end(), value) != values.end();
  }

  [[nodiscard]] bool Matches(date::local_seconds local) const {
    const auto day = date::floor<date::days>(local);
    const date::year_month_day ymd{day};
    const date::hh_mm_ss time{local - day};
    const bool by_day = In(day_.values, static_cast<unsigned>(ymd.day()));
    const bool by_weekday = In(weekday_.values, date::weekday{day}.c_encoding());
    const bool day_matches =
        day_.star || weekday_.star ? by_day && by_weekday : by_day || by_weekday;
    return day_matches && In(month_.values, static_cast<unsigned>(ymd.month())) &&
           In(hour_.values, static_cast<unsigned>(time.hours().count())) &&
           In(minute_.values, static_cast<unsigned>(time.minutes().count()));
  }

  Values minute_;
  Values hour_;
  Values day_;
  Values month_;
  Values weekday_;
};

TEST(ScheduleNext, AgreesWithAMinuteByMinuteReading) {
  std::mt19937 random(20260308);
  struct Stretch {
    const char* zone;
    const char* from;
  };
  int fires_seen = 0;
  for (const Stretch& stretch :
       std::initializer_list<Stretch>{{"UTC", "2028-02-27T00:00:00Z"},
                                      {"America/New_York", "2026-03-06T12:00:00Z"},
                                      {"America/New_York", "2026-10-30T12:00:00Z"},
                                      {"Europe/London", "2026-10-23T12:00:00Z"},
                                      {"Asia/Kolkata", "2026-12-30T00:00:00Z"},
                                      {"Australia/Lord_Howe", "2026-04-03T00:00:00Z"},
                                      {"Australia/Lord_Howe", "2026-10-02T00:00:00Z"},
                                      {"America/Santiago", "2026-09-04T12:00:00Z"},
                                      {"America/Santiago", "2026-04-03T12:00:00Z"}}) {
    const WallTime from = At(stretch.from);
    const WallTime to = from + hours{84};
    for (int round = 0; round < 12; ++round) {
      const Oracle oracle(random);
      SCOPED_TRACE(std::string(stretch.zone) + " " + oracle.text());
      const auto schedule = Schedule::Parse(oracle.text(), Zone(stretch.zone));
      if (!schedule) continue;  // Never fires, e.g. 31 February.
      std::vector<WallTime> expected = oracle.Fires(date::locate_zone(stretch.zone), from, to);
      std::vector<WallTime> actual;
      for (auto fire = schedule->Next(from - minutes{1}); fire && fire->at < to;
           fire = schedule->Next(fire->at)) {
        actual.push_back(fire->at);
      }
      ASSERT_EQ(actual, expected);
      fires_seen += static_cast<int>(actual.size());
    }
  }
  EXPECT_GT(fires_seen, 1000);
}

}  // namespace
}  // namespace stoker::scalers
