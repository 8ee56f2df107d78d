#include "tests/testing/fake_decisions.h"

#include <chrono>
#include <stdexcept>
#include <utility>

namespace stoker::testing {

using adapter::DecisionPtr;
using adapter::MetricAnswer;
using adapter::MetricSpec;
using adapter::ObjectRef;

namespace {
constexpr auto kPatience = std::chrono::seconds(10);
}  // namespace

DecisionPtr MakeDecision(int replicas, WallTime time) {
  auto decision = std::make_shared<policy::Decision>();
  decision->time = time;
  decision->target_replicas = replicas;
  decision->target_executors = replicas;
  decision->active = replicas > 0;
  decision->stepped = replicas;
  return decision;
}

// Its mutex is held during a call, so that the handle's destructor waits for it.
struct FakeDecisions::Subscriber {
  std::mutex mutex;
  std::function<void(const DecisionPtr&)> changed;
};

class FakeDecisions::Handle final : public Subscription {
 public:
  Handle(FakeDecisions& owner, int id) : owner_(owner), id_(id) {}
  ~Handle() override {
    std::shared_ptr<Subscriber> subscriber;
    {
      const std::scoped_lock lock(owner_.mutex_);
      subscriber = owner_.subscribers_.extract(id_).mapped();
      owner_.changed_.notify_all();
    }
    const std::scoped_lock lock(subscriber->mutex);
    subscriber->changed = nullptr;
  }

 private:
  FakeDecisions& owner_;
  const int id_;
};

FakeDecisions::FakeDecisions()
    : specs_(std::vector<MetricSpec>{{.name = "stoker-etl", .target = 1}}),
      decision_(Fail(ErrorCode::kUnavailable, "no reading yet")) {}

FakeDecisions::~FakeDecisions() = default;

void FakeDecisions::SetSpecs(Result<std::vector<MetricSpec>> specs) {
  const std::scoped_lock lock(mutex_);
  specs_ = std::move(specs);
}

void FakeDecisions::SetDecision(Result<DecisionPtr> decision) {
  std::vector<std::function<void(Result<DecisionPtr>)>> waiting;
  {
    const std::scoped_lock lock(mutex_);
    decision_ = decision;
    if (!decision) return;
    waiting.swap(waiting_);
  }
  for (const auto& done : waiting) done(decision);
  Notify();
}

void FakeDecisions::Notify() {
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  Result<DecisionPtr> decision;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, subscriber] : subscribers_) subscribers.push_back(subscriber);
    decision = decision_;
  }
  if (!decision) return;
  for (const auto& subscriber : subscribers) {
    const std::scoped_lock lock(subscriber->mutex);
    if (subscriber->changed) subscriber->changed(*decision);
  }
}

void FakeDecisions::SetValue(Result<MetricAnswer> value) {
  const std::scoped_lock lock(mutex_);
  value_ = std::make_unique<Result<MetricAnswer>>(std::move(value));
}

void FakeDecisions::FailSubscribe(Error error) {
  const std::scoped_lock lock(mutex_);
  subscribe_error_ = std::make_unique<Error>(std::move(error));
}

void FakeDecisions::SetPatient(bool patient) {
  const std::scoped_lock lock(mutex_);
  patient_ = patient;
}

void FakeDecisions::ExpireWaiting() {
  std::vector<std::function<void(Result<DecisionPtr>)>> waiting;
  {
    const std::scoped_lock lock(mutex_);
    waiting.swap(waiting_);
  }
  for (const auto& done : waiting) done(Fail(ErrorCode::kUnavailable, "no reading in time"));
}

void FakeDecisions::DropWaiting() {
  std::vector<std::function<void(Result<DecisionPtr>)>> waiting;
  const std::scoped_lock lock(mutex_);
  waiting.swap(waiting_);
}

void FakeDecisions::SetThrowing(bool throwing) {
  const std::scoped_lock lock(mutex_);
  throwing_ = throwing;
}

void FakeDecisions::SetObjects(std::vector<adapter::ObjectView> objects) {
  const std::scoped_lock lock(mutex_);
  objects_ = std::move(objects);
}

void FakeDecisions::SetPolicies(std::vector<adapter::PolicyView> policies) {
  const std::scoped_lock lock(mutex_);
  policies_ = std::move(policies);
}

void FakeDecisions::SetSignals(std::vector<adapter::SignalView> signals) {
  const std::scoped_lock lock(mutex_);
  signals_ = std::move(signals);
}

std::vector<ObjectRef> FakeDecisions::asked() const {
  const std::scoped_lock lock(mutex_);
  return asked_;
}

std::string FakeDecisions::last_metric() const {
  const std::scoped_lock lock(mutex_);
  return last_metric_;
}

MonoTime FakeDecisions::last_deadline() const {
  const std::scoped_lock lock(mutex_);
  return last_deadline_;
}

std::size_t FakeDecisions::subscriptions() const {
  const std::scoped_lock lock(mutex_);
  return subscribers_.size();
}

std::size_t FakeDecisions::waiting() const {
  const std::scoped_lock lock(mutex_);
  return waiting_.size();
}

bool FakeDecisions::AwaitSubscriptions(std::size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return subscribers_.size() == count; });
}

bool FakeDecisions::AwaitWaiting(std::size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return waiting_.size() == count; });
}

void FakeDecisions::Asked(const ObjectRef& object) {
  asked_.push_back(object);
  if (throwing_) throw std::runtime_error("a defect");
}

Result<std::vector<MetricSpec>> FakeDecisions::Specs(const ObjectRef& object) {
  const std::scoped_lock lock(mutex_);
  Asked(object);
  return specs_;
}

Result<DecisionPtr> FakeDecisions::Decide(const ObjectRef& object) {
  const std::scoped_lock lock(mutex_);
  Asked(object);
  return decision_;
}

void FakeDecisions::DecideSoon(const ObjectRef& object,
                               MonoTime deadline,
                               std::function<void(Result<DecisionPtr>)> done) {
  Result<DecisionPtr> decision;
  {
    const std::scoped_lock lock(mutex_);
    Asked(object);
    last_deadline_ = deadline;
    decision = decision_;
    if (patient_ && !decision && decision.error().code == ErrorCode::kUnavailable) {
      waiting_.push_back(std::move(done));
      changed_.notify_all();
      return;
    }
  }
  done(std::move(decision));
}

void FakeDecisions::ValueSoon(const ObjectRef& object,
                              std::string_view metric,
                              MonoTime deadline,
                              std::function<void(Result<MetricAnswer>)> done) {
  {
    const std::scoped_lock lock(mutex_);
    last_metric_ = metric;
  }
  DecideSoon(object, deadline, [this, done = std::move(done)](const Result<DecisionPtr>& decision) {
    done(ValueOf(decision));
  });
}

Result<MetricAnswer> FakeDecisions::ValueOf(const Result<DecisionPtr>& decision) const {
  if (!decision) return Fail(decision.error());
  if ((*decision)->error) return Fail(*(*decision)->error);
  const std::scoped_lock lock(mutex_);
  if (value_) return *value_;
  if (!specs_) return Fail(specs_.error());
  return MetricAnswer{.name = specs_->front().name,
                      .value = static_cast<double>((*decision)->target_replicas)};
}

Result<std::unique_ptr<adapter::Decisions::Subscription>> FakeDecisions::Subscribe(
    const ObjectRef& object, std::function<void(const DecisionPtr&)> changed) {
  const std::scoped_lock lock(mutex_);
  Asked(object);
  if (subscribe_error_) return Fail(*subscribe_error_);
  const int id = next_subscriber_++;
  auto subscriber = std::make_shared<Subscriber>();
  subscriber->changed = std::move(changed);
  subscribers_.emplace(id, std::move(subscriber));
  changed_.notify_all();
  return std::make_unique<Handle>(*this, id);
}

std::vector<adapter::ObjectView> FakeDecisions::Objects() const {
  const std::scoped_lock lock(mutex_);
  return objects_;
}

std::vector<adapter::PolicyView> FakeDecisions::Policies() const {
  const std::scoped_lock lock(mutex_);
  if (throwing_) throw std::runtime_error("a defect");
  return policies_;
}

std::vector<adapter::SignalView> FakeDecisions::Signals() const {
  const std::scoped_lock lock(mutex_);
  return signals_;
}

}  // namespace stoker::testing
