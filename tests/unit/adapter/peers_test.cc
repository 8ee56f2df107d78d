#include "adapter/peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "adapter/peer_messages.h"
#include "tests/testing/fake_signals.h"
#include "tests/testing/scaler_world.h"

namespace stoker::adapter {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(PeerMessage, SaysTheSameOnTheOtherSide) {
  PeerMessage message;
  message.instance = "a1";
  const WallTime time = testing::At("2026-01-05T10:00:00.250Z");
  message.sources = {{"00ff",
                      {{.time = time, .kind = Reading::Kind::kFault},
                       {.time = time + seconds(1), .kind = Reading::Kind::kEmpty},
                       {.time = time + seconds(2), .kind = Reading::Kind::kValue, .value = 0.1},
                       {.time = time + seconds(3),
                        .kind = Reading::Kind::kValue,
                        .value = 1e300,
                        .at_least = true}}}};
  message.values = {{"nightly", {2.5, time}}};
  message.ids = {"00ff", "11"};
  message.answered = 2;
  const Result<PeerMessage> heard = DecodePeerMessage(EncodePeerMessage(message));
  ASSERT_TRUE(heard);
  EXPECT_EQ(*heard, message);
}

TEST(PeerMessage, OtherShapesAreRefused) {
  for (const char* text :
       {"",
        "[]",
        "{}",
        R"({"instance": 1})",
        R"({"instance": "a", "sources": {}})",
        R"({"instance": "a", "sources": [{"id": "x"}]})",
        R"({"instance": "a", "sources": [{"id": "x", "readings": [[1]]}]})",
        R"({"instance": "a", "sources": [{"id": "x", "readings": [[-1, 5]]}]})",
        R"({"instance": "a", "sources": [{"id": "x", "readings": [[1, 1e999]]}]})",
        R"({"instance": "a", "values": [{"name": "x", "value": 1}]})",
        R"({"instance": "a", "ids": [1]})",
        R"({"instance": "a", "answered": -1})"}) {
    const Result<PeerMessage> message = DecodePeerMessage(text);
    ASSERT_FALSE(message) << text;
    EXPECT_EQ(message.error().code, ErrorCode::kInvalidArgument);
  }
}

class Ignore final : public PollObserver, public PeersObserver {
 public:
  void OnPoll(std::string_view, std::string_view, std::string_view, Duration) override {}
  void OnPeers(int reached_in, int unreachable_in) override {
    reached = reached_in;
    unreachable = unreachable_in;
  }
  int reached = 0;
  int unreachable = 0;
};

class Names final : public http::NameResolver {
 public:
  Result<std::vector<std::string>> Resolve(const std::string& host) override {
    asked.push_back(host);
    if (meanwhile) std::exchange(meanwhile, nullptr)();
    return answer;
  }
  std::vector<std::string> asked;
  std::function<void()> meanwhile;  ///< happens while the name server is asked, once
  Result<std::vector<std::string>> answer = std::vector<std::string>{"10.0.0.1", "fd00::2"};
};

class PeersTest : public ::testing::Test {
 protected:
  void Start(const std::string& service = "stoker.svc", std::vector<std::string> addresses = {}) {
    peers_ = std::make_unique<Peers>(Peers::Options{.instance = "me",
                                                    .service = service,
                                                    .addresses = std::move(addresses),
                                                    .secure = false,
                                                    .token = [] { return std::string("s3cr3t"); }},
                                     Peers::Deps{world_.clock,
                                                 world_.executor,
                                                 world_.executor,
                                                 *world_.transport,
                                                 names_,
                                                 world_.pushed,
                                                 observed_,
                                                 world_.logger});
    poller_ = std::make_unique<Poller>(
        world_.clock, world_.executor, world_.executor, observed_, world_.logger, peers_.get());
    world_.transport->set_handler([this](const HttpRequest& request) { return answer_(request); });
    peers_->Start(*poller_, 8080);
    world_.executor.RunReady();
  }
  std::unique_ptr<Poller::Lease> Read(const std::string& source, Duration lookback = seconds(15)) {
    config::Diagnostics diagnostics;
    const scalers::SignalContext context{connections_, "", false, world_.deps};
    const config::Node node = config::Node::FromMetadata({{"type", "fake"}, {"source", source}});
    auto definition = registry_.ParseSignal(node, context, diagnostics);
    EXPECT_TRUE(definition) << diagnostics.ToString();
    SourceNeeds needs;
    needs.timing.interval = seconds(15);
    needs.lookback = lookback;
    needs.label = "etl/" + source;
    needs.on_reading = [] {};
    auto lease = poller_->Acquire(*definition, std::move(needs));
    world_.executor.RunReady();
    return lease;
  }
  static std::string Id(const std::string& source) { return SourceId("fake\n" + source); }
  static HttpResponse Ok(const PeerMessage& message) {
    HttpResponse response;
    response.status = 200;
    response.body = EncodePeerMessage(message);
    return response;
  }
  static HttpResponse Ok(const std::string& instance) {
    PeerMessage message;
    message.instance = instance;
    return Ok(message);
  }
  static HttpResponse Status(int status) {
    HttpResponse response;
    response.status = status;
    return response;
  }
  /// 10.0.0.1 is another, fd00::2 this process.
  static Result<HttpResponse> Typical(const HttpRequest& request) {
    return Ok(std::string(request.url.find("10.0.0.1") != std::string::npos ? "other" : "me"));
  }
  std::vector<std::string> Urls() const {
    std::vector<std::string> urls;
    for (const HttpRequest& request : world_.transport->requests()) urls.push_back(request.url);
    return urls;
  }

  testing::ScalerWorld world_;
  testing::FakeUpstream upstream_;
  scalers::Registry registry_ = testing::MakeFakeRegistry(upstream_);
  scalers::ConnectionSet connections_;
  Ignore observed_;
  Names names_;
  testing::FakeTransport::Handler answer_ = Typical;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<Poller> poller_;
};

TEST_F(PeersTest, FindsSiblingsByNameAndKnowsItself) {
  Start();
  EXPECT_THAT(names_.asked, ElementsAre("stoker.svc"));
  EXPECT_THAT(Urls(),
              ElementsAre("http://10.0.0.1:8080/api/v1/peers/readings",
                          "http://[fd00::2]:8080/api/v1/peers/readings"));
  EXPECT_EQ(observed_.reached, 1);
  upstream_.Set("a", 5);
  const auto lease = Read("a");
  world_.clock.Advance(seconds(16));
  EXPECT_THAT(Urls(), ::testing::Contains(HasSubstr("fd00::2")).Times(1))
      << "nobody talks to himself twice";
  EXPECT_EQ(names_.asked.size(), 2U) << "looked up every 10 s";
}

TEST_F(PeersTest, PortAndAddressesAreTakenAsWritten) {
  Start("stoker.svc:9000");
  EXPECT_THAT(names_.asked, ElementsAre("stoker.svc"));
  EXPECT_THAT(Urls()[0], StartsWith("http://10.0.0.1:9000/"));
  names_.asked.clear();
  Start("", {"replica-0:8080"});
  EXPECT_THAT(Urls().back(), StartsWith("http://replica-0:8080/"));
  world_.clock.Advance(seconds(30));
}

TEST_F(PeersTest, WhoLeavesIsLetGo) {
  Start();
  names_.answer = std::vector<std::string>{"fd00::2"};
  world_.clock.Advance(seconds(10));
  EXPECT_EQ(observed_.reached, 0);
  EXPECT_THAT(world_.logger.text(), HasSubstr("sibling replica left address=10.0.0.1:8080"));
  const std::size_t before = Urls().size();
  world_.clock.Advance(seconds(60));
  EXPECT_EQ(Urls().size(), before);
  names_.answer = Fail(ErrorCode::kUnavailable, "name server is down");
  world_.clock.Advance(seconds(60));
  EXPECT_EQ(observed_.unreachable, 0);
}

TEST_F(PeersTest, SaysHashesAndNoKeys) {
  upstream_.Set("hunter2", 5);
  Start();
  const auto lease = Read("hunter2");
  world_.clock.Advance(seconds(16));
  const HttpRequest last = world_.transport->requests().back();
  EXPECT_THAT(last.body, HasSubstr(Id("hunter2")));
  EXPECT_THAT(last.body, Not(HasSubstr("hunter2")));
  EXPECT_EQ(last.method, "POST");
  EXPECT_THAT(last.headers,
              ::testing::Contains(::testing::Field(&HttpHeader::value, "Bearer s3cr3t")));
  const Result<PeerMessage> message = DecodePeerMessage(last.body);
  ASSERT_TRUE(message);
  ASSERT_EQ(message->sources.size(), 1U);
  EXPECT_EQ(message->sources[0].readings.back().value, 5);
}

TEST_F(PeersTest, ReadingsOfOneMomentTravelTogether) {
  for (const char* source : {"a", "b", "c"}) upstream_.Set(source, 1);
  Start();
  const auto a = Read("a");
  const auto b = Read("b");
  const auto c = Read("c");
  world_.clock.Advance(seconds(14));
  const std::size_t before = Urls().size();
  world_.clock.Advance(seconds(2));
  ASSERT_EQ(Urls().size(), before + 1);
  EXPECT_EQ(DecodePeerMessage(world_.transport->requests().back().body)->sources.size(), 3U);
}

TEST_F(PeersTest, ARefusedTokenIsOneLineThatSaysTheMend) {
  answer_ = [](const HttpRequest&) -> Result<HttpResponse> { return Status(401); };
  Start();
  world_.clock.Advance(seconds(60));
  const std::string log = world_.logger.text();
  EXPECT_THAT(log, HasSubstr("the same tokens in server.http.auth.tokensFile"));
  EXPECT_THAT(log, Not(HasSubstr("s3cr3t")));
  EXPECT_EQ(world_.logger.lines().size(), 2U) << log;
  EXPECT_EQ(observed_.unreachable, 2);
}

TEST_F(PeersTest, WhoIsDownIsTriedLessAndLess) {
  answer_ = [](const HttpRequest&) -> Result<HttpResponse> {
    return Fail(ErrorCode::kUnavailable, "connection refused");
  };
  Start("", {"10.0.0.1:8080"});
  upstream_.Set("a", 5);
  const auto lease = Read("a");
  world_.clock.Advance(seconds(60));
  EXPECT_LT(Urls().size(), 20U);
  answer_ = Typical;
  world_.clock.Advance(seconds(5));
  EXPECT_EQ(observed_.reached, 1);
  std::size_t told = 0;
  for (const HttpRequest& request : world_.transport->requests()) {
    const Result<PeerMessage> message = DecodePeerMessage(request.body);
    if (!message->sources.empty()) told = message->sources[0].readings.size();
  }
  EXPECT_GE(told, 2U) << "all that is still in the window";
}

TEST_F(PeersTest, AStrangersCallIsFollowedUp) {
  Start();
  PeerMessage hello;
  hello.instance = "new";
  ASSERT_TRUE(peers_->TakeReadings(EncodePeerMessage(hello)));
  names_.answer = std::vector<std::string>{"10.0.0.1", "fd00::2", "10.0.0.9"};
  world_.executor.RunReady();
  EXPECT_THAT(Urls().back(), StartsWith("http://10.0.0.9:8080/"));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(peers_->TakeReadings(EncodePeerMessage(hello)));
    world_.executor.RunReady();
  }
  EXPECT_EQ(names_.asked.size(), 2U) << "not at each call";
}

TEST_F(PeersTest, StrangersDoNotPileUpLookups) {
  Start();
  PeerMessage hello;
  hello.instance = "new";
  const std::string body = EncodePeerMessage(hello);
  names_.meanwhile = [&] {  // the name server takes 5 s, and strangers go on calling
    for (int i = 0; i < 5; ++i) {
      world_.clock.Advance(seconds(1));
      ASSERT_TRUE(peers_->TakeReadings(body));
    }
  };
  ASSERT_TRUE(peers_->TakeReadings(body));
  world_.executor.RunReady();
  EXPECT_EQ(names_.asked.size(), 2U);
}

TEST_F(PeersTest, ANameThatStaysUnknownIsOneLine) {
  names_.answer = Fail(ErrorCode::kUnavailable, "stoker.svc: Name or service not known");
  Start();
  EXPECT_THAT(world_.logger.text(), Not(HasSubstr("looked up")));
  world_.clock.Advance(std::chrono::minutes(5));
  EXPECT_EQ(world_.logger.lines().size(), 1U) << world_.logger.text();
  EXPECT_THAT(world_.logger.text(), HasSubstr("check server.peers.service"));
  EXPECT_THAT(world_.logger.text(), HasSubstr("Name or service not known"));
}

TEST_F(PeersTest, WhatIsTooLongForOneMessageComesInSeveral) {
  constexpr std::size_t kListenersTake = 1U << 20U;
  constexpr int kReadings = 25'000;
  constexpr int kValues = 1'200;
  std::set<WallTime> heard;
  std::set<std::string> names;
  answer_ = [&](const HttpRequest& request) -> Result<HttpResponse> {
    if (request.body.size() > kListenersTake) return Status(413);
    const Result<PeerMessage> message = DecodePeerMessage(request.body);
    for (const SourceReadings& source : message->sources) {
      for (const Reading& reading : source.readings) heard.insert(reading.time);
    }
    for (const NamedValue& value : message->values) names.insert(value.name);
    return Ok(std::string("other"));
  };
  names_.answer = std::vector<std::string>{};
  Start();
  upstream_.Set("a", 5);
  const auto lease = Read("a", hours(24));
  std::vector<Reading> readings;
  for (int i = 1; i <= kReadings; ++i) {
    readings.push_back({.time = world_.clock.WallNow() - seconds(i),
                        .kind = Reading::Kind::kValue,
                        .value = -1.2345678901234567e-300,
                        .at_least = true});
  }
  poller_->Merge(Id("a"), readings);
  for (int i = 0; i < kValues; ++i) {
    world_.pushed.Set(std::string(1000, 'n') + std::to_string(i), {1, world_.clock.WallNow()});
  }
  names_.answer = std::vector<std::string>{"10.0.0.1"};
  world_.clock.Advance(seconds(14));
  EXPECT_EQ(heard.size(), kReadings + 1U);
  EXPECT_EQ(names.size(), std::size_t{kValues});
  EXPECT_EQ(observed_.reached, 1);
}

TEST_F(PeersTest, WhoIsDownIsNotToldOfSourcesThatWent) {
  answer_ = [](const HttpRequest&) -> Result<HttpResponse> {
    return Fail(ErrorCode::kUnavailable, "connection refused");
  };
  Start("", {"10.0.0.1:8080"});
  upstream_.Set("a", 5);
  Read("a").reset();
  world_.clock.Advance(seconds(30));
  EXPECT_THAT(world_.transport->requests().back().body, Not(HasSubstr(Id("a"))));
}

TEST_F(PeersTest, OnlyKnownSourcesAndBelievableTimesAreTaken) {
  upstream_.Set("a", 5);
  Start();
  const auto lease = Read("a");
  const WallTime now = world_.clock.WallNow();
  PeerMessage message;
  message.instance = "other";
  const auto value = [](WallTime time, double number) {
    return Reading{.time = time, .kind = Reading::Kind::kValue, .value = number};
  };
  message.sources = {{Id("a"), {value(now, 9), value(now + hours(1), 99)}},
                     {Id("unknown"), {value(now, 7)}}};
  message.values = {{"nightly", {3, now}}, {"tomorrow", {4, now + hours(1)}}};
  const Result<std::string> answer = peers_->TakeReadings(EncodePeerMessage(message));
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, R"({"instance":"me"})");
  ASSERT_EQ(lease->window()->size(), 1U);
  EXPECT_EQ(lease->window()->back().value, 9);
  EXPECT_EQ(poller_->ids().size(), 1U);
  EXPECT_TRUE(world_.pushed.Get("nightly"));
  EXPECT_FALSE(world_.pushed.Get("tomorrow"));
  EXPECT_FALSE(peers_->TakeReadings("{}"));
}

TEST_F(PeersTest, AValueSetHereIsToldAtOnce) {
  Start();
  world_.pushed.Set("nightly", {3, world_.clock.WallNow()});
  peers_->PublishValue("nightly");
  world_.executor.RunReady();
  const Result<PeerMessage> message = DecodePeerMessage(world_.transport->requests().back().body);
  ASSERT_EQ(message->values.size(), 1U);
  EXPECT_EQ(message->values[0].name, "nightly");
}

TEST_F(PeersTest, WindowsAreGivenInPages) {
  upstream_.Set("a", 5);
  upstream_.Set("b", 6);
  Start();
  const auto a = Read("a");
  const auto b = Read("b");
  PeerMessage question;
  question.instance = "other";
  question.ids = {Id("unknown"), Id("a"), Id("b")};
  const Result<PeerMessage> answer =
      DecodePeerMessage(*peers_->GiveWindows(EncodePeerMessage(question)));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->answered, 3U);
  ASSERT_EQ(answer->sources.size(), 2U);
  EXPECT_EQ(answer->sources[0].id, Id("a"));

  // A sibling that looks up one id at a time is asked again for the others.
  std::vector<std::vector<std::string>> asked;
  answer_ = [&](const HttpRequest& request) -> Result<HttpResponse> {
    const Result<PeerMessage> message = DecodePeerMessage(request.body);
    if (message->ids.empty()) return Typical(request);
    asked.push_back(message->ids);
    PeerMessage one;
    one.instance = "other";
    one.answered = 1;
    return Ok(one);
  };
  peers_->Fetch("x", [] {});
  peers_->Fetch("y", [] {});
  world_.executor.RunReady();
  EXPECT_THAT(asked, ElementsAre(ElementsAre("x", "y"), ElementsAre("y")));
}

TEST_F(PeersTest, ANewSourceHasItsPastBeforeItsFirstPoll) {
  Start();
  const WallTime slot = world_.clock.WallNow();
  answer_ = [&](const HttpRequest& request) -> Result<HttpResponse> {
    const Result<PeerMessage> message = DecodePeerMessage(request.body);
    if (message->ids.empty()) return Typical(request);
    EXPECT_TRUE(upstream_.polls("a").empty());
    PeerMessage windows;
    windows.instance = "other";
    windows.sources = {
        {message->ids[0],
         {{.time = slot - seconds(15), .kind = Reading::Kind::kValue, .value = 40}}}};
    windows.answered = 1;
    return Ok(windows);
  };
  upstream_.Set("a", 5);
  const auto lease = Read("a", std::chrono::minutes(5));
  ASSERT_EQ(lease->window()->size(), 2U);
  EXPECT_EQ(lease->window()->front().value, 40);
  EXPECT_EQ(lease->window()->back().value, 5);
}

/// Never runs what it is given: a name server that does not answer, siblings that do not.
class Stuck final : public Executor {
 public:
  void Post(Work) override {}
  void PostAt(MonoTime, Work) override {}
};

TEST_F(PeersTest, NobodyWaitsForLongForWhoDoesNotAnswer) {
  Stuck stuck;
  Peers peers(
      {.instance = "me", .service = "stoker.svc", .addresses = {}, .secure = false, .token = {}},
      {world_.clock,
       world_.executor,
       stuck,
       *world_.transport,
       names_,
       world_.pushed,
       observed_,
       world_.logger});
  Poller poller(world_.clock, world_.executor, world_.executor, observed_, world_.logger, &peers);
  peers.Start(poller, 8080);
  bool done = false;
  peers.Fetch("x", [&] { done = true; });
  world_.clock.Advance(milliseconds(2999));
  EXPECT_FALSE(done);
  world_.clock.Advance(milliseconds(1));
  EXPECT_TRUE(done);

  bool later = false;
  peers.Fetch("y", [&] { later = true; });
  world_.clock.Advance(milliseconds(200));
  EXPECT_TRUE(later);
}

}  // namespace
}  // namespace stoker::adapter
