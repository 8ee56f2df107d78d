#include "capacity/quantity.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace stoker::capacity {
namespace {

constexpr std::array<std::pair<std::string_view, double>, 15> kSuffixes{{{"", 1},
                                                                         {"n", 1e-9},
                                                                         {"u", 1e-6},
                                                                         {"m", 1e-3},
                                                                         {"k", 1e3},
                                                                         {"M", 1e6},
                                                                         {"G", 1e9},
                                                                         {"T", 1e12},
                                                                         {"P", 1e15},
                                                                         {"Ki", 0x1p10},
                                                                         {"Mi", 0x1p20},
                                                                         {"Gi", 0x1p30},
                                                                         {"Ti", 0x1p40},
                                                                         {"Pi", 0x1p50},
                                                                         {"Ei", 0x1p60}}};

std::optional<std::int64_t> Read(std::string_view text, double times) {
  constexpr double kNoise = 1e-6;  // of decimal fractions in binary: 1.1 is not a bit more than 1.1
  constexpr double kLimit = 9e18;
  double number = 0;
  const char* const end = text.data() + text.size();
  // "1e3" is an exponent, "1E" ten to the eighteenth.
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  double factor = suffix == "E" ? 1e18 : 0;
  for (const auto& [name, value] : kSuffixes) {
    if (name == suffix) factor = value;
  }
  const double amount = std::ceil(number * factor * times - kNoise);
  if (factor == 0 || amount > kLimit) return std::nullopt;
  return static_cast<std::int64_t>(amount);
}

}  // namespace

std::optional<std::int64_t> QuantityMillis(std::string_view text) { return Read(text, 1000); }
std::optional<std::int64_t> QuantityUnits(std::string_view text) { return Read(text, 1); }

}  // namespace stoker::capacity
