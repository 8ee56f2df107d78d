// The engine on real threads, for the thread sanitizer: everything at once, bounded by counts, not
// by time.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "adapter/engine.h"
#include "core/thread_executor.h"
#include "tests/testing/fake_signals.h"
#include "tests/testing/fakes.h"

namespace stoker::adapter {
namespace {

class Ignore final : public PollObserver, public DecisionObserver {
 public:
  void OnPoll(std::string_view, std::string_view, std::string_view, Duration) override {}
  void OnDecision(std::string_view, policy::Bound) override {}
};

TEST(EngineThreads, ReloadsQuestionsStreamsAndSweepsMix) {
  constexpr int kPolicies = 10;
  constexpr int kAskers = 4;
  constexpr int kQuestions = 150;
  constexpr int kReloads = 30;

  SystemClock clock;
  testing::FakeWorld world;
  testing::FakeUpstream upstream;
  for (int i = 0; i < kPolicies; ++i) upstream.Set("s" + std::to_string(i), i + 1);
  const scalers::Registry registry = testing::MakeFakeRegistry(upstream);
  scalers::PushedValues pushed;
  const scalers::ScalerDeps scaler_deps{clock,
                                        world.random,
                                        world.environment,
                                        world.files,
                                        world.transports,
                                        world.observer,
                                        world.logger,
                                        pushed};
  Ignore ignore;
  ThreadExecutor pool(3);
  ThreadExecutor timers(2);
  Engine engine(
      Engine::Deps{clock, timers, pool, ignore, ignore, world.logger, registry, scaler_deps});

  const auto apply = [&](int generation) {
    std::string yaml = "server: {inline: {enabled: true, trust: network}}\npolicies:\n";
    for (int i = 0; i < kPolicies; ++i) {
      // One policy comes and goes, one changes its bounds, the rest stay.
      if (i == 0 && generation % 2 == 1) continue;
      yaml += "  p" + std::to_string(i) +
              ":\n    replicas: {max: " + std::to_string(i == 1 ? 10 + generation % 3 : 50) +
              "}\n    signals: {a: {type: fake, source: s" + std::to_string(i) + "}}\n";
    }
    config::Diagnostics diagnostics;
    const Result<config::Node> root = config::ParseYaml(yaml, "test.yaml", diagnostics);
    ASSERT_TRUE(root);
    config::Document document;
    document.server = *root->Find("server");
    document.policies = *root->Find("policies");
    engine.Apply(
        CompileConfig(document, registry, scaler_deps, engine.config().get(), diagnostics));
  };
  apply(0);

  std::atomic<int> answered{0};
  std::atomic<int> streamed{0};
  const auto ask = [&](int asker) {
    for (int i = 0; i < kQuestions; ++i) {
      const int policy = (i + asker) % kPolicies;
      ObjectRef ref{"team", "so" + std::to_string(asker), {}, false};
      if (i % 5 == 0) {
        ref.metadata = {{"type", "fake"}, {"source", "s" + std::to_string(policy)}};
      } else {
        ref.metadata = {{"policy", "p" + std::to_string(policy)}};
        if (i % 7 == 0) ref.metadata["maxReplicas"] = "5";
      }
      EXPECT_TRUE(engine.Specs(ref));
      engine.DecideSoon(ref,
                        clock.MonotonicNow() + std::chrono::milliseconds(500),
                        [&answered](const Result<DecisionPtr>&) { ++answered; });
      engine.ValueSoon(ref,
                       "",
                       clock.MonotonicNow() + std::chrono::milliseconds(500),
                       [&answered](const Result<MetricAnswer>&) { ++answered; });
      if (const Result<DecisionPtr> decision = engine.Decide(ref)) {
        EXPECT_GT((*decision)->target_replicas, 0);
      }
      auto subscription = engine.Subscribe(ref, [&streamed](const DecisionPtr&) { ++streamed; });
      EXPECT_TRUE(subscription);
    }
  };
  std::vector<std::thread> threads;
  for (int asker = 0; asker < kAskers; ++asker) threads.emplace_back(ask, asker);
  threads.emplace_back([&] {
    for (int i = 1; i <= kReloads; ++i) apply(i);
  });
  threads.emplace_back([&] {
    for (int i = 0; i < kReloads; ++i) {
      engine.Sweep();
      static_cast<void>(engine.Objects());
      static_cast<void>(engine.Policies());
      static_cast<void>(engine.Signals());
    }
  });
  for (std::thread& thread : threads) thread.join();
  engine.Stop();
  timers.Stop();
  pool.Stop();
  EXPECT_EQ(answered, 2 * kAskers * kQuestions) << "every question is answered exactly once";
}

}  // namespace
}  // namespace stoker::adapter
