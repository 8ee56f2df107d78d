#include "policy/headroom.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "policy/forecast/forecast.h"

namespace stoker::policy {
namespace {

using State = SignalDecision::State;

/// The signal's value at `time`, if a schedule says that it will not be the reading's.
std::optional<double> Scheduled(const SignalInput& input,
                                const Contribution& contribution,
                                WallTime time) {
  std::optional<double> value;
  if (input.upcoming == nullptr || contribution.used == nullptr) return value;
  for (const ScheduledChange& change : *input.upcoming) {
    if (change.time > time) break;
    if (change.time > contribution.used->time) value = change.value;
  }
  return value;
}

/// The moments from `now` to `until` at which the wanted number may be another.
std::vector<WallTime> Moments(std::span<const SignalInput> inputs, WallTime now, WallTime until) {
  std::vector<WallTime> moments{until};
  for (const SignalInput& input : inputs) {
    if (input.upcoming == nullptr) continue;
    for (const ScheduledChange& change : *input.upcoming) {
      if (change.time > until) break;
      moments.push_back(std::max(change.time, now));
    }
  }
  std::sort(moments.begin(), moments.end());
  moments.erase(std::unique(moments.begin(), moments.end()), moments.end());
  return moments;
}

/// The most replicas that are wanted at any moment from now until `until`.
int WantedAhead(const Policy& policy,
                std::span<const SignalInput> inputs,
                std::span<const Cursor> cursors,
                std::span<const Contribution> contributions,
                WallTime until,
                const Decision& decision) {
  int most = decision.target_replicas;
  std::vector<double> scratch;
  std::vector<Contribution> ahead;
  for (const WallTime moment : Moments(inputs, decision.time, until)) {
    ahead.assign(contributions.begin(), contributions.end());
    for (std::size_t i = 0; i < ahead.size() && i < inputs.size(); ++i) {
      if (const auto value = Scheduled(inputs[i], contributions[i], moment)) {
        ahead[i] = cursors[i].With(ahead[i], *value);
      }
    }
    const auto want = [&] {
      const Wanted wanted = Want(policy, ahead, scratch);
      if (wanted.kind == Wanted::Kind::kNumber) most = std::max(most, RoundUp(wanted.clamped));
    };
    want();
    bool forecast = false;
    for (std::size_t i = 0; i < ahead.size() && i < inputs.size(); ++i) {
      if (inputs[i].forecast == nullptr) continue;
      if (const auto value = inputs[i].forecast->Highest(decision.time, until)) {
        ahead[i] = cursors[i].Lifted(ahead[i], *value);
        forecast = true;
      }
    }
    if (forecast) want();
  }
  return most;
}

/// When a schedule's change, or another forecast value, is reached by `now` or by `until`.
WallTime NextReached(std::span<const SignalInput> inputs, WallTime now, WallTime until) {
  WallTime next = kNever;
  for (const SignalInput& input : inputs) {
    if (input.forecast) next = std::min(next, input.forecast->NextChange(now, until - now));
    if (input.upcoming == nullptr) continue;
    for (const ScheduledChange& change : *input.upcoming) {
      if (change.time > now) next = std::min(next, change.time);
      if (change.time > until) {
        next = std::min(next, now + (change.time - until));
        break;
      }
    }
  }
  return next;
}

/// One of capacity.running and capacity.pending.
struct Count {
  Count(const PolicySignal& of, const SignalInput& from, WallTime now)
      : signal(of),
        input(from),
        cursor(of, /*executors_per_replica=*/1, from.window, now),
        contribution(cursor.At(now)),
        executors(contribution.demand) {}

  /// For at most what it was at `time`; for nothing where that is not known.
  void AtMostAsOf(WallTime time) {
    const Contribution then = Cursor(signal, 1, input.window, time).At(time);
    executors = then.used != nullptr ? std::min(executors, then.demand) : 0;
  }

  const PolicySignal& signal;
  const SignalInput& input;
  Cursor cursor;
  Contribution contribution;
  double executors;
};

/// Fills in what is there already.
void AddPresent(const Capacity& capacity,
                const CapacityInput& input,
                Decision& decision,
                Headroom& headroom) {
  const WallTime now = decision.time;
  std::vector<Count> counts;
  if (capacity.running) counts.emplace_back(*capacity.running, input.running, now);
  if (capacity.pending) counts.emplace_back(*capacity.pending, input.pending, now);

  std::string failures;
  WallTime oldest = now;
  for (const Count& count : counts) {
    headroom.signals.push_back(
        Explain(count.signal, count.cursor, count.contribution, count.input, now));
    decision.valid_until =
        std::min({decision.valid_until, count.cursor.NextChange(now), count.cursor.NextStale(now)});
    if (count.contribution.used == nullptr) {
      if (!failures.empty()) failures += "; ";
      failures += FaultMessage(count.signal, count.cursor, count.input.last_error, now);
    } else if (count.contribution.state == State::kHeld) {
      headroom.held = true;
      oldest = std::min(oldest, count.contribution.used->time);
    }
  }
  if (!failures.empty()) {
    headroom.error = Error{ErrorCode::kUnavailable, "capacity: " + std::move(failures)};
    return;
  }
  for (Count& count : counts) {
    if (headroom.held) count.AtMostAsOf(oldest);
    (&count.signal == &*capacity.running ? headroom.running : headroom.pending) =
        RoundDown(count.executors);
  }
}

}  // namespace

void AddHeadroom(const Policy& policy,
                 std::span<const SignalInput> inputs,
                 std::span<const Cursor> cursors,
                 std::span<const Contribution> contributions,
                 const CapacityInput& input,
                 Decision& decision) {
  Headroom& headroom = decision.headroom.emplace();
  headroom.lead = input.lead;
  AddPresent(*policy.capacity, input, decision, headroom);
  if (decision.error) {
    headroom.error = decision.error;
    return;
  }
  if (!input.schedules_known && !headroom.error) {
    headroom.error =
        Error{ErrorCode::kUnavailable, "capacity: not every signal has been asked yet"};
  }
  const int per_replica = policy.replicas.executors_per_replica;
  const WallTime until = decision.time + input.lead.value;
  headroom.wanted_now = decision.target_executors;
  headroom.wanted_ahead =
      WantedAhead(policy, inputs, cursors, contributions, until, decision) * per_replica;
  decision.valid_until = std::min(decision.valid_until, NextReached(inputs, decision.time, until));
  if (headroom.error) return;
  const int present =
      headroom.running ? *headroom.running + headroom.pending.value_or(0) : headroom.wanted_now;
  const int missing = std::max(0, headroom.wanted_ahead - present);
  headroom.executors = std::min(missing, policy.capacity->max_executors);
  headroom.capped = headroom.executors < missing;
}

Decision HeadroomDecision(const Decision& decision) {
  Decision out;
  out.time = decision.time;
  out.valid_until = decision.valid_until;
  out.signals = decision.signals;
  out.of_headroom = true;
  if (!decision.headroom) {
    out.error = Error{ErrorCode::kNotFound, "the policy asks for no headroom; give it `capacity`"};
    out.bound = Bound::kFault;
    return out;
  }
  const Headroom& headroom = *decision.headroom;
  out.headroom = headroom;
  out.signals.insert(out.signals.end(), headroom.signals.begin(), headroom.signals.end());
  out.error = headroom.error;
  out.target_replicas = out.target_executors = headroom.executors;
  out.active = !out.error && headroom.executors > 0;
  out.held = decision.held || headroom.held;
  out.combined = out.with_headroom = out.clamped = out.stabilized = out.stepped =
      headroom.executors;
  if (out.error) {
    out.bound = Bound::kFault;
  } else if (headroom.capped) {
    out.bound = Bound::kMax;
  } else if (out.held) {
    out.bound = Bound::kHold;
  }
  return out;
}

}  // namespace stoker::policy
