#include "rightsizing/text.h"

#include <array>
#include <cmath>

#include "core/text.h"
#include "core/units.h"

namespace stoker::rightsizing {

std::string DecimalText(double value, int decimals) {
  const double scale = std::pow(10.0, decimals);
  return FormatNumber(std::round(value * scale) / scale);
}

std::string SizeText(std::int64_t bytes) {
  constexpr std::array<const char*, 7> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (amount >= 1024 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  return DecimalText(amount, 1) + " " + kUnits.at(unit);
}

std::string RateText(double bytes_per_second) {
  return SizeText(std::llround(bytes_per_second)) + "/s";
}

std::string SecondsText(double seconds) {
  if (seconds < 10) return DecimalText(seconds, 1) + "s";
  return FormatDuration(std::chrono::seconds(std::llround(seconds)));
}

std::string CountText(std::int64_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

std::string CoresText(std::int64_t cpu_millis) {
  return FormatNumber(static_cast<double>(cpu_millis) / 1000.0) +
         (cpu_millis == 1000 ? " core" : " cores");
}

std::string DollarText(double dollars) {
  if (dollars > 0 && dollars < 0.01) return "$" + DecimalText(dollars, 4);
  const std::int64_t cents = std::llround(dollars * 100);
  const std::string rest = std::to_string(cents % 100);
  return "$" + std::to_string(cents / 100) + "." + (rest.size() < 2 ? "0" : "") + rest;
}

}  // namespace stoker::rightsizing
