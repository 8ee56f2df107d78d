#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapter/decisions.h"
#include "policy/forecast/forecast.h"
#include "tests/testing/fakes.h"

namespace stoker::adapter {

/// Decisions as far as HTTP and metrics read them: three lists, to be filled by the test.
class SampleDecisions final : public Decisions {
 public:
  std::vector<ObjectView> objects;
  std::vector<PolicyView> policies;
  std::vector<SignalView> signals;

  Result<std::vector<MetricSpec>> Specs(const ObjectRef& /*object*/) override { return Unused(); }
  Result<DecisionPtr> Decide(const ObjectRef& /*object*/) override { return Unused(); }
  void DecideSoon(const ObjectRef& /*object*/,
                  MonoTime /*deadline*/,
                  std::function<void(Result<DecisionPtr>)> done) override {
    done(Unused());
  }
  void ValueSoon(const ObjectRef& /*object*/,
                 std::string_view /*metric*/,
                 MonoTime /*deadline*/,
                 std::function<void(Result<MetricAnswer>)> done) override {
    done(Unused());
  }
  Result<std::unique_ptr<Subscription>> Subscribe(
      const ObjectRef& /*object*/, std::function<void(const DecisionPtr&)> /*changed*/) override {
    return Unused();
  }
  [[nodiscard]] std::vector<ObjectView> Objects() const override { return objects; }
  [[nodiscard]] std::vector<PolicyView> Policies() const override { return policies; }
  [[nodiscard]] std::vector<SignalView> Signals() const override { return signals; }

 private:
  static tl::unexpected<Error> Unused() { return Fail(ErrorCode::kInternal, "not in this test"); }
};

/// Policy "etl": an s3 backlog that wins with 12 of at most 50, and a Prometheus query that is
/// held.
inline policy::Policy SamplePolicy() {
  policy::Policy policy;
  policy.name = "etl";
  policy.replicas.executors_per_replica = 2;
  policy.replicas.headroom = 0.25;
  policy.scale_down.stabilization = std::chrono::minutes(5);
  policy.signals.resize(2);
  policy.signals[0].name = "backlog";
  policy.signals[0].type = "s3";
  policy.signals[0].demand.target_size = 5;
  policy.signals[1].name = "busy";
  policy.signals[1].type = "prometheus";
  policy.signals[1].demand.target_size = 8;
  return policy;
}

inline policy::Decision SampleDecision() {
  policy::Decision decision;
  decision.time = testing::At("2026-01-05T08:00:10Z");
  decision.valid_until = testing::At("2026-01-05T08:02:00Z");
  decision.target_replicas = 15;
  decision.target_executors = 30;
  decision.active = true;
  decision.held = true;
  decision.combined = 12;
  decision.with_headroom = 15;
  decision.clamped = 15;
  decision.stabilized = 15;
  decision.stepped = 15;

  policy::SignalDecision backlog;
  backlog.name = "backlog";
  backlog.type = "s3";
  backlog.state = policy::SignalDecision::State::kFresh;
  backlog.value = 60;
  backlog.reading_time = testing::At("2026-01-05T08:00:00Z");
  backlog.age = std::chrono::seconds(10);
  backlog.up = true;
  backlog.demand = 12;
  backlog.active = true;
  backlog.winner = true;
  backlog.detail = "1 request";
  backlog.next_change = testing::At("2026-01-05T18:00:00Z");

  policy::SignalDecision busy;
  busy.name = "busy";
  busy.type = "prometheus";
  busy.state = policy::SignalDecision::State::kHeld;
  busy.value = 32;
  busy.reading_time = testing::At("2026-01-05T07:58:00Z");
  busy.age = std::chrono::seconds(130);
  busy.demand = 4;
  busy.active = true;
  busy.error = "localhost:9090 answered 503; the last good reading is held";
  busy.warnings = {"results may be partial"};

  auto forecast = std::make_shared<forecast::Forecast>();
  forecast->reason = "3% less loss than naive, 5% less are needed";
  forecast->skill = 0.03;
  forecast->tested = 2016;
  forecast->loss = 1.94;
  forecast->naive_loss = 2;
  forecast->seasonal_loss = 2.5;
  forecast->models = {{"Holt-Winters 24h", 288, 0.75}, {"naive", 0, 0.25}};
  forecast->step = std::chrono::minutes(5);
  forecast->horizon = std::chrono::minutes(15);
  forecast->quantile = 0.8;
  forecast->first = testing::At("2026-01-05T08:15:00Z");
  forecast->predictions = {forecast::Prediction{.value = 40, .low = 28, .high = 44}};
  busy.forecast = std::move(forecast);

  decision.signals = {backlog, busy};

  policy::Headroom& headroom = decision.headroom.emplace();
  headroom.executors = 6;
  headroom.wanted_now = 30;
  headroom.wanted_ahead = 40;
  headroom.running = 28;
  headroom.pending = 6;
  headroom.lead = {
      std::chrono::seconds(195), policy::LeadTime::Source::kMeasured, 12, std::chrono::seconds(95)};
  policy::SignalDecision running;
  running.name = "running";
  running.type = "pods";
  running.state = policy::SignalDecision::State::kFresh;
  running.value = 28;
  running.reading_time = testing::At("2026-01-05T08:00:00Z");
  running.age = std::chrono::seconds(10);
  running.up = true;
  running.demand = 28;
  headroom.signals = {running};
  return decision;
}

inline std::shared_ptr<const policy::Decision> Shared(policy::Decision decision) {
  return std::make_shared<const policy::Decision>(std::move(decision));
}

inline ObjectView SampleObject(std::string name_space, std::string name, std::string policy) {
  ObjectView view;
  view.name_space = std::move(name_space);
  view.name = std::move(name);
  view.policy = std::move(policy);
  view.last_asked = testing::At("2026-01-05T08:00:09Z");
  view.definition = std::make_shared<const policy::Policy>(SamplePolicy());
  view.decision = Shared(SampleDecision());
  return view;
}

/// One object of each kind: by policy, inline, and one whose decision is an error.
inline SampleDecisions SampleWorld() {
  SampleDecisions world;
  const auto definition = std::make_shared<const policy::Policy>(SamplePolicy());
  world.policies.push_back({"etl", false, definition, Shared(SampleDecision())});
  world.policies.push_back({"night", true, definition, nullptr});

  world.objects.push_back(SampleObject("team-a", "nightly", "etl"));
  world.objects.push_back(SampleObject("team-b", "adhoc", "stoker-prometheus-0badcafe"));
  world.objects.back().is_inline = true;
  policy::Decision failed = SampleDecision();
  failed.error = Error{ErrorCode::kUnavailable, "busy has had no good reading for 31m"};
  failed.active = false;
  failed.bound = policy::Bound::kFault;
  world.objects.push_back(SampleObject("team-c", "broken", "etl"));
  world.objects.back().decision = Shared(failed);

  world.signals.push_back({"etl", "backlog", "s3", "lake"});
  world.signals.push_back({"etl", "busy", "prometheus", "main"});
  return world;
}

}  // namespace stoker::adapter
