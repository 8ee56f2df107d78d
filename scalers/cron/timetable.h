#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "core/clock.h"
#include "core/signal.h"
#include "scalers/cron/schedule.h"

namespace stoker::scalers {

/// A window that `start` opens and `end` closes. An immutable value; thread-safe; total for times
/// of this era.
///
/// Open exactly as in KEDA's cron scaler: when the next end comes before the next start, or with
/// it. So the second of the start is inside and that of the end is not, and a start that fires
/// several times before the end opens at the last of them. Around changes of the clocks it does
/// what the schedules mean instead (Schedule): a window whose end is skipped closes when the clocks
/// go forward, one whose start is skipped opens then, one that lies in the skipped hour stays
/// closed, and one in the repeated hour opens once.
class Window {
 public:
  /// A window that starts on one of `skip_dates` (local dates of `start`) does not open.
  Window(Schedule start, Schedule end, const std::vector<std::chrono::local_days>& skip_dates);

  struct State {
    bool open = false;
    WallTime until{};  ///< stays so at least until then (exclusive); later than the time asked for
  };
  [[nodiscard]] State At(WallTime time) const;

 private:
  struct Interval {
    WallTime from;
    WallTime to;
  };
  [[nodiscard]] State Unskipped(WallTime time) const;

  Schedule start_;
  Schedule end_;
  std::vector<Interval> skipped_;  ///< when the latest start was on a skipped date
};

/// What a cron signal asks for over time: the largest `replicas` of the windows that are open, else
/// 0. An immutable value; thread-safe; total for times of this era.
class Timetable {
 public:
  struct Entry {
    Window window;
    int replicas = 0;
  };
  /// Every window opens `lead` (>= 0) earlier than its schedule says, and closes when it says.
  Timetable(std::vector<Entry> entries, Duration lead)
      : entries_(std::move(entries)), lead_(lead) {}

  struct Plan {
    int replicas = 0;
    WallTime until{};  ///< `replicas` holds at least until then (exclusive)
    /// When it next changes: `until` exactly. Empty when it does not within five years (or so
    /// seldom that a thousand openings and closings before do not matter).
    std::optional<WallTime> next_change;
  };
  [[nodiscard]] Plan At(WallTime time) const;

  /// The changes after `from` and not after `to`, the first `kMostChanges` of them.
  static constexpr std::size_t kMostChanges = 1000;
  [[nodiscard]] std::vector<ScheduledChange> Changes(WallTime from, WallTime to) const;

 private:
  [[nodiscard]] Plan Step(WallTime time) const;
  [[nodiscard]] Window::State Early(const Window& window, WallTime time) const;

  std::vector<Entry> entries_;
  Duration lead_;
};

}  // namespace stoker::scalers
