#include "policy/decision.h"

#include <algorithm>
#include <utility>

#include "policy/headroom.h"
#include "policy/history.h"
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

/// What history makes of the wanted number at `now`, at which there is one.
History::Target Sweep(const Policy& policy, std::span<const SignalInput> inputs, WallTime now) {
  WallTime time = now - HistoryReach(policy);
  std::vector<Cursor> cursors = CursorsAt(policy, inputs, time);
  std::vector<Contribution> contributions(cursors.size());
  std::vector<double> scratch;
  History history(policy);
  while (time <= now) {
    WallTime next = now + kInstant;
    for (std::size_t i = 0; i < cursors.size(); ++i) {
      cursors[i].MoveTo(time);
      contributions[i] = cursors[i].At(time);
      next = std::min(next, cursors[i].NextChange(time));
    }
    next = std::min(next, NextLift(policy, inputs, time));
    const Wanted wanted = WantLifted(policy, inputs, cursors, contributions, time, scratch);
    if (wanted.kind == Wanted::Kind::kNumber) history.Add(wanted.clamped, time, next);
    time = next;
  }
  return history.Newest();
}

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
  if (HistoryReach(policy) > Duration::zero()) {
    const History::Target history = Sweep(policy, inputs, now);
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
