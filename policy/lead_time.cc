#include "policy/lead_time.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "policy/history.h"
#include "policy/wanted.h"

namespace stoker::policy {
namespace {

using State = SignalDecision::State;

/// For so long a rise that was taken back may still bring nodes that meet another: KEDA's HPA keeps
/// executors for five minutes, and the Cluster Autoscaler an empty node for ten.
constexpr Duration kVoid = std::chrono::minutes(10);

/// What has waited for longer counts as this: where a quota is in the way it may wait forever.
constexpr Duration kLongestWait = std::chrono::hours(1);

/// The least of `sorted` that `percent` of it do not exceed (nearest rank).
Duration Percentile(const std::vector<Duration>& sorted, std::size_t percent) {
  return sorted[(sorted.size() * percent + 99) / 100 - 1];
}

/// What rises tell.
struct Rises {
  std::vector<Duration> took;   ///< so long it took until they were met
  std::vector<Duration> waits;  ///< so long others are known to have waited; it takes no less
};

/// Follows what is ordered and what runs, forward in time.
class Samples {
 public:
  /// At `time` this many executors are ordered and run; empty: not known.
  void Add(WallTime time, std::optional<int> ordered, std::optional<int> running, bool scheduled) {
    if (!ordered || !running) {
      if (!blind_since_) blind_since_ = time;
      ordered_.reset();
      return;
    }
    std::erase_if(void_, [&](const Rise& rise) { return time - rise.since > kVoid; });
    TakeBack(*ordered, time);
    if (ordered_ && *ordered > *ordered_ && !scheduled) {
      const bool again = std::any_of(
          void_.begin(), void_.end(), [&](const Rise& rise) { return *ordered <= rise.to; });
      open_.push_back({*ordered, time, again});
    }
    const auto met = [&](const Rise& rise) { return rise.to <= *running; };
    for (const Rise& rise : open_) {
      if (!met(rise)) continue;
      const Duration took = blind_since_.value_or(time) - rise.since;
      if (took > Duration::zero()) {
        (rise.again || blind_since_ ? rises_.waits : rises_.took).push_back(took);
      }
    }
    std::erase_if(open_, met);
    std::erase_if(void_, met);
    ordered_ = ordered;
    blind_since_.reset();
  }

  [[nodiscard]] Rises Finish(WallTime now) && {
    for (const Rise& rise : open_) {
      rises_.waits.push_back(blind_since_.value_or(now) - rise.since);
    }
    return std::move(rises_);
  }

 private:
  struct Rise {
    int to;
    WallTime since;
    bool again;  ///< to no more than a void one, whose nodes may meet it
  };

  /// Rises to more than `ordered` are void from `time` on.
  void TakeBack(int ordered, WallTime time) {
    std::erase_if(open_, [&](const Rise& rise) {
      if (rise.to <= ordered) return false;
      void_.push_back({rise.to, time, rise.again});
      return true;
    });
  }

  std::optional<int> ordered_;
  std::optional<WallTime> blind_since_;  ///< since then either of them is not known
  std::vector<Rise> open_;               ///< not met yet
  std::vector<Rise> void_;               ///< taken back before they were met
  Rises rises_;
};

Rises Measure(const Policy& policy,
              std::span<const SignalInput> inputs,
              const SignalInput& running,
              WallTime now) {
  const WallTime since = now - kLeadTimeWindow;
  WallTime time = since - HistoryReach(policy);
  std::vector<Cursor> cursors = CursorsAt(policy, inputs, time);
  Cursor count(*policy.capacity->running, /*executors_per_replica=*/1, running.window, time);
  std::vector<Contribution> contributions(cursors.size());
  std::vector<double> scratch;
  History history(policy);
  Samples samples;
  while (time <= now) {
    count.MoveTo(time);
    WallTime next = std::min(time < since ? since : now + kInstant, count.NextChange(time));
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
    if (time < since) {
      if (wanted.kind == Wanted::Kind::kNumber) history.Add(wanted.clamped, time, next);
      time = next;
      continue;
    }
    std::optional<int> ordered;
    if (wanted.kind == Wanted::Kind::kNumber) {
      history.Add(wanted.clamped, time, time + kInstant);
      const History::Target target = history.Newest();
      ordered = RoundUp(target.stepped) * policy.replicas.executors_per_replica;
      next = std::min(next, target.valid_until);
      // Until then it stays what it is.
      if (time + kInstant < next) history.Add(wanted.clamped, time + kInstant, next);
    }
    const Contribution runs = count.At(time);
    samples.Add(time,
                ordered,
                runs.used != nullptr && runs.state != State::kHeld
                    ? std::optional(RoundDown(runs.demand))
                    : std::nullopt,
                scheduled);
    time = next;
  }
  return std::move(samples).Finish(now);
}

}  // namespace

bool MeasuresLeadTime(const Policy& policy) {
  return policy.capacity && policy.capacity->running &&
         !policy.capacity->lead_time.value_or(LeadTimeChoice{}).fixed;
}

Duration LeadTimeLookback(const Policy& policy) {
  if (!MeasuresLeadTime(policy)) return Duration::zero();
  const auto served = [](const PolicySignal& signal) {
    return signal.Serves() + signal.timing.interval;
  };
  Duration longest = served(*policy.capacity->running);
  for (const PolicySignal& signal : policy.signals) longest = std::max(longest, served(signal));
  return kLeadTimeWindow + HistoryReach(policy) + longest;
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
  auto [took, waits] = Measure(policy, inputs, running, now);
  const auto measure = [&lead, &took = took] {
    std::sort(took.begin(), took.end());
    lead.samples = static_cast<int>(took.size());
    if (!took.empty()) lead.median = Percentile(took, 50);
    if (lead.samples >= kFewestLeadTimes) {
      lead.value = Percentile(took, 90);
      lead.source = LeadTime::Source::kMeasured;
    }
  };
  measure();
  // Left out, they would make nodes look quick just when these are slowest.
  const Duration exceeded = std::max(lead.value, took.empty() ? Duration() : Percentile(took, 90));
  for (const Duration wait : waits) {
    const Duration age = std::min(wait, kLongestWait);
    if (age > exceeded) took.push_back(age);
  }
  measure();
  return lead;
}

}  // namespace stoker::policy
