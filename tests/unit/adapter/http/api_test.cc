#include "adapter/http/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "adapter/http/bearer_auth.h"
#include "adapter/http/hints_api.h"
#include "adapter/http/manual_api.h"
#include "adapter/http/peers_api.h"
#include "core/text.h"
#include "tests/testing/fakes.h"
#include "tests/unit/adapter/sample_decisions.h"

namespace stoker::adapter {
namespace {

using ::nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAreArray;

class ApiTest : public ::testing::Test {
 protected:
  static HttpListener Listener() {
    HttpListener listener;
    listener.listen = "127.0.0.1:8080";
    return listener;
  }
  [[nodiscard]] HttpReply Get(const std::string& path,
                              std::vector<std::pair<std::string, std::string>> query = {}) const {
    ApiRequest request;
    request.path = path;
    request.query = std::move(query);
    return api_.Handle(request);
  }
  /// The answer of a request that must succeed.
  [[nodiscard]] json Read(const std::string& path,
                          std::vector<std::pair<std::string, std::string>> query = {}) const {
    const HttpReply reply = Get(path, std::move(query));
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.content_type, "application/json");
    return json::parse(reply.body);
  }

  testing::FakeWorld fakes_;
  Metrics metrics_{fakes_.clock, "1.2.3"};
  SampleDecisions world_ = SampleWorld();
  BearerAuth auth_{Listener(), fakes_.files};
  Api api_{{world_, metrics_, auth_, true}};
  scalers::PushedValues values_;
  capacity::ChoiceLog choices_;
  ManualApi manual_{{world_, values_, fakes_.clock, fakes_.logger, nullptr}};
};

TEST_F(ApiTest, TargetsAreListedWithTheirHeadline) {
  const json list = Read("/api/v1/targets");
  ASSERT_EQ(list["items"].size(), 3U);
  EXPECT_FALSE(list.contains("next"));
  const json& nightly = list["items"][0];
  EXPECT_EQ(nightly["namespace"], "team-a");
  EXPECT_EQ(nightly["scaled_object"], "nightly");
  EXPECT_EQ(nightly["policy"], "etl");
  EXPECT_EQ(nightly["inline"], false);
  EXPECT_EQ(nightly["last_asked"], "2026-01-05T08:00:09Z");
  EXPECT_EQ(nightly["decision"]["target_replicas"], 15);
  EXPECT_EQ(nightly["decision"]["target_executors"], 30);
  EXPECT_EQ(nightly["decision"]["active"], true);
  EXPECT_EQ(nightly["decision"]["held"], true);
  EXPECT_EQ(nightly["decision"]["bound"], "none");
  EXPECT_EQ(nightly["decision"]["error"], nullptr);
  EXPECT_FALSE(nightly["decision"]["summary"].get<std::string>().empty());
}

TEST_F(ApiTest, ADecisionInErrorHasNoTarget) {
  const json broken = Read("/api/v1/targets/team-c/broken")["items"][0]["decision"];
  EXPECT_EQ(broken["target_replicas"], nullptr);
  EXPECT_EQ(broken["target_executors"], nullptr);
  EXPECT_EQ(broken["active"], false);
  EXPECT_EQ(broken["error"]["code"], "unavailable");
  EXPECT_EQ(broken["error"]["message"], "busy has had no good reading for 31m");
}

TEST_F(ApiTest, ATargetIsExplainedWhole) {
  const json items = Read("/api/v1/targets/team-a/nightly")["items"];
  ASSERT_EQ(items.size(), 1U);
  const json& decision = items[0]["decision"];
  EXPECT_EQ(decision["combined"], 12);
  EXPECT_EQ(decision["with_headroom"], 15);
  EXPECT_EQ(decision["stepped"], 15);
  EXPECT_EQ(decision["time"], "2026-01-05T08:00:10Z");
  EXPECT_EQ(decision["valid_until"], "2026-01-05T08:02:00Z");
  const json& backlog = decision["signals"][0];
  EXPECT_EQ(backlog["name"], "backlog");
  EXPECT_EQ(backlog["state"], "fresh");
  EXPECT_EQ(backlog["value"], 60);
  EXPECT_EQ(backlog["demand_replicas"], 12);
  EXPECT_EQ(backlog["age_seconds"], 10);
  EXPECT_EQ(backlog["winner"], true);
  EXPECT_EQ(backlog["error"], nullptr);
  EXPECT_EQ(backlog["next_change"], "2026-01-05T18:00:00Z");
  const json& busy = decision["signals"][1];
  EXPECT_EQ(busy["state"], "held");
  EXPECT_THAT(busy["error"], HasSubstr("503"));
  EXPECT_EQ(busy["warnings"], json::parse(R"(["results may be partial"])"));
  EXPECT_EQ(busy["next_change"], nullptr);
  EXPECT_EQ(items[0]["definition"]["headroom_percent"], 25);
  EXPECT_EQ(items[0]["definition"]["stabilization_seconds"], 300);
  EXPECT_EQ(items[0]["definition"]["signals"][0]["target_size"], 5);
}

TEST_F(ApiTest, TheHeadroomIsShown) {
  const json list = Read("/api/v1/policies");
  const json& brief = list["items"][0]["decision"]["headroom"];
  EXPECT_EQ(brief["headroom_executors"], 6);
  EXPECT_EQ(brief["wanted_executors"], 30);
  EXPECT_EQ(brief["wanted_ahead_executors"], 40);
  EXPECT_EQ(brief["running_executors"], 28);
  EXPECT_EQ(brief["pending_executors"], 6);
  EXPECT_EQ(brief["lead_seconds"], 195);
  EXPECT_EQ(brief["lead_source"], "measured");
  EXPECT_EQ(brief["lead_samples"], 12);
  EXPECT_EQ(brief["error"], nullptr);
  const json whole = Read("/api/v1/policies/etl");
  EXPECT_EQ(whole["decision"]["headroom"]["signals"][0]["name"], "running");
  EXPECT_THAT(
      whole["decision"]["summary"],
      HasSubstr("makes room for 6 (40 wanted within 3m15s, measured; 28 running; 6 pending)"));
}

TEST_F(ApiTest, AnUnknownHeadroomIsNoNumber) {
  policy::Decision decision = SampleDecision();
  decision.headroom->error = Error{ErrorCode::kUnavailable, "capacity: no reading"};
  world_.policies[0].decision = Shared(decision);
  const json policy = Read("/api/v1/policies/etl")["decision"];
  EXPECT_EQ(policy["headroom"]["headroom_executors"], nullptr);
  EXPECT_EQ(policy["headroom"]["error"]["code"], "unavailable");
  EXPECT_EQ(policy["target_replicas"], 15);
  decision.headroom.reset();
  world_.policies[0].decision = Shared(decision);
  EXPECT_EQ(Read("/api/v1/policies/etl")["decision"]["headroom"], nullptr);
}

TEST_F(ApiTest, PlaceholdersShowTheHeadroomAsTheirTarget) {
  world_.objects[0].headroom = true;
  world_.objects[0].decision = Shared(policy::HeadroomDecision(SampleDecision()));
  const json item = Read("/api/v1/targets/team-a/nightly")["items"][0];
  EXPECT_EQ(item["output"], "headroom");
  EXPECT_EQ(item["decision"]["target_replicas"], 6);
  EXPECT_EQ(item["decision"]["summary"],
            "room for 6 executors: 40 wanted within 3m15s, measured; 28 running; 6 pending");
}

TEST_F(ApiTest, AllTriggersOfAnObjectAreShown) {
  world_.objects.push_back(SampleObject("team-a", "nightly", "hours"));
  world_.objects.push_back(SampleObject("team-a", "nightly", "etl"));
  const json items = Read("/api/v1/targets/team-a/nightly")["items"];
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0]["policy"], "etl");
  EXPECT_EQ(items[2]["policy"], "hours");
}

TEST_F(ApiTest, BeforeTheFirstDecisionThereIsNone) {
  EXPECT_EQ(Read("/api/v1/policies/night")["decision"], nullptr);
  EXPECT_EQ(Read("/api/v1/policies")["items"][1]["decision"], nullptr);
  EXPECT_EQ(Read("/api/v1/policies")["items"][1]["retired"], true);
}

TEST_F(ApiTest, SignalsShowTheirConnectionAndWhatWasLastSeen) {
  const json items = Read("/api/v1/signals")["items"];
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0]["policy"], "etl");
  EXPECT_EQ(items[0]["name"], "backlog");
  EXPECT_EQ(items[0]["connection"], "lake");
  EXPECT_EQ(items[0]["latest"]["value"], 60);
}

TEST_F(ApiTest, InlineObjectsKeepTheirMetadataToThemselves) {
  policy::Policy policy = SamplePolicy();
  policy.combine = policy::Combine::kExpression;
  const auto expression = policy::Expression::Compile("backlog + 3141", {"backlog", "busy"});
  ASSERT_TRUE(expression.has_value());
  policy.expression = *expression;
  world_.objects[1].definition = std::make_shared<const policy::Policy>(policy);
  const std::string body = Get("/api/v1/targets/team-b/adhoc").body;
  EXPECT_THAT(body, Not(HasSubstr("3141")));
  EXPECT_THAT(Get("/api/v1/targets").body, Not(HasSubstr("3141")));
  EXPECT_THAT(body, Not(HasSubstr("results may be partial")));
  EXPECT_THAT(body, HasSubstr("1 from the upstream, not shown for inline objects"));

  world_.objects[0].definition = world_.objects[1].definition;
  EXPECT_THAT(Get("/api/v1/targets/team-a/nightly").body, HasSubstr("backlog + 3141"));
}

TEST_F(ApiTest, NumbersThatAreNoneAreNull) {
  policy::Decision decision = SampleDecision();
  decision.combined = std::numeric_limits<double>::infinity();
  decision.signals[0].value = std::numeric_limits<double>::quiet_NaN();
  world_.objects[0].decision = Shared(decision);
  const json read = Read("/api/v1/targets/team-a/nightly")["items"][0]["decision"];
  EXPECT_EQ(read["combined"], nullptr);
  EXPECT_EQ(read["signals"][0]["value"], nullptr);
}

TEST_F(ApiTest, BytesThatAreNoTextDoNotBreakTheAnswer) {
  world_.objects = {SampleObject("team", "bad\xff", "etl")};
  EXPECT_EQ(Read("/api/v1/targets")["items"][0]["scaled_object"], "bad\xEF\xBF\xBD");
}

TEST_F(ApiTest, PagesCoverAllItemsOnceAndInOrder) {
  world_.objects.clear();
  for (int i = 0; i < 25; ++i) {
    world_.objects.push_back(
        SampleObject("team", "job" + std::to_string(100 + (i * 7) % 25), "etl"));
  }
  world_.objects.push_back(world_.objects[3]);  // a second trigger of the same object
  std::vector<std::string> names;
  std::string next;
  int pages = 0;
  do {
    const json list = next.empty() ? Read("/api/v1/targets", {{"limit", "10"}})
                                   : Read("/api/v1/targets", {{"limit", "10"}, {"next", next}});
    EXPECT_LE(list["items"].size(), 10U);
    for (const json& item : list["items"]) names.push_back(item["scaled_object"]);
    next = list.value("next", "");
    ++pages;
  } while (!next.empty() && pages < 10);
  EXPECT_EQ(pages, 3);
  ASSERT_EQ(names.size(), 26U);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), 25U);
}

TEST_F(ApiTest, APageGoesOnWhereItWasWhenObjectsCome) {
  world_.objects = {SampleObject("team", "b", "etl"), SampleObject("team", "d", "etl")};
  const std::string next = Read("/api/v1/targets", {{"limit", "1"}})["next"];
  world_.objects.push_back(SampleObject("team", "a", "etl"));
  world_.objects.push_back(SampleObject("team", "c", "etl"));
  const json rest = Read("/api/v1/targets", {{"next", next}});
  ASSERT_EQ(rest["items"].size(), 2U);
  EXPECT_EQ(rest["items"][0]["scaled_object"], "c");
}

TEST_F(ApiTest, BadQueriesNameTheParameter) {
  for (const char* limit : {"0", "1001", "-1", "ten", ""}) {
    const HttpReply reply = Get("/api/v1/targets", {{"limit", limit}});
    EXPECT_EQ(reply.status, 400) << limit;
    const json error = json::parse(reply.body)["error"];
    EXPECT_EQ(error["code"], "invalid_argument");
    EXPECT_EQ(error["field"], "limit");
  }
  for (const char* next : {"x", "0", "zz"}) {
    const HttpReply reply = Get("/api/v1/policies", {{"next", next}});
    EXPECT_EQ(reply.status, 400) << next;
    EXPECT_EQ(json::parse(reply.body)["error"]["field"], "next");
  }
  EXPECT_EQ(Get("/api/v1/targets", {{"colour", "red"}}).status, 200);
}

TEST_F(ApiTest, WhatIsNotThereIsNotFound) {
  for (const char* path : {"/",
                           "",
                           "/api/v1",
                           "/api/v1/targets/",
                           "/api/v1/targets/team-a",
                           "/api/v1/targets/x/y",
                           "/api/v1/targets/team-a/nightly/",
                           "/api/v1/policies/none",
                           "/api/v2/targets",
                           "//metrics",
                           "/api/v1/policies/{name}"}) {
    const HttpReply reply = Get(path);
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_EQ(json::parse(reply.body)["error"]["code"], "not_found") << path;
  }
}

TEST_F(ApiTest, OnlyReadingIsAllowed) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    ApiRequest request;
    request.method = method;
    request.path = "/api/v1/targets";
    const HttpReply reply = api_.Handle(request);
    EXPECT_EQ(reply.status, 405) << method;
    EXPECT_EQ(json::parse(reply.body)["error"]["code"], "method_not_allowed");
    ASSERT_EQ(reply.headers.size(), 1U);
    EXPECT_EQ(reply.headers[0].name, "Allow");
  }
}

TEST_F(ApiTest, MetricsAreText) {
  const HttpReply reply = Get("/metrics");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(reply.body, HasSubstr("stoker_target_replicas{"));
  const Api quiet({world_, metrics_, auth_, false});
  ApiRequest request;
  request.path = "/metrics";
  EXPECT_THAT(quiet.Handle(request).body, Not(HasSubstr("stoker_target_replicas{")));
}

TEST_F(ApiTest, HealthSaysOk) { EXPECT_EQ(Read("/health")["status"], "ok"); }

TEST_F(ApiTest, OnlyExplanationsNeedAToken) {
  HttpListener listener;
  listener.listen = "0.0.0.0:8080";
  const BearerAuth strict(listener, fakes_.files);
  const Api api({world_, metrics_, strict, true});
  for (const char* path : {"/metrics", "/health", "/openapi.json"}) {
    ApiRequest request;
    request.path = path;
    EXPECT_EQ(api.Handle(request).status, 200) << path;
  }
  for (const char* path : {"/api/v1/targets",
                           "/api/v1/targets/team-a/nightly",
                           "/api/v1/policies",
                           "/api/v1/policies/etl",
                           "/api/v1/signals"}) {
    ApiRequest request;
    request.path = path;
    const HttpReply reply = api.Handle(request);
    EXPECT_EQ(reply.status, 401) << path;
    EXPECT_EQ(json::parse(reply.body)["error"]["code"], "unauthenticated");
    ASSERT_EQ(reply.headers.size(), 1U);
    EXPECT_EQ(reply.headers[0].name, "WWW-Authenticate");
    EXPECT_THAT(reply.body, Not(HasSubstr("team-a")));
  }
}

TEST_F(ApiTest, EveryRouteIsDescribedAndNothingElse) {
  manual_.AddRoutes(api_);
  const json document = Read("/openapi.json");
  AddPeerRoutes(api_, nullptr);
  AddHintsRoute(api_, world_, nullptr, choices_);
  std::vector<std::string> described;
  for (const auto& [path, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      described.push_back(method + " " + path);
      EXPECT_EQ(operation["security"].empty(), !path.starts_with("/api/")) << path;
    }
  }
  std::vector<std::string> served;
  for (const auto& [method, path] : api_.Operations()) {
    served.push_back(ToLower(method) + " " + std::string(path));
  }
  EXPECT_THAT(described, UnorderedElementsAreArray(served));
}

/// Follows the schema along with the answer: every object has the properties that are declared for
/// it, all of them, and no others.
void CheckAgainst(const json& document,
                  const json& schema,
                  const json& value,
                  const std::string& where) {
  if (schema.contains("$ref")) {
    const std::string ref = schema["$ref"];
    CheckAgainst(document, document.at(json::json_pointer(ref.substr(1))), value, where);
  } else if (schema.contains("anyOf")) {
    if (!value.is_null()) CheckAgainst(document, schema["anyOf"][0], value, where);
  } else if (value.is_array()) {
    ASSERT_EQ(schema["type"], "array") << where;
    for (const json& item : value) CheckAgainst(document, schema["items"], item, where + "[]");
  } else if (value.is_object()) {
    ASSERT_EQ(schema["type"], "object") << where;
    for (const json& key : schema.value("required", json::array())) {
      EXPECT_TRUE(value.contains(key.get<std::string>())) << where << " lacks " << key;
    }
    for (const auto& [key, part] : value.items()) {
      ASSERT_TRUE(schema["properties"].contains(key)) << where << "." << key << " is not described";
      CheckAgainst(document, schema["properties"][key], part, where + "." + key);
    }
  } else if (schema.contains("enum")) {
    EXPECT_THAT(schema["enum"], ::testing::Contains(value)) << where;
  } else {
    const json& type = schema["type"];
    const std::string got = value.is_null()      ? "null"
                            : value.is_boolean() ? "boolean"
                            : value.is_string()  ? "string"
                                                 : "number";
    const json types = type.is_array() ? type : json::array({type});
    const bool fits = std::any_of(types.begin(), types.end(), [&](const json& allowed) {
      return allowed == got || (got == "number" && allowed == "integer");
    });
    EXPECT_TRUE(fits) << where << " is a " << got;
  }
}

TEST_F(ApiTest, AnswersFitTheirDescription) {
  manual_.AddRoutes(api_);
  world_.signals = {{"etl", "batch", "manual", "", "batch"}, {"etl", "more", "manual", "", "more"}};
  values_.Set("batch", {12, fakes_.clock.WallNow()});
  const json document = Read("/openapi.json");
  const std::vector<std::pair<std::string, std::string>> calls{
      {"/api/v1/targets", "/api/v1/targets"},
      {"/api/v1/targets/{namespace}/{name}", "/api/v1/targets/team-a/nightly"},
      {"/api/v1/targets/{namespace}/{name}", "/api/v1/targets/team-c/broken"},
      {"/api/v1/policies", "/api/v1/policies"},
      {"/api/v1/policies/{name}", "/api/v1/policies/etl"},
      {"/api/v1/policies/{name}", "/api/v1/policies/night"},
      {"/api/v1/signals", "/api/v1/signals"},
      {"/api/v1/manual", "/api/v1/manual"},
      {"/api/v1/manual/{signal}", "/api/v1/manual/batch"},
      {"/api/v1/manual/{signal}", "/api/v1/manual/more"},
      {"/health", "/health"},
  };
  for (const auto& [route, path] : calls) {
    const json& ok = document["paths"][route]["get"]["responses"]["200"];
    CheckAgainst(document, ok["content"]["application/json"]["schema"], Read(path), route);
  }
  CheckAgainst(document,
               document["components"]["schemas"]["Error"],
               json::parse(Get("/nowhere").body),
               "error");
}

TEST_F(ApiTest, HintsTellHeadroomAndChoices) {
  AddHintsRoute(api_, world_, nullptr, choices_);
  policy::Policy policy = SamplePolicy();
  policy.capacity.emplace();
  policy.capacity->mechanism = policy::Mechanism::kBuffer;
  policy::Decision decision = SampleDecision();
  decision.headroom.emplace();
  decision.headroom->executors = 6;
  decision.headroom->wanted_now = 30;
  decision.headroom->wanted_ahead = 40;
  decision.headroom->running = 34;
  decision.headroom->lead.source = policy::LeadTime::Source::kMeasured;
  PolicyView known{.name = "known",
                   .retired = false,
                   .definition = std::make_shared<const policy::Policy>(policy),
                   .decision = std::make_shared<const policy::Decision>(decision)};
  decision.headroom->error = Error{ErrorCode::kUnavailable, "running: no reading for 31m"};
  PolicyView unknown = known;
  unknown.name = "unknown";
  unknown.decision = std::make_shared<const policy::Decision>(decision);
  decision.error = Error{ErrorCode::kUnavailable, "signal 'backlog' has no reading yet"};
  decision.headroom->wanted_now = decision.headroom->wanted_ahead = 0;
  PolicyView undecided = known;
  undecided.name = "undecided";
  undecided.decision = std::make_shared<const policy::Decision>(decision);
  world_.policies.push_back(unknown);
  world_.policies.push_back(undecided);
  world_.policies.push_back(known);
  capacity::ChoiceRecord record{.time = testing::At("2026-01-05T08:00:00Z"), .options = 2};
  record.choice.verdicts = {{.group = "spot-a", .chosen = true, .spot = true, .why = "cheapest"}};
  choices_.Add(record);

  const json hints = Read("/api/v1/hints");
  ASSERT_EQ(hints["items"].size(), 3U) << "policies without capacity have none";
  EXPECT_EQ(hints["items"][0]["policy"], "known");
  EXPECT_EQ(hints["items"][0]["mechanism"], "buffer");
  EXPECT_EQ(hints["items"][0]["headroom_executors"], 6);
  EXPECT_EQ(hints["items"][0]["running_executors"], 34);
  EXPECT_EQ(hints["items"][0]["pending_executors"], nullptr);
  EXPECT_EQ(hints["items"][0]["lead_seconds"], 240);
  EXPECT_EQ(hints["items"][0]["lead_measured"], true);
  EXPECT_EQ(hints["items"][0]["error"], nullptr);
  EXPECT_EQ(hints["items"][1]["wanted_executors"], nullptr) << "0 would say that none is";
  EXPECT_EQ(hints["items"][1]["wanted_ahead_executors"], nullptr);
  EXPECT_EQ(hints["items"][2]["wanted_executors"], 30) << "the target is known";
  EXPECT_EQ(hints["items"][2]["headroom_executors"], nullptr) << "nobody knows";
  EXPECT_EQ(hints["items"][2]["error"], "running: no reading for 31m");
  EXPECT_EQ(hints["expander"]["choices"][0]["node_groups"][0]["node_group"], "spot-a");
  const json document = Read("/openapi.json");
  CheckAgainst(document,
               document["paths"]["/api/v1/hints"]["get"]["responses"]["200"]["content"]
                       ["application/json"]["schema"],
               hints,
               "hints");

  const json first = Read("/api/v1/hints", {{"limit", "1"}});
  ASSERT_EQ(first["items"].size(), 1U);
  const json second = Read("/api/v1/hints", {{"next", first["next"].get<std::string>()}});
  ASSERT_EQ(second["items"].size(), 2U);
  EXPECT_EQ(second["items"][1]["policy"], "unknown");
  EXPECT_FALSE(second.contains("next"));
}

}  // namespace
}  // namespace stoker::adapter
