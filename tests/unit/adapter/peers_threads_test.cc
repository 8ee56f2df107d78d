// The exchange on real threads, for the thread sanitizer: everything at once, bounded by counts,
// not by time.

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "adapter/peer_messages.h"
#include "adapter/peers.h"
#include "core/thread_executor.h"
#include "tests/testing/fake_signals.h"
#include "tests/testing/scaler_world.h"

namespace stoker::adapter {
namespace {

class Ignore final : public PollObserver, public PeersObserver {
 public:
  void OnPoll(std::string_view, std::string_view, std::string_view, Duration) override {}
  void OnPeers(int, int) override {}
};

class NoNames final : public http::NameResolver {
 public:
  Result<std::vector<std::string>> Resolve(const std::string&) override {
    return Fail(ErrorCode::kUnavailable, "no names here");
  }
};

class Source final : public scalers::Source {
 public:
  Result<scalers::Observation> Poll(const scalers::PollContext&) override {
    return testing::FakeUpstream::Value(1);
  }
};

TEST(PeersThreads, PollsAnswersReloadsAndAStopMix) {
  constexpr int kSources = 20;
  constexpr int kRounds = 60;
  SystemClock clock;
  testing::FakeLogger logger;
  NoNames names;
  Ignore ignore;
  struct Replica {
    scalers::PushedValues pushed;
    std::shared_ptr<testing::FakeTransport> wire;
    ThreadExecutor pool{2};
    ThreadExecutor timers{1};
    std::unique_ptr<Peers> peers;
    std::unique_ptr<Poller> poller;
  };
  std::array<Replica, 2> replicas;
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    Replica& replica = replicas.at(i);
    replica.wire = std::make_shared<testing::FakeTransport>(
        [&replicas](const HttpRequest& request) -> Result<HttpResponse> {
          Replica& to = replicas.at(request.url.starts_with("http://a:1/") ? 0 : 1);
          Result<std::string> body = request.url.ends_with(Peers::kReadingsPath)
                                         ? to.peers->TakeReadings(request.body)
                                         : to.peers->GiveWindows(request.body);
          if (!body) return Fail(body.error());
          HttpResponse response;
          response.status = 200;
          response.body = std::move(*body);
          return response;
        });
    replica.peers = std::make_unique<Peers>(Peers::Options{.instance = std::to_string(i),
                                                           .service = "",
                                                           .addresses = {"a:1", "b:1"},
                                                           .secure = false,
                                                           .token = {}},
                                            Peers::Deps{clock,
                                                        replica.timers,
                                                        replica.pool,
                                                        *replica.wire,
                                                        names,
                                                        replica.pushed,
                                                        ignore,
                                                        logger});
    replica.poller = std::make_unique<Poller>(
        clock, replica.timers, replica.pool, ignore, logger, replica.peers.get());
  }
  for (Replica& replica : replicas) replica.peers->Start(*replica.poller, 1);

  const auto use = [&](Replica& replica) {
    for (int round = 0; round < kRounds; ++round) {
      std::vector<std::unique_ptr<Poller::Lease>> leases;
      for (int i = 0; i < kSources; ++i) {
        scalers::SignalDefinition definition;
        definition.type = "test";
        definition.source_key = std::to_string((i * round) % kSources);
        definition.make_source = [] { return std::make_unique<Source>(); };
        SourceNeeds needs;
        needs.timing.interval = std::chrono::milliseconds(20);
        needs.lookback = std::chrono::seconds(1);
        needs.on_reading = [] {};
        leases.push_back(replica.poller->Acquire(definition, std::move(needs)));
      }
      const std::string name = std::to_string(round);
      replica.pushed.Set(name, {1, clock.WallNow()});
      replica.peers->PublishValue(name);
      for (const auto& lease : leases) static_cast<void>(lease->window());
    }
  };
  const auto call = [&](Replica& replica) {
    PeerMessage message;
    message.instance = "stranger";
    for (int i = 0; i < kSources; ++i) message.ids.push_back(SourceId(std::to_string(i)));
    for (int round = 0; round < kRounds; ++round) {
      message.sources = {
          {message.ids[0],
           {{.time = clock.WallNow(), .kind = Reading::Kind::kValue, .value = double(round)}}}};
      EXPECT_TRUE(replica.peers->TakeReadings(EncodePeerMessage(message)));
      EXPECT_TRUE(replica.peers->GiveWindows(EncodePeerMessage(message)));
    }
  };
  {
    std::vector<std::jthread> threads;
    for (Replica& replica : replicas) {
      threads.emplace_back([&] { use(replica); });
      threads.emplace_back([&] { use(replica); });
      threads.emplace_back([&] { call(replica); });
    }
  }
  for (Replica& replica : replicas) {
    replica.poller->Stop();
    replica.peers->Stop();
  }
  for (Replica& replica : replicas) {
    replica.timers.Stop();
    replica.pool.Stop();
  }
}

}  // namespace
}  // namespace stoker::adapter
