#include "policy/wanted.h"

#include <algorithm>
#include <cmath>

#include "core/units.h"
#include "policy/forecast/forecast.h"

namespace stoker::policy {
namespace {

using State = SignalDecision::State;

/// More than any workload has; keeps sums and expressions finite.
constexpr double kLargestDemand = 1e12;
/// What computing in binary may add to a whole number of replicas, or take from one.
constexpr double kRounding = 1e-9;
/// More than there are anywhere; keeps sums within int.
constexpr double kMostExecutors = 1e9;

bool LiftsReplicas(const Policy& policy) {
  return policy.forecast && policy.forecast->lifts == forecast::Lifts::kReplicas;
}

double Clamp(const Replicas& replicas, double value) {
  return std::max<double>(replicas.min, std::min<double>(replicas.max, value));
}

/// "31m", "12s": exact enough to read.
std::string About(Duration duration) {
  using std::chrono::floor;
  if (duration < std::chrono::seconds(1)) return FormatDuration(duration);
  if (duration < std::chrono::minutes(10)) {
    return FormatDuration(floor<std::chrono::seconds>(duration));
  }
  return FormatDuration(floor<std::chrono::minutes>(duration));
}

}  // namespace

int RoundUp(double replicas) { return static_cast<int>(std::ceil(replicas - kRounding)); }

int RoundDown(double executors) {
  return static_cast<int>(std::floor(std::min(executors, kMostExecutors) + kRounding));
}

Cursor::Cursor(const PolicySignal& signal,
               int executors_per_replica,
               const ReadingWindow& window,
               WallTime time)
    : signal_(&signal),
      per_replica_(signal.demand.target_size *
                   (signal.demand.per == DemandRule::Per::kExecutor ? executors_per_replica : 1)),
      serves_(signal.Serves()) {
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

void Cursor::MoveTo(WallTime time) {
  for (; next_ < readings_.size() && readings_[next_].time <= time; ++next_) {
    if (IsGood(readings_[next_])) good_ = next_;
  }
}

Contribution Cursor::At(WallTime time) const {
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

Contribution Cursor::With(Contribution contribution, double value) const {
  contribution.value = value;
  contribution.demand = std::clamp(value / per_replica_, 0.0, kLargestDemand);
  contribution.active = value > signal_->demand.activation;
  return contribution;
}

Contribution Cursor::Lifted(Contribution contribution, double value) const {
  // What is at fault is for onFault; a forecast never stands in.
  if (contribution.used == nullptr || !(value > contribution.value)) return contribution;
  const double read = contribution.value;
  contribution = With(contribution, value);
  contribution.value = read;
  contribution.lifted = value;
  return contribution;
}

WallTime Cursor::NextChange(WallTime time) const {
  WallTime next = next_ < readings_.size() ? readings_[next_].time : kNever;
  if (good_ != kNone && time - good()->time <= serves_) {
    next = std::min(next, good()->time + serves_ + kInstant);
  }
  return next;
}

WallTime Cursor::NextStale(WallTime time) const {
  if (good_ == kNone || time - good()->time > signal_->timing.max_age) return kNever;
  return good()->time + signal_->timing.max_age + kInstant;
}

bool Cursor::IsEmpty(const Reading& reading) {
  return reading.kind == Reading::Kind::kEmpty ||
         (reading.kind == Reading::Kind::kValue && !std::isfinite(reading.value));
}

bool Cursor::IsGood(const Reading& reading) const {
  return IsEmpty(reading) ? signal_->on_empty == OnEmpty::kZero
                          : reading.kind == Reading::Kind::kValue;
}

Contribution Cursor::Use(const Reading& reading, State state) const {
  Contribution contribution;
  contribution.state = state;
  contribution.used = &reading;
  contribution.takes_part = true;
  return With(contribution, IsEmpty(reading) ? 0 : reading.value);
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

SignalDecision Explain(const PolicySignal& signal,
                       const Cursor& cursor,
                       const Contribution& contribution,
                       const SignalInput& input,
                       WallTime now) {
  SignalDecision out;
  out.name = signal.name;
  out.type = signal.type;
  out.state = contribution.state;
  out.active = contribution.active;
  out.error = input.last_error;
  out.warnings = input.warnings;
  out.detail = input.detail;
  out.next_change = input.next_change;
  if (const Reading* good = cursor.good(); good != nullptr) {
    out.reading_time = good->time;
    out.age = now - good->time;
    out.up = good == cursor.newest() && *out.age <= signal.timing.max_age;
  }
  if (contribution.used != nullptr) {
    out.value = contribution.value;
    out.at_least = contribution.used->at_least;
  }
  if (contribution.takes_part) out.demand = contribution.demand;
  out.forecast = input.forecast;
  out.lifted = contribution.lifted;
  return out;
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
  wanted.reactive = wanted.combined;
  wanted.with_headroom = wanted.combined * (1 + policy.replicas.headroom);
  wanted.clamped = Clamp(policy.replicas, wanted.with_headroom);
  return wanted;
}

Wanted WantLifted(const Policy& policy,
                  std::span<const SignalInput> inputs,
                  std::span<const Cursor> cursors,
                  std::span<Contribution> contributions,
                  WallTime time,
                  std::vector<double>& scratch) {
  Wanted wanted = Want(policy, contributions, scratch);
  if (!LiftsReplicas(policy) || wanted.kind != Wanted::Kind::kNumber) return wanted;
  std::vector<Contribution> lifted;
  for (std::size_t i = 0; i < contributions.size() && i < inputs.size(); ++i) {
    if (inputs[i].forecast == nullptr) continue;
    const std::optional<double> value = inputs[i].forecast->Lift(time);
    if (!value) continue;
    if (lifted.empty()) lifted.assign(contributions.begin(), contributions.end());
    lifted[i] = cursors[i].Lifted(contributions[i], *value);
  }
  if (lifted.empty()) return wanted;
  Wanted more = Want(policy, lifted, scratch);
  if (more.kind != Wanted::Kind::kNumber || more.clamped < wanted.clamped) return wanted;
  more.reactive = wanted.reactive;
  std::copy(lifted.begin(), lifted.end(), contributions.begin());
  return more;
}

WallTime NextLift(const Policy& policy, std::span<const SignalInput> inputs, WallTime time) {
  WallTime next = kNever;
  if (!LiftsReplicas(policy)) return next;
  for (const SignalInput& input : inputs) {
    if (input.forecast == nullptr) continue;
    next = std::min(next, input.forecast->NextChange(time, input.forecast->horizon));
  }
  return next;
}

}  // namespace stoker::policy
