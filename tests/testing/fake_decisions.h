#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/decisions.h"

namespace stoker::testing {

/// A decision for `replicas`, active when above 0.
adapter::DecisionPtr MakeDecision(int replicas, WallTime time = {});

/// Decisions that say what the test set: one answer for every object. Thread-safe. Until told
/// otherwise: one spec "stoker-etl" with target 1 and no decision yet (kUnavailable).
class FakeDecisions final : public adapter::Decisions {
 public:
  FakeDecisions();
  ~FakeDecisions() override;

  void SetSpecs(Result<std::vector<adapter::MetricSpec>> specs);
  /// Sets the answer of Decide. A decision also answers waiting DecideSoon calls and goes to the
  /// subscribers, on this thread. An error only replaces the answer.
  void SetDecision(Result<adapter::DecisionPtr> decision);
  void SetReplicas(int replicas) { SetDecision(MakeDecision(replicas)); }
  /// Tells subscribers about the current decision once more.
  void Notify();
  /// ValueSoon's answer when there is a decision; by default the decision's target under the first
  /// spec's name.
  void SetValue(Result<adapter::MetricAnswer> value);
  /// Subscribe fails with this from now on.
  void FailSubscribe(Error error);
  /// While set, kUnavailable keeps DecideSoon waiting until SetDecision or ExpireWaiting.
  void SetPatient(bool patient);
  /// Answers waiting DecideSoon calls with kUnavailable, as their deadline would.
  void ExpireWaiting();
  /// Forgets waiting DecideSoon calls without an answer, as a stopped executor would.
  void DropWaiting();
  /// Policies, and every member that is given an object, throw from now on.
  void SetThrowing(bool throwing);
  void SetObjects(std::vector<adapter::ObjectView> objects);
  void SetPolicies(std::vector<adapter::PolicyView> policies);
  void SetSignals(std::vector<adapter::SignalView> signals);

  /// Objects asked about, oldest first, by any of Specs, Decide, DecideSoon, ValueSoon and
  /// Subscribe.
  [[nodiscard]] std::vector<adapter::ObjectRef> asked() const;
  [[nodiscard]] std::string last_metric() const;
  [[nodiscard]] MonoTime last_deadline() const;
  [[nodiscard]] std::size_t subscriptions() const;
  [[nodiscard]] std::size_t waiting() const;
  /// Blocks until there are `count` subscriptions, or calls waiting; false after ten seconds.
  [[nodiscard]] bool AwaitSubscriptions(std::size_t count);
  [[nodiscard]] bool AwaitWaiting(std::size_t count);

  Result<std::vector<adapter::MetricSpec>> Specs(const adapter::ObjectRef& object) override;
  Result<adapter::DecisionPtr> Decide(const adapter::ObjectRef& object) override;
  void DecideSoon(const adapter::ObjectRef& object,
                  MonoTime deadline,
                  std::function<void(Result<adapter::DecisionPtr>)> done) override;
  void ValueSoon(const adapter::ObjectRef& object,
                 std::string_view metric,
                 MonoTime deadline,
                 std::function<void(Result<adapter::MetricAnswer>)> done) override;
  Result<std::unique_ptr<Subscription>> Subscribe(
      const adapter::ObjectRef& object,
      std::function<void(const adapter::DecisionPtr&)> changed) override;
  [[nodiscard]] std::vector<adapter::ObjectView> Objects() const override;
  [[nodiscard]] std::vector<adapter::PolicyView> Policies() const override;
  [[nodiscard]] std::vector<adapter::SignalView> Signals() const override;

 private:
  struct Subscriber;
  class Handle;

  void Asked(const adapter::ObjectRef& object);
  [[nodiscard]] Result<adapter::MetricAnswer> ValueOf(
      const Result<adapter::DecisionPtr>& decision) const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool throwing_ = false;
  bool patient_ = false;
  Result<std::vector<adapter::MetricSpec>> specs_;
  Result<adapter::DecisionPtr> decision_;
  std::unique_ptr<Result<adapter::MetricAnswer>> value_;
  std::unique_ptr<Error> subscribe_error_;
  std::vector<std::function<void(Result<adapter::DecisionPtr>)>> waiting_;
  std::map<int, std::shared_ptr<Subscriber>> subscribers_;
  int next_subscriber_ = 0;
  std::vector<adapter::ObjectRef> asked_;
  std::string last_metric_;
  MonoTime last_deadline_{};
  std::vector<adapter::ObjectView> objects_;
  std::vector<adapter::PolicyView> policies_;
  std::vector<adapter::SignalView> signals_;
};

}  // namespace stoker::testing
