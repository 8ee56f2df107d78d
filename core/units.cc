#include "core/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <utility>

#include "core/text.h"

namespace stoker {
namespace {

constexpr std::int64_t kKibi = 1024;
constexpr std::int64_t kMebi = kKibi * kKibi;
constexpr std::int64_t kGibi = kMebi * kKibi;
constexpr double kTwoTo63 = 9223372036854775808.0;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

tl::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

/// Takes `12`, `1.5` or `.5` off the front of `text`; no sign, no exponent, so that a unit follows.
std::optional<double> TakeDecimal(std::string_view& text) {
  const std::size_t end = text.find_first_not_of("0123456789.");
  const std::string_view number = text.substr(0, end);
  double value = 0;
  const auto [stop, error] = std::from_chars(
      number.data(), number.data() + number.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || stop != number.data() + number.size()) return std::nullopt;
  text.remove_prefix(number.size());
  return value;
}

/// Takes exactly `digits` decimal digits off the front of `text`.
std::optional<int> TakeDigits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (!IsDigit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool TakeChar(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> UnitBytes(std::string_view unit) {
  const std::string lower = ToLower(unit);
  if (lower == "b") return 1;
  constexpr std::string_view kPrefixes = "kmgtp";
  const std::size_t power = lower.empty() ? std::string_view::npos : kPrefixes.find(lower.front());
  const std::string_view rest = std::string_view(lower).substr(lower.empty() ? 0 : 1);
  if (power == std::string_view::npos ||
      !(rest.empty() || rest == "b" || rest == "ib" || rest == "i")) {
    return std::nullopt;
  }
  std::int64_t bytes = kKibi;
  for (std::size_t i = 0; i < power; ++i) bytes *= kKibi;
  return bytes;
}

std::optional<double> UnitMillis(std::string_view unit) {
  constexpr double kDay = 24.0 * 3600.0 * 1000.0;
  constexpr std::array<std::pair<std::string_view, double>, 7> kUnits{{{"ms", 1.0},
                                                                       {"s", 1000.0},
                                                                       {"m", 60.0 * 1000.0},
                                                                       {"h", 3600.0 * 1000.0},
                                                                       {"d", kDay},
                                                                       {"w", 7.0 * kDay},
                                                                       {"y", 365.0 * kDay}}};
  for (const auto& [name, millis] : kUnits) {
    if (name == unit) return millis;
  }
  return std::nullopt;
}

/// from_chars knows no leading plus, people and Go do. "+-1" stays wrong.
std::string_view DropPlus(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return text;
}

std::string FormatBinary(std::int64_t bytes, std::string_view gibi, std::string_view mebi) {
  if (bytes % kGibi == 0) return std::to_string(bytes / kGibi).append(gibi);
  const std::int64_t whole = bytes / kMebi + (bytes % kMebi > 0 ? 1 : 0);
  if (whole % kKibi == 0) return std::to_string(whole / kKibi).append(gibi);
  return std::to_string(whole).append(mebi);
}

}  // namespace

Result<std::int64_t> ParseBytes(std::string_view text) {
  constexpr const char* kExpected = "expected a size such as 4g or 512m";
  std::string_view rest = text;
  const std::optional<double> amount = TakeDecimal(rest);
  if (!amount) return Invalid(kExpected);
  if (rest.empty()) return Invalid("a size needs a unit, such as 4g or 512m");
  const std::optional<std::int64_t> unit = UnitBytes(rest);
  if (!unit) return Invalid(kExpected);
  const std::string_view number = text.substr(0, text.size() - rest.size());
  if (std::int64_t whole = 0; number.find('.') == std::string_view::npos) {
    // Whole amounts are exact, which a double is only up to 2^53.
    const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), whole);
    if (error == std::errc{} && whole <= std::numeric_limits<std::int64_t>::max() / *unit) {
      return whole * *unit;
    }
    return Invalid("the size is too large; at most 8191p");
  }
  const double bytes = std::round(*amount * static_cast<double>(*unit));
  if (bytes >= kTwoTo63) return Invalid("the size is too large; at most 8191p");
  return static_cast<std::int64_t>(bytes);
}

Result<std::int64_t> ParseCpuMillis(std::string_view text) {
  constexpr const char* kExpected = "expected CPUs such as 4, 0.5 or 1500m";
  std::string_view rest = text;
  const std::optional<double> amount = TakeDecimal(rest);
  if (!amount || (!rest.empty() && rest != "m")) return Invalid(kExpected);
  const double millis = rest.empty() ? *amount * 1000.0 : *amount;
  if (millis >= 1e15) return Invalid("the number of CPUs is too large");
  // Finer than a millicore rounds up, as Kubernetes does; the slack absorbs binary noise (1.1 *
  // 1000).
  return static_cast<std::int64_t>(std::ceil(millis - 1e-6));
}

Result<Duration> ParseDuration(std::string_view text) {
  constexpr const char* kExpected = "expected a duration such as 15s";
  constexpr double kMaxMillis = 100.0 * 365.0 * 24.0 * 3600.0 * 1000.0;
  if (text == "0") return Duration{0};
  if (text.size() > 1 && text[0] == '-' && IsDigit(text[1])) {
    return Invalid("a duration cannot be negative");
  }
  if (text.empty()) return Invalid(kExpected);
  double millis = 0;
  while (!text.empty()) {
    const std::optional<double> amount = TakeDecimal(text);
    if (!amount) return Invalid(kExpected);
    if (text.empty()) return Invalid("a duration needs a unit, such as 15s or 5m");
    const std::string_view unit = text.substr(0, text.find_first_of("0123456789."));
    const std::optional<double> unit_millis = UnitMillis(unit);
    if (!unit_millis) return Invalid("expected a duration such as 15s (units: ms s m h d w)");
    text.remove_prefix(unit.size());
    millis += *amount * *unit_millis;
  }
  if (millis > kMaxMillis) return Invalid("a duration may be at most 100 years");
  const std::int64_t rounded = std::llround(millis);
  if (rounded == 0 && millis > 0) return Invalid("a duration must be 0s or at least 1ms");
  return Duration{rounded};
}

Result<double> ParsePercent(std::string_view text) {
  constexpr const char* kExpected = "expected a percentage such as 25%";
  if (!text.ends_with('%')) {
    return Invalid(ParseNumber(text) ? "a percentage needs its sign, such as 25%" : kExpected);
  }
  const Result<double> number = ParseNumber(text.substr(0, text.size() - 1));
  if (!number) return Invalid(kExpected);
  return *number / 100.0;
}

Result<double> ParseNumber(std::string_view text) {
  text = DropPlus(text);
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (stop == text.data() + text.size() && error == std::errc::result_out_of_range) {
    return Invalid("the number is out of range");
  }
  if (error != std::errc{} || stop != text.data() + text.size() || !std::isfinite(value)) {
    return Invalid("expected a number such as 2.5");
  }
  return value;
}

Result<std::int64_t> ParseInteger(std::string_view text) {
  text = DropPlus(text);
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (stop == text.data() + text.size() && error == std::errc::result_out_of_range) {
    return Invalid("the number is out of range");
  }
  if (error != std::errc{} || stop != text.data() + text.size()) {
    return Invalid("expected a whole number such as 3");
  }
  return value;
}

Result<bool> ParseBool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return Invalid("expected true or false");
}

std::string FormatDuration(Duration duration) {
  if (duration == Duration::zero()) return "0s";
  // Unsigned, so that the most negative value has an absolute one.
  const bool negative = duration < Duration::zero();
  std::uint64_t rest = negative ? 0U - static_cast<std::uint64_t>(duration.count())
                                : static_cast<std::uint64_t>(duration.count());
  std::string text = negative ? "-" : "";
  constexpr std::array<std::pair<const char*, std::uint64_t>, 4> kUnits{
      {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
  for (const auto& [unit, millis] : kUnits) {
    if (rest < millis) continue;
    text += std::to_string(rest / millis) + unit;
    rest %= millis;
  }
  return text;
}

std::string FormatSparkBytes(std::int64_t bytes) { return FormatBinary(bytes, "g", "m"); }

std::string FormatKubernetesBytes(std::int64_t bytes) { return FormatBinary(bytes, "Gi", "Mi"); }

std::string FormatCpuMillis(std::int64_t millis) {
  return millis % 1000 == 0 ? std::to_string(millis / 1000) : std::to_string(millis) + "m";
}

std::string FormatTime(WallTime time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{days};
  const std::chrono::hh_mm_ss clock{time - days};
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(),
                buffer.size(),
                "%04d-%02u-%02uT%02d:%02d:%02d",
                static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  std::string text = buffer.data();
  if (const int millis = static_cast<int>(clock.subseconds().count()); millis != 0) {
    std::snprintf(buffer.data(), buffer.size(), ".%03d", millis);
    text += buffer.data();
  }
  return text + "Z";
}

Result<WallTime> ParseTime(std::string_view text) {
  const auto fail = [] { return Invalid("expected a time such as 2026-03-08T06:59:59Z"); };
  const std::optional<int> year = TakeDigits(text, 4);
  if (!year || !TakeChar(text, "-")) return fail();
  const std::optional<int> month = TakeDigits(text, 2);
  if (!month || !TakeChar(text, "-")) return fail();
  const std::optional<int> day = TakeDigits(text, 2);
  if (!day || !TakeChar(text, "Tt")) return fail();
  const std::optional<int> hour = TakeDigits(text, 2);
  if (!hour || *hour > 23 || !TakeChar(text, ":")) return fail();
  const std::optional<int> minute = TakeDigits(text, 2);
  if (!minute || *minute > 59 || !TakeChar(text, ":")) return fail();
  const std::optional<int> second = TakeDigits(text, 2);
  if (!second || *second > 59) return fail();
  int millis = 0;
  if (TakeChar(text, ".")) {
    if (text.empty() || !IsDigit(text.front())) return fail();
    for (int weight = 100; !text.empty() && IsDigit(text.front()); weight /= 10) {
      millis += (text.front() - '0') * weight;  // digits past the milliseconds weigh 0
      text.remove_prefix(1);
    }
  }
  std::chrono::minutes offset{0};
  if (!TakeChar(text, "Zz")) {
    const bool west = text.starts_with('-');
    if (!TakeChar(text, "+-")) return fail();
    const std::optional<int> hours = TakeDigits(text, 2);
    if (!hours || *hours > 23 || !TakeChar(text, ":")) return fail();
    const std::optional<int> minutes = TakeDigits(text, 2);
    if (!minutes || *minutes > 59) return fail();
    offset = std::chrono::minutes((*hours * 60 + *minutes) * (west ? -1 : 1));
  }
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!text.empty() || !date.ok()) return fail();
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + std::chrono::seconds(*second) + Duration(millis) - offset;
}

}  // namespace stoker
