#include "adapter/evaluation.h"

#include <algorithm>
#include <utility>

namespace stoker::adapter {
namespace {

/// Whether the value at hand is of a count that stopped before what this policy needs, because it
/// was made for others. Deciding from it could shrink the target; the poller counts anew at once.
bool StoppedTooEarly(const ReadingWindow& window, std::optional<double> enough) {
  if (window == nullptr) return false;
  const auto newest = std::find_if(window->rbegin(), window->rend(), [](const Reading& reading) {
    return reading.kind == Reading::Kind::kValue;
  });
  return newest != window->rend() && newest->at_least && (!enough || newest->value < *enough);
}

}  // namespace

Evaluation::Evaluation(CompiledPolicy compiled, const Clock& clock, OnDecision on_decision)
    : compiled_(std::move(compiled)), clock_(clock), on_decision_(std::move(on_decision)) {}

void Evaluation::Start(Poller& poller, bool replace_sources) {
  const policy::Policy& policy = *compiled_.policy;
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
    ReadingWindow window = lease->window();
    if (StoppedTooEarly(window, policy::Enough(*compiled_.policy, inputs.size()))) window = nullptr;
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
