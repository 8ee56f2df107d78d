#include "adapter/engine.h"

#include <algorithm>
#include <functional>
#include <mutex>
#include <tuple>
#include <utility>

#include "core/text.h"

namespace stoker::adapter {
namespace {

bool Waiting(const policy::Decision& decision) {
  return std::any_of(
      decision.signals.begin(), decision.signals.end(), [](const policy::SignalDecision& signal) {
        return signal.state == policy::SignalDecision::State::kWaiting;
      });
}

Duration LongestHold(const policy::Policy& policy) {
  Duration hold{0};
  for (const policy::PolicySignal& signal : policy.signals) {
    hold = std::max(hold, signal.Serves());
  }
  return hold;
}

}  // namespace

// Trust is part of the question: an answer earned with a certificate is not for callers without
// one.
std::size_t Engine::ByContent::operator()(const ObjectRef* ref) const {
  std::size_t hash = ref->peer_authenticated ? 1 : 0;
  const auto add = [&hash](std::string_view part) {
    hash = hash * 31 + std::hash<std::string_view>()(part);
  };
  add(ref->name_space);
  add(ref->name);
  for (const auto& [key, value] : ref->metadata) {
    add(key);
    add(value);
  }
  return hash;
}

/// A trigger that asked at least once. What is not const or atomic is guarded by `mutex`.
struct Engine::Object {
  ObjectRef ref;
  Trigger trigger;
  std::atomic<MonoTime> last_asked{};  // the wall clock may be set
  std::mutex mutex;
  EvaluationPtr evaluation;  // null: see error
  std::optional<Error> error;
  std::vector<std::weak_ptr<Evaluation::Listener>> listeners;

  [[nodiscard]] bool is_inline() const { return trigger.is_inline(); }
  Result<EvaluationPtr> Bound() {
    const std::scoped_lock lock(mutex);
    if (evaluation == nullptr) return Fail(*error);
    return evaluation;
  }
};

struct Engine::Retired {
  EvaluationPtr evaluation;
  MonoTime expires;
};

/// Lets a stream follow its object from evaluation to evaluation.
class Engine::StreamSubscription final : public Decisions::Subscription {
 public:
  explicit StreamSubscription(std::function<void(const DecisionPtr&)> changed)
      : gate_(std::make_shared<Gate>()),
        listener_(std::make_shared<Evaluation::Listener>(
            [gate = gate_, changed = std::move(changed)](const DecisionPtr& decision) {
              const std::scoped_lock lock(gate->mutex);
              if (gate->open) changed(decision);
            })) {}
  ~StreamSubscription() override {
    const std::scoped_lock lock(gate_->mutex);
    gate_->open = false;
  }
  StreamSubscription(const StreamSubscription&) = delete;
  StreamSubscription& operator=(const StreamSubscription&) = delete;

  [[nodiscard]] std::weak_ptr<Evaluation::Listener> listener() const { return listener_; }

 private:
  struct Gate {
    std::recursive_mutex mutex;  // a stream may end itself from inside its callback
    bool open = true;
  };
  std::shared_ptr<Gate> gate_;
  std::shared_ptr<Evaluation::Listener> listener_;
};

Engine::Engine(const Deps& deps)
    : deps_(deps),
      poller_(deps.clock, deps.timers, deps.pool, deps.poll_observer, deps.logger, deps.exchange),
      config_(std::make_shared<const CompiledConfig>()) {
  ScheduleSweep();
}

Engine::~Engine() { Stop(); }

void Engine::Stop() {
  if (stopped_.exchange(true)) return;
  poller_.Stop();
  // Whoever still waits for a first reading learns now that none will come.
  std::vector<std::shared_ptr<Waiter>> waiters;
  {
    const std::scoped_lock lock(waiters_mutex_);
    for (const std::weak_ptr<Waiter>& weak : waiters_) {
      if (std::shared_ptr<Waiter> waiter = weak.lock()) waiters.push_back(std::move(waiter));
    }
  }
  for (const std::shared_ptr<Waiter>& waiter : waiters) {
    waiter->Finish(Fail(ErrorCode::kUnavailable, "shutting down"));
  }
}

void Engine::ScheduleSweep() {
  deps_.timers.PostAt(deps_.clock.MonotonicNow() + std::chrono::minutes(1),
                      [this, alive = std::weak_ptr(alive_)] {
                        if (alive.expired()) return;
                        Sweep();
                        ScheduleSweep();
                      });
}

std::shared_ptr<const CompiledConfig> Engine::config() const {
  const std::shared_lock lock(mutex_);
  return config_;
}

Engine::EvaluationPtr Engine::MakeEvaluation(CompiledPolicy compiled, bool is_inline) {
  return std::make_shared<Evaluation>(
      std::move(compiled),
      deps_.clock,
      [this, is_inline](const policy::Policy& policy,
                        const DecisionPtr& before,
                        const DecisionPtr& now) { OnDecision(policy, is_inline, before, now); });
}

void Engine::Start(const EvaluationPtr& evaluation, bool replace_sources) {
  evaluation->Start(poller_, replace_sources);
  deps_.pool.Post([weak = std::weak_ptr(evaluation)] {
    if (const EvaluationPtr started = weak.lock()) started->CatchUp();
  });
}

void Engine::OnDecision(const policy::Policy& policy,
                        bool is_inline,
                        const DecisionPtr& before,
                        const DecisionPtr& now) const {
  deps_.decision_observer.OnDecision(is_inline ? kInlinePolicy : policy.name, now->bound);
  const bool failed_before = before && before->error && !Waiting(*before);
  const bool fails_now = now->error && !Waiting(*now);
  if (fails_now && !failed_before) {
    deps_.logger.Error(
        "no target: KEDA now gets UNAVAILABLE, and its fallback acts if the ScaledObject has one; "
        "the error names the signal that needs a reading",
        {{"policy", policy.name}, {"error", now->error->message}});
  } else if (failed_before && !now->error) {
    deps_.logger.Info(
        "target is back",
        {{"policy", policy.name}, {"target_replicas", std::to_string(now->target_replicas)}});
  }
  const auto headroom_fails = [](const DecisionPtr& decision) {
    return decision && !decision->error && decision->headroom && decision->headroom->error &&
           !Waiting(policy::HeadroomDecision(*decision));
  };
  if (headroom_fails(now) && !headroom_fails(before)) {
    deps_.logger.Error(
        "no headroom: what was asked of the cluster stays as it is; the error names the signal "
        "that needs a reading",
        {{"policy", policy.name}, {"error", now->headroom->error->message}});
  }
}

void Engine::Apply(std::shared_ptr<const CompiledConfig> config) {
  std::vector<EvaluationPtr> graveyard;  // declared before the lock: destroyed after it is gone
  const std::unique_lock lock(mutex_);
  const bool connections_changed =
      config_->connections_fingerprint != config->connections_fingerprint;
  std::map<std::string, EvaluationPtr, std::less<>> next;
  for (const auto& [name, compiled] : config->policies) {
    const auto old = policies_.find(name);
    const bool unchanged = old != policies_.end() && !connections_changed &&
                           old->second->compiled().fingerprint == compiled.fingerprint;
    if (unchanged) {
      next.emplace(name, old->second);
      continue;
    }
    EvaluationPtr evaluation = MakeEvaluation(compiled);
    Start(evaluation, connections_changed);
    next.emplace(name, std::move(evaluation));
  }
  const MonoTime now = deps_.clock.MonotonicNow();
  for (auto& [name, evaluation] : policies_) {
    if (next.contains(name)) {
      graveyard.push_back(evaluation);
    } else {
      retired_.insert_or_assign(name,
                                Retired{evaluation, now + LongestHold(*evaluation->policy())});
    }
  }
  for (const auto& [name, evaluation] : next) {
    if (const auto found = retired_.find(name); found != retired_.end()) {
      graveyard.push_back(found->second.evaluation);
      retired_.erase(found);
    }
  }
  policies_ = std::move(next);
  config_ = std::move(config);

  for (const auto& [key, object] : objects_) {
    Result<EvaluationPtr> bound = Bind(object->ref, object->trigger, *config_, connections_changed);
    const std::scoped_lock object_lock(object->mutex);
    if (object->evaluation) graveyard.push_back(object->evaluation);
    if (!bound) {
      object->evaluation = nullptr;
      object->error = bound.error();
      continue;
    }
    if (*bound == object->evaluation) continue;
    object->evaluation = *bound;
    object->error.reset();
    for (const auto& listener : object->listeners) object->evaluation->Listen(listener);
  }
}

bool Engine::FirstPollsAttempted() const {
  const std::shared_lock lock(mutex_);
  return std::all_of(policies_.begin(), policies_.end(), [](const auto& entry) {
    return entry.second->Attempted();
  });
}

void Engine::Sweep() {
  std::vector<EvaluationPtr> evaluations;  // declared before the lock: destroyed after it is gone
  std::vector<ObjectPtr> objects;
  const std::unique_lock lock(mutex_);
  const MonoTime now = deps_.clock.MonotonicNow();
  for (auto it = retired_.begin(); it != retired_.end();) {
    if (it->second.expires > now) {
      ++it;
      continue;
    }
    evaluations.push_back(it->second.evaluation);
    for (const auto& [key, object] : objects_) {
      const std::scoped_lock object_lock(object->mutex);
      if (object->evaluation == nullptr || object->trigger.policy != it->first) continue;
      evaluations.push_back(std::exchange(object->evaluation, nullptr));
      object->error = Error{ErrorCode::kNotFound,
                            "policy '" + it->first + "' is no longer in the configuration"};
    }
    it = retired_.erase(it);
  }
  for (auto it = objects_.begin(); it != objects_.end();) {
    Object& object = *it->second;
    bool has_listeners = false;
    {
      const std::scoped_lock object_lock(object.mutex);
      std::erase_if(object.listeners, [](const auto& weak) { return weak.expired(); });
      has_listeners = !object.listeners.empty();
    }
    if (has_listeners || now - object.last_asked.load() < kForgetAfter) {
      ++it;
      continue;
    }
    if (object.is_inline()) --inline_objects_[object.ref.name_space];
    objects.push_back(it->second);
    it = objects_.erase(it);
  }
  std::erase_if(inline_objects_, [](const auto& entry) { return entry.second <= 0; });
  std::erase_if(shared_, [](const auto& entry) { return entry.second.expired(); });
}

DecisionPtr Engine::View(bool headroom, DecisionPtr decision) {
  if (!headroom) return decision;
  return std::make_shared<const policy::Decision>(policy::HeadroomDecision(*decision));
}

std::vector<MetricSpec> Engine::TriggerSpecs(const Trigger& trigger, const policy::Policy* policy) {
  if (trigger.metric_target) return {MetricSpec{trigger.metric, *trigger.metric_target}};
  if (trigger.headroom || policy == nullptr ||
      policy->metric_mode == policy::MetricMode::kCombined) {
    return {MetricSpec{trigger.metric, 1}};
  }
  std::vector<MetricSpec> specs;
  for (const policy::PolicySignal& signal : policy->signals) {
    specs.push_back(MetricSpec{trigger.metric + "-" + signal.name, 1});
  }
  return specs;
}

Status Engine::CheckInline(const ObjectRef& ref,
                           const Trigger& trigger,
                           const CompiledConfig& config) const {
  if (trigger.kind == Trigger::Kind::kKedaE2e) {
    if (config.server.manual.keda_e2e) return {};
    return Fail(ErrorCode::kPermissionDenied,
                "server.manual.kedaE2e is off; a trigger needs policy, type or policySpec");
  }
  const InlineConfig& rules = config.server.inline_objects;
  if (!rules.enabled) {
    return Fail(ErrorCode::kPermissionDenied,
                "inline triggers are off; ask for a policy, or set server.inline.enabled: true");
  }
  if (!rules.trust_network && !ref.peer_authenticated) {
    return Fail(ErrorCode::kPermissionDenied,
                "inline triggers need a client certificate (server.inline.trust is mtls): give the "
                "trigger a TriggerAuthentication with tlsClientCert and tlsClientKey");
  }
  if (trigger.spec.size() > static_cast<std::size_t>(rules.max_spec_bytes)) {
    return Fail(ErrorCode::kResourceExhausted,
                "policySpec is over " + std::to_string(rules.max_spec_bytes) +
                    " bytes (server.inline.maxSpecBytes)");
  }
  return {};
}

// Needs the lock, shared or not.
Result<Engine::EvaluationPtr> Engine::FindPolicy(const ObjectRef& ref,
                                                 const Trigger& trigger) const {
  EvaluationPtr base;
  if (const auto found = policies_.find(trigger.policy); found != policies_.end()) {
    base = found->second;
  } else if (const auto retired = retired_.find(trigger.policy); retired != retired_.end()) {
    base = retired->second.evaluation;
  } else {
    return Fail(CheckPolicyUse(trigger, ref.name_space, *config_).error());
  }
  if (Status allowed = CheckPolicyUse(trigger, ref.name_space, *base->policy()); !allowed) {
    return Fail(allowed.error());
  }
  return base;
}

Result<Engine::EvaluationPtr> Engine::BindPolicy(const ObjectRef& ref, const Trigger& trigger) {
  const Result<EvaluationPtr> base = FindPolicy(ref, trigger);
  if (!base || (!trigger.min && !trigger.max)) return base;
  policy::Policy narrowed = Narrowed(*(*base)->policy(), trigger);
  CompiledPolicy compiled = (*base)->compiled();
  const std::string key = "narrowed\n" + compiled.policy->name + "\n" + compiled.fingerprint +
                          "\n" + config_->connections_fingerprint + "\n" +
                          std::to_string(narrowed.replicas.min) + " " +
                          std::to_string(narrowed.replicas.max);
  compiled.policy = std::make_shared<const policy::Policy>(std::move(narrowed));
  std::weak_ptr<Evaluation>& slot = shared_[key];
  if (EvaluationPtr existing = slot.lock()) return existing;
  EvaluationPtr evaluation = MakeEvaluation(std::move(compiled));
  Start(evaluation, false);
  slot = evaluation;
  return evaluation;
}

Result<CompiledPolicy> Engine::Compile(const ObjectRef& ref,
                                       const Trigger& trigger,
                                       const CompiledConfig& config) const {
  if (Status allowed = CheckInline(ref, trigger, config); !allowed) return Fail(allowed.error());
  Result<CompiledPolicy> compiled =
      CompileInline(trigger, ref.name_space, config, deps_.registry, deps_.scaler_deps);
  if (!compiled) return Fail(compiled.error());
  if (compiled->signals.size() >
      static_cast<std::size_t>(config.server.inline_objects.max_signals)) {
    return Fail(ErrorCode::kResourceExhausted,
                "policySpec has over " + std::to_string(config.server.inline_objects.max_signals) +
                    " signals (server.inline.maxSignals)");
  }
  return compiled;
}

Engine::EvaluationPtr Engine::BindInline(const ObjectRef& ref,
                                         const Trigger& trigger,
                                         const CompiledConfig& config,
                                         CompiledPolicy compiled,
                                         bool replace_sources) {
  const std::string key = "inline\n" + ref.name_space + "\n" + trigger.metric + "\n" +
                          compiled.fingerprint + "\n" + config.connections_fingerprint;
  std::weak_ptr<Evaluation>& slot = shared_[key];
  if (EvaluationPtr existing = slot.lock()) return existing;
  EvaluationPtr evaluation = MakeEvaluation(std::move(compiled), true);
  Start(evaluation, replace_sources);
  slot = evaluation;
  return evaluation;
}

// Needs the unique lock.
Result<Engine::EvaluationPtr> Engine::Bind(const ObjectRef& ref,
                                           const Trigger& trigger,
                                           const CompiledConfig& config,
                                           bool replace_sources) {
  if (trigger.kind == Trigger::Kind::kPolicy) return BindPolicy(ref, trigger);
  Result<CompiledPolicy> compiled = Compile(ref, trigger, config);
  if (!compiled) return Fail(compiled.error());
  return BindInline(ref, trigger, config, std::move(*compiled), replace_sources);
}

// Needs the lock, shared or not.
Status Engine::Admit(const ObjectRef& ref, const Trigger& trigger) const {
  if (trigger.kind == Trigger::Kind::kPolicy) {
    const Result<EvaluationPtr> base = FindPolicy(ref, trigger);
    return base ? Status() : Status(Fail(base.error()));
  }
  const auto count = inline_objects_.find(ref.name_space);
  const int limit = config_->server.inline_objects.max_objects_per_namespace;
  if (config_->server.inline_objects.enabled && count != inline_objects_.end() &&
      count->second >= limit) {
    return Fail(ErrorCode::kResourceExhausted,
                "namespace '" + ref.name_space + "' has " + std::to_string(limit) +
                    " inline objects already (server.inline.maxObjectsPerNamespace)");
  }
  return {};
}

Result<Engine::ObjectPtr> Engine::Resolve(const ObjectRef& ref, bool keep_unknown) {
  const MonoTime now = deps_.clock.MonotonicNow();
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = objects_.find(&ref); found != objects_.end()) {
      found->second->last_asked.store(now);
      return found->second;
    }
  }
  const std::shared_ptr<const CompiledConfig> config = this->config();
  Result<Trigger> trigger = ReadTrigger(ref.metadata, config->server.manual.keda_e2e);
  if (!trigger) return Fail(trigger.error());
  const auto refused = [keep_unknown](const auto& result) {
    return !result && !(keep_unknown && result.error().code == ErrorCode::kNotFound);
  };
  // What is refused asks again and again, and must not hold up everybody else each time: it is told
  // so, and a policy of its own is compiled, before the lock is ours alone.
  {
    const std::shared_lock lock(mutex_);
    if (const Status admitted = Admit(ref, *trigger); refused(admitted)) {
      return Fail(admitted.error());
    }
  }
  std::optional<CompiledPolicy> compiled;
  if (trigger->kind != Trigger::Kind::kPolicy) {
    Result<CompiledPolicy> result = Compile(ref, *trigger, *config);
    if (refused(result)) return Fail(result.error());
    if (result) compiled = std::move(*result);
  }

  const std::unique_lock lock(mutex_);
  if (const auto found = objects_.find(&ref); found != objects_.end()) return found->second;
  if (const Status admitted = Admit(ref, *trigger); refused(admitted)) {
    return Fail(admitted.error());
  }
  Result<EvaluationPtr> bound =
      compiled && config == config_
          ? BindInline(ref, *trigger, *config, std::move(*compiled), false)
          : Bind(ref, *trigger, *config_, false);
  if (refused(bound)) return Fail(bound.error());
  const bool is_inline = trigger->is_inline();
  auto object = std::make_shared<Object>();
  object->ref = ref;
  object->trigger = std::move(*trigger);
  object->last_asked.store(now);
  if (bound) {
    object->evaluation = std::move(*bound);
  } else {
    object->error = bound.error();
  }
  objects_.emplace(&object->ref, object);
  if (is_inline) ++inline_objects_[ref.name_space];
  return object;
}

Result<std::vector<MetricSpec>> Engine::Specs(const ObjectRef& ref) {
  Result<ObjectPtr> object = Resolve(ref);
  if (object) {
    const Result<EvaluationPtr> bound = (*object)->Bound();
    return TriggerSpecs((*object)->trigger, bound ? (*bound)->policy().get() : nullptr);
  }
  // What is unknown or not allowed must not cost the HPA its metrics: KEDA drops a trigger whose
  // spec fails, and its fallback then never counts a failure. Only metadata that can never work
  // fails here.
  if (object.error().code == ErrorCode::kInvalidArgument) return Fail(object.error());
  const Result<Trigger> trigger = ReadTrigger(ref.metadata, config()->server.manual.keda_e2e);
  if (!trigger) return Fail(trigger.error());
  return TriggerSpecs(*trigger, nullptr);
}

Result<Engine::Answer> Engine::AnswerNow(const ObjectRef& ref) {
  Result<ObjectPtr> object = Resolve(ref);
  if (!object) return Fail(std::move(object.error()));
  Result<EvaluationPtr> bound = (*object)->Bound();
  if (!bound) return Fail(std::move(bound.error()));
  DecisionPtr decision = View((*object)->trigger.headroom, (*bound)->Current());
  return Answer{*std::move(object), *std::move(bound), std::move(decision)};
}

Result<DecisionPtr> Engine::Decide(const ObjectRef& ref) {
  Result<Answer> answer = AnswerNow(ref);
  if (!answer) return Fail(std::move(answer.error()));
  if (answer->decision->error) return Fail(*answer->decision->error);
  return std::move(answer->decision);
}

void Engine::DecideSoon(const ObjectRef& ref,
                        MonoTime deadline,
                        std::function<void(Result<DecisionPtr>)> done) {
  Result<Answer> answer = AnswerNow(ref);
  if (!answer) return done(Fail(std::move(answer.error())));
  if (!answer->decision->error) return done(std::move(answer->decision));
  Await(*answer, deadline, std::move(done));
}

void Engine::ValueSoon(const ObjectRef& ref,
                       std::string_view metric,
                       MonoTime deadline,
                       std::function<void(Result<MetricAnswer>)> done) {
  const Result<Answer> answer = AnswerNow(ref);
  if (!answer) return done(Fail(answer.error()));
  const Trigger& trigger = answer->object->trigger;
  const std::shared_ptr<const policy::Policy>& policy = answer->evaluation->policy();
  if (!answer->decision->error) {
    return done(TriggerValue(trigger, *policy, metric, *answer->decision));
  }
  Await(*answer,
        deadline,
        [object = answer->object, policy, metric = std::string(metric), done = std::move(done)](
            const Result<DecisionPtr>& decision) {
          if (!decision) return done(Fail(decision.error()));
          done(TriggerValue(object->trigger, *policy, metric, **decision));
        });
}

void Engine::Await(const Answer& answer,
                   MonoTime deadline,
                   std::function<void(Result<DecisionPtr>)> done) {
  const auto& [object, evaluation, decision] = answer;
  if (!Waiting(*decision) || stopped_.load()) return done(Fail(*decision->error));

  auto waiter = std::make_shared<Waiter>();
  waiter->done = std::move(done);
  waiter->listener = std::make_shared<Evaluation::Listener>(
      [weak = std::weak_ptr(waiter),
       headroom = object->trigger.headroom](const DecisionPtr& decided) {
        const std::shared_ptr<Waiter> self = weak.lock();
        if (!self) return;
        const DecisionPtr now = View(headroom, decided);
        if (Waiting(*now)) return;
        if (now->error) {
          self->Finish(Fail(*now->error));
        } else {
          self->Finish(now);
        }
      });
  {
    const std::scoped_lock lock(waiters_mutex_);
    // Only when it would grow, so that thousands who wait do not cost their square.
    if (waiters_.size() == waiters_.capacity()) {
      std::erase_if(waiters_, [](const auto& weak) { return weak.expired(); });
    }
    waiters_.push_back(waiter);
  }
  evaluation->Listen(waiter->listener);
  // The timer keeps the waiter alive; whoever comes first finishes it.
  deps_.timers.PostAt(deadline,
                      [waiter, error = *decision->error] { waiter->Finish(Fail(error)); });
  // The reading, or Stop, may have come before we listened.
  const DecisionPtr again = evaluation->Current();
  if (stopped_.load()) {
    waiter->Finish(Fail(ErrorCode::kUnavailable, "shutting down"));
  } else {
    (*waiter->listener)(again);
  }
}

void Engine::Waiter::Finish(Result<DecisionPtr> result) {
  std::function<void(Result<DecisionPtr>)> call;
  {
    const std::scoped_lock lock(mutex);
    call = std::exchange(done, nullptr);
  }
  if (call) call(std::move(result));
}

Result<MetricAnswer> Engine::TriggerValue(const Trigger& trigger,
                                          const policy::Policy& policy,
                                          std::string_view metric,
                                          const policy::Decision& decision) {
  std::vector<MetricSpec> specs = TriggerSpecs(trigger, &policy);
  std::size_t index = 0;
  if (!metric.empty()) {
    const auto found = std::find_if(specs.begin(), specs.end(), [&](const MetricSpec& spec) {
      return EqualsIgnoreCase(spec.name, metric);
    });
    if (found == specs.end()) {
      return Fail(ErrorCode::kNotFound, "no such metric; this trigger's is " + specs.front().name);
    }
    index = static_cast<std::size_t>(found - specs.begin());
  }
  MetricAnswer answer{std::move(specs[index].name), double(decision.target_replicas)};
  if (const std::optional<double>& target = trigger.metric_target) {
    answer.value = decision.stepped * *target;
  }
  if (!trigger.headroom && policy.metric_mode == policy::MetricMode::kPerSignal &&
      index < decision.signals.size()) {
    answer.value = policy::SignalReplicas(policy, decision, index);
  }
  return answer;
}

Result<std::unique_ptr<Decisions::Subscription>> Engine::Subscribe(
    const ObjectRef& ref, std::function<void(const DecisionPtr&)> changed) {
  // A stream for a policy that does not exist stays: the next configuration may bring it.
  const Result<ObjectPtr> resolved = Resolve(ref, true);
  if (!resolved) return Fail(resolved.error());
  Object& object = **resolved;
  if (object.trigger.headroom) {
    changed = [changed = std::move(changed)](const DecisionPtr& decision) {
      changed(View(/*headroom=*/true, decision));
    };
  }
  auto subscription = std::make_unique<StreamSubscription>(std::move(changed));
  const std::scoped_lock lock(object.mutex);
  object.listeners.push_back(subscription->listener());
  if (object.evaluation) object.evaluation->Listen(subscription->listener());
  return std::unique_ptr<Subscription>(std::move(subscription));
}

std::vector<ObjectView> Engine::Objects() const {
  std::vector<ObjectView> views;
  const std::shared_lock lock(mutex_);
  views.reserve(objects_.size());
  const WallTime wall_now = deps_.clock.WallNow();
  const MonoTime now = deps_.clock.MonotonicNow();
  for (const auto& [key, object] : objects_) {
    const std::scoped_lock object_lock(object->mutex);
    ObjectView view;
    view.name_space = object->ref.name_space;
    view.name = object->ref.name;
    view.is_inline = object->is_inline();
    view.headroom = object->trigger.headroom;
    view.policy = view.is_inline ? object->trigger.metric : object->trigger.policy;
    view.last_asked = wall_now - (now - object->last_asked.load());
    if (object->evaluation) {
      view.definition = object->evaluation->policy();
      view.decision = View(object->trigger.headroom, object->evaluation->Current());
    }
    views.push_back(std::move(view));
  }
  std::sort(views.begin(), views.end(), [](const ObjectView& a, const ObjectView& b) {
    return std::tie(a.name_space, a.name, a.policy) < std::tie(b.name_space, b.name, b.policy);
  });
  return views;
}

std::vector<PolicyView> Engine::Policies() const {
  std::vector<PolicyView> views;
  const std::shared_lock lock(mutex_);
  for (const auto& [name, evaluation] : policies_) {
    views.push_back({name, false, evaluation->policy(), evaluation->Current()});
  }
  for (const auto& [name, retired] : retired_) {
    views.push_back({name, true, retired.evaluation->policy(), retired.evaluation->Current()});
  }
  return views;
}

std::vector<SignalView> Engine::Signals() const {
  std::vector<SignalView> views;
  const std::shared_lock lock(mutex_);
  for (const auto& [name, evaluation] : policies_) {
    const CompiledPolicy& compiled = evaluation->compiled();
    for (std::size_t i = 0; i < compiled.signals.size(); ++i) {
      views.push_back({name,
                       compiled.policy->signals[i].name,
                       compiled.signals[i].type,
                       compiled.signals[i].connection,
                       compiled.signals[i].pushed_name});
    }
  }
  return views;
}

}  // namespace stoker::adapter
