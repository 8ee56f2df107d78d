#include "policy/history.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace stoker::policy {

Duration HistoryReach(const Policy& policy) {
  return policy.scale_down.stabilization + StepReach(policy);
}

History::History(const Policy& policy)
    : step_(policy.scale_down.step),
      stabilization_(policy.scale_down.stabilization),
      step_reach_(StepReach(policy)) {}

void History::Add(double raw, WallTime begin, WallTime end) {
  // Smaller and older ones can never be the maximum again.
  while (peaks_.size() > first_ && peaks_.back().value <= raw) peaks_.pop_back();
  peaks_.push_back({raw, end});
  while (begin < end) {
    while (peaks_[first_].end + stabilization_ <= begin) ++first_;
    const double value = peaks_[first_].value;
    begin = std::min(end, peaks_[first_].end + stabilization_);
    // Nor can they allow more, step by step.
    while (!stabilized_.empty() && stabilized_.back().value <= value) stabilized_.pop_back();
    stabilized_.push_back({value, begin});
  }
}

History::Target History::Newest() const {
  Target target;
  WallTime step_ends = kNever;
  const WallTime now = stabilized_.back().end - kInstant;
  target.stabilized = stabilized_.back().value;
  // The last peak is what is wanted now; it does not leave by itself.
  if (first_ + 1 < peaks_.size()) target.valid_until = peaks_[first_].end + stabilization_;
  target.stepped = target.stabilized;
  std::int64_t factor_for = 0;
  double factor = 1;
  for (std::size_t i = stabilized_.size() - 1; i-- > 0;) {
    const Span& span = stabilized_[i];
    const Duration elapsed = now - (span.end - kInstant);
    if (elapsed > step_reach_) break;
    if (span.value <= target.stepped) continue;
    // Whole steps since that number last held, the first one at once.
    const std::int64_t steps = (elapsed - kInstant) / step_.period + 1;
    double allowed = 0;
    if (step_.percent) {
      if (steps != factor_for) {
        factor = std::pow(1 - step_.amount / 100, static_cast<double>(steps - 1));
        factor_for = steps;
      }
      // What is below one replica already is let go by the next step.
      const double before = span.value * factor;
      if (before >= 1) allowed = before * (1 - step_.amount / 100);
    } else {
      allowed = std::max(0.0, span.value - step_.amount * static_cast<double>(steps));
    }
    if (allowed > target.stepped) {
      target.stepped = allowed;
      step_ends = span.end + step_.period * steps;
    }
  }
  if (target.stepped > target.stabilized) {
    target.valid_until = std::min(target.valid_until, step_ends);
  }
  return target;
}

}  // namespace stoker::policy
