#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "core/signal.h"
#include "policy/policy.h"

namespace stoker::forecast {
struct Forecast;
}  // namespace stoker::forecast

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
  bool active = false;           ///< value (or what it is lifted to) > activation
  bool winner = false;           ///< combine max/min: its demand is the combined number
  std::string error;             ///< of the newest poll, if it failed
  std::vector<std::string> warnings;
  std::string detail;
  std::optional<WallTime> next_change;
  std::shared_ptr<const forecast::Forecast> forecast;  ///< null: there is none
  std::optional<double> lifted;  ///< forecast value that `demand` stands for instead of `value`
};
std::string_view StateName(SignalDecision::State state);

/// How long executors take from being wanted to running.
struct LeadTime {
  enum class Source : std::uint8_t {
    kAssumed,   ///< too few samples
    kSet,       ///< in the configuration
    kMeasured,  ///< the 90th percentile of `samples`
  };
  Duration value = std::chrono::minutes(4);
  Source source = Source::kAssumed;
  int samples = 0;
  std::optional<Duration> median{};  ///< of the samples, if there are any

  [[nodiscard]] bool measured() const { return source == Source::kMeasured; }
};

/// Room for executors that will be wanted before their nodes could be there: what to tell the
/// cluster now. Everything is in executors.
struct Headroom {
  /// kUnavailable: nobody knows, nothing may be asked for or taken back; the rest is best effort.
  std::optional<Error> error;
  int executors = 0;     ///< max(0, wanted_ahead - running - pending), at most maxExecutors
  bool capped = false;   ///< by maxExecutors
  int wanted_now = 0;    ///< Decision::target_executors
  int wanted_ahead = 0;  ///< the most until now + lead, at least wanted_now
  /// What is there already: executors that run, and those that are created and do not run yet.
  /// Without signals for them, wanted_now are taken to be there.
  std::optional<int> running;
  std::optional<int> pending;
  bool held = false;  ///< a last good reading of `running` or `pending` serves
  LeadTime lead;
  std::vector<SignalDecision> signals;  ///< of `running` and `pending`; demand is in executors
};

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
  double reactive = 0;  ///< `combined` as it would be without forecasts
  double combined = 0;  ///< after activation gating and combine
  bool gated = false;   ///< demands were above 0 but no signal was active
  double with_headroom = 0;
  double clamped = 0;  ///< min/max
  double stabilized = 0;
  double stepped = 0;  ///< target_replicas is this rounded up
  std::vector<SignalDecision> signals;

  /// Present if the policy has `capacity`. Its error is no error of the target.
  std::optional<Headroom> headroom;
  /// The target is the headroom (HeadroomDecision): executors, one for each replica.
  bool of_headroom = false;

  /// Until then the same readings give the same decision; afterwards a reading goes stale, a hold
  /// ends or a maximum leaves the window.
  WallTime valid_until{};
};

/// What Decide sees of one signal.
struct SignalInput {
  ReadingWindow window;                                ///< oldest first; may be null or empty
  ScheduledChanges upcoming;                           ///< of a schedule, as of its newest poll
  std::shared_ptr<const forecast::Forecast> forecast;  ///< null: there is none
  // Of the newest poll, for the explanation only; no part of the decision.
  std::string last_error;
  std::vector<std::string> warnings;
  std::string detail;
  std::optional<WallTime> next_change;
};

/// What Decide sees besides, for the headroom.
struct CapacityInput {
  SignalInput running;  ///< of capacity.running and capacity.pending, where the policy has them
  SignalInput pending;
  LeadTime lead;
  /// Every source was asked once, so that schedules are known; a window may come from a sibling
  /// replica before.
  bool schedules_known = true;
};

/// The decision: a pure function of its arguments. `inputs` in the order of policy.signals.
/// `capacity` never changes the target.
Decision Decide(const Policy& policy,
                std::span<const SignalInput> inputs,
                WallTime now,
                const CapacityInput& capacity = {});

/// The decision as those see it who ask for the headroom instead of the target (`output:
/// headroom`, whose replicas are executor-shaped placeholders): target_replicas are the executors
/// to make room for, and the error is the headroom's, too. kNotFound as its error when the policy
/// has no capacity.
Decision HeadroomDecision(const Decision& decision);

/// The replicas signal `index` alone asks for, rounded up and within the policy's bounds; 0 when
/// the decision is inactive. What metricMode per-signal answers.
int SignalReplicas(const Policy& policy, const Decision& decision, std::size_t index);

/// One line for people: what is asked for and why, e.g.
/// "12 replicas: backlog asks for 12 (60 / 5)".
std::string Summarize(const Policy& policy, const Decision& decision);

}  // namespace stoker::policy
