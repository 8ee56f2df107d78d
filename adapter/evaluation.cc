#include "adapter/evaluation.h"

#include <algorithm>
#include <utility>

#include "adapter/reading_store.h"

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

}  // namespace

Evaluation::Evaluation(CompiledPolicy compiled, const Clock& clock, OnDecision on_decision)
    : compiled_(std::move(compiled)), clock_(clock), on_decision_(std::move(on_decision)) {}

void Evaluation::Start(Poller& poller, bool replace_sources) {
  const policy::Policy& policy = *compiled_.policy;
  const WallTime now = clock_.WallNow();
  std::vector<std::unique_ptr<Poller::Lease>> leases;
  for (std::size_t i = 0; i < policy.signals.size(); ++i) {
    SourceNeeds needs;
    needs.timing = policy.signals[i].timing;
    needs.lookback = policy::Lookback(policy);
    needs.enough = compiled_.signals[i].countable ? policy::Enough(policy, i) : std::nullopt;
    needs.label = policy.name + "/" + policy.signals[i].name;
    needs.on_reading = [weak = weak_from_this()] {
      if (const std::shared_ptr<Evaluation> self = weak.lock()) self->OnReading();
    };
    leases.push_back(poller.Acquire(compiled_.signals[i], std::move(needs), replace_sources));
  }
  const std::scoped_lock lock(mutex_);
  leases_ = std::move(leases);
  started_ = now;
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
  return !leases_.empty() && std::all_of(leases_.begin(), leases_.end(), [](const auto& lease) {
    return lease->status().attempted;
  });
}

void Evaluation::Listen(std::weak_ptr<Listener> listener) {
  const std::scoped_lock lock(mutex_);
  // Only when it would grow, so that thousands of listeners do not cost their square.
  if (listeners_.size() == listeners_.capacity()) {
    std::erase_if(listeners_, [](const std::weak_ptr<Listener>& weak) { return weak.expired(); });
  }
  listeners_.push_back(std::move(listener));
}

void Evaluation::OnReading() {
  DecisionPtr before;
  DecisionPtr now;
  std::vector<std::weak_ptr<Listener>> listeners;
  {
    const std::scoped_lock lock(mutex_);
    if (leases_.empty()) return;  // a source answered while Start was still at it
    now = Decide(clock_.WallNow());
    before = std::exchange(reported_, now);
    listeners = listeners_;
  }
  on_decision_(*compiled_.policy, before, now);
  for (const std::weak_ptr<Listener>& weak : listeners) {
    if (const std::shared_ptr<Listener> listener = weak.lock()) (*listener)(now);
  }
}

DecisionPtr Evaluation::Decide(WallTime now) {
  std::vector<policy::SignalInput> inputs;
  inputs.reserve(leases_.size());
  for (const std::unique_ptr<Poller::Lease>& lease : leases_) {
    PollStatus status = lease->status();
    const policy::PolicySignal& signal = compiled_.policy->signals[inputs.size()];
    ReadingWindow window = CountedFarEnough(lease->window(),
                                            policy::Enough(*compiled_.policy, inputs.size()),
                                            SlotAt(started_, signal.timing.interval));
    inputs.push_back({.window = std::move(window),
                      .last_error = std::move(status.error),
                      .warnings = std::move(status.warnings),
                      .detail = std::move(status.detail),
                      .next_change = status.next_change});
  }
  inputs.resize(compiled_.policy->signals.size());
  latest_ =
      std::make_shared<const policy::Decision>(policy::Decide(*compiled_.policy, inputs, now));
  return latest_;
}

}  // namespace stoker::adapter
