#include "scalers/cron/schedule.h"

#include <bit>
#include <charconv>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "core/text.h"

namespace stoker::scalers {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::local_days;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::year_month_day;

constexpr std::array<std::string_view, 12> kMonths = {
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {
    "sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct FieldRule {
  std::string_view name;
  unsigned min;
  unsigned max;
  std::span<const std::string_view> words;  ///< of min, min + 1, ...
  std::string_view takes;                   ///< for messages
};

constexpr std::array<FieldRule, 5> kFields = {{
    {"minute", 0, 59, {}, "0 to 59"},
    {"hour", 0, 23, {}, "0 to 23"},
    {"day-of-month", 1, 31, {}, "1 to 31"},
    {"month", 1, 12, kMonths, "1 to 12 or JAN to DEC"},
    {"day-of-week", 0, 6, kWeekdays, "0 to 6 or SUN to SAT; Sunday is 0"},
}};

/// How far Next looks ahead.
constexpr std::chrono::years kHorizon{5};

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::vector<std::string_view> Fields(std::string_view text) {
  std::vector<std::string_view> fields;
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t begin = i;
    while (i < text.size() && !IsSpace(text[i])) ++i;
    if (i > begin) fields.push_back(text.substr(begin, i - begin));
    while (i < text.size() && IsSpace(text[i])) ++i;
  }
  return fields;
}

/// A decimal number, with the leading plus that KEDA's parser lets pass.
std::optional<unsigned> Number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.starts_with('-')) {
    return std::nullopt;
  }
  // Larger ones are out of every range, and as a step they all mean "only the first".
  constexpr std::int64_t kLargest = 1000;
  return static_cast<unsigned>(std::min(value, kLargest));
}

std::optional<unsigned> NumberOrWord(std::string_view text, const FieldRule& rule) {
  for (std::size_t i = 0; i < rule.words.size(); ++i) {
    if (EqualsIgnoreCase(text, rule.words[i])) return rule.min + static_cast<unsigned>(i);
  }
  return Number(text);
}

tl::unexpected<Error> Refuse(const FieldRule& rule, std::string_view problem) {
  return Fail(ErrorCode::kInvalidArgument,
              "the " + std::string(rule.name) + " field " + std::string(problem) + " (it takes " +
                  std::string(rule.takes) + ")");
}

}  // namespace

Result<std::uint64_t> Schedule::ParseRange(std::string_view text, Field field) {
  const FieldRule& rule = kFields[field];
  const std::vector<std::string_view> parts = Split(text, '/');
  const std::vector<std::string_view> ends = Split(parts[0], '-');

  unsigned low = rule.min;
  unsigned high = rule.max;
  std::uint64_t star = 0;
  if (ends[0] == "*" || ends[0] == "?") {
    star = kStar;  // What may follow a hyphen here is ignored, as KEDA does.
  } else {
    if (ends.size() > 2) return Refuse(rule, "has a range with more than one hyphen");
    const auto first = NumberOrWord(ends[0], rule);
    const auto last = NumberOrWord(ends.back(), rule);
    if (!first || !last) return Refuse(rule, "is neither number, range, list, step nor *");
    low = *first;
    // `N/STEP` runs from N to the end.
    high = ends.size() == 1 && parts.size() > 1 ? rule.max : *last;
  }

  unsigned step = 1;
  if (parts.size() > 2) return Refuse(rule, "has more than one step");
  if (parts.size() == 2) {
    const auto number = Number(parts[1]);
    if (!number || *number == 0) return Refuse(rule, "has a step that is no positive number");
    step = *number;
    if (step > 1) star = 0;
  }
  if (low < rule.min || high > rule.max) return Refuse(rule, "has a number that is out of range");
  if (low > high) return Refuse(rule, "has a range that runs backwards; write it as a list of two");

  std::uint64_t bits = star;
  for (unsigned value = low; value <= high; value += step) bits |= std::uint64_t{1} << value;
  return bits;
}

Result<std::uint64_t> Schedule::ParseField(std::string_view text, Field field) {
  std::uint64_t bits = 0;
  for (const std::string_view item : Split(text, ',')) {
    if (item.empty()) continue;
    const Result<std::uint64_t> range = ParseRange(item, field);
    if (!range) return range;
    bits |= *range;
  }
  return bits;
}

Result<Schedule> Schedule::Parse(std::string_view expression, const TimeZone& zone) {
  TimeZone effective = zone;
  std::string_view text = expression;
  if (text.starts_with("TZ=") || text.starts_with("CRON_TZ=")) {
    const std::size_t begin = text.find('=') + 1;
    const std::size_t end = text.find(' ');
    if (end == std::string_view::npos) {
      return Fail(ErrorCode::kInvalidArgument,
                  "a time zone stands alone; write five fields behind it");
    }
    const Result<TimeZone> own = TimeZone::Find(text.substr(begin, end - begin));
    if (!own) return Fail(own.error());
    effective = *own;
    text.remove_prefix(end);
  }
  const std::vector<std::string_view> fields = Fields(text);
  if (!fields.empty() && fields[0].starts_with('@')) {
    return Fail(ErrorCode::kInvalidArgument,
                "names such as @daily are not accepted; write five fields");
  }
  if (fields.size() != kFields.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                "expected five fields (minute, hour, day of month, month, day of week), found " +
                    std::to_string(fields.size()));
  }
  Bits bits{};
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const Result<std::uint64_t> parsed = ParseField(fields[i], static_cast<Field>(i));
    if (!parsed) return Fail(parsed.error());
    bits[i] = *parsed;
  }
  const Schedule schedule(bits, effective);
  // Begins in a leap year, so 29 February is found at once.
  if (!schedule.NextLocal(local_days{std::chrono::year{2000} / 1 / 1})) {
    return Fail(ErrorCode::kInvalidArgument,
                "it never fires; no year has a day that matches its day and month fields");
  }
  return schedule;
}

bool Schedule::MatchesDay(local_days day) const {
  const year_month_day date{day};
  const bool by_day = Has(kDay, static_cast<unsigned>(date.day()));
  const bool by_weekday = Has(kWeekday, std::chrono::weekday{day}.c_encoding());
  if (((bits_[kDay] | bits_[kWeekday]) & kStar) != 0) return by_day && by_weekday;
  return by_day || by_weekday;
}

std::optional<minutes> Schedule::NextInDay(minutes from) const {
  const auto first_hour = static_cast<unsigned>(from / hours{1});
  const auto first_minute = static_cast<unsigned>((from % hours{1}).count());
  for (unsigned hour = first_hour; hour < 24; ++hour) {
    if (!Has(kHour, hour)) continue;
    std::uint64_t minute_bits = bits_[kMinute] & ~kStar;
    if (hour == first_hour) minute_bits &= ~std::uint64_t{0} << first_minute;
    if (minute_bits != 0) return hours{hour} + minutes{std::countr_zero(minute_bits)};
  }
  return std::nullopt;
}

/// The first matching local time at or after `from`, a whole minute.
std::optional<LocalTime> Schedule::NextLocal(LocalTime from) const {
  local_days day = std::chrono::floor<days>(from);
  auto in_day = std::chrono::duration_cast<minutes>(from - day);
  const std::chrono::year last_year = year_month_day{day}.year() + kHorizon;
  while (true) {
    const year_month_day date{day};
    if (date.year() > last_year) return std::nullopt;
    if (!Has(kMonth, static_cast<unsigned>(date.month()))) {
      day = local_days{(date.year() / date.month() + std::chrono::months{1}) / 1};
    } else {
      if (MatchesDay(day)) {
        if (const auto minute = NextInDay(in_day)) return day + *minute;
      }
      day += days{1};
    }
    in_day = minutes{0};
  }
}

/// Next for an expression of every hour: counts the minutes that really pass.
std::optional<Schedule::Fire> Schedule::NextElapsed(WallTime time) const {
  TimeZone::Span span = zone_.SpanAt(time);
  LocalTime from = std::chrono::floor<minutes>(LocalTime(
                       (std::chrono::floor<seconds>(time) + span.offset).time_since_epoch())) +
                   minutes{1};
  while (true) {
    const auto local = NextLocal(from);
    if (!local) return std::nullopt;
    const WallTime at = std::chrono::sys_seconds(local->time_since_epoch()) - span.offset;
    if (at < span.end) return Fire{at, at, std::chrono::floor<days>(*local)};
    const auto change = std::chrono::floor<seconds>(span.end);
    span = zone_.SpanAt(span.end);
    from = std::chrono::ceil<minutes>(LocalTime((change + span.offset).time_since_epoch()));
  }
}

std::optional<Schedule::Fire> Schedule::Next(WallTime time) const {
  // The calendar's arithmetic ends somewhere; schedules are for the present.
  constexpr WallTime kFirst = std::chrono::sys_days{std::chrono::year{1900} / 1 / 1};
  constexpr WallTime kLast = std::chrono::sys_days{std::chrono::year{3000} / 1 / 1};
  if (time < kFirst || time > kLast) return std::nullopt;

  constexpr std::uint64_t kEveryHour = (std::uint64_t{1} << 24U) - 1;
  if ((bits_[kHour] & kEveryHour) == kEveryHour) return NextElapsed(time);

  const auto now_local =
      LocalTime((std::chrono::floor<seconds>(time) + zone_.SpanAt(time).offset).time_since_epoch());
  auto local = NextLocal(std::chrono::floor<minutes>(now_local) + minutes{1});
  while (local) {
    const TimeZone::Moment moment = zone_.ToMoment(*local);
    if (moment.at > time) return Fire{moment.at, moment.order, std::chrono::floor<days>(*local)};
    local = NextLocal(*local + minutes{1});  // Its first occurrence is over.
  }
  return std::nullopt;
}

Schedule::Fire Schedule::Last(const Fire& fire, const Fire& limit, bool inclusive) const {
  const auto fits = [&](const std::optional<Fire>& candidate) {
    return candidate && (inclusive ? !limit.Before(*candidate) : candidate->Before(limit));
  };
  // Halves the time in which the last one can be; Next alone cannot look back.
  Fire last = fire;
  WallTime end = limit.at;
  for (auto next = Next(last.at); fits(next); next = Next(last.at)) {
    last = *next;
    const WallTime middle = last.at + (end - last.at) / 2;
    if (const auto candidate = Next(middle); fits(candidate)) {
      last = *candidate;
    } else {
      end = middle;
    }
  }
  return last;
}

std::optional<Schedule::Fire> Schedule::NextFrom(local_days date) const {
  auto fire = Next(zone_.ToMoment(LocalTime(date)).at - seconds{1});
  while (fire && fire->date < date) fire = Next(fire->at);
  return fire;
}

}  // namespace stoker::scalers
