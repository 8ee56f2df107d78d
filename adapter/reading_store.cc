#include "adapter/reading_store.h"

#include <algorithm>
#include <iterator>
#include <span>

namespace stoker::adapter {
namespace {

/// The last value, and the last empty reading if that is later: onEmpty: zero counts it as good,
/// and keeping one more costs nothing.
void AppendLastGood(std::span<const Reading> readings, std::vector<Reading>& out) {
  const auto good = std::find_if(readings.rbegin(), readings.rend(), [](const Reading& reading) {
    return reading.kind != Reading::Kind::kFault;
  });
  const auto value = std::find_if(good, readings.rend(), [](const Reading& reading) {
    return reading.kind == Reading::Kind::kValue;
  });
  if (value != readings.rend()) out.push_back(*value);
  if (good != readings.rend() && good != value) out.push_back(*good);
}

}  // namespace

ReadingWindow AppendReading(const ReadingWindow& window,
                            const Reading& reading,
                            Duration lookback) {
  auto next = std::make_shared<std::vector<Reading>>();
  if (window) {
    const std::vector<Reading>& old = *window;
    const auto end = std::find_if(old.begin(), old.end(), [&](const Reading& earlier) {
      return earlier.time >= reading.time;
    });
    const WallTime horizon = reading.time - lookback;
    const auto begin = std::find_if(
        old.begin(), end, [&](const Reading& earlier) { return earlier.time >= horizon; });
    next->reserve(static_cast<std::size_t>(std::distance(begin, end)) + 3);
    AppendLastGood({old.begin(), begin}, *next);
    next->insert(next->end(), begin, end);
    // What is replaced or in the future now may hold the last good reading, which no fault and no
    // empty answer may cost us.
    if (reading.kind != Reading::Kind::kValue) {
      const std::size_t kept = next->size();
      AppendLastGood({end, old.end()}, *next);
      for (std::size_t i = kept; i < next->size(); ++i) (*next)[i].time = reading.time;
    }
  }
  next->push_back(reading);
  return next;
}

WallTime SlotAt(WallTime now, Duration interval) { return now - now.time_since_epoch() % interval; }

}  // namespace stoker::adapter
