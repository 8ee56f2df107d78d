#include "policy/decision.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/units.h"

// Everything here is piecewise constant in time: a signal's contribution changes when a reading
// comes or a hold ends, the wanted number (`raw`) with the contributions, the stabilized number
// with raw and when a maximum leaves the window. So history is swept from change to change, and the
// answer does not depend on when anybody asked before.

namespace stoker::policy {
namespace {

using State = SignalDecision::State;

/// Time is counted in whole milliseconds.
constexpr Duration kInstant{1};
/// Decisions are looked at again at least this often.
constexpr Duration kLongestValidity = std::chrono::hours(1);
constexpr WallTime kNever = WallTime::max();
/// More than any workload has; keeps sums and expressions finite.
constexpr double kLargestDemand = 1e12;
/// What computing in binary may add to a whole number of replicas.
constexpr double kRounding = 1e-9;

int RoundUp(double replicas) { return static_cast<int>(std::ceil(replicas - kRounding)); }

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

/// What one signal says at one moment.
struct Contribution {
  State state = State::kWaiting;
  const Reading* used = nullptr;  ///< the good reading behind it
  double value = 0;
  double demand = 0;
  bool takes_part = false;
  bool active = false;

  [[nodiscard]] bool fails() const { return state == State::kFaulted || state == State::kWaiting; }
};

/// Walks one signal's readings forward in time.
class Cursor {
 public:
  Cursor(const PolicySignal& signal,
         int executors_per_replica,
         const ReadingWindow& window,
         WallTime time)
      : signal_(&signal),
        per_replica_(signal.demand.target_size *
                     (signal.demand.per == DemandRule::Per::kExecutor ? executors_per_replica : 1)),
        serves_(std::max(signal.timing.max_age, signal.on_fault.hold)) {
    if (window != nullptr) readings_ = *window;
    next_ = static_cast<std::size_t>(
        std::upper_bound(readings_.begin(),
                         readings_.end(),
                         time,
                         [](WallTime at, const Reading& reading) { return at < reading.time; }) -
        readings_.begin());
    for (std::size_t i = next_; i-- > 0;) {
      if (IsGood(readings_[i])) {
        good_ = i;
        break;
      }
    }
  }

  void MoveTo(WallTime time) {
    for (; next_ < readings_.size() && readings_[next_].time <= time; ++next_) {
      if (IsGood(readings_[next_])) good_ = next_;
    }
  }

  [[nodiscard]] const Reading* newest() const {
    return next_ > 0 ? &readings_[next_ - 1] : nullptr;
  }
  [[nodiscard]] const Reading* good() const { return good_ != kNone ? &readings_[good_] : nullptr; }
  [[nodiscard]] Duration serves() const { return serves_; }

  [[nodiscard]] Contribution At(WallTime time) const {
    if (next_ == 0) return {};
    const bool empty_is_error = signal_->on_empty == OnEmpty::kError && IsEmpty(*newest());
    if (!empty_is_error && good_ != kNone) {
      const Duration age = time - good()->time;
      if (age <= serves_) {
        const bool fresh = age <= signal_->timing.max_age && good_ + 1 == next_;
        if (!fresh) return Use(*good(), State::kHeld);
        return Use(*good(), IsEmpty(*good()) ? State::kZero : State::kFresh);
      }
    }
    Contribution contribution;
    switch (signal_->on_fault.then) {
      case FaultPolicy::Then::kFail:
        contribution.state = State::kFaulted;
        break;
      case FaultPolicy::Then::kIgnore:
        contribution.state = State::kIgnored;
        break;
      case FaultPolicy::Then::kReplicas:
        contribution.state = State::kSubstituted;
        contribution.takes_part = true;
        contribution.demand = std::max(signal_->on_fault.replicas, 0);
        contribution.active = contribution.demand > 0;
        break;
    }
    return contribution;
  }

  /// The first moment after `time` at which the demand may be another.
  [[nodiscard]] WallTime NextChange(WallTime time) const {
    WallTime next = next_ < readings_.size() ? readings_[next_].time : kNever;
    if (good_ != kNone && time - good()->time <= serves_) {
      next = std::min(next, good()->time + serves_ + kInstant);
    }
    return next;
  }

  static bool IsEmpty(const Reading& reading) {
    return reading.kind == Reading::Kind::kEmpty ||
           (reading.kind == Reading::Kind::kValue && !std::isfinite(reading.value));
  }

 private:
  [[nodiscard]] bool IsGood(const Reading& reading) const {
    return IsEmpty(reading) ? signal_->on_empty == OnEmpty::kZero
                            : reading.kind == Reading::Kind::kValue;
  }

  [[nodiscard]] Contribution Use(const Reading& reading, State state) const {
    Contribution contribution;
    contribution.state = state;
    contribution.used = &reading;
    contribution.value = IsEmpty(reading) ? 0 : reading.value;
    contribution.demand = std::clamp(contribution.value / per_replica_, 0.0, kLargestDemand);
    contribution.takes_part = true;
    contribution.active = contribution.value > signal_->demand.activation;
    return contribution;
  }

  const PolicySignal* signal_;
  double per_replica_;  ///< value that asks for one replica
  Duration serves_;     ///< how long a good reading does
  std::span<const Reading> readings_;
  std::size_t next_ = 0;  ///< readings before it have happened
  std::size_t good_ = kNone;
};

/// From contributions to the wanted number.
struct Wanted {
  enum class Kind : std::uint8_t { kNumber, kSignalFails, kNothingLeft, kExpressionFails };
  Kind kind = Kind::kNumber;
  std::string failure;  ///< kExpressionFails
  double combined = 0;
  bool gated = false;
  double with_headroom = 0;
  double clamped = 0;
};

double Clamp(const Replicas& replicas, double value) {
  return std::max<double>(replicas.min, std::min<double>(replicas.max, value));
}

Wanted Want(const Policy& policy,
            std::span<const Contribution> contributions,
            std::vector<double>& scratch) {
  Wanted wanted;
  double sum = 0;
  double most = 0;
  double least = std::numeric_limits<double>::infinity();
  std::size_t parts = 0;
  bool active = false;
  for (const Contribution& contribution : contributions) {
    if (contribution.fails()) {
      wanted.kind = Wanted::Kind::kSignalFails;
      return wanted;
    }
    if (!contribution.takes_part) continue;
    ++parts;
    sum += contribution.demand;
    most = std::max(most, contribution.demand);
    least = std::min(least, contribution.demand);
    active = active || contribution.active;
  }
  if (parts == 0) {
    wanted.kind = Wanted::Kind::kNothingLeft;
    return wanted;
  }
  switch (policy.combine) {
    case Combine::kMax:
      wanted.combined = most;
      break;
    case Combine::kSum:
      wanted.combined = sum;
      break;
    case Combine::kMin:
      wanted.combined = least;
      break;
    case Combine::kAvg:
      wanted.combined = sum / static_cast<double>(parts);
      break;
    case Combine::kExpression: {
      scratch.clear();
      for (const Contribution& contribution : contributions) scratch.push_back(contribution.demand);
      const Result<double> result = policy.expression->Evaluate(scratch);
      if (!result) {
        wanted.kind = Wanted::Kind::kExpressionFails;
        wanted.failure = result.error().message;
        return wanted;
      }
      wanted.combined = std::clamp(*result, 0.0, kLargestDemand);
      break;
    }
  }
  if (!active) {
    wanted.gated = wanted.combined > 0;
    wanted.combined = 0;
  }
  wanted.with_headroom = wanted.combined * (1 + policy.replicas.headroom);
  wanted.clamped = Clamp(policy.replicas, wanted.with_headroom);
  return wanted;
}

std::vector<Cursor> CursorsAt(const Policy& policy,
                              std::span<const SignalInput> inputs,
                              WallTime time) {
  static const ReadingWindow kNoReadings;
  std::vector<Cursor> cursors;
  cursors.reserve(policy.signals.size());
  for (std::size_t i = 0; i < policy.signals.size(); ++i) {
    cursors.emplace_back(policy.signals[i],
                         policy.replicas.executors_per_replica,
                         i < inputs.size() ? inputs[i].window : kNoReadings,
                         time);
  }
  return cursors;
}

/// A number that held in [begin, end).
struct Span {
  double value;
  WallTime end;
};

/// What history makes of the wanted number.
struct History {
  double stabilized = 0;
  double stepped = 0;
  WallTime valid_until = kNever;  ///< as far as history goes
};

class Sweep {
 public:
  Sweep(const Policy& policy, WallTime now)
      : policy_(policy),
        now_(now),
        stabilization_(policy.scale_down.stabilization),
        reach_(StepReach(policy)) {}

  History Run(std::span<const SignalInput> inputs) {
    WallTime time = now_ - stabilization_ - reach_;
    std::vector<Cursor> cursors = CursorsAt(policy_, inputs, time);
    std::vector<Contribution> contributions(cursors.size());
    std::vector<double> scratch;
    while (time <= now_) {
      WallTime next = now_ + kInstant;
      for (std::size_t i = 0; i < cursors.size(); ++i) {
        cursors[i].MoveTo(time);
        contributions[i] = cursors[i].At(time);
        next = std::min(next, cursors[i].NextChange(time));
      }
      const Wanted wanted = Want(policy_, contributions, scratch);
      // Where there was no decision there is nothing to keep.
      if (wanted.kind == Wanted::Kind::kNumber) Add(wanted.clamped, time, next);
      time = next;
    }
    return Finish();
  }

 private:
  /// The wanted number was `raw` in [begin, end).
  void Add(double raw, WallTime begin, WallTime end) {
    // Smaller and older ones can never be the maximum again.
    while (peaks_.size() > first_ && peaks_.back().value <= raw) peaks_.pop_back();
    peaks_.push_back({raw, end});
    while (begin < end) {
      while (peaks_[first_].end + stabilization_ <= begin) ++first_;
      const WallTime leaves = peaks_[first_].end + stabilization_;
      const WallTime until = std::min(end, leaves);
      stabilized_.push_back({peaks_[first_].value, until});
      begin = until;
    }
  }

  History Finish() const {
    History history;
    WallTime step_ends = kNever;
    history.stabilized = stabilized_.back().value;
    // The last peak is what is wanted now; it does not leave by itself.
    if (first_ + 1 < peaks_.size()) history.valid_until = peaks_[first_].end + stabilization_;
    history.stepped = history.stabilized;
    const ScaleDownStep& step = policy_.scale_down.step;
    std::int64_t factor_for = 0;
    double factor = 1;
    for (std::size_t i = stabilized_.size() - 1; i-- > 0;) {
      const Span& span = stabilized_[i];
      const Duration elapsed = now_ - (span.end - kInstant);
      if (elapsed > reach_) break;
      if (span.value <= history.stepped) continue;
      // Whole steps since that number last held, the first one at once.
      const std::int64_t steps = (elapsed - kInstant) / step.period + 1;
      double allowed = 0;
      if (step.percent) {
        if (steps != factor_for) {
          factor = std::pow(1 - step.amount / 100, static_cast<double>(steps - 1));
          factor_for = steps;
        }
        // What is below one replica already is let go by the next step.
        const double before = span.value * factor;
        if (before >= 1) allowed = before * (1 - step.amount / 100);
      } else {
        allowed = std::max(0.0, span.value - step.amount * static_cast<double>(steps));
      }
      if (allowed > history.stepped) {
        history.stepped = allowed;
        step_ends = span.end + step.period * steps;
      }
    }
    if (history.stepped > history.stabilized) {
      history.valid_until = std::min(history.valid_until, step_ends);
    }
    return history;
  }

  const Policy& policy_;
  WallTime now_;
  Duration stabilization_;
  Duration reach_;
  std::vector<Span> peaks_;  ///< falling values; from first_ on still in the window
  std::size_t first_ = 0;
  std::vector<Span> stabilized_;
};

/// "31m", "12s": exact enough to read.
std::string About(Duration duration) {
  using std::chrono::floor;
  if (duration < std::chrono::seconds(1)) return FormatDuration(duration);
  if (duration < std::chrono::minutes(10)) {
    return FormatDuration(floor<std::chrono::seconds>(duration));
  }
  return FormatDuration(floor<std::chrono::minutes>(duration));
}

std::string FaultMessage(const PolicySignal& signal,
                         const Cursor& cursor,
                         const std::string& last_error,
                         WallTime now) {
  std::string message = "signal '" + signal.name + "' ";
  const Reading* newest = cursor.newest();
  if (newest == nullptr) return message + "has no reading yet";
  const bool empty = Cursor::IsEmpty(*newest);
  if (empty && signal.on_empty == OnEmpty::kError)
    return message + "found nothing (onEmpty: error)";
  if (cursor.good() == nullptr) {
    message += "has had no good reading yet";
  } else {
    message += "has had no good reading for " + About(now - cursor.good()->time) + " (hold " +
               FormatDuration(cursor.serves()) + ")";
  }
  if (empty) return message + ": it finds nothing";
  if (!last_error.empty() && newest->kind == Reading::Kind::kFault)
    return message + ": " + last_error;
  return message;
}

Bound BoundOf(const Decision& decision) {
  if (decision.error) return Bound::kFault;
  if (decision.stepped > decision.stabilized) return Bound::kStep;
  if (decision.stabilized > decision.clamped) return Bound::kStabilization;
  if (decision.clamped < decision.with_headroom) return Bound::kMax;
  if (decision.clamped > decision.with_headroom) return Bound::kMin;
  return Bound::kNone;
}

}  // namespace

std::string_view BoundName(Bound bound) {
  switch (bound) {
    case Bound::kNone:
      return "none";
    case Bound::kMin:
      return "min";
    case Bound::kMax:
      return "max";
    case Bound::kStabilization:
      return "stabilization";
    case Bound::kStep:
      return "step";
    case Bound::kHold:
      return "hold";
    case Bound::kFault:
      return "fault";
  }
  return "none";
}

std::string_view StateName(State state) {
  switch (state) {
    case State::kFresh:
      return "fresh";
    case State::kHeld:
      return "held";
    case State::kZero:
      return "zero";
    case State::kSubstituted:
      return "substituted";
    case State::kIgnored:
      return "ignored";
    case State::kFaulted:
      return "faulted";
    case State::kWaiting:
      return "waiting";
  }
  return "waiting";
}

Decision Decide(const Policy& policy, std::span<const SignalInput> inputs, WallTime now) {
  Decision decision;
  decision.time = now;
  decision.valid_until = now + kLongestValidity;
  const auto valid_until = [&decision](WallTime time) {
    decision.valid_until = std::min(decision.valid_until, time);
  };

  const std::vector<Cursor> cursors = CursorsAt(policy, inputs, now);
  std::vector<Contribution> contributions;
  contributions.reserve(cursors.size());
  for (const Cursor& cursor : cursors) {
    contributions.push_back(cursor.At(now));
    valid_until(cursor.NextChange(now));
  }
  std::vector<double> scratch;
  const Wanted wanted = Want(policy, contributions, scratch);
  decision.combined = wanted.combined;
  decision.gated = wanted.gated;
  decision.with_headroom = wanted.with_headroom;
  decision.clamped = wanted.clamped;

  const bool one_wins = wanted.kind == Wanted::Kind::kNumber && !wanted.gated &&
                        (policy.combine == Combine::kMax || policy.combine == Combine::kMin);
  bool found_winner = false;
  bool held_decides = false;
  decision.signals.resize(policy.signals.size());
  for (std::size_t i = 0; i < policy.signals.size(); ++i) {
    const PolicySignal& signal = policy.signals[i];
    const Contribution& contribution = contributions[i];
    SignalDecision& out = decision.signals[i];
    out.name = signal.name;
    out.type = signal.type;
    out.state = contribution.state;
    out.active = contribution.active;
    if (i < inputs.size()) {
      out.error = inputs[i].last_error;
      out.warnings = inputs[i].warnings;
      out.detail = inputs[i].detail;
      out.next_change = inputs[i].next_change;
    }
    const Reading* good = cursors[i].good();
    if (good != nullptr) {
      const Duration age = now - good->time;
      out.reading_time = good->time;
      out.age = age;
      out.up = good == cursors[i].newest() && age <= signal.timing.max_age;
      if (age <= signal.timing.max_age) {
        valid_until(good->time + signal.timing.max_age + kInstant);
      }
    }
    if (contribution.used != nullptr) {
      out.value = contribution.value;
      out.at_least = contribution.used->at_least;
    }
    if (contribution.takes_part) {
      out.demand = contribution.demand;
      if (one_wins && !found_winner && contribution.demand == wanted.combined) {
        found_winner = out.winner = true;
      }
    }
    if (contribution.state == State::kHeld) {
      decision.held = true;
      held_decides = held_decides || out.winner || !one_wins;
    }
  }

  if (wanted.kind != Wanted::Kind::kNumber) {
    std::string message;
    if (wanted.kind == Wanted::Kind::kSignalFails) {
      for (std::size_t i = 0; i < contributions.size(); ++i) {
        if (!contributions[i].fails()) continue;
        if (!message.empty()) message += "; ";
        message += FaultMessage(policy.signals[i], cursors[i], decision.signals[i].error, now);
      }
    } else if (wanted.kind == Wanted::Kind::kNothingLeft) {
      message = "nothing left to decide from: every signal is at fault and ignored";
    } else {
      message = "combine: " + wanted.failure;
    }
    decision.error = Error{ErrorCode::kUnavailable, std::move(message)};
    decision.bound = Bound::kFault;
    return decision;
  }

  decision.stabilized = decision.stepped = wanted.clamped;
  if (policy.scale_down.stabilization > Duration::zero() || StepReach(policy) > Duration::zero()) {
    const History history = Sweep(policy, now).Run(inputs);
    decision.stabilized = history.stabilized;
    decision.stepped = history.stepped;
    valid_until(history.valid_until);
  }
  decision.target_replicas = RoundUp(decision.stepped);
  decision.target_executors = decision.target_replicas * policy.replicas.executors_per_replica;
  decision.active = decision.target_replicas > 0;
  decision.bound = BoundOf(decision);
  if (decision.bound == Bound::kNone && held_decides) decision.bound = Bound::kHold;
  return decision;
}

int SignalReplicas(const Policy& policy, const Decision& decision, std::size_t index) {
  if (!decision.active) return 0;
  const double demand = decision.signals[index].demand.value_or(0);
  return RoundUp(std::clamp(
      demand, static_cast<double>(policy.replicas.min), static_cast<double>(policy.replicas.max)));
}

}  // namespace stoker::policy
