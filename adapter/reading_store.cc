#include "adapter/reading_store.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace stoker::adapter {
namespace {

using Kind = Reading::Kind;

/// The last value, and the last empty reading if that is later.
std::vector<Reading> LastGood(std::span<const Reading> readings) {
  const auto good = std::find_if(readings.rbegin(), readings.rend(), [](const Reading& reading) {
    return reading.kind != Kind::kFault;
  });
  const auto value = std::find_if(
      good, readings.rend(), [](const Reading& reading) { return reading.kind == Kind::kValue; });
  std::vector<Reading> kept;
  if (value != readings.rend()) kept.push_back(*value);
  if (good != readings.rend() && good != value) kept.push_back(*good);
  return kept;
}

std::vector<Reading>::iterator FirstFrom(std::vector<Reading>& readings, WallTime time) {
  return std::lower_bound(
      readings.begin(), readings.end(), time, [](const Reading& reading, WallTime at) {
        return reading.time < at;
      });
}

bool Earlier(const Reading& a, const Reading& b) { return a.time < b.time; }

/// Adds a reading that is not earlier than the last.
void Append(const Reading& reading, std::vector<Reading>& to) {
  if (!to.empty() && to.back().time == reading.time) {
    to.back() = JoinReadings(to.back(), reading);
  } else {
    to.push_back(reading);
  }
}

}  // namespace

Reading JoinReadings(const Reading& a, const Reading& b) {
  const auto rank = [](const Reading& reading) {
    switch (reading.kind) {
      case Kind::kFault:
        return 0;
      case Kind::kEmpty:
        return 1;
      case Kind::kValue:
        return 2;
    }
    return 0;
  };
  if (rank(a) != rank(b)) return rank(a) > rank(b) ? a : b;
  if (a.kind != Kind::kValue) return a;
  Reading joined = a;
  joined.value = std::max(a.value, b.value);
  joined.at_least = a.at_least && b.at_least;
  return joined;
}

ReadingWindow MergeReadings(const ReadingWindow& window,
                            std::span<const Reading> readings,
                            Duration lookback) {
  if (readings.empty()) return window;
  std::vector<Reading> all(readings.begin(), readings.end());
  std::sort(all.begin(), all.end(), Earlier);
  if (window) {
    const auto middle = all.insert(all.begin(), window->begin(), window->end()) +
                        static_cast<std::ptrdiff_t>(window->size());
    std::inplace_merge(all.begin(), middle, all.end(), Earlier);
  }
  auto next = std::make_shared<std::vector<Reading>>();
  next->reserve(all.size());
  for (const Reading& reading : all) Append(reading, *next);

  const auto begin = FirstFrom(*next, next->back().time - lookback);
  std::vector<Reading> kept = LastGood({next->begin(), begin});
  next->erase(next->begin(), begin);
  next->insert(next->begin(), kept.begin(), kept.end());
  if (window && *next == *window) return window;
  return next;
}

ReadingWindow RewindTo(const ReadingWindow& window, WallTime slot) {
  if (!window || window->empty() || window->back().time <= slot) return window;
  auto next = std::make_shared<std::vector<Reading>>(*window);
  const auto end = FirstFrom(*next, slot + Duration(1));
  std::vector<Reading> kept = LastGood({end, next->end()});
  next->erase(end, next->end());
  const bool has_value = std::any_of(next->begin(), next->end(), [](const Reading& reading) {
    return reading.kind == Kind::kValue;
  });
  if (has_value) return next;
  for (Reading& reading : kept) {
    reading.time = slot;
    Append(reading, *next);
  }
  return next;
}

bool HasGoodReading(const ReadingWindow& window) {
  return window && std::any_of(window->begin(), window->end(), [](const Reading& reading) {
           return reading.kind != Kind::kFault;
         });
}

WallTime SlotAt(WallTime now, Duration interval) { return now - now.time_since_epoch() % interval; }

}  // namespace stoker::adapter
