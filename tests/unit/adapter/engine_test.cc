#include "adapter/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/forecast/forecast.h"
#include "scalers/manual/manual_scaler.h"
#include "tests/testing/fake_signals.h"
#include "tests/testing/scaler_world.h"

namespace stoker::adapter {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Ignore final : public PollObserver, public DecisionObserver {
 public:
  void OnPoll(std::string_view, std::string_view, std::string_view, Duration) override {}
  void OnDecision(std::string_view policy, policy::Bound) override {
    ++decisions[std::string(policy)];
  }
  std::map<std::string, int> decisions;
};

class EngineTest : public ::testing::Test {
 protected:
  std::shared_ptr<const CompiledConfig> Compile(const std::string& yaml) {
    config::Diagnostics diagnostics;
    config::Document document;
    const Result<config::Node> root = config::ParseYaml(yaml, "test.yaml", diagnostics);
    EXPECT_TRUE(root) << diagnostics.ToString();
    if (const config::Node* server = root->Find("server")) document.server = *server;
    if (const config::Node* policies = root->Find("policies")) document.policies = *policies;
    auto compiled =
        CompileConfig(document, registry_, world_.deps, engine_.config().get(), diagnostics);
    EXPECT_TRUE(compiled) << diagnostics.ToString();
    return compiled;
  }
  void Apply(const std::string& yaml) {
    engine_.Apply(Compile(yaml));
    world_.executor.RunReady();
  }
  static ObjectRef Ref(std::map<std::string, std::string> metadata, std::string name = "so") {
    metadata.emplace("scalerAddress", "stoker:6000");
    return ObjectRef{"team-a", std::move(name), std::move(metadata), false};
  }
  int Target(const ObjectRef& ref) {
    const Result<DecisionPtr> decision = engine_.Decide(ref);
    EXPECT_TRUE(decision) << (decision ? "" : decision.error().message);
    return decision ? (*decision)->target_replicas : -1;
  }

  /// What the engine says without waiting.
  Result<MetricAnswer> Value(const ObjectRef& ref, std::string_view metric) {
    Result<MetricAnswer> answer = Fail(ErrorCode::kInternal, "not answered at once");
    engine_.ValueSoon(ref, metric, world_.clock.MonotonicNow(), [&](Result<MetricAnswer> value) {
      answer = std::move(value);
    });
    return answer;
  }

  static constexpr const char* kPolicies = R"(
policies:
  etl:
    replicas: {min: 0, max: 20}
    onFault: {hold: 10m}
    signals:
      queue: {type: fake, source: a, targetSize: 5}
  private:
    namespaces: [team-b]
    signals:
      queue: {type: fake, source: b}
)";
  static constexpr const char* kInline = "server: {inline: {enabled: true, trust: network}}\n";

  testing::ScalerWorld world_;
  testing::FakeUpstream upstream_;
  scalers::Registry registry_ = testing::MakeFakeRegistry(upstream_);
  Ignore ignore_;
  Engine engine_{Engine::Deps{world_.clock,
                              world_.executor,
                              world_.executor,
                              ignore_,
                              ignore_,
                              world_.logger,
                              registry_,
                              world_.deps}};
};

TEST_F(EngineTest, AnswersForAPolicy) {
  upstream_.Set("a", 60);
  Apply(kPolicies);
  const ObjectRef ref = Ref({{"policy", "etl"}});
  EXPECT_EQ(Target(ref), 12);
  const Result<MetricAnswer> answer = Value(ref, "stoker-etl");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->value, 12);
  const Result<MetricAnswer> wrong = Value(ref, "other");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kNotFound);
}

TEST_F(EngineTest, PoliciesArePolledBeforeAnybodyAsks) {
  upstream_.Set("a", 60);
  upstream_.Set("b", 1);
  EXPECT_TRUE(engine_.FirstPollsAttempted());
  engine_.Apply(Compile(kPolicies));
  EXPECT_FALSE(engine_.FirstPollsAttempted());
  world_.executor.RunReady();
  EXPECT_TRUE(engine_.FirstPollsAttempted());
  EXPECT_EQ(upstream_.polls("a").size(), 1U);
}

TEST_F(EngineTest, SpecsComeFromMetadataAlone) {
  Apply(kPolicies);
  for (const char* policy : {"etl", "private", "unknown"}) {
    const auto specs = engine_.Specs(Ref({{"policy", policy}}));
    ASSERT_TRUE(specs) << policy;
    ASSERT_EQ(specs->size(), 1U);
    EXPECT_EQ(specs->front().name, std::string("stoker-") + policy);
    EXPECT_EQ(specs->front().target, 1);
  }
}

TEST_F(EngineTest, UnknownPolicyHasSpecButNoValue) {
  Apply(kPolicies);
  const Result<DecisionPtr> decision = engine_.Decide(Ref({{"policy", "elt"}}));
  ASSERT_FALSE(decision);
  EXPECT_EQ(decision.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(decision.error().message, HasSubstr("did you mean 'etl'?"));
}

TEST_F(EngineTest, OtherNamespacesPoliciesAreDenied) {
  upstream_.Set("b", 1);
  Apply(kPolicies);
  ObjectRef ref = Ref({{"policy", "private"}});
  EXPECT_EQ(engine_.Decide(ref).error().code, ErrorCode::kPermissionDenied);
  ref.name_space = "team-b";
  EXPECT_EQ(Target(ref), 1);
}

TEST_F(EngineTest, MetadataNarrowsAPolicy) {
  upstream_.Set("a", 60);
  Apply(kPolicies);
  EXPECT_EQ(Target(Ref({{"policy", "etl"}, {"maxReplicas", "8"}})), 8);
  EXPECT_EQ(Target(Ref({{"policy", "etl"}, {"maxReplicas", "100"}})), 12) << "it cannot widen";
  upstream_.Set("a", 0);
  world_.clock.Advance(seconds(15));
  EXPECT_EQ(Target(Ref({{"policy", "etl"}, {"minReplicas", "2"}})), 2);
  const auto bad = engine_.Decide(Ref({{"policy", "etl"}, {"minReplicas", "30"}}));
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(EngineTest, MetadataMistakesNameTheKeyAndNeverTheValue) {
  Apply(kPolicies);
  for (const auto& metadata : std::vector<std::map<std::string, std::string>>{
           {},
           {{"policy", "etl"}, {"type", "hunter2"}},
           {{"policy", "Hunter2!"}},
           {{"policy", "etl"}, {"minReplicas", "hunter2"}},
           {{"policy", "etl"}, {"secretAccessKey", "hunter2"}},
           {{"policySpec", "signals: {}"}, {"extra", "hunter2"}},
       }) {
    const auto specs = engine_.Specs(Ref(metadata));
    ASSERT_FALSE(specs);
    EXPECT_EQ(specs.error().code, ErrorCode::kInvalidArgument) << specs.error().message;
    EXPECT_THAT(specs.error().message, Not(HasSubstr("unter2")));
  }
}

TEST_F(EngineTest, InlineIsOffUnlessAllowed) {
  Apply(kPolicies);
  const ObjectRef ref = Ref({{"type", "fake"}, {"source", "c"}});
  EXPECT_TRUE(engine_.Specs(ref)) << "or KEDA would drop the trigger instead of showing why";
  EXPECT_EQ(engine_.Decide(ref).error().code, ErrorCode::kPermissionDenied);
  EXPECT_TRUE(upstream_.polls("c").empty());
  EXPECT_TRUE(engine_.Objects().empty());
}

TEST_F(EngineTest, InlineWithMtlsTrustNeedsACertificate) {
  upstream_.Set("c", 3);
  Apply("server: {inline: {enabled: true}}\n");
  ObjectRef ref = Ref({{"type", "fake"}, {"source", "c"}});
  EXPECT_EQ(engine_.Decide(ref).error().code, ErrorCode::kPermissionDenied);
  ref.peer_authenticated = true;
  ASSERT_TRUE(engine_.Specs(ref));
  world_.executor.RunReady();
  EXPECT_EQ(Target(ref), 3);
  ref.peer_authenticated = false;
  EXPECT_EQ(engine_.Decide(ref).error().code, ErrorCode::kPermissionDenied)
      << "an answer earned with a certificate is not for callers without one";
}

TEST_F(EngineTest, InlineSignalIsNamedByTypeAndHash) {
  Apply(kInline);
  const auto specs = engine_.Specs(Ref({{"type", "fake"}, {"source", "c"}}));
  ASSERT_TRUE(specs);
  EXPECT_THAT(specs->front().name, ::testing::MatchesRegex("stoker-fake-[0-9a-f]{8}"));
  ObjectRef moved = Ref({{"type", "fake"}, {"source", "c"}});
  moved.metadata["scalerAddress"] = "elsewhere:6000";
  EXPECT_EQ(engine_.Specs(moved)->front().name, specs->front().name)
      << "how KEDA reaches us is no part of the name";
}

TEST_F(EngineTest, InlineObjectsWaitForTheirFirstReading) {
  upstream_.Set("c", 3);
  Apply(kInline);
  std::optional<Result<DecisionPtr>> answer;
  engine_.DecideSoon(Ref({{"type", "fake"}, {"source", "c"}}),
                     world_.clock.MonotonicNow() + milliseconds(500),
                     [&](Result<DecisionPtr> result) { answer = std::move(result); });
  EXPECT_FALSE(answer.has_value());
  world_.executor.RunReady();
  ASSERT_TRUE(answer.has_value());
  ASSERT_TRUE(*answer);
  EXPECT_EQ((**answer)->target_replicas, 3);
}

TEST_F(EngineTest, ValuesWaitForTheFirstReadingToo) {
  upstream_.Set("c", 3);
  Apply(kInline);
  const ObjectRef ref = Ref({{"type", "fake"}, {"source", "c"}});
  const auto specs = engine_.Specs(ref);
  ASSERT_TRUE(specs);
  std::optional<Result<MetricAnswer>> answer;
  std::optional<Result<MetricAnswer>> wrong;
  const MonoTime deadline = world_.clock.MonotonicNow() + milliseconds(500);
  engine_.ValueSoon(ref, specs->front().name, deadline, [&](Result<MetricAnswer> value) {
    answer = std::move(value);
  });
  engine_.ValueSoon(
      ref, "other", deadline, [&](Result<MetricAnswer> value) { wrong = std::move(value); });
  EXPECT_FALSE(answer.has_value());
  world_.executor.RunReady();
  ASSERT_TRUE(answer.has_value() && wrong.has_value());
  ASSERT_TRUE(*answer);
  EXPECT_EQ((*answer)->value, 3);
  ASSERT_FALSE(*wrong);
  EXPECT_EQ(wrong->error().code, ErrorCode::kNotFound);
}

/// Never answers, as a pool full of slow polls would look.
class Stuck final : public Executor {
 public:
  void Post(Work) override {}
  void PostAt(MonoTime, Work) override {}
};

TEST_F(EngineTest, FirstReadingTooLateIsUnavailable) {
  Stuck stuck;
  Engine engine{Engine::Deps{world_.clock,
                             world_.executor,
                             stuck,
                             ignore_,
                             ignore_,
                             world_.logger,
                             registry_,
                             world_.deps}};
  engine.Apply(Compile(kInline));
  std::optional<Result<DecisionPtr>> answer;
  const auto ask = [&] {
    engine.DecideSoon(Ref({{"type", "fake"}, {"source", "c"}}),
                      world_.clock.MonotonicNow() + milliseconds(500),
                      [&](Result<DecisionPtr> result) { answer = std::move(result); });
  };
  ask();
  world_.clock.Advance(milliseconds(499));
  EXPECT_FALSE(answer.has_value());
  world_.clock.Advance(milliseconds(1));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->error().code, ErrorCode::kUnavailable);

  answer.reset();
  ask();
  engine.Stop();
  ASSERT_TRUE(answer.has_value()) << "shutdown leaves no call hanging";
  EXPECT_EQ(answer->error().code, ErrorCode::kUnavailable);
}

TEST_F(EngineTest, PolicySpecIsAPolicyOfItsOwn) {
  upstream_.Set("c", 30);
  upstream_.Set("d", 4);
  Apply(kInline);
  const ObjectRef ref = Ref({{"policySpec", R"(
replicas: {max: 9}
combine: sum
signals:
  one: {type: fake, source: c, targetSize: 10}
  two: {type: fake, source: d}
)"}});
  ASSERT_TRUE(engine_.Specs(ref));
  world_.executor.RunReady();
  EXPECT_EQ(Target(ref), 7);
}

TEST_F(EngineTest, InlineQuotasPerNamespace) {
  Apply(
      "server: {inline: {enabled: true, trust: network, maxObjectsPerNamespace: 2, maxSignals: 1, "
      "maxSpecBytes: 100}}\n");
  ASSERT_TRUE(engine_.Specs(Ref({{"type", "fake"}, {"source", "1"}})));
  ASSERT_TRUE(engine_.Specs(Ref({{"type", "fake"}, {"source", "2"}})));
  const ObjectRef third = Ref({{"type", "fake"}, {"source", "3"}});
  EXPECT_EQ(engine_.Decide(third).error().code, ErrorCode::kResourceExhausted);
  ObjectRef elsewhere = third;
  elsewhere.name_space = "team-b";
  EXPECT_TRUE(engine_.Specs(elsewhere));
  elsewhere.metadata = {
      {"policySpec", "signals: {a: {type: fake, source: x}, b: {type: fake, source: y}}"}};
  EXPECT_EQ(engine_.Decide(elsewhere).error().code, ErrorCode::kResourceExhausted);
  elsewhere.metadata = {
      {"policySpec", "signals: {a: {type: fake, source: " + std::string(100, 'x') + "}}"}};
  EXPECT_EQ(engine_.Decide(elsewhere).error().code, ErrorCode::kResourceExhausted);
}

TEST_F(EngineTest, IdleInlineObjectsAreForgotten) {
  upstream_.Set("c", 3);
  Apply(kInline);
  const ObjectRef ref = Ref({{"type", "fake"}, {"source", "c"}});
  ASSERT_TRUE(engine_.Specs(ref));
  world_.clock.Advance(minutes(9));
  ASSERT_TRUE(engine_.Specs(ref)) << "asked again: ten more minutes";
  world_.clock.Advance(minutes(9));
  EXPECT_EQ(engine_.Objects().size(), 1U);
  world_.clock.Advance(minutes(3));
  EXPECT_TRUE(engine_.Objects().empty());
  const std::size_t polls = upstream_.polls("c").size();
  world_.clock.Advance(minutes(5));
  EXPECT_EQ(upstream_.polls("c").size(), polls) << "and nobody polls for them";
}

TEST_F(EngineTest, OpenStreamsKeepTheirObject) {
  upstream_.Set("c", 3);
  Apply(kInline);
  auto subscription =
      engine_.Subscribe(Ref({{"type", "fake"}, {"source", "c"}}), [](const DecisionPtr&) {});
  ASSERT_TRUE(subscription);
  world_.clock.Advance(minutes(30));
  EXPECT_EQ(engine_.Objects().size(), 1U);
  subscription->reset();
  world_.clock.Advance(minutes(2));
  EXPECT_TRUE(engine_.Objects().empty());
}

TEST_F(EngineTest, FaultHoldsThenFailsThenRecovers) {
  upstream_.Set("a", 60);
  Apply(kPolicies);
  const ObjectRef ref = Ref({{"policy", "etl"}});
  EXPECT_EQ(Target(ref), 12);
  upstream_.SetFault("a", "connection refused");
  for (int minute = 1; minute < 10; ++minute) {
    world_.clock.Advance(minutes(1));
    EXPECT_EQ(Target(ref), 12) << "minute " << minute;
  }
  world_.clock.Advance(minutes(2));
  const Result<DecisionPtr> failed = engine_.Decide(ref);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(engine_.Specs(ref)) << "the spec must outlive every fault";
  upstream_.Set("a", 10);
  world_.clock.Advance(seconds(15));
  EXPECT_EQ(Target(ref), 2) << "back within one interval";
  EXPECT_THAT(world_.logger.text(), HasSubstr("error no target"));
  EXPECT_THAT(world_.logger.text(), HasSubstr("info target is back policy=etl target_replicas=2"));
}

TEST_F(EngineTest, LossOfTheTargetIsLoggedEvenWhenAQuestionSawItFirst) {
  upstream_.Set("a", 60);
  Apply(kPolicies);
  const ObjectRef ref = Ref({{"policy", "etl"}});
  upstream_.SetFault("a", "connection refused");
  world_.clock.Advance(minutes(10));
  while (engine_.Decide(ref)) world_.clock.Advance(seconds(1));
  world_.clock.Advance(seconds(30));
  EXPECT_THAT(world_.logger.text(), HasSubstr("error no target"));
}

TEST_F(EngineTest, ReloadLeavesUnchangedPoliciesAlone) {
  upstream_.Set("a", 60);
  Apply(kPolicies);
  const ObjectRef ref = Ref({{"policy", "etl"}});
  EXPECT_EQ(Target(ref), 12);
  const std::size_t polls = upstream_.polls("a").size();
  Apply(std::string(kPolicies) + "  more:\n    signals: {x: {type: fake, source: z}}\n");
  EXPECT_EQ(upstream_.polls("a").size(), polls);
  EXPECT_EQ(Target(ref), 12);
}

TEST_F(EngineTest, ReloadedPolicyAnswersWithoutAGap) {
  upstream_.Set("a", 60);
  Apply(kPolicies);
  const ObjectRef ref = Ref({{"policy", "etl"}});
  EXPECT_EQ(Target(ref), 12);
  upstream_.SetFault("a", "down");
  engine_.Apply(Compile(R"(
policies:
  etl:
    replicas: {min: 0, max: 10}
    signals:
      queue: {type: fake, source: a, targetSize: 5}
)"));
  EXPECT_EQ(Target(ref), 10)
      << "the source kept its window, so the new bounds apply to the old reading";
}

TEST_F(EngineTest, RemovedPolicyStaysAnswerableForItsHold) {
  upstream_.Set("a", 60);
  Apply(kPolicies);
  const ObjectRef ref = Ref({{"policy", "etl"}});
  EXPECT_EQ(Target(ref), 12);
  Apply("policies: {}\n");
  EXPECT_EQ(Target(ref), 12);
  upstream_.Set("a", 50);
  world_.clock.Advance(minutes(9));
  EXPECT_EQ(Target(ref), 10) << "and goes on being polled";
  ASSERT_EQ(engine_.Policies().size(), 2U);
  EXPECT_TRUE(engine_.Policies().front().retired);
  world_.clock.Advance(minutes(3));
  EXPECT_EQ(engine_.Decide(ref).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(engine_.Specs(ref));
}

TEST_F(EngineTest, SubscriptionFollowsItsObjectThroughAReload) {
  upstream_.Set("a", 60);
  Apply(kPolicies);
  std::vector<int> targets;
  auto subscription = engine_.Subscribe(Ref({{"policy", "etl"}}), [&](const DecisionPtr& decision) {
    targets.push_back(decision->target_replicas);
  });
  ASSERT_TRUE(subscription);
  world_.clock.Advance(seconds(15));
  EXPECT_EQ(targets.back(), 12);
  Apply(R"(
policies:
  etl:
    replicas: {min: 0, max: 7}
    signals:
      queue: {type: fake, source: a, targetSize: 5}
)");
  world_.clock.Advance(seconds(15));
  EXPECT_EQ(targets.back(), 7);
  subscription->reset();
  const std::size_t count = targets.size();
  world_.clock.Advance(minutes(1));
  EXPECT_EQ(targets.size(), count);
}

TEST_F(EngineTest, StreamForAnUnknownPolicyHealsWhenItComes) {
  upstream_.Set("a", 60);
  Apply("policies: {}\n");
  std::vector<int> targets;
  auto subscription = engine_.Subscribe(Ref({{"policy", "etl"}}), [&](const DecisionPtr& decision) {
    targets.push_back(decision->target_replicas);
  });
  ASSERT_TRUE(subscription);
  EXPECT_EQ(engine_.Decide(Ref({{"policy", "etl"}})).error().code, ErrorCode::kNotFound);
  Apply(kPolicies);
  world_.clock.Advance(seconds(15));
  ASSERT_FALSE(targets.empty());
  EXPECT_EQ(targets.back(), 12);
}

TEST_F(EngineTest, ReloadNeverDecidesFromACountThatStoppedTooEarly) {
  const auto apply = [this](const std::string& target_size) {
    Apply("policies: {etl: {replicas: {max: 10}, signals: {queue: {type: fake, source: a, " +
          ("targetSize: " + target_size + "}}}}\n"));
  };
  scalers::Observation stopped = testing::FakeUpstream::Value(50);
  stopped.at_least = true;
  upstream_.Answer("a", stopped);
  apply("5");
  const ObjectRef ref = Ref({{"policy", "etl"}});
  EXPECT_EQ(Target(ref), 10);
  upstream_.SetFault("a", "down");
  apply("10");
  const Result<DecisionPtr> decision = engine_.Decide(ref);
  ASSERT_FALSE(decision) << "at least 50 is no reason to go down to 5";
  EXPECT_EQ(decision.error().code, ErrorCode::kUnavailable);
  stopped.value = 100;
  upstream_.Answer("a", stopped);
  world_.clock.Advance(seconds(15));
  EXPECT_EQ(Target(ref), 10);
}

TEST_F(EngineTest, SettingTheWallClockForgetsNobody) {
  upstream_.Set("a", 60);
  upstream_.Set("c", 3);
  Apply(std::string(kInline) + kPolicies);
  ASSERT_TRUE(engine_.Specs(Ref({{"type", "fake"}, {"source", "c"}})));
  Apply(kInline);
  EXPECT_EQ(engine_.Policies().size(), 2U) << "both retired";
  world_.clock.JumpWall(std::chrono::hours(2));
  world_.clock.Advance(minutes(2));
  EXPECT_EQ(engine_.Objects().size(), 1U);
  EXPECT_EQ(engine_.Policies().size(), 2U);
  world_.clock.JumpWall(-std::chrono::hours(24));
  world_.clock.Advance(minutes(40));
  EXPECT_TRUE(engine_.Objects().empty());
  EXPECT_TRUE(engine_.Policies().empty());
}

TEST_F(EngineTest, MetadataCannotPassForACertificate) {
  upstream_.Set("c", 3);
  Apply("server: {inline: {enabled: true, trust: mtls}}\n");
  ObjectRef trusted = Ref({{"type", "fake"}, {"source", "c"}});
  trusted.peer_authenticated = true;
  ASSERT_TRUE(engine_.Specs(trusted));
  world_.executor.RunReady();
  EXPECT_EQ(Target(trusted), 3);
  ObjectRef forged = Ref({{"source", "c"}, {"type", std::string("fake\0+", 6)}});
  EXPECT_EQ(engine_.Decide(forged).error().code, ErrorCode::kPermissionDenied);
}

TEST_F(EngineTest, InlineObjectsAreCountedUnderOneName) {
  upstream_.Set("a", 60);
  Apply(std::string(kInline) + kPolicies);
  for (const char* source : {"c", "d"}) {
    ASSERT_TRUE(engine_.Specs(Ref({{"type", "fake"}, {"source", source}})));
  }
  world_.executor.RunReady();
  EXPECT_THAT(ignore_.decisions,
              ElementsAre(::testing::Pair("(inline)", 2),
                          ::testing::Pair("etl", 1),
                          ::testing::Pair("private", 1)));
}

TEST_F(EngineTest, PerSignalMetricsHaveASpecEach) {
  upstream_.Set("a", 60);
  upstream_.Set("b", 4);
  Apply(R"(
policies:
  etl:
    metricMode: per-signal
    replicas: {max: 20}
    signals:
      queue: {type: fake, source: a, targetSize: 5}
      jobs: {type: fake, source: b}
)");
  const ObjectRef ref = Ref({{"policy", "etl"}});
  const auto specs = engine_.Specs(ref);
  ASSERT_TRUE(specs);
  ASSERT_EQ(specs->size(), 2U);
  const Result<MetricAnswer> queue = Value(ref, "stoker-etl-queue");
  const Result<MetricAnswer> jobs = Value(ref, "STOKER-ETL-JOBS");
  ASSERT_TRUE(queue && jobs);
  EXPECT_EQ(queue->value, 12);
  EXPECT_EQ(jobs->value, 4);
}

TEST_F(EngineTest, ViewsShowObjectsPoliciesAndSignals) {
  upstream_.Set("a", 60);
  Apply(kPolicies);
  Target(Ref({{"policy", "etl"}}, "spark-etl"));
  const std::vector<ObjectView> objects = engine_.Objects();
  ASSERT_EQ(objects.size(), 1U);
  EXPECT_EQ(objects.front().name, "spark-etl");
  EXPECT_EQ(objects.front().policy, "etl");
  EXPECT_EQ(objects.front().decision->target_replicas, 12);
  EXPECT_EQ(engine_.Policies().size(), 2U);
  ASSERT_EQ(engine_.Signals().size(), 2U);
  EXPECT_EQ(engine_.Signals().front().type, "fake");
}

/// A signal that is 10 in the first quarter of each hour, forecast from ten hours.
class ForecastTest : public EngineTest {
 protected:
  ForecastTest() {
    upstream_.Play([](const std::string&, const scalers::PollContext& context) {
      return testing::FakeUpstream::Value(Busy(context.slot) ? 10 : 0);
    });
  }
  static bool Busy(WallTime time) {
    return time.time_since_epoch() % std::chrono::hours(1) < minutes(15);
  }
  /// To the next full hour, `hours` later, and on by `more`.
  void Run(int hours, Duration more) {
    const Duration past = world_.clock.WallNow().time_since_epoch() % std::chrono::hours(1);
    world_.clock.Advance(std::chrono::hours(hours + 1) - past);
    world_.clock.Advance(more);
  }
  policy::SignalDecision Signal() {
    const Result<DecisionPtr> decision = engine_.Decide(Ref({{"policy", "etl"}}));
    EXPECT_TRUE(decision);
    return decision ? (*decision)->signals[0] : policy::SignalDecision{};
  }

  static constexpr const char* kForecast = R"(
policies:
  etl:
    forecast: {step: 1m, window: 10h, seasons: [1h], horizon: 5m, quantile: 0.9, lifts: replicas}
    signals:
      queue: {type: fake, source: a}
)";
};

TEST_F(ForecastTest, LiftsTheTargetAheadOfWhatComesEveryHour) {
  Apply(kForecast);
  Run(10, Duration(0));
  EXPECT_EQ(Target(Ref({{"policy", "etl"}})), 10);
  world_.clock.Advance(minutes(30));
  EXPECT_EQ(Target(Ref({{"policy", "etl"}})), 0);
  ASSERT_TRUE(Signal().forecast);
  EXPECT_TRUE(Signal().forecast->used) << Signal().forecast->reason;
  EXPECT_EQ(Signal().forecast->horizon, minutes(5));
  world_.clock.Advance(minutes(26));
  EXPECT_FALSE(Busy(world_.clock.WallNow()));
  EXPECT_GE(Target(Ref({{"policy", "etl"}})), 8);
  EXPECT_EQ(Signal().value, 0);
  EXPECT_GE(Signal().lifted.value_or(0), 8);
}

TEST_F(ForecastTest, PollsItsHistoryAtItsOwnPace) {
  Apply(kForecast);
  upstream_.Set("a", 1);
  const std::size_t before = upstream_.polls("a").size();
  world_.clock.Advance(minutes(10));
  EXPECT_EQ(upstream_.polls("a").size() - before, 10U * 4 + 10);
}

TEST_F(ForecastTest, SaysWhatIsMissing) {
  Apply(kForecast);
  world_.clock.Advance(minutes(20));
  ASSERT_TRUE(Signal().forecast);
  EXPECT_FALSE(Signal().forecast->used);
  EXPECT_THAT(Signal().forecast->reason, HasSubstr("too little history"));
}

TEST_F(ForecastTest, AReloadMakesItAnewAndTakesNoLiftAway) {
  const ObjectRef ref = Ref({{"policy", "etl"}});
  Apply(kForecast);
  Run(10, minutes(56));
  EXPECT_GE(Target(ref), 8);
  std::string yaml = kForecast;
  yaml.replace(yaml.find("0.9"), 3, "0.8");
  engine_.Apply(Compile(yaml));
  const Result<DecisionPtr> between = engine_.Decide(ref);
  ASSERT_FALSE(between) << "nothing is said before the forecast is made";
  EXPECT_EQ(between.error().code, ErrorCode::kUnavailable);
  world_.executor.RunReady();
  EXPECT_GE(Target(ref), 8) << "and it does not wait for the next reading";
  const ObjectRef narrowed = Ref({{"policy", "etl"}, {"maxReplicas", "9"}});
  EXPECT_FALSE(engine_.Decide(narrowed)) << "it is new, and has no forecast yet";
  world_.executor.RunReady();
  EXPECT_GE(Target(narrowed), 8);
  ASSERT_TRUE(Signal().forecast);
  EXPECT_EQ(Signal().forecast->quantile, 0.8);
  EXPECT_TRUE(Signal().forecast->used) << Signal().forecast->reason;
}

TEST_F(ForecastTest, IsNotForInlineObjects) {
  Apply(std::string(kInline) + kForecast);
  const Result<DecisionPtr> decision = engine_.Decide(
      Ref({{"policySpec",
            "{forecast: {lifts: replicas}, signals: {queue: {type: fake, source: a}}}"}}));
  ASSERT_FALSE(decision);
  EXPECT_THAT(decision.error().message, HasSubstr("forecast is for policies of the configuration"));
}

class KedaE2eTest : public EngineTest {
 protected:
  KedaE2eTest() { scalers::RegisterManual(registry_); }

  void Set(double value) {
    world_.pushed.Set(kKedaE2eMetric, {value, world_.clock.WallNow()});
    world_.clock.Advance(seconds(1));
  }
  double Value(const ObjectRef& ref) {
    const Result<MetricAnswer> answer = EngineTest::Value(ref, kKedaE2eMetric);
    return answer ? answer->value : -1;
  }
  bool Active(const ObjectRef& ref) {
    const Result<DecisionPtr> decision = engine_.Decide(ref);
    return decision && (*decision)->active;
  }
  static constexpr const char* kOn = "server: {manual: {enabled: true, kedaE2e: true}}\n";
};

TEST_F(KedaE2eTest, TheMetricIsTheValueInItsOwnUnits) {
  Apply(kOn);
  const ObjectRef ref = Ref({{"metricThreshold", "6.111"}});
  const auto specs = engine_.Specs(ref);
  ASSERT_TRUE(specs) << specs.error().message;
  ASSERT_EQ(specs->size(), 1U);
  EXPECT_EQ(specs->front().name, "external-scaler-e2e-test");
  EXPECT_EQ(specs->front().target, 6.111);
  world_.executor.RunReady();
  EXPECT_EQ(Value(ref), 0) << "nothing was set yet";
  EXPECT_FALSE(Active(ref));
  Set(22.222);
  EXPECT_DOUBLE_EQ(Value(ref), 22.222);
  EXPECT_TRUE(Active(ref));
  EXPECT_EQ(Target(ref), 4) << "22.222 / 6.111, rounded up";
  Set(0);
  EXPECT_EQ(Value(ref), 0);
  EXPECT_FALSE(Active(ref));
}

TEST_F(KedaE2eTest, ThresholdsShareTheValue) {
  Apply(kOn);
  const ObjectRef ten = Ref({{"metricThreshold", "10"}}, "ten");
  const ObjectRef one = Ref({{"metricThreshold", "1"}}, "one");
  static_cast<void>(engine_.Decide(ten));
  static_cast<void>(engine_.Decide(one));
  Set(20);
  EXPECT_EQ(Target(ten), 2);
  EXPECT_EQ(Target(one), 20);
  EXPECT_DOUBLE_EQ(Value(ten), 20);
  EXPECT_DOUBLE_EQ(Value(one), 20);
}

TEST_F(KedaE2eTest, ABadThresholdIsTheTriggersMistake) {
  Apply(kOn);
  for (const char* threshold : {"", "0", "-1", "many", "nan"}) {
    const auto specs = engine_.Specs(Ref({{"metricThreshold", threshold}}));
    ASSERT_FALSE(specs) << threshold;
    EXPECT_EQ(specs.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(specs.error().message, "metadata: metricThreshold: expected a number over 0");
  }
}

TEST_F(KedaE2eTest, OnlyInItsMode) {
  const ObjectRef ref = Ref({{"metricThreshold", "10"}});
  Apply("server: {manual: {enabled: true}}\n");
  EXPECT_EQ(engine_.Specs(ref).error().code, ErrorCode::kInvalidArgument);
  Apply(kOn);
  ASSERT_TRUE(engine_.Specs(ref));
  world_.executor.RunReady();
  EXPECT_EQ(Value(ref), 0);
  Apply("server: {manual: {enabled: true}}\n");
  EXPECT_EQ(engine_.Decide(ref).error().code, ErrorCode::kPermissionDenied);
}

TEST_F(KedaE2eTest, ManualSignalsThatAreSwitchedOffAreRefusedThoughTheirPolicyStays) {
  const std::string policies =
      "policies: {etl: {signals: {batch: {type: manual, name: nightly, targetSize: 5}}}}\n";
  Apply("server: {manual: {enabled: true}}\n" + policies);
  config::Diagnostics diagnostics;
  config::Document document;
  document.policies = *config::ParseYaml(policies, "test.yaml", diagnostics)->Find("policies");
  EXPECT_FALSE(
      CompileConfig(document, registry_, world_.deps, engine_.config().get(), diagnostics));
  EXPECT_EQ(diagnostics.ToString(),
            "test.yaml:1:35: policies.etl.signals.batch: manual signals are off; set "
            "server.manual.enabled: true");
}

TEST_F(KedaE2eTest, ManualSignalsAreListedWithTheirName) {
  Apply(R"(
server: {manual: {enabled: true}}
policies: {etl: {signals: {batch: {type: manual, name: nightly, targetSize: 5}}}}
)");
  const std::vector<SignalView> signals = engine_.Signals();
  ASSERT_EQ(signals.size(), 1U);
  EXPECT_EQ(signals[0].pushed_name, "nightly");
}

// --- headroom

class HeadroomTest : public EngineTest {
 protected:
  static constexpr const char* kHeadroom = R"(
policies:
  etl:
    replicas: {max: 20, executorsPerReplica: 2}
    onFault: {hold: 10m}
    signals:
      queue: {type: fake, source: a, targetSize: 5}
    capacity:
      maxExecutors: 30
      running: {type: fake, source: running}
      pending: {type: fake, source: pending}
  plain:
    signals:
      queue: {type: fake, source: a, targetSize: 5}
)";
  HeadroomTest() {
    upstream_.Set("a", 60);  // 12 replicas, 24 executors
    upstream_.Set("running", 15);
    upstream_.Set("pending", 2);
  }
  const ObjectRef target_ = Ref({{"policy", "etl"}}, "workers");
  const ObjectRef room_ = Ref({{"policy", "etl"}, {"output", "headroom"}}, "placeholders");
};

TEST_F(HeadroomTest, IsAMetricOfItsOwn) {
  Apply(kHeadroom);
  const auto specs = engine_.Specs(room_);
  ASSERT_TRUE(specs);
  ASSERT_EQ(specs->size(), 1U);
  EXPECT_EQ(specs->front().name, "stoker-etl-headroom");
  EXPECT_EQ(specs->front().target, 1);
  EXPECT_EQ(Value(room_, "stoker-etl-headroom")->value, 7);
  EXPECT_EQ(Value(room_, "")->value, 7);
  EXPECT_FALSE(Value(room_, "stoker-etl"));
  EXPECT_EQ(Value(target_, "stoker-etl")->value, 12);
  EXPECT_TRUE((*engine_.Decide(room_))->active);
  upstream_.Set("running", 22);
  world_.clock.Advance(seconds(15));
  EXPECT_EQ(Value(room_, "")->value, 0);
  EXPECT_FALSE((*engine_.Decide(room_))->active);
  EXPECT_TRUE((*engine_.Decide(target_))->active);
}

TEST_F(HeadroomTest, IsNotToldBeforeItsForecastIsMade) {
  std::string yaml = R"(
policies:
  etl:
    forecast: {step: 1m, window: 10h, seasons: [1h], quantile: 0.9}
    signals: {queue: {type: fake, source: a, targetSize: 5}}
    capacity: {maxExecutors: 30, running: {type: fake, source: running}}
)";
  Apply(yaml);
  world_.clock.Advance(minutes(5));
  EXPECT_TRUE(Value(room_, ""));
  yaml.replace(yaml.find("0.9"), 3, "0.8");
  engine_.Apply(Compile(yaml));
  const Result<MetricAnswer> before = Value(room_, "");
  ASSERT_FALSE(before) << "without the forecast it would be smaller, and grow back soon";
  EXPECT_EQ(before.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(engine_.Decide(target_)) << "the target is told at once";
  world_.executor.RunReady();
  EXPECT_TRUE(Value(room_, ""));
}

TEST_F(HeadroomTest, NeedsAPolicyWithCapacity) {
  Apply(kHeadroom);
  const ObjectRef ref = Ref({{"policy", "plain"}, {"output", "headroom"}});
  EXPECT_EQ(engine_.Specs(ref)->front().name, "stoker-plain-headroom");
  const Result<DecisionPtr> decision = engine_.Decide(ref);
  ASSERT_FALSE(decision);
  EXPECT_EQ(decision.error().code, ErrorCode::kNotFound);
}

TEST_F(HeadroomTest, AFaultOfACountIsNoFaultOfTheTarget) {
  upstream_.SetFault("running", "refused");
  Apply(kHeadroom);
  EXPECT_EQ(Target(target_), 12);
  const Result<DecisionPtr> room = engine_.Decide(room_);
  ASSERT_FALSE(room);
  EXPECT_EQ(room.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(room.error().message, HasSubstr("'running' has had no good reading yet: refused"));
}

TEST_F(HeadroomTest, IsHeldAndThenAnError) {
  Apply(kHeadroom);
  EXPECT_EQ(Target(room_), 7);
  upstream_.SetFault("running", "refused");
  world_.clock.Advance(minutes(9));
  EXPECT_EQ(Target(room_), 7);
  EXPECT_TRUE((*engine_.Decide(room_))->held);
  world_.clock.Advance(minutes(2));
  EXPECT_FALSE(engine_.Decide(room_));
  EXPECT_EQ(Target(target_), 12);
}

TEST_F(HeadroomTest, IsPushedToThoseWhoAskForIt) {
  Apply(kHeadroom);
  std::vector<int> room;
  std::vector<int> target;
  const auto one = engine_.Subscribe(
      room_, [&](const DecisionPtr& decision) { room.push_back(decision->target_replicas); });
  const auto two = engine_.Subscribe(
      target_, [&](const DecisionPtr& decision) { target.push_back(decision->target_replicas); });
  upstream_.Set("pending", 9);
  world_.clock.Advance(seconds(15));
  ASSERT_FALSE(room.empty());
  EXPECT_EQ(room.back(), 0);
  EXPECT_EQ(target.back(), 12);
}

TEST_F(HeadroomTest, WaitsForTheFirstReadingOfACount) {
  engine_.Apply(Compile(kHeadroom));  // nothing is polled yet
  std::optional<Result<DecisionPtr>> room;
  engine_.DecideSoon(room_,
                     world_.clock.MonotonicNow() + milliseconds(500),
                     [&](Result<DecisionPtr> decision) { room = std::move(decision); });
  EXPECT_FALSE(room);
  world_.executor.RunReady();
  ASSERT_TRUE(room);
  ASSERT_TRUE(*room) << room->error().message;
  EXPECT_EQ((**room)->target_replicas, 7);
}

TEST_F(HeadroomTest, FollowsTheConfiguration) {
  Apply(kHeadroom);
  EXPECT_EQ(Target(room_), 7);
  std::string without(kHeadroom);
  without.erase(without.find("    capacity:"),
                without.find("  plain:") - without.find("    capacity:"));
  Apply(without);
  EXPECT_EQ(engine_.Decide(room_).error().code, ErrorCode::kNotFound);
  Apply(kHeadroom);
  EXPECT_EQ(Target(room_), 7);
}

TEST_F(HeadroomTest, NarrowedObjectsHaveNone) {
  Apply(kHeadroom);
  const Result<DecisionPtr> narrowed =
      engine_.Decide(Ref({{"policy", "etl"}, {"maxReplicas", "5"}}));
  ASSERT_TRUE(narrowed);
  EXPECT_FALSE((*narrowed)->headroom);
  EXPECT_EQ(upstream_.polls("running").size(), 1U);
}

TEST_F(HeadroomTest, MeasuresTheLeadTimeFromItsReadings) {
  Apply(kHeadroom);
  EXPECT_EQ((*engine_.Decide(target_))->headroom->lead.source, policy::LeadTime::Source::kAssumed);
  for (int i = 0; i < 5; ++i) {
    upstream_.Set("a", 10);
    upstream_.Set("running", 4);
    world_.clock.Advance(minutes(5));
    upstream_.Set("a", 60);
    world_.clock.Advance(seconds(90));
    upstream_.Set("running", 24);
    world_.clock.Advance(minutes(5));
  }
  const policy::LeadTime lead = (*engine_.Decide(target_))->headroom->lead;
  EXPECT_EQ(lead.source, policy::LeadTime::Source::kMeasured);
  EXPECT_EQ(lead.value, seconds(90));
  EXPECT_EQ(lead.samples, 5);
}

}  // namespace
}  // namespace stoker::adapter
