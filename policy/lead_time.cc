#include "policy/lead_time.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "policy/wanted.h"

namespace stoker::policy {
namespace {

using State = SignalDecision::State;

/// The least of `sorted` that `percent` of it do not exceed (nearest rank).
Duration Percentile(const std::vector<Duration>& sorted, std::size_t percent) {
  return sorted[(sorted.size() * percent + 99) / 100 - 1];
}

/// The most of what was wanted lately: what is ordered, since stabilization cancels no order for a
/// dip that is shorter.
class Ordered {
 public:
  explicit Ordered(Duration stabilization) : stabilization_(stabilization) {}

  /// At `time`, which only grows, this much is wanted.
  int At(WallTime time, int wanted) {
    while (!falling_.empty() && falling_.back().second <= wanted) falling_.pop_back();
    falling_.emplace_back(time, wanted);
    while (falling_.front().first < time - stabilization_) falling_.pop_front();
    return falling_.front().second;
  }
  void Forget() { falling_.clear(); }
  /// The first moment after `time` at which less is ordered though the same is wanted.
  [[nodiscard]] WallTime NextChange() const {
    return falling_.size() < 2 ? kNever : falling_.front().first + stabilization_ + kInstant;
  }

 private:
  const Duration stabilization_;
  std::deque<std::pair<WallTime, int>> falling_;  ///< with the time it was last wanted
};

/// Follows what is ordered and what runs, forward in time.
class Samples {
 public:
  /// At `time` this many executors are wanted and run; empty: not known.
  void Add(WallTime time, std::optional<int> wanted, std::optional<int> running, bool scheduled) {
    if (!wanted || !running) {
      open_.clear();
      wanted_ = wanted;
      return;
    }
    std::erase_if(open_, [&](const Rise& rise) { return rise.to > *wanted; });
    if (wanted_ && *wanted > *wanted_ && !scheduled) open_.push_back({*wanted, time});
    wanted_ = wanted;
    std::erase_if(open_, [&](const Rise& rise) {
      if (rise.to > *running) return false;
      if (time > rise.since) took_.push_back(time - rise.since);
      return true;
    });
  }

  [[nodiscard]] std::vector<Duration> Finish() && {
    std::sort(took_.begin(), took_.end());
    return std::move(took_);
  }

 private:
  struct Rise {
    int to;
    WallTime since;
  };
  std::optional<int> wanted_;
  std::vector<Rise> open_;  ///< not met yet
  std::vector<Duration> took_;
};

std::vector<Duration> Measure(const Policy& policy,
                              std::span<const SignalInput> inputs,
                              const SignalInput& running,
                              WallTime now) {
  WallTime time = now - kLeadTimeWindow;
  std::vector<Cursor> cursors = CursorsAt(policy, inputs, time);
  Cursor count(*policy.capacity->running, /*executors_per_replica=*/1, running.window, time);
  std::vector<Contribution> contributions(cursors.size());
  std::vector<double> scratch;
  Ordered ordered(policy.scale_down.stabilization);
  Samples samples;
  while (time <= now) {
    count.MoveTo(time);
    WallTime next = std::min(now + kInstant, count.NextChange(time));
    bool scheduled = false;
    for (std::size_t i = 0; i < cursors.size(); ++i) {
      cursors[i].MoveTo(time);
      const double before = contributions[i].demand;
      contributions[i] = cursors[i].At(time);
      scheduled = scheduled ||
                  (i < inputs.size() && inputs[i].upcoming && contributions[i].demand > before);
      next = std::min(next, cursors[i].NextChange(time));
    }
    const Wanted wanted = Want(policy, contributions, scratch);
    std::optional<int> executors;
    if (wanted.kind == Wanted::Kind::kNumber) {
      executors = ordered.At(time, RoundUp(wanted.clamped)) * policy.replicas.executors_per_replica;
      next = std::min(next, ordered.NextChange());
    } else {
      ordered.Forget();
    }
    const Contribution runs = count.At(time);
    samples.Add(time,
                executors,
                runs.used != nullptr && runs.state != State::kHeld
                    ? std::optional(RoundDown(runs.demand))
                    : std::nullopt,
                scheduled);
    time = next;
  }
  return std::move(samples).Finish();
}

}  // namespace

bool MeasuresLeadTime(const Policy& policy) {
  return policy.capacity && policy.capacity->running &&
         !policy.capacity->lead_time.value_or(LeadTimeChoice{}).fixed;
}

Duration LeadTimeLookback(const Policy& policy) {
  if (!MeasuresLeadTime(policy)) return Duration::zero();
  const auto served = [](const PolicySignal& signal) {
    return std::max(signal.timing.max_age, signal.on_fault.hold) + signal.timing.interval;
  };
  Duration longest = served(*policy.capacity->running);
  for (const PolicySignal& signal : policy.signals) longest = std::max(longest, served(signal));
  return kLeadTimeWindow + longest;
}

LeadTime FindLeadTime(const Policy& policy,
                      std::span<const SignalInput> inputs,
                      const SignalInput& running,
                      WallTime now) {
  LeadTime lead;
  if (!policy.capacity) return lead;
  if (const auto fixed = policy.capacity->lead_time.value_or(LeadTimeChoice{}).fixed) {
    lead.value = *fixed;
    lead.source = LeadTime::Source::kSet;
    return lead;
  }
  if (!policy.capacity->running) return lead;
  const std::vector<Duration> took = Measure(policy, inputs, running, now);
  lead.samples = static_cast<int>(took.size());
  if (!took.empty()) lead.median = Percentile(took, 50);
  if (lead.samples >= kFewestLeadTimes) {
    lead.value = Percentile(took, 90);
    lead.source = LeadTime::Source::kMeasured;
  }
  return lead;
}

}  // namespace stoker::policy
