#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"

namespace stoker {

// The words that scalers (who read) and the policy (who decides) share.

/// One observed value of a signal and its time: the outcome of one poll.
struct Reading {
  enum class Kind : std::uint8_t {
    kValue,  ///< `value` is finite
    kEmpty,  ///< the upstream answered, and had nothing to say (no series, application gone)
    kFault,  ///< the poll failed
  };
  WallTime time{};  ///< the aligned slot polled for, the same in every replica
  Kind kind = Kind::kFault;
  double value = 0;
  bool at_least = false;  ///< counting stopped early: the true value is `value` or more

  friend bool operator==(const Reading&, const Reading&) = default;
};

/// Readings of one source, oldest first, immutable: handlers share it without a lock.
using ReadingWindow = std::shared_ptr<const std::vector<Reading>>;

/// A moment at which a schedule's value becomes another, and which.
struct ScheduledChange {
  WallTime time{};
  double value = 0;

  friend bool operator==(const ScheduledChange&, const ScheduledChange&) = default;
};

/// How far ahead at least the changes of a schedule are told.
inline constexpr Duration kScheduleAhead = std::chrono::hours(6);

/// In the order of time, immutable like windows. Null: there is no schedule.
using ScheduledChanges = std::shared_ptr<const std::vector<ScheduledChange>>;

/// How a reading becomes a demand in replicas of the scale target:
/// value / target_size, and / executorsPerReplica when `per` is kExecutor.
struct DemandRule {
  enum class Per : std::uint8_t { kReplica, kExecutor };
  double target_size = 1;  ///< > 0; KEDA's threshold, targetSize
  /// The signal may lift the target above 0 only while value > activation (strictly).
  double activation = 0;
  Per per = Per::kReplica;
};

/// What an empty reading (and NaN or Inf) stands for.
enum class OnEmpty : std::uint8_t {
  kHold,   ///< the last value, as in a fault: for at most the hold time, then FaultPolicy::then
  kZero,   ///< 0 (KEDA's ignoreNullValues: true)
  kError,  ///< a fault that is not held: FaultPolicy::then at once (ignoreNullValues: false)
};

/// What a faulted signal stands for.
struct FaultPolicy {
  enum class Then : std::uint8_t {
    kFail,      ///< the decision is an error (UNAVAILABLE), so that KEDA's fallback can act
    kIgnore,    ///< the signal takes no part; may shrink the target
    kReplicas,  ///< the signal demands `replicas`
  };
  /// The last good reading serves until it is this old, or max_age old if that is longer.
  Duration hold = std::chrono::minutes(30);
  Then then = Then::kFail;
  int replicas = 0;
};

/// What every signal has, whatever its type.
struct SignalTiming {
  Duration interval = std::chrono::seconds(15);  ///< > 0; polls happen at multiples of it
  Duration timeout = std::chrono::seconds(3);    ///< total, retries included
  Duration max_age = std::chrono::minutes(2);    ///< an older reading is stale
};

}  // namespace stoker
