#include "scalers/cron/timetable.h"

#include <algorithm>

namespace stoker::scalers {

Window::Window(Schedule start, Schedule end, const std::vector<std::chrono::local_days>& skip_dates)
    : start_(start), end_(end) {
  for (const std::chrono::local_days date : skip_dates) {
    const auto first = start_.NextFrom(date);
    if (!first || first->date != date) continue;
    const auto after = start_.NextFrom(date + std::chrono::days{1});
    skipped_.push_back({first->at, after ? after->at : WallTime::max()});
  }
}

Window::State Window::Unskipped(WallTime time) const {
  const auto start = start_.Next(time);
  const auto end = end_.Next(time);
  if (!end) return {false, WallTime::max()};
  if (!start) return {true, WallTime::max()};
  // Of several starts before an end the last one opens; of several ends before a start the last
  // closes.
  if (start->Before(*end)) return {false, start_.Last(*start, *end, false).at};
  return {true, end_.Last(*end, *start, true).at};
}

Window::State Window::At(WallTime time) const {
  State state = Unskipped(time);
  for (const Interval& skipped : skipped_) {
    if (time < skipped.from) {
      state.until = std::min(state.until, skipped.from);
    } else if (time < skipped.to) {
      state.open = false;
      state.until = std::min(state.until, skipped.to);
    }
  }
  return state;
}

Window::State Timetable::Early(const Window& window, WallTime time) const {
  const Window::State now = window.At(time);
  if (now.open || lead_ == Duration::zero()) return now;
  WallTime next = now.until;
  while (next <= time + lead_) {
    const Window::State later = window.At(next);
    if (later.open) return {true, next};
    next = later.until;
  }
  return {false, next == WallTime::max() ? next : next - lead_};
}

Timetable::Plan Timetable::Step(WallTime time) const {
  Plan plan{0, WallTime::max(), {}};
  for (const Entry& entry : entries_) {
    const Window::State state = Early(entry.window, time);
    if (state.open) plan.replicas = std::max(plan.replicas, entry.replicas);
    plan.until = std::min(plan.until, state.until);
  }
  return plan;
}

Timetable::Plan Timetable::At(WallTime time) const {
  constexpr int kMaxSteps = 1000;
  const WallTime horizon = time + std::chrono::years{5};
  Plan plan = Step(time);
  for (int i = 0; i < kMaxSteps && plan.until < horizon; ++i) {
    const Plan next = Step(plan.until);
    if (next.replicas != plan.replicas) {
      plan.next_change = plan.until;
      break;
    }
    plan.until = next.until;
  }
  return plan;
}

std::vector<ScheduledChange> Timetable::Changes(WallTime from, WallTime to) const {
  std::vector<ScheduledChange> changes;
  for (Plan plan = At(from);
       plan.next_change && *plan.next_change <= to && changes.size() < kMostChanges;) {
    const WallTime time = *plan.next_change;
    plan = At(time);
    changes.push_back({time, static_cast<double>(plan.replicas)});
  }
  return changes;
}

}  // namespace stoker::scalers
