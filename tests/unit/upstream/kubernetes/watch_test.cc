#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_kubernetes.h"
#include "tests/testing/fake_waiter.h"
#include "tests/testing/fakes.h"
#include "upstream/kubernetes/client.h"

namespace stoker::kubernetes {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const Resource kMaps{"", "v1", "configmaps", "stoker", ""};

TEST(WatchStream, PutsLinesTogetherWhereverTheyAreCut) {
  const std::string text =
      "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"}}}\n\n"
      "{\"type\":\"NEW\",\"object\":{}}\r\n"
      "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"}}}\n";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    WatchStream stream;
    std::vector<WatchEvent> all;
    for (std::size_t at = 0; at < text.size(); at += size) {
      auto events = stream.Feed(std::string_view(text).substr(at, size));
      ASSERT_TRUE(events) << events.error().message;
      for (WatchEvent& event : *events) all.push_back(std::move(event));
    }
    ASSERT_THAT(all, SizeIs(2));
    EXPECT_EQ(all[0].type, WatchEvent::Type::kAdded);
    EXPECT_EQ(all[0].resource_version(), "7");
    EXPECT_EQ(all[1].type, WatchEvent::Type::kBookmark);
    EXPECT_EQ(all[1].resource_version(), "9");
  }
}

TEST(WatchStream, RefusesWhatIsNoWatchOrTooLong) {
  for (const char* line : {"<html>\n", "{}\n", "[]\n", "{\"type\":\"ADDED\",\"object\":1}\n"}) {
    const auto events = WatchStream().Feed(line);
    ASSERT_FALSE(events) << line;
    EXPECT_EQ(events.error().code, ErrorCode::kUnavailable);
  }
  WatchStream stream(10);
  EXPECT_TRUE(stream.Feed("{\"type\":"));
  EXPECT_EQ(stream.Feed("\"ADDED\"").error().code, ErrorCode::kResourceExhausted);
}

/// Writes down what it is told: "list a b", "ADDED a", "fault ...".
struct Recorder final : WatchHandler {
  std::vector<std::string> told;
  std::function<void()> then = [] {};

  void OnList(const ObjectList& list) override {
    std::string line = "list";
    for (const json& item : list.items) line += " " + item["metadata"]["name"].get<std::string>();
    Tell(line);
  }
  void OnEvent(const WatchEvent& event) override {
    const char* const names[] = {"ADDED", "MODIFIED", "DELETED"};
    Tell(std::string(names[static_cast<int>(event.type)]) + " " +
         event.object["metadata"]["name"].get<std::string>());
  }
  void OnFault(const ApiError& error) override { Tell("fault " + error.error.message); }
  void Tell(const std::string& line) {
    told.push_back(line);
    then();
  }
};

struct Watching : ::testing::Test {
  testing::FakeWorld world;
  testing::FakeKubernetes cluster;
  std::shared_ptr<testing::FakeWaiter> waiter = std::make_shared<testing::FakeWaiter>(world.clock);
  std::unique_ptr<Client> client;
  Recorder recorder;
  std::string version;
  std::stop_source stop;

  void SetUp() override {
    cluster.Join(world);
    client = *Client::InCluster({world.clock,
                                 world.random,
                                 world.environment,
                                 world.files,
                                 world.transports,
                                 world.observer,
                                 waiter});
  }
  void Put(const std::string& name, const std::string& value) {
    Resource resource = kMaps;
    resource.name = name;
    cluster.Put(resource,
                {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"data", {{"key", value}}}});
  }
  Answer<void> Watch(Duration limit = seconds(10), const Selectors& selectors = {}) {
    return client->Watch(
        kMaps, selectors, recorder, version, world.clock.MonotonicNow() + limit, stop.get_token());
  }
};

TEST_F(Watching, ListsAndThenFollows) {
  Put("a", "1");
  recorder.then = [&] {
    if (recorder.told.size() == 1) {
      Put("b", "1");
      Put("a", "2");
      Resource a = kMaps;
      a.name = "a";
      cluster.Remove(a);
    }
  };
  ASSERT_TRUE(Watch());
  EXPECT_THAT(recorder.told, ElementsAre("list a", "ADDED b", "MODIFIED a", "DELETED a"));
  EXPECT_THAT(cluster.requests()[1],
              HasSubstr("watch=true&allowWatchBookmarks=true&timeoutSeconds=240&resourceVersion="));
}

TEST_F(Watching, GoesOnWhereItWas) {
  ASSERT_TRUE(Watch());
  Put("a", "1");
  ASSERT_TRUE(Watch());
  EXPECT_THAT(recorder.told, ElementsAre("list", "ADDED a"));
}

TEST_F(Watching, BookmarksMoveItOnSoThatNothingIsForgotten) {
  ASSERT_TRUE(Watch());
  const std::string before = version;
  Resource other{"", "v1", "pods", "stoker", "p"};
  cluster.Put(other, {{"apiVersion", "v1"}, {"kind", "Pod"}});
  ASSERT_TRUE(Watch());
  EXPECT_NE(version, before);
  EXPECT_THAT(recorder.told, ElementsAre("list"));
}

TEST_F(Watching, ListsAnewWhenTheServerHasForgotten) {
  Put("a", "1");
  ASSERT_TRUE(Watch());
  Put("b", "1");
  cluster.Compact();
  ASSERT_TRUE(Watch());
  EXPECT_THAT(recorder.told, ElementsAre("list a", "list a b"));
  cluster.AnswerNext({.status = 410, .body = "{}"});
  ASSERT_TRUE(Watch());
  EXPECT_THAT(recorder.told, ElementsAre("list a", "list a b", "list a b"));
}

TEST_F(Watching, BrokenStreamsAreResumedAfterAGrowingWait) {
  ASSERT_TRUE(Watch(seconds(1)));
  waiter->waits.clear();
  cluster.AnswerNext({.status = 0}, 3);
  cluster.AnswerNext({.status = 500, .body = "{}"});
  recorder.then = [&] {
    if (recorder.told.size() == 5) Put("a", "1");
  };
  ASSERT_TRUE(Watch(seconds(20)));
  EXPECT_THAT(recorder.told, Contains("ADDED a"));
  ASSERT_GE(waiter->waits.size(), 4U);
  waiter->waits.resize(4);
  EXPECT_THAT(waiter->waits, ElementsAre(seconds(1), seconds(2), seconds(4), seconds(8)));
  EXPECT_THAT(recorder.told[1], HasSubstr("fault"));
}

TEST_F(Watching, AServerThatEndsStreamsAtOnceIsNotAskedInACircle) {
  ASSERT_TRUE(Watch(std::chrono::hours(1)));
  EXPECT_LT(cluster.requests().size(), 140U);
  for (const Duration wait : waiter->waits) EXPECT_LE(wait, seconds(30));
}

TEST_F(Watching, AServerThatForgetsAtOnceIsNotAskedInACircle) {
  world.transport->set_handler([&](const HttpRequest& request) -> Result<HttpResponse> {
    if (request.on_body) return HttpResponse{.status = 410, .body = "{}"};
    return cluster.Handle(request);
  });
  ASSERT_TRUE(Watch(std::chrono::minutes(10)));
  EXPECT_LT(recorder.told.size(), 30U);
}

TEST_F(Watching, WhatDoesNotMendItselfEndsIt) {
  cluster.Forbid("watch", "configmaps");
  auto watched = Watch();
  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().reason, Reason::kForbidden);
  EXPECT_THAT(watched.error().error.message, HasSubstr("verb watch on resource configmaps"));
  cluster.Serve("", "v1", "configmaps", "");
  watched = Watch();
  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().reason, Reason::kUnknownKind);
}

TEST_F(Watching, NonsenseInAStreamIsAFaultAndTriedAgain) {
  ASSERT_TRUE(Watch(seconds(1)));
  int streams = 0;
  world.transport->set_handler([&](const HttpRequest& request) -> Result<HttpResponse> {
    if (request.on_body && ++streams == 1) {
      EXPECT_FALSE(request.on_body("nonsense\n"));
      return Fail(ErrorCode::kCancelled, "ended");
    }
    return cluster.Handle(request);
  });
  Put("a", "1");
  ASSERT_TRUE(Watch(seconds(5)));
  EXPECT_THAT(recorder.told,
              ElementsAre("list", "fault the answer is not the API server's watch", "ADDED a"));
}

TEST_F(Watching, AStopEndsIt) {
  recorder.then = [&] { stop.request_stop(); };
  ASSERT_TRUE(Watch(std::chrono::hours(1)));
  EXPECT_THAT(cluster.requests(), SizeIs(1));
}

TEST_F(Watching, SelectorsChooseWhatIsTold) {
  ASSERT_TRUE(Watch(seconds(1), {.fields = "metadata.name=b"}));
  Put("a", "1");
  Put("b", "1");
  ASSERT_TRUE(Watch(seconds(1), {.fields = "metadata.name=b"}));
  EXPECT_THAT(recorder.told, ElementsAre("list", "ADDED b"));
}

}  // namespace
}  // namespace stoker::kubernetes
