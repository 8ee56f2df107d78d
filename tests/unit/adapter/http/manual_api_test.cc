#include "adapter/http/manual_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/testing/fakes.h"
#include "tests/unit/adapter/sample_decisions.h"

namespace stoker::adapter {
namespace {

using ::nlohmann::json;
using scalers::PushedValue;
using std::chrono::milliseconds;
using std::chrono::minutes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ManualApiTest : public ::testing::Test {
 protected:
  ManualApiTest() {
    world_.signals = {{"etl", "batch", "manual", "", "nightly-batch"},
                      {"etl", "files", "directory", "", ""},
                      {"other", "again", "manual", "", "nightly-batch"},
                      {"other", "tests", "manual", "", "load-test"}};
    manual_.AddRoutes(api_);
  }
  static HttpListener Listener() {
    HttpListener listener;
    listener.listen = "0.0.0.0:8080";
    listener.tokens_file = "/tokens";
    return listener;
  }
  HttpReply Send(const std::string& method,
                 const std::string& path,
                 const std::string& body = "",
                 const std::string& token = "secret") {
    fakes_.files.Write("/tokens", "secret");
    ApiRequest request;
    request.method = method;
    request.path = path;
    request.body = body;
    request.authorization = "Bearer " + token;
    return api_.Handle(request);
  }
  json Read(const std::string& method, const std::string& path, const std::string& body = "") {
    const HttpReply reply = Send(method, path, body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return json::parse(reply.body);
  }

  testing::FakeWorld fakes_;
  Metrics metrics_{fakes_.clock, "1.2.3"};
  SampleDecisions world_ = SampleWorld();
  BearerAuth auth_{Listener(), fakes_.files};
  Api api_{{world_, metrics_, auth_, true}};
  scalers::PushedValues values_;
  std::vector<std::pair<std::string, PushedValue>> forwarded_;
  ManualApi manual_{{world_,
                     values_,
                     fakes_.clock,
                     fakes_.logger,
                     [this](const std::string& name, const PushedValue& value) {
                       forwarded_.emplace_back(name, value);
                     }}};
};

TEST_F(ManualApiTest, AValueIsSetAndShown) {
  const json unset = Read("GET", "/api/v1/manual/nightly-batch");
  EXPECT_EQ(unset["value"], nullptr);
  EXPECT_EQ(unset["time"], nullptr);
  const json set = Read("PUT", "/api/v1/manual/nightly-batch", R"({"value": 12.5})");
  EXPECT_EQ(set["signal"], "nightly-batch");
  EXPECT_EQ(set["value"], 12.5);
  EXPECT_EQ(set["time"], "2026-01-05T00:00:00Z");
  EXPECT_EQ(Read("GET", "/api/v1/manual/nightly-batch"), set);
  EXPECT_EQ(values_.Get("nightly-batch"), (PushedValue{12.5, fakes_.clock.WallNow()}));
}

TEST_F(ManualApiTest, TheListHasEveryNameOnceWithWhoReadsIt) {
  Read("PUT", "/api/v1/manual/nightly-batch", R"({"value": 0})");
  const json items = Read("GET", "/api/v1/manual")["items"];
  ASSERT_THAT(items, SizeIs(2));
  EXPECT_EQ(items[0]["signal"], "load-test");
  EXPECT_EQ(items[0]["value"], nullptr);
  EXPECT_EQ(items[1]["value"], 0);
  EXPECT_EQ(items[1]["policies"], json::parse(R"(["etl", "other"])"));
}

TEST_F(ManualApiTest, EachChangeIsOneLineInTheLog) {
  for (const char* value : {"12", "12", "3"}) {
    Read("PUT", "/api/v1/manual/load-test", R"({"value": )" + std::string(value) + "}");
  }
  EXPECT_THAT(fakes_.logger.lines(),
              ElementsAre("info manual signal set signal=load-test value=12",
                          "info manual signal set signal=load-test value=3"));
}

TEST_F(ManualApiTest, WhatIsSetIsForwarded) {
  Read("PUT", "/api/v1/manual/load-test", R"({"value": 12})");
  Read("PUT", "/api/v1/manual/load-test", R"({"value": 12})");
  ASSERT_THAT(forwarded_, SizeIs(2)) << "the same value again is younger";
  EXPECT_EQ(forwarded_[0].first, "load-test");
  EXPECT_EQ(forwarded_[1].second, values_.Get("load-test"));
}

TEST_F(ManualApiTest, TheLastOneWinsWhateverTheClocksSay) {
  const WallTime ahead = fakes_.clock.WallNow() + minutes(5);
  values_.Set("load-test", {20, ahead});  // by a replica whose clock is ahead
  EXPECT_EQ(Read("PUT", "/api/v1/manual/load-test", R"({"value": 3})")["value"], 3);
  EXPECT_EQ(values_.Get("load-test"), (PushedValue{3, ahead + milliseconds(1)}));
  EXPECT_EQ(Read("PUT", "/api/v1/manual/load-test", R"({"value": 2})")["value"], 2);
}

TEST_F(ManualApiTest, AnUnknownNameIsNotFoundWithTheNearest) {
  const HttpReply reply = Send("PUT", "/api/v1/manual/nightly-bach", R"({"value": 1})");
  EXPECT_EQ(reply.status, 404);
  EXPECT_THAT(reply.body, HasSubstr("did you mean 'nightly-batch'?"));
  EXPECT_EQ(Send("GET", "/api/v1/manual/files").status, 404);
  EXPECT_THAT(values_.All(), IsEmpty());
  world_.signals.clear();
  EXPECT_THAT(Send("GET", "/api/v1/manual/files").body, HasSubstr("server.manual.enabled: true"));
  EXPECT_THAT(Read("GET", "/api/v1/manual")["items"], IsEmpty());
}

TEST_F(ManualApiTest, ABodyThatIsNoValueIsRefused) {
  struct Case {
    const char* body;
    const char* field;
  };
  for (const Case& each : {Case{"", ""},
                           Case{"12", ""},
                           Case{"[1]", ""},
                           Case{R"({"value": 1e999})", ""},
                           Case{"{}", "value"},
                           Case{R"({"value": -1})", "value"},
                           Case{R"({"value": "12"})", "value"},
                           Case{R"({"value": null})", "value"},
                           Case{R"({"valeu": 12})", "valeu"}}) {
    const HttpReply reply = Send("PUT", "/api/v1/manual/load-test", each.body);
    EXPECT_EQ(reply.status, 400) << each.body;
    EXPECT_EQ(json::parse(reply.body)["error"].value("field", ""), each.field) << each.body;
  }
  EXPECT_THAT(values_.All(), IsEmpty());
}

TEST_F(ManualApiTest, NeedsAToken) {
  EXPECT_EQ(Send("PUT", "/api/v1/manual/load-test", R"({"value": 1})", "guess").status, 401);
  EXPECT_EQ(Send("GET", "/api/v1/manual/load-test", "", "guess").status, 401);
  EXPECT_EQ(Send("GET", "/api/v1/manual", "", "guess").status, 401);
  EXPECT_THAT(values_.All(), IsEmpty());
}

TEST_F(ManualApiTest, ControlsOfTheE2eServerAreThereInItsModeAlone) {
  EXPECT_EQ(Send("POST", "/api/value/10").status, 404);
  manual_.AddKedaE2eRoutes(api_);
  EXPECT_EQ(Send("GET", "/ready", "", "").status, 200);
  EXPECT_EQ(Send("POST", "/api/value/10", "", "").status, 200);
  EXPECT_EQ(values_.Get("external-scaler-e2e-test")->value, 10);
  EXPECT_EQ(Send("GET", "/api/floatvalue/22.222", "", "").status, 200);
  EXPECT_EQ(values_.Get("external-scaler-e2e-test")->value, 22.222);
  EXPECT_EQ(Send("POST", "/api/value/many").status, 400);
  EXPECT_EQ(Send("POST", "/api/value/-1").status, 400);
}

}  // namespace
}  // namespace stoker::adapter
