#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/signal.h"
#include "policy/decision.h"
#include "policy/policy.h"

// From readings to the wanted number of one moment; what history makes of it is history.cc's.
// Internal to policy/.

namespace stoker::policy {

/// Time is counted in whole milliseconds.
inline constexpr Duration kInstant{1};
inline constexpr WallTime kNever = WallTime::max();

/// Up to whole replicas or executors; what computing in binary may add is no whole one.
int RoundUp(double replicas);
/// Down to whole executors: what is only partly there is not.
int RoundDown(double executors);

/// What one signal says at one moment.
struct Contribution {
  SignalDecision::State state = SignalDecision::State::kWaiting;
  const Reading* used = nullptr;  ///< the good reading behind it
  double value = 0;
  double demand = 0;
  std::optional<double> lifted;  ///< the forecast value that demand stands for instead of `value`
  bool takes_part = false;
  bool active = false;

  [[nodiscard]] bool fails() const {
    return state == SignalDecision::State::kFaulted || state == SignalDecision::State::kWaiting;
  }
};

/// Walks one signal's readings forward in time. `signal` and the window outlive it.
class Cursor {
 public:
  Cursor(const PolicySignal& signal,
         int executors_per_replica,
         const ReadingWindow& window,
         WallTime time);

  void MoveTo(WallTime time);

  [[nodiscard]] const Reading* newest() const {
    return next_ > 0 ? &readings_[next_ - 1] : nullptr;
  }
  [[nodiscard]] const Reading* good() const { return good_ != kNone ? &readings_[good_] : nullptr; }
  [[nodiscard]] Duration serves() const { return serves_; }

  [[nodiscard]] Contribution At(WallTime time) const;

  /// `contribution` as it would be if the signal's value were another.
  [[nodiscard]] Contribution With(Contribution contribution, double value) const;

  /// `contribution` as it is if the signal is forecast to become `value`, which may only lift it.
  [[nodiscard]] Contribution Lifted(Contribution contribution, double value) const;

  /// The first moment after `time` at which the demand may be another.
  [[nodiscard]] WallTime NextChange(WallTime time) const;

  /// The first moment after `time` at which the good reading is stale; kNever once it is.
  [[nodiscard]] WallTime NextStale(WallTime time) const;

  static bool IsEmpty(const Reading& reading);

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  [[nodiscard]] bool IsGood(const Reading& reading) const;
  [[nodiscard]] Contribution Use(const Reading& reading, SignalDecision::State state) const;

  const PolicySignal* signal_;
  double per_replica_;  ///< value that asks for one replica
  Duration serves_;     ///< how long a good reading does
  std::span<const Reading> readings_;
  std::size_t next_ = 0;  ///< readings before it have happened
  std::size_t good_ = kNone;
};

/// One for each of the policy's signals.
std::vector<Cursor> CursorsAt(const Policy& policy,
                              std::span<const SignalInput> inputs,
                              WallTime time);

/// What the explanation says of a signal; `winner` is left to the caller.
SignalDecision Explain(const PolicySignal& signal,
                       const Cursor& cursor,
                       const Contribution& contribution,
                       const SignalInput& input,
                       WallTime now);

/// Why a contribution fails.
std::string FaultMessage(const PolicySignal& signal,
                         const Cursor& cursor,
                         const std::string& last_error,
                         WallTime now);

/// The wanted number, in replicas.
struct Wanted {
  enum class Kind : std::uint8_t { kNumber, kSignalFails, kNothingLeft, kExpressionFails };
  Kind kind = Kind::kNumber;
  std::string failure;  ///< kExpressionFails
  double reactive = 0;  ///< `combined` without forecasts
  double combined = 0;
  bool gated = false;
  double with_headroom = 0;
  double clamped = 0;
};

/// Combines what the policy's signals say. `scratch` spares an allocation when called often.
Wanted Want(const Policy& policy,
            std::span<const Contribution> contributions,
            std::vector<double>& scratch);

/// Combines them with what forecasts say of the time until their horizon, where policy.forecast
/// lifts the replicas; `contributions` become what was combined. Never less than without them: an
/// expression that asks for less when a signal rises takes no forecasts.
Wanted WantLifted(const Policy& policy,
                  std::span<const SignalInput> inputs,
                  std::span<const Cursor> cursors,
                  std::span<Contribution> contributions,
                  WallTime time,
                  std::vector<double>& scratch);

/// The first moment after `time` at which forecasts may lift to another number.
WallTime NextLift(const Policy& policy, std::span<const SignalInput> inputs, WallTime time);

}  // namespace stoker::policy
