#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "core/clock.h"
#include "core/signal.h"

namespace stoker::forecast {

/// Marks a slot of which nothing is known; test with std::isnan.
inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// A signal at the multiples of `step` since the epoch, so that replicas mean the same slots.
struct Series {
  WallTime first{};
  Duration step{0};
  std::vector<double> values;  ///< of the slots first, first + step, ...; finite or kUnknown

  [[nodiscard]] WallTime TimeOf(std::size_t slot) const {
    return first + step * static_cast<Duration::rep>(slot);
  }
};

/// Spaces `readings` (oldest first) evenly: a slot's value is that of the newest good reading after
/// the slot before. Faults are unknown; empties, and values that are no numbers, are 0 with
/// OnEmpty::kZero and else unknown, too; a count that stopped early is taken as it is. Covers
/// `window` before the last slot that is over, from the first known value on. Empty when there is
/// none.
Series Resample(std::span<const Reading> readings,
                OnEmpty on_empty,
                Duration step,
                Duration window);

}  // namespace stoker::forecast
