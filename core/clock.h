#pragma once

#include <chrono>

namespace stoker {

/// Durations inside Stoker. Config, metrics and JSON carry a unit in their text instead.
using Duration = std::chrono::milliseconds;

/// Wall-clock time (UTC, milliseconds): slots, readings, schedules, explanations.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

/// Monotonic time: deadlines and back-off. A type of its own, so the two cannot be mixed up.
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// The only way to learn the time. Thread-safe. Tests use testing::FakeClock.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime WallNow() const = 0;
  [[nodiscard]] virtual MonoTime MonotonicNow() const = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime WallNow() const override;
  [[nodiscard]] MonoTime MonotonicNow() const override;
};

}  // namespace stoker
