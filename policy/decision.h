#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "core/signal.h"
#include "policy/policy.h"

namespace stoker::policy {

/// What stood in the way of the wanted number last; the metric label of decisions_total.
enum class Bound : std::uint8_t { kNone, kMin, kMax, kStabilization, kStep, kHold, kFault };
std::string_view BoundName(Bound bound);

/// What one signal contributed.
struct SignalDecision {
  enum class State : std::uint8_t {
    kFresh,        ///< a reading within max_age
    kHeld,         ///< the last good reading, because polls fail or stay empty
    kZero,         ///< empty, counted as 0 (onEmpty: zero)
    kSubstituted,  ///< faulted, onFault.then.replicas stands in
    kIgnored,      ///< faulted, takes no part (onFault.then: ignore)
    kFaulted,      ///< faulted, fails the decision (onFault.then: fail)
    kWaiting,      ///< no reading yet: fails the decision whatever onFault says
  };
  std::string name;
  std::string type;
  State state = State::kWaiting;
  std::optional<double> value;  ///< of the reading used
  bool at_least = false;
  std::optional<WallTime> reading_time;
  std::optional<Duration> age;
  bool up = false;               ///< the newest poll succeeded
  std::optional<double> demand;  ///< replicas, not rounded; absent when it took no part
  bool active = false;           ///< value > activation
  bool winner = false;           ///< combine max/min: its demand is the combined number
  std::string error;             ///< of the newest poll, if it failed
  std::vector<std::string> warnings;
  std::string detail;
  std::optional<WallTime> next_change;
};
std::string_view StateName(SignalDecision::State state);

/// A target with its explanation. One truth: gRPC, HTTP, metrics and hints all read this.
struct Decision {
  WallTime time{};  ///< the `now` it is for
  std::optional<Error>
      error;  ///< kUnavailable: there is no target; the fields below are best effort
  int target_replicas = 0;
  int target_executors = 0;  ///< target_replicas x executorsPerReplica
  bool active = false;       ///< exactly: no error and target_replicas > 0
  bool held = false;         ///< some signal is kHeld
  Bound bound = Bound::kNone;

  // The way there, in order. Replicas, not rounded.
  double combined = 0;  ///< after activation gating and combine
  bool gated = false;   ///< demands were above 0 but no signal was active
  double with_headroom = 0;
  double clamped = 0;  ///< min/max
  double stabilized = 0;
  double stepped = 0;  ///< target_replicas is this rounded up
  std::vector<SignalDecision> signals;

  /// Until then the same readings give the same decision; afterwards a reading goes stale, a hold
  /// ends or a maximum leaves the window.
  WallTime valid_until{};
};

/// What Decide sees of one signal.
struct SignalInput {
  ReadingWindow window;  ///< oldest first; may be null or empty
  // Of the newest poll, for the explanation only; no part of the decision.
  std::string last_error;
  std::vector<std::string> warnings;
  std::string detail;
  std::optional<WallTime> next_change;
};

/// The decision: a pure function of its arguments. `inputs` in the order of policy.signals.
Decision Decide(const Policy& policy, std::span<const SignalInput> inputs, WallTime now);

/// The replicas signal `index` alone asks for, rounded up and within the policy's bounds; 0 when
/// the decision is inactive. What metricMode per-signal answers.
int SignalReplicas(const Policy& policy, const Decision& decision, std::size_t index);

/// One line for people: what is asked for and why, e.g.
/// "12 replicas: backlog asks for 12 (60 / 5)".
std::string Summarize(const Policy& policy, const Decision& decision);

}  // namespace stoker::policy
