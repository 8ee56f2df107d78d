// Replicas in one process, on a fake clock, over a network that the test plays.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <utility>
#include <vector>

#include "adapter/engine.h"
#include "adapter/peers.h"
#include "tests/contract/replica_contract.h"
#include "tests/testing/fake_signals.h"
#include "tests/testing/scaler_world.h"

namespace stoker::testing {
namespace {

using adapter::Peers;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kInterval = seconds(15);

class Ignore final : public adapter::PollObserver,
                     public adapter::DecisionObserver,
                     public adapter::PeersObserver {
 public:
  void OnPoll(std::string_view, std::string_view, std::string_view, Duration) override {}
  void OnDecision(std::string_view, policy::Bound) override {}
  void OnPeers(int reached_in, int unreachable_in) override {
    reached = reached_in;
    unreachable = unreachable_in;
  }
  int reached = 0;
  int unreachable = 0;
};

/// A clock that is a little off.
class SkewedClock final : public Clock {
 public:
  SkewedClock(const Clock& clock, Duration skew) : clock_(clock), skew_(skew) {}
  [[nodiscard]] WallTime WallNow() const override { return clock_.WallNow() + skew_; }
  [[nodiscard]] MonoTime MonotonicNow() const override { return clock_.MonotonicNow(); }

 private:
  const Clock& clock_;
  const Duration skew_;
};

/// Runs work on another executor, after a random while, until it is stopped.
class LaggingExecutor final : public Executor {
 public:
  LaggingExecutor(Executor& executor, const Clock& clock, std::mt19937& random, Duration most)
      : executor_(executor), clock_(clock), random_(random), most_(most) {}
  void Post(Work work) override { PostAt(clock_.MonotonicNow(), std::move(work)); }
  void PostAt(MonoTime when, Work work) override {
    const Duration lag{static_cast<int>(random_() % static_cast<unsigned>(most_.count() + 1))};
    executor_.PostAt(when + lag, [alive = std::weak_ptr(alive_), work = std::move(work)] {
      if (!alive.expired()) work();
    });
  }

 private:
  Executor& executor_;
  const Clock& clock_;
  std::mt19937& random_;
  const Duration most_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

class NoNames final : public http::NameResolver {
 public:
  Result<std::vector<std::string>> Resolve(const std::string&) override {
    return Fail(ErrorCode::kUnavailable, "no names here");
  }
};

/// What may happen to messages and polls.
struct Weather {
  unsigned seed = 1;
  Duration poll_lag{0};       ///< a poll takes up to so long
  Duration send_lag{0};       ///< a message too
  Duration skew{0};           ///< the second replica's clock is so much ahead
  int lost_per_thousand = 0;  ///< requests that never arrive; as many arrive and are not answered
  int late_per_thousand = 0;  ///< requests that time out, and arrive up to a minute later
};

class FakeReplicas final : public ReplicaRig {
 public:
  explicit FakeReplicas(const Weather& weather = {}) : weather_(weather), random_(weather.seed) {
    for (int i = 0; i < 2; ++i) {
      upstreams_.at(Index(i)).Play(
          [this, i](const std::string& source, const scalers::PollContext& context) {
            return Poll(i, source, context);
          });
    }
  }
  ~FakeReplicas() override {
    for (auto& replica : replicas_) Stop(replica);
  }
  FakeReplicas(const FakeReplicas&) = delete;
  FakeReplicas& operator=(const FakeReplicas&) = delete;

  void Configure(const Policy& policy) override {
    yaml_ =
        "policies: {etl: {replicas: {max: 1000}, onFault: {hold: 1h}, scaleDown: "
        "{stabilization: " +
        std::to_string(policy.stabilization_slots * 15) +
        "s}, signals: {queue: {type: fake, source: queue, targetSize: " +
        std::to_string(policy.target_size) + "}" +
        (policy.manual ? ", ordered: {type: fake, source: ordered}" : "") + "}}}\n";
    ApplyToAll();
  }
  void SetDemand(double value) override { demand_ = value; }
  void SetFault(int replica, bool failing) override { failing_.at(Index(replica)) = failing; }
  void Restart(int replica) override {
    Stop(replicas_.at(Index(replica)));
    world_.clock.Advance(seconds(2));
    Start(replica);
    for (int i = 0; i < 100 && !Ready(replica); ++i) world_.clock.Advance(milliseconds(100));
    EXPECT_TRUE(Ready(replica));
  }
  void Order(int replica, double value) override {
    Replica& at = *replicas_.at(Index(replica));
    at.pushed.Set("ordered", {value, at.clock.WallNow()});
    at.peers.PublishValue("ordered");
  }
  std::optional<double> Ask(int replica) override {
    const adapter::ObjectRef ref{
        "team", "spark", {{"scalerAddress", "stoker:6000"}, {"policy", "etl"}}, false};
    const Result<adapter::DecisionPtr> decision = replicas_.at(Index(replica))->engine.Decide(ref);
    if (!decision) return std::nullopt;
    return (*decision)->target_replicas;
  }
  void Wait() override { world_.clock.Advance(kInterval / 3); }
  [[nodiscard]] int waits_per_slot() const override { return 3; }

  // What only this rig can.

  /// The policy makes room for executors, and measures how long they take.
  void ConfigureHeadroom() {
    yaml_ =
        "policies: {etl: {replicas: {max: 1000}, onFault: {hold: 1h}, signals: {queue: {type: "
        "fake, source: queue}}, capacity: {running: {type: fake, source: running}}}}\n";
    ApplyToAll();
  }
  void SetRunning(double value) { running_ = value; }
  std::optional<policy::Headroom> AskHeadroom(int replica) {
    const adapter::ObjectRef ref{
        "team",
        "spark",
        {{"scalerAddress", "stoker:6000"}, {"policy", "etl"}, {"output", "headroom"}},
        false};
    const Result<adapter::DecisionPtr> decision = replicas_.at(Index(replica))->engine.Decide(ref);
    if (!decision) return std::nullopt;
    return (*decision)->headroom;
  }
  void Advance(Duration by) { world_.clock.Advance(by); }
  void Part(bool parted) { parted_ = parted; }
  void StopOne(int replica) { Stop(replicas_.at(Index(replica))); }
  void StartOne(int replica) { Start(replica); }
  [[nodiscard]] bool Running(int replica) const { return replicas_.at(Index(replica)) != nullptr; }
  [[nodiscard]] bool Ready(int replica) const {
    return replicas_.at(Index(replica))->engine.FirstPollsAttempted();
  }
  /// Both have sent all they had to say, and it arrived.
  [[nodiscard]] std::vector<Reading> Window(int replica) const {
    Replica& of = *replicas_.at(Index(replica));
    const std::vector<std::string> ids = of.engine.poller().ids();
    const ReadingWindow window = ids.empty() ? nullptr : of.engine.poller().window(ids.front());
    return window ? *window : std::vector<Reading>();
  }
  [[nodiscard]] std::string log() const { return world_.logger.text(); }
  [[nodiscard]] WallTime now() const { return world_.clock.WallNow(); }
  [[nodiscard]] const Ignore& observed(int replica) const {
    return replicas_.at(Index(replica))->ignore;
  }
  std::mt19937& random() { return random_; }
  /// Good readings by slot that any replica's upstream gave, and the newest of each replica.
  struct Read {
    WallTime slot;
    double value;
  };
  std::vector<Read> reads;
  std::array<std::optional<Read>, 2> newest;

 private:
  static std::size_t Index(int replica) { return static_cast<std::size_t>(replica); }
  static std::string Address(int replica) { return "10.0.0." + std::to_string(replica) + ":8080"; }

  class Wire final : public HttpTransport {
   public:
    explicit Wire(FakeReplicas& rig) : rig_(rig) {}
    Result<HttpResponse> Send(const HttpRequest& request) override { return rig_.Carry(request); }

   private:
    FakeReplicas& rig_;
  };

  struct Replica {
    Replica(FakeReplicas& rig, int index, int generation)
        : clock(rig.world_.clock, index == 1 ? rig.weather_.skew : Duration{0}),
          polls(rig.world_.executor, clock, rig.random_, rig.weather_.poll_lag),
          sends(rig.world_.executor, clock, rig.random_, rig.weather_.send_lag),
          timers(rig.world_.executor, clock, rig.random_, Duration{0}),
          deps{clock,
               rig.world_.random,
               rig.world_.environment,
               rig.world_.files,
               rig.world_.transports,
               rig.world_.observer,
               rig.world_.logger,
               pushed},
          registry(MakeFakeRegistry(rig.upstreams_.at(Index(index)))),
          wire(rig),
          peers({.instance = std::to_string(index) + "-" + std::to_string(generation),
                 .service = "",
                 .addresses = {Address(0), Address(1)},
                 .secure = false,
                 .token = [] { return std::string("token"); }},
                {clock, timers, sends, wire, rig.names_, pushed, ignore, rig.world_.logger}),
          engine(
              {clock, timers, polls, ignore, ignore, rig.world_.logger, registry, deps, &peers}) {}

    SkewedClock clock;
    LaggingExecutor polls;
    LaggingExecutor sends;
    LaggingExecutor timers;
    scalers::PushedValues pushed;
    scalers::ScalerDeps deps;
    Ignore ignore;
    scalers::Registry registry;
    Wire wire;
    Peers peers;
    adapter::Engine engine;
  };
  using ReplicaPtr = std::unique_ptr<Replica>;

  void ApplyToAll() {
    for (int i = 0; i < 2; ++i) {
      if (replicas_.at(Index(i))) {
        Apply(i);
      } else {
        Start(i);
      }
    }
    world_.executor.RunReady();
  }
  void Start(int index) {
    ReplicaPtr& replica = replicas_.at(Index(index));
    newest.at(Index(index)).reset();  // what it had not sent died with the one before
    replica = std::make_unique<Replica>(*this, index, ++generation_);
    replica->peers.Start(replica->engine.poller(), 8080);
    Apply(index);
  }
  void Stop(ReplicaPtr& replica) {
    if (!replica) return;
    replica->engine.Stop();
    replica->peers.Stop();
    replica.reset();
  }
  void Apply(int index) {
    Replica& replica = *replicas_.at(Index(index));
    config::Diagnostics diagnostics;
    const Result<config::Node> root = config::ParseYaml(yaml_, "test.yaml", diagnostics);
    ASSERT_TRUE(root) << diagnostics.ToString();
    config::Document document;
    document.policies = *root->Find("policies");
    const auto compiled = adapter::CompileConfig(
        document, replica.registry, replica.deps, replica.engine.config().get(), diagnostics);
    ASSERT_TRUE(compiled) << diagnostics.ToString();
    replica.engine.Apply(compiled);
  }
  Result<scalers::Observation> Poll(int replica,
                                    const std::string& source,
                                    const scalers::PollContext& context) {
    if (source == "ordered") {
      const auto value = replicas_.at(Index(replica))->pushed.Get("ordered");
      scalers::Observation observation = FakeUpstream::Value(value ? value->value : 0);
      observation.empty = !value;
      return observation;
    }
    if (failing_.at(Index(replica))) return Fail(ErrorCode::kUnavailable, "down");
    if (source == "running") return FakeUpstream::Value(running_);
    const Read read{context.slot, demand_};
    reads.push_back(read);
    newest.at(Index(replica)) = read;
    return FakeUpstream::Value(demand_);
  }
  bool Happens(int per_thousand) { return static_cast<int>(random_() % 1000) < per_thousand; }

  Result<HttpResponse> Carry(const HttpRequest& request) {
    const auto lost = [] { return Fail(ErrorCode::kUnavailable, "lost"); };
    if (parted_ || Happens(weather_.lost_per_thousand)) return lost();
    if (Happens(weather_.late_per_thousand)) {
      const Duration late{static_cast<int>(random_() % 60'000)};
      world_.executor.PostAt(world_.clock.MonotonicNow() + late,
                             [this, request] { static_cast<void>(Deliver(request)); });
      return lost();
    }
    Result<HttpResponse> response = Deliver(request);
    if (Happens(weather_.lost_per_thousand)) return lost();
    return response;
  }
  Result<HttpResponse> Deliver(const HttpRequest& request) {
    EXPECT_THAT(request.headers,
                ::testing::Contains(::testing::Field(&HttpHeader::value, "Bearer token")));
    for (int i = 0; i < 2; ++i) {
      const std::string base = "http://" + Address(i);
      if (!request.url.starts_with(base)) continue;
      const ReplicaPtr& replica = replicas_.at(Index(i));
      if (!replica) return Fail(ErrorCode::kUnavailable, "connection refused");
      const bool readings = request.url == base + std::string(Peers::kReadingsPath);
      Result<std::string> body = readings ? replica->peers.TakeReadings(request.body)
                                          : replica->peers.GiveWindows(request.body);
      HttpResponse response;
      response.status = body ? 200 : 400;
      if (body) response.body = *body;
      return response;
    }
    ADD_FAILURE() << request.url;
    return Fail(ErrorCode::kUnavailable, "nobody");
  }

  const Weather weather_;
  std::mt19937 random_;
  ScalerWorld world_;
  NoNames names_;
  double demand_ = 0;
  double running_ = 0;
  std::array<bool, 2> failing_{};
  bool parted_ = false;
  std::array<FakeUpstream, 2> upstreams_;
  std::string yaml_;
  int generation_ = 0;
  std::array<ReplicaPtr, 2> replicas_;
};

INSTANTIATE_TEST_SUITE_P(InProcess,
                         ReplicaContract,
                         ::testing::Values(MakeReplicaRig([]() -> std::unique_ptr<ReplicaRig> {
                           return std::make_unique<FakeReplicas>();
                         })));

INSTANTIATE_TEST_SUITE_P(InProcessAndSlow,
                         ReplicaContract,
                         ::testing::Values(MakeReplicaRig([]() -> std::unique_ptr<ReplicaRig> {
                           return std::make_unique<FakeReplicas>(
                               Weather{.seed = 3,
                                       .poll_lag = milliseconds(1500),
                                       .send_lag = milliseconds(150),
                                       .skew = milliseconds(200)});
                         })));

// Each of them fails at times, and one starts anew: they tell the same headroom all the same, and
// measure the same lead time.
TEST(Replicas, AgreeOnTheHeadroom) {
  FakeReplicas rig;
  rig.ConfigureHeadroom();
  const auto agree = [&] {
    rig.Advance(2 * kInterval);
    rig.Advance(minutes(1));  // a lead time is of a whole minute
    const auto one = rig.AskHeadroom(0);
    const auto other = rig.AskHeadroom(1);
    ASSERT_TRUE(one && other);
    EXPECT_EQ(one->executors, other->executors);
    EXPECT_EQ(one->running, other->running);
    EXPECT_EQ(one->lead.value, other->lead.value);
    EXPECT_EQ(one->lead.samples, other->lead.samples);
  };
  for (int rise = 0; rise < 8; ++rise) {
    rig.SetFault(rise % 2, true);
    rig.SetDemand(2);
    rig.SetRunning(2);
    agree();
    rig.SetDemand(10 + rise);
    agree();
    EXPECT_EQ(rig.AskHeadroom(0)->executors, 8 + rise);
    if (rise == 5) rig.Restart(1);
    rig.SetRunning(10 + rise);
    agree();
    EXPECT_EQ(rig.AskHeadroom(1)->executors, 0);
    rig.SetFault(rise % 2, false);
  }
  EXPECT_TRUE(rig.AskHeadroom(0)->lead.measured());
  EXPECT_EQ(rig.AskHeadroom(0)->lead.samples, 8);
  rig.Restart(0);
  agree();
  EXPECT_EQ(rig.AskHeadroom(0)->lead.samples, 8);
}

/// Ten minutes of what clusters do to replicas.
void LiveThrough(const Weather& weather) {
  FakeReplicas rig(weather);
  std::mt19937 random(weather.seed * 7919);
  const auto one_in = [&](unsigned n) { return random() % n == 0; };
  const int stabilization = one_in(2) ? 0 : 8;
  double target_size = 1;
  rig.SetDemand(10);
  rig.Configure({.target_size = target_size, .stabilization_slots = stabilization});
  const auto answers_are_allowed = [&] {
    for (int replica = 0; replica < 2; ++replica) {
      if (!rig.Running(replica)) continue;
      const std::optional<double> answer = rig.Ask(replica);
      const auto& own = rig.newest.at(static_cast<std::size_t>(replica));
      if (!answer || !own) continue;
      // At least what its own last good reading asks for, or what another read since.
      double least = own->value;
      for (const auto& read : rig.reads) {
        if (read.slot >= own->slot) least = std::min(least, read.value);
      }
      ASSERT_GE(*answer, std::floor(least / target_size)) << "replica " << replica;
    }
  };
  for (int slot = 0; slot < 40; ++slot) {
    // Things happen in the first five seconds of a slot, or during its polls.
    const bool both = rig.Running(0) && rig.Running(1);
    if (one_in(6)) rig.Part(one_in(2));
    if (one_in(3)) rig.SetFault(static_cast<int>(random() % 2), one_in(2));
    if (both && one_in(10)) {
      target_size = target_size > 1 ? 1 : 2;
      rig.Configure({.target_size = target_size, .stabilization_slots = stabilization});
    }
    if (both && one_in(8)) rig.StopOne(static_cast<int>(random() % 2));
    for (int step = 0; step < 10; ++step) {
      if (one_in(2)) rig.SetDemand(static_cast<double>(random() % 50));
      rig.Advance(milliseconds(500));
      answers_are_allowed();
    }
    for (int replica = 0; replica < 2; ++replica) {
      if (!rig.Running(replica) && one_in(2)) rig.StartOne(replica);
    }
    rig.Advance(milliseconds(9'999));
    rig.Advance(milliseconds(1));
  }
  // The sun comes out. What is under way arrives, what failed is sent again: within the longest
  // back-off, some seconds, the replicas have heard the same. They agree on all the past, too.
  rig.Part(false);
  for (int replica = 0; replica < 2; ++replica) {
    if (!rig.Running(replica)) rig.StartOne(replica);
  }
  rig.Advance(seconds(14));
  if (weather.lost_per_thousand > 0) rig.Advance(minutes(1));
  ASSERT_EQ(rig.Window(0), rig.Window(1));
  ASSERT_EQ(rig.Ask(0), rig.Ask(1));
}

TEST(Replicas, AgreeAfterAnything) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    LiveThrough({.seed = seed,
                 .poll_lag = milliseconds(2000),
                 .send_lag = milliseconds(200),
                 .skew = milliseconds(seed % 2 == 0 ? 300 : -300)});
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(Replicas, AgreeOverABadNetwork) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    LiveThrough({.seed = seed,
                 .poll_lag = milliseconds(2000),
                 .send_lag = milliseconds(800),
                 .skew = milliseconds(100),
                 .lost_per_thousand = 150,
                 .late_per_thousand = 100});
    if (::testing::Test::HasFatalFailure()) return;
  }
}

/// With the network whole, the replicas agree from the end of the slot's polls plus one exchange
/// until the next slot, whatever each upstream did.
TEST(Replicas, AgreeInEverySlotOnceItsReadingsAreExchanged) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    FakeReplicas rig({.seed = seed,
                      .poll_lag = milliseconds(3000),
                      .send_lag = milliseconds(300),
                      .skew = milliseconds(200)});
    std::mt19937 random(seed);
    rig.SetDemand(10);
    rig.Configure({.stabilization_slots = static_cast<int>(seed % 3) * 4});
    for (int slot = 0; slot < 40; ++slot) {
      for (int step = 0; step < 10; ++step) {
        rig.SetDemand(static_cast<double>(random() % 50));
        rig.SetFault(static_cast<int>(random() % 2), random() % 2 == 0);
        rig.Advance(milliseconds(400));
      }
      ASSERT_EQ(rig.Ask(0), rig.Ask(1)) << "slot " << slot;
      rig.Advance(seconds(10));
      ASSERT_EQ(rig.Ask(0), rig.Ask(1)) << "slot " << slot;
      rig.Advance(seconds(1));
    }
    EXPECT_EQ(rig.observed(0).reached, 1);
    EXPECT_EQ(rig.observed(0).unreachable, 0);
  }
}

TEST(Replicas, ASiblingThatIsDownIsTwoLinesAndHearsAllWhenItIsBack) {
  FakeReplicas rig;
  rig.SetDemand(10);
  rig.Configure({.stabilization_slots = 20});
  rig.Advance(minutes(1));
  rig.Part(true);
  rig.SetFault(1, true);
  rig.SetDemand(30);
  rig.Advance(minutes(2));
  rig.SetDemand(5);
  rig.Advance(minutes(1));
  EXPECT_EQ(rig.observed(0).unreachable, 1);
  EXPECT_NE(rig.Ask(0), rig.Ask(1)) << "they cannot know";
  rig.Part(false);
  rig.Advance(seconds(10));
  EXPECT_EQ(rig.Ask(0), 30);
  EXPECT_EQ(rig.Ask(1), 30);
  EXPECT_EQ(rig.Window(0), rig.Window(1));
  const std::string log = rig.log();
  const auto lines_with = [&](const std::string& text) {
    int count = 0;
    for (std::size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) {
      ++count;
    }
    return count;
  };
  EXPECT_EQ(lines_with("cannot be reached"), 2) << log;
  EXPECT_EQ(lines_with("sibling replica reached"), 4) << log;
}

}  // namespace
}  // namespace stoker::testing
