#include "policy/forecast/series.h"

#include <algorithm>
#include <cmath>

namespace stoker::forecast {
namespace {

/// The first multiple of `step` at or after `time`.
WallTime SlotAfter(WallTime time, Duration step) {
  const Duration since = time.time_since_epoch();
  const Duration rest = since % step;
  if (rest == Duration::zero()) return time;
  return time - rest + (rest > Duration::zero() ? step : Duration::zero());
}

double ValueOf(const Reading& reading, OnEmpty on_empty) {
  if (reading.kind == Reading::Kind::kFault) return kUnknown;
  if (reading.kind == Reading::Kind::kValue && std::isfinite(reading.value)) return reading.value;
  return on_empty == OnEmpty::kZero ? 0 : kUnknown;
}

}  // namespace

Series Resample(std::span<const Reading> readings,
                OnEmpty on_empty,
                Duration step,
                Duration window) {
  Series series;
  series.step = step;
  if (readings.empty() || step <= Duration::zero()) return series;
  const WallTime newest = SlotAfter(readings.back().time + Duration(1), step) - step;
  const WallTime oldest = newest - window;
  for (const Reading& reading : readings) {
    const WallTime slot = SlotAfter(reading.time, step);
    if (slot <= oldest || slot > newest) continue;
    const double value = ValueOf(reading, on_empty);
    if (std::isnan(value)) continue;
    if (series.values.empty()) series.first = slot;
    const auto at = static_cast<std::size_t>((slot - series.first) / step);
    series.values.resize(std::max(series.values.size(), at + 1), kUnknown);
    series.values[at] = value;
  }
  // What is unknown at the end counts: forecasts reach from the newest slot.
  if (!series.values.empty()) {
    series.values.resize(static_cast<std::size_t>((newest - series.first) / step) + 1, kUnknown);
  }
  return series;
}

}  // namespace stoker::forecast
