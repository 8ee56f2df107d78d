#include "adapter/evaluation.h"

#include <algorithm>
#include <utility>

#include "adapter/reading_store.h"
#include "core/units.h"
#include "policy/forecast/forecast.h"
#include "policy/lead_time.h"

namespace stoker::adapter {
namespace {

/// The window without counts that stopped before what this policy needs, because they were made for
/// others: deciding from them could shrink the target. Null, as if there were no reading yet, until
/// one that did not stop too early has come since `since`, when the sources were told what this
/// policy needs; after that only sibling replicas still count less far, and such a count serves as
/// long as it says more than the last whole one.
ReadingWindow CountedFarEnough(const ReadingWindow& window,
                               std::optional<double> enough,
                               WallTime since) {
  const auto stopped_early = [&](const Reading& reading) {
    return reading.kind == Reading::Kind::kValue && reading.at_least &&
           (!enough || reading.value < *enough);
  };
  if (!window || std::none_of(window->begin(), window->end(), stopped_early)) return window;
  auto kept = std::make_shared<std::vector<Reading>>();
  const Reading* whole = nullptr;
  bool newest_is_early = false;
  for (const Reading& reading : *window) {
    const bool is_value = reading.kind == Reading::Kind::kValue;
    const bool early = stopped_early(reading);
    if (is_value) newest_is_early = early;
    if (is_value && !early) whole = &reading;
    if (!early || (whole != nullptr && reading.value > whole->value)) kept->push_back(reading);
  }
  if (newest_is_early && (whole == nullptr || whole->time < since)) return nullptr;
  return kept;
}

bool Attempted(const std::vector<std::unique_ptr<Poller::Lease>>& leases) {
  return std::all_of(leases.begin(), leases.end(), [](const std::unique_ptr<Poller::Lease>& lease) {
    return lease == nullptr || lease->status().attempted;
  });
}

}  // namespace

Evaluation::Evaluation(CompiledPolicy compiled, const Clock& clock, OnDecision on_decision)
    : compiled_(std::move(compiled)), clock_(clock), on_decision_(std::move(on_decision)) {}

std::unique_ptr<Poller::Lease> Evaluation::Acquire(Poller& poller,
                                                   const policy::PolicySignal& signal,
                                                   const scalers::SignalDefinition& definition,
                                                   Duration lookback,
                                                   std::optional<double> enough,
                                                   bool replace_source) {
  SourceNeeds needs;
  needs.timing = signal.timing;
  needs.lookback = lookback;
  needs.enough = definition.countable ? enough : std::nullopt;
  needs.label = compiled_.policy->name + "/" + signal.name;
  needs.on_reading = [weak = weak_from_this()] {
    if (const std::shared_ptr<Evaluation> self = weak.lock()) self->OnReading();
  };
  return poller.Acquire(definition, std::move(needs), replace_source);
}

void Evaluation::Start(Poller& poller, bool replace_sources) {
  const policy::Policy& policy = *compiled_.policy;
  const WallTime now = clock_.WallNow();
  const Duration lead_time_lookback = policy::LeadTimeLookback(policy);
  std::vector<std::unique_ptr<Poller::Lease>> leases;
  for (std::size_t i = 0; i < policy.signals.size(); ++i) {
    leases.push_back(Acquire(poller,
                             policy.signals[i],
                             compiled_.signals[i],
                             std::max(policy::Lookback(policy), lead_time_lookback),
                             policy::Enough(policy, i),
                             replace_sources));
  }
  const auto count = [&](const std::optional<scalers::SignalDefinition>& definition,
                         const std::optional<policy::PolicySignal>& signal) {
    return definition ? Acquire(poller,
                                *signal,
                                *definition,
                                std::max(policy::CapacityLookback(policy), lead_time_lookback),
                                std::nullopt,
                                replace_sources)
                      : nullptr;
  };
  std::unique_ptr<Poller::Lease> running;
  std::unique_ptr<Poller::Lease> pending;
  if (policy.capacity) {
    running = count(compiled_.running, policy.capacity->running);
    pending = count(compiled_.pending, policy.capacity->pending);
  }
  std::vector<std::unique_ptr<Poller::Lease>> histories(policy.signals.size());
  for (std::size_t i = 0; i < histories.size(); ++i) {
    if (!policy::IsForecast(policy, i)) continue;
    policy::PolicySignal history = policy.signals[i];
    history.timing.interval = policy.forecast->step;
    // A window of its own, with a past of its own.
    scalers::SignalDefinition definition = compiled_.signals[i];
    definition.source_key =
        "history " + FormatDuration(history.timing.interval) + "\n" + definition.source_key;
    histories[i] = Acquire(poller,
                           history,
                           definition,
                           policy.forecast->window,
                           policy::Enough(policy, i),
                           replace_sources);
  }
  const std::scoped_lock lock(mutex_);
  leases_ = std::move(leases);
  histories_ = std::move(histories);
  foreseen_.resize(histories_.size());
  running_ = std::move(running);
  pending_ = std::move(pending);
  started_ = now;
  // Until it is measured it is configured or assumed.
  lead_time_ = policy::FindLeadTime(policy, {}, {}, now);
}

DecisionPtr Evaluation::Current() {
  const WallTime now = clock_.WallNow();
  const std::scoped_lock lock(mutex_);
  // A clock set back makes the latest decision one for the future: decide anew.
  if (latest_ && now < latest_->valid_until && now >= latest_->time) return latest_;
  return Decide(now);
}

DecisionPtr Evaluation::Latest() const {
  const std::scoped_lock lock(mutex_);
  return latest_;
}

bool Evaluation::Attempted() const {
  const std::scoped_lock lock(mutex_);
  const auto attempted = [](const std::unique_ptr<Poller::Lease>& lease) {
    return lease == nullptr || lease->status().attempted;
  };
  return !leases_.empty() && adapter::Attempted(leases_) && adapter::Attempted(histories_) &&
         attempted(running_) && attempted(pending_);
}

void Evaluation::Listen(std::weak_ptr<Listener> listener) {
  const std::scoped_lock lock(mutex_);
  // Only when it would grow, so that thousands of listeners do not cost their square.
  if (listeners_.size() == listeners_.capacity()) {
    std::erase_if(listeners_, [](const std::weak_ptr<Listener>& weak) { return weak.expired(); });
  }
  listeners_.push_back(std::move(listener));
}

void Evaluation::CatchUp() {
  const policy::Policy& policy = *compiled_.policy;
  if ((policy.forecast || policy::MeasuresLeadTime(policy)) && Attempted()) OnReading();
}

// On the thread of a poll: it looks at six hours of readings. As of a whole minute, so that
// replicas find the same, and not of half the windows.
void Evaluation::FindLeadTime(WallTime now) {
  const policy::Policy& policy = *compiled_.policy;
  if (!policy::MeasuresLeadTime(policy) || !Attempted()) return;
  const WallTime minute = std::chrono::floor<std::chrono::minutes>(now);
  {
    const std::scoped_lock lock(mutex_);
    if (running_ == nullptr || minute == lead_time_claimed_) return;
    lead_time_claimed_ = minute;
  }
  const policy::LeadTime found = policy::FindLeadTime(
      policy, Inputs(), Input(*running_, *policy.capacity->running, std::nullopt), minute);
  const std::scoped_lock lock(mutex_);
  lead_time_ = found;
  lead_time_known_ = true;
}

void Evaluation::OnReading() {
  FindLeadTime(clock_.WallNow());
  DecisionPtr before;
  DecisionPtr now;
  std::vector<std::weak_ptr<Listener>> listeners;
  {
    const std::scoped_lock lock(mutex_);
    if (leases_.empty()) return;  // a source answered while Start was still at it
  }
  MakeForecasts();
  {
    const std::scoped_lock lock(mutex_);
    now = Decide(clock_.WallNow());
    before = std::exchange(reported_, now);
    listeners = listeners_;
  }
  on_decision_(*compiled_.policy, before, now);
  for (const std::weak_ptr<Listener>& weak : listeners) {
    if (const std::shared_ptr<Listener> listener = weak.lock()) (*listener)(now);
  }
}

// On a poll's thread, by one of them at a time, which looks again for who came meanwhile.
void Evaluation::MakeForecasts() {
  if (!compiled_.policy->forecast) return;
  forecasts_due_ = true;
  while (forecasts_due_) {
    const std::unique_lock forecasting(forecasting_, std::try_to_lock);
    if (!forecasting) return;
    forecasts_due_ = false;
    MakeDueForecasts();
  }
}

// Takes milliseconds, and only when a history or the horizon changed.
void Evaluation::MakeDueForecasts() {
  const policy::Policy& policy = *compiled_.policy;
  const forecast::Settings& settings = *policy.forecast;
  Duration wanted{0};
  {
    const std::scoped_lock lock(mutex_);
    // Who measures it makes the forecasts right after.
    if (!settings.horizon && !KnowsItsLeadTime()) return;
    wanted = settings.horizon.value_or(lead_time_.value);
  }
  // In whole steps, so that a lead time that moves by seconds does not make all anew.
  const Duration horizon = (wanted + settings.step - Duration(1)) / settings.step * settings.step;
  for (std::size_t i = 0; i < policy.signals.size(); ++i) {
    Foreseen made;
    {
      const std::scoped_lock lock(mutex_);
      if (histories_[i] == nullptr) continue;
      made.history = histories_[i]->window();
      if (made.history == nullptr ||
          (made.history == foreseen_[i].history && horizon == foreseen_[i].horizon)) {
        continue;
      }
    }
    made.horizon = horizon;
    const policy::PolicySignal& signal = policy.signals[i];
    made.forecast = std::make_shared<const forecast::Forecast>(
        forecast::MakeForecast(*made.history, signal.on_empty, signal.Serves(), settings, horizon));
    const std::scoped_lock lock(mutex_);
    foreseen_[i] = std::move(made);
  }
}

/// Whether its forecast has been made, if there is to be one.
bool Evaluation::Foresees(std::size_t signal) const {
  return histories_[signal] == nullptr || foreseen_[signal].forecast != nullptr;
}

bool Evaluation::KnowsItsLeadTime() const {
  return lead_time_known_ || !policy::MeasuresLeadTime(*compiled_.policy);
}

// What was asked for because of a schedule, a forecast or a long lead time is not given back before
// all of them are known again, after a start or a reload.
bool Evaluation::KnowsWhatIsComing() const {
  for (std::size_t i = 0; i < histories_.size(); ++i) {
    if (!Foresees(i)) return false;
  }
  return adapter::Attempted(leases_) && KnowsItsLeadTime();
}

policy::SignalInput Evaluation::Input(const Poller::Lease& lease,
                                      const policy::PolicySignal& signal,
                                      std::optional<double> enough) const {
  PollStatus status = lease.status();
  policy::SignalInput input;
  input.window = CountedFarEnough(lease.window(), enough, SlotAt(started_, signal.timing.interval));
  input.upcoming = std::move(status.upcoming);
  input.last_error = std::move(status.error);
  input.warnings = std::move(status.warnings);
  input.detail = std::move(status.detail);
  input.next_change = status.next_change;
  return input;
}

std::vector<policy::SignalInput> Evaluation::Inputs() const {
  const policy::Policy& policy = *compiled_.policy;
  std::vector<policy::SignalInput> inputs;
  inputs.reserve(policy.signals.size());
  for (std::size_t i = 0; i < leases_.size(); ++i) {
    inputs.push_back(Input(*leases_[i], policy.signals[i], policy::Enough(policy, i)));
  }
  inputs.resize(policy.signals.size());
  return inputs;
}

DecisionPtr Evaluation::Decide(WallTime now) {
  const policy::Policy& policy = *compiled_.policy;
  std::vector<policy::SignalInput> inputs = Inputs();
  const bool lifts = policy.forecast && policy.forecast->lifts == forecast::Lifts::kReplicas;
  for (std::size_t i = 0; i < foreseen_.size(); ++i) {
    inputs[i].forecast = foreseen_[i].forecast;
    // As if there were no reading yet: without its lift the target would be smaller for a moment.
    if (lifts && !Foresees(i)) inputs[i].window = nullptr;
  }
  policy::CapacityInput capacity;
  capacity.lead = lead_time_;
  if (policy.capacity) capacity.schedules_known = KnowsWhatIsComing();
  if (running_) capacity.running = Input(*running_, *policy.capacity->running, std::nullopt);
  if (pending_) capacity.pending = Input(*pending_, *policy.capacity->pending, std::nullopt);
  latest_ = std::make_shared<const policy::Decision>(policy::Decide(policy, inputs, now, capacity));
  return latest_;
}

}  // namespace stoker::adapter
