#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapter/compile.h"
#include "adapter/decisions.h"
#include "adapter/evaluation.h"
#include "adapter/poller.h"
#include "adapter/trigger.h"
#include "core/clock.h"
#include "core/executor.h"
#include "core/log.h"
#include "scalers/registry.h"

namespace stoker::adapter {

/// Told of decisions, for metrics. Thread-safe. `policy` is kInlinePolicy for all inline objects:
/// they come and go, and metrics that count never forget a name.
class DecisionObserver {
 public:
  virtual ~DecisionObserver() = default;
  virtual void OnDecision(std::string_view policy, policy::Bound bound) = 0;
};

/// Holds the configuration, the objects that asked, and their evaluations; answers from memory.
///
/// Policies in the configuration are polled from the start. An inline object is registered by its
/// first question and forgotten when none came for ten minutes and no stream is open. A policy that
/// leaves the configuration stays answerable for its hold time. Thread-safe. Everything passed in
/// outlives it, and the executors are stopped before it is destroyed.
class Engine final : public Decisions {
 public:
  static constexpr std::string_view kInlinePolicy = "(inline)";
  static constexpr Duration kForgetAfter = std::chrono::minutes(10);

  struct Deps {
    const Clock& clock;
    Executor& timers;  ///< short work only
    Executor& pool;    ///< polls
    PollObserver& poll_observer;
    DecisionObserver& decision_observer;
    Logger& logger;
    const scalers::Registry& registry;
    const scalers::ScalerDeps& scaler_deps;
    ReadingExchange* exchange = nullptr;  ///< with sibling replicas; null: there are none
  };
  explicit Engine(const Deps& deps);
  ~Engine() override;

  /// Take over a configuration. Policies that did not change go on undisturbed; objects follow
  /// their policies.
  void Apply(std::shared_ptr<const CompiledConfig> config);
  [[nodiscard]] std::shared_ptr<const CompiledConfig> config() const;

  /// Whether all configured policies' signals have been polled once since the configuration came.
  [[nodiscard]] bool FirstPollsAttempted() const;

  /// Where the exchange finds and puts windows.
  [[nodiscard]] Poller& poller() { return poller_; }

  /// Forget idle objects and expired policies. Runs by itself every minute.
  void Sweep();

  /// Stop polling and let no waiting call hang. Idempotent.
  void Stop();

  Result<std::vector<MetricSpec>> Specs(const ObjectRef& object) override;
  Result<DecisionPtr> Decide(const ObjectRef& object) override;
  void DecideSoon(const ObjectRef& object,
                  MonoTime deadline,
                  std::function<void(Result<DecisionPtr>)> done) override;
  void ValueSoon(const ObjectRef& object,
                 std::string_view metric,
                 MonoTime deadline,
                 std::function<void(Result<MetricAnswer>)> done) override;
  Result<std::unique_ptr<Subscription>> Subscribe(
      const ObjectRef& object, std::function<void(const DecisionPtr&)> changed) override;
  [[nodiscard]] std::vector<ObjectView> Objects() const override;
  [[nodiscard]] std::vector<PolicyView> Policies() const override;
  [[nodiscard]] std::vector<SignalView> Signals() const override;

 private:
  struct Object;
  struct Retired;
  /// Finds objects by what asked, without a copy of it.
  struct ByContent {
    std::size_t operator()(const ObjectRef* ref) const;
    bool operator()(const ObjectRef* a, const ObjectRef* b) const { return *a == *b; }
  };
  class StreamSubscription;
  /// A call that waits for first readings; finished once, by a reading, its deadline or Stop.
  struct Waiter {
    std::mutex mutex;
    std::function<void(Result<DecisionPtr>)> done;
    std::shared_ptr<Evaluation::Listener> listener;
    void Finish(Result<DecisionPtr> result);
  };
  using ObjectPtr = std::shared_ptr<Object>;
  using EvaluationPtr = std::shared_ptr<Evaluation>;
  /// An object, what it is bound to, and the decision of now, which may be an error.
  struct Answer {
    ObjectPtr object;
    EvaluationPtr evaluation;
    DecisionPtr decision;
  };

  /// The decision as an object sees it that asks for the headroom, or for the target.
  static DecisionPtr View(bool headroom, DecisionPtr decision);
  static std::vector<MetricSpec> TriggerSpecs(const Trigger& trigger, const policy::Policy* policy);
  static Result<MetricAnswer> TriggerValue(const Trigger& trigger,
                                           const policy::Policy& policy,
                                           std::string_view metric,
                                           const policy::Decision& decision);
  Status CheckInline(const ObjectRef& ref,
                     const Trigger& trigger,
                     const CompiledConfig& config) const;
  Result<ObjectPtr> Resolve(const ObjectRef& ref, bool keep_unknown = false);
  Result<Answer> AnswerNow(const ObjectRef& ref);
  /// Finishes what `answer` leaves open: calls back with its error, or once the first readings
  /// came.
  void Await(const Answer& answer,
             MonoTime deadline,
             std::function<void(Result<DecisionPtr>)> done);
  Result<EvaluationPtr> Bind(const ObjectRef& ref,
                             const Trigger& trigger,
                             const CompiledConfig& config,
                             bool replace_sources);
  Result<EvaluationPtr> BindPolicy(const ObjectRef& ref, const Trigger& trigger);
  EvaluationPtr BindInline(const ObjectRef& ref,
                           const Trigger& trigger,
                           const CompiledConfig& config,
                           CompiledPolicy compiled,
                           bool replace_sources);
  Result<CompiledPolicy> Compile(const ObjectRef& ref,
                                 const Trigger& trigger,
                                 const CompiledConfig& config) const;
  Result<EvaluationPtr> FindPolicy(const ObjectRef& ref, const Trigger& trigger) const;
  Status Admit(const ObjectRef& ref, const Trigger& trigger) const;
  EvaluationPtr MakeEvaluation(CompiledPolicy compiled, bool is_inline = false);
  void Start(const EvaluationPtr& evaluation, bool replace_sources);
  void OnDecision(const policy::Policy& policy,
                  bool is_inline,
                  const DecisionPtr& before,
                  const DecisionPtr& now) const;
  void ScheduleSweep();

  const Deps deps_;
  Poller poller_;
  std::atomic<bool> stopped_{false};

  mutable std::shared_mutex
      mutex_;  // guards what follows; never held while an Evaluation is destroyed
  std::shared_ptr<const CompiledConfig> config_;
  std::map<std::string, EvaluationPtr, std::less<>> policies_;
  std::map<std::string, Retired, std::less<>> retired_;
  std::map<std::string, std::weak_ptr<Evaluation>> shared_;  // narrowed and inline ones
  std::unordered_map<const ObjectRef*, ObjectPtr, ByContent, ByContent> objects_;  // Object::ref
  std::map<std::string, int> inline_objects_;                                      // by namespace
  std::mutex waiters_mutex_;
  std::vector<std::weak_ptr<Waiter>> waiters_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // timers hold it weakly
};

}  // namespace stoker::adapter
