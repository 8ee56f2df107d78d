#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "capacity/expander.h"
#include "core/clock.h"

namespace stoker::capacity {

/// A choice that was made, as it is shown.
struct ChoiceRecord {
  WallTime time{};
  Duration took{};
  std::int64_t options = 0;  ///< asked about; `choice` may hold fewer
  Choice choice;
};

/// The newest choices of the expander, a bounded number of bounded records. Thread-safe.
class ChoiceLog {
 public:
  static constexpr std::size_t kRecords = 50;
  static constexpr std::size_t kVerdicts = 100;  ///< of a record; chosen ones go before others

  void Add(ChoiceRecord record);
  /// Newest first.
  [[nodiscard]] std::vector<ChoiceRecord> Recent() const;

 private:
  mutable std::mutex mutex_;
  std::deque<ChoiceRecord> records_;
};

}  // namespace stoker::capacity
