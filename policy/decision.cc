#include "policy/decision.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "policy/headroom.h"
#include "policy/wanted.h"

// Everything here is piecewise constant in time: a signal's contribution changes when a reading
// comes or a hold ends, the wanted number (`raw`) with the contributions, the stabilized number
// with raw and when a maximum leaves the window. So history is swept from change to change, and the
// answer does not depend on when anybody asked before.

namespace stoker::policy {
namespace {

using State = SignalDecision::State;

/// Decisions are looked at again at least this often.
constexpr Duration kLongestValidity = std::chrono::hours(1);

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
      next = std::min(next, NextLift(policy_, inputs, time));
      const Wanted wanted = WantLifted(policy_, inputs, cursors, contributions, time, scratch);
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

Bound BoundOf(const Decision& decision) {
  if (decision.error) return Bound::kFault;
  if (decision.stepped > decision.stabilized) return Bound::kStep;
  if (decision.stabilized > decision.clamped) return Bound::kStabilization;
  if (decision.clamped < decision.with_headroom) return Bound::kMax;
  if (decision.clamped > decision.with_headroom) return Bound::kMin;
  return Bound::kNone;
}

Decision DecideTarget(const Policy& policy,
                      std::span<const SignalInput> inputs,
                      std::span<const Cursor> cursors,
                      std::vector<Contribution> contributions,
                      WallTime now) {
  Decision decision;
  decision.time = now;
  decision.valid_until = now + kLongestValidity;
  const auto valid_until = [&decision](WallTime time) {
    decision.valid_until = std::min(decision.valid_until, time);
  };
  for (const Cursor& cursor : cursors) valid_until(cursor.NextChange(now));
  valid_until(NextLift(policy, inputs, now));
  std::vector<double> scratch;
  const Wanted wanted = WantLifted(policy, inputs, cursors, contributions, now, scratch);
  decision.reactive = wanted.reactive;
  decision.combined = wanted.combined;
  decision.gated = wanted.gated;
  decision.with_headroom = wanted.with_headroom;
  decision.clamped = wanted.clamped;

  const bool one_wins = wanted.kind == Wanted::Kind::kNumber && !wanted.gated &&
                        (policy.combine == Combine::kMax || policy.combine == Combine::kMin);
  static const SignalInput kNoInput;
  bool found_winner = false;
  bool held_decides = false;
  decision.signals.resize(policy.signals.size());
  for (std::size_t i = 0; i < policy.signals.size(); ++i) {
    const Contribution& contribution = contributions[i];
    SignalDecision& out = decision.signals[i];
    out = Explain(
        policy.signals[i], cursors[i], contribution, i < inputs.size() ? inputs[i] : kNoInput, now);
    valid_until(cursors[i].NextStale(now));
    if (contribution.takes_part && one_wins && !found_winner &&
        contribution.demand == wanted.combined) {
      found_winner = out.winner = true;
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

Decision Decide(const Policy& policy,
                std::span<const SignalInput> inputs,
                WallTime now,
                const CapacityInput& capacity) {
  const std::vector<Cursor> cursors = CursorsAt(policy, inputs, now);
  std::vector<Contribution> contributions;
  contributions.reserve(cursors.size());
  for (const Cursor& cursor : cursors) contributions.push_back(cursor.At(now));
  Decision decision = DecideTarget(policy, inputs, cursors, contributions, now);
  if (policy.capacity) {
    AddHeadroom(policy, inputs, cursors, contributions, capacity, decision);
  }
  return decision;
}

int SignalReplicas(const Policy& policy, const Decision& decision, std::size_t index) {
  if (!decision.active) return 0;
  const double demand = decision.signals[index].demand.value_or(0);
  return RoundUp(std::clamp(
      demand, static_cast<double>(policy.replicas.min), static_cast<double>(policy.replicas.max)));
}

}  // namespace stoker::policy
