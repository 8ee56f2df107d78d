#include "adapter/reading_store.h"

#include <algorithm>
#include <iterator>

namespace stoker::adapter {

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
    auto begin = std::find_if(
        old.begin(), end, [&](const Reading& earlier) { return earlier.time >= horizon; });
    // Empty readings count as good here: onEmpty: zero makes them so, and keeping one more costs
    // nothing.
    const auto good =
        std::find_if(std::make_reverse_iterator(begin), old.rend(), [](const Reading& earlier) {
          return earlier.kind != Reading::Kind::kFault;
        });
    const auto value =
        std::find_if(std::make_reverse_iterator(begin), old.rend(), [](const Reading& earlier) {
          return earlier.kind == Reading::Kind::kValue;
        });
    next->reserve(static_cast<std::size_t>(std::distance(begin, end)) + 3);
    if (value != old.rend()) next->push_back(*value);
    if (good != old.rend() && good != value) next->push_back(*good);
    next->insert(next->end(), begin, end);
    // What is replaced or in the future now may hold the last good reading, which no fault may cost
    // us.
    if (reading.kind == Reading::Kind::kFault) {
      const auto kept =
          std::find_if(old.rbegin(), std::make_reverse_iterator(end), [](const Reading& later) {
            return later.kind != Reading::Kind::kFault;
          });
      if (kept != std::make_reverse_iterator(end)) {
        next->push_back(*kept);
        next->back().time = reading.time;
      }
    }
  }
  next->push_back(reading);
  return next;
}

WallTime SlotAt(WallTime now, Duration interval) { return now - now.time_since_epoch() % interval; }

}  // namespace stoker::adapter
