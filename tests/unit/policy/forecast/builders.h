#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include "core/clock.h"
#include "core/signal.h"

namespace stoker::forecast {

constexpr Duration kStep = std::chrono::minutes(5);
constexpr std::size_t kDay = 288;  // slots
constexpr WallTime kStart{std::chrono::hours(24 * 365 * 50)};

/// Numbers in [0, 1) that look random and are the same everywhere.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : state_(seed) {}
  double Next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 11U) / 9007199254740992.0;
  }

 private:
  std::uint64_t state_;
};

/// Busy by day, idle at night, less so on two days of seven, with noise.
inline std::vector<double> OfficeHours(std::size_t slots, double noise, std::uint64_t seed = 1) {
  Noise random(seed);
  std::vector<double> values;
  for (std::size_t t = 0; t < slots; ++t) {
    const double day = static_cast<double>(t % kDay) / static_cast<double>(kDay);
    const double wave = std::max(0.0, std::sin(2 * std::numbers::pi * (day - 0.25)));
    const bool weekend = t / kDay % 7 >= 5;
    values.push_back(10 + wave * (weekend ? 30 : 100) + noise * random.Next());
  }
  return values;
}

/// Steps up and down by chance: the best forecast is the newest value.
inline std::vector<double> RandomWalk(std::size_t slots, std::uint64_t seed = 1) {
  Noise random(seed);
  std::vector<double> values;
  double value = 1000;
  for (std::size_t t = 0; t < slots; ++t) values.push_back(value += random.Next() - 0.5);
  return values;
}

inline std::vector<Reading> Readings(const std::vector<double>& values, Duration step = kStep) {
  std::vector<Reading> readings;
  for (std::size_t t = 0; t < values.size(); ++t) {
    const WallTime time = kStart + step * static_cast<Duration::rep>(t);
    if (std::isnan(values[t])) {
      readings.push_back({time, Reading::Kind::kFault, 0, false});
    } else {
      readings.push_back({time, Reading::Kind::kValue, values[t], false});
    }
  }
  return readings;
}

}  // namespace stoker::forecast
