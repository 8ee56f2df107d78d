#include "cli/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "adapter/http/api.h"
#include "tests/testing/fakes.h"
#include "tests/unit/adapter/sample_decisions.h"

namespace stoker::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// The real API behind a transport that needs no socket.
class ExplainTest : public ::testing::Test {
 protected:
  ExplainTest() {
    fakes_.transport->set_handler([this](const HttpRequest& request) { return Answer(request); });
  }

  Result<HttpResponse> Answer(const HttpRequest& request) {
    const std::string prefix = "http://127.0.0.1:8080";
    if (!request.url.starts_with(prefix)) return Fail(ErrorCode::kUnavailable, "no such host");
    adapter::ApiRequest api_request;
    const std::string rest = request.url.substr(prefix.size());
    api_request.path = rest.substr(0, rest.find('?'));
    if (const std::size_t next = rest.find("next="); next != std::string::npos) {
      api_request.query.emplace_back("next", rest.substr(next + 5));
      api_request.query.emplace_back("limit", "1");
    } else if (rest.find('?') != std::string::npos) {
      api_request.query.emplace_back("limit", "1");  // pages as small as can be
    }
    for (const HttpHeader& header : request.headers) {
      if (header.name == "Authorization") api_request.authorization = header.value;
    }
    const adapter::HttpReply reply = api_->Handle(api_request);
    return HttpResponse{reply.status, {}, reply.body};
  }

  int Run(ExplainOptions options) {
    out_.str("");
    err_.str("");
    return Explain(options, *fakes_.transport, fakes_.clock, fakes_.files, terminal_);
  }

  void UseTokens(const std::string& tokens) {
    fakes_.files.Write("/server/tokens", tokens);
    listener_.tokens_file = "/server/tokens";
    auth_ = std::make_unique<adapter::BearerAuth>(listener_, fakes_.files);
    api_ = std::make_unique<adapter::Api>(adapter::Api::Deps{world_, metrics_, *auth_, true});
  }

  testing::FakeWorld fakes_;
  adapter::SampleDecisions world_ = adapter::SampleWorld();
  adapter::Metrics metrics_{fakes_.clock, "1"};
  adapter::HttpListener listener_{.listen = "127.0.0.1:8080"};
  std::unique_ptr<adapter::BearerAuth> auth_ =
      std::make_unique<adapter::BearerAuth>(listener_, fakes_.files);
  std::unique_ptr<adapter::Api> api_ =
      std::make_unique<adapter::Api>(adapter::Api::Deps{world_, metrics_, *auth_, true});
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream err_;
  Terminal terminal_{.in = in_, .out = out_, .err = err_};
};

TEST_F(ExplainTest, ShowsTheWholeWhyOfATarget) {
  EXPECT_EQ(Run({.target = "team-a/nightly"}), kOk) << err_.str();
  const std::string summary = policy::Summarize(adapter::SamplePolicy(), adapter::SampleDecision());
  EXPECT_EQ(
      out_.str(),
      "team-a/nightly, policy etl\n"
      "  " +
          summary +
          "\n"
          "\n"
          "     SIGNAL   TYPE        VALUE  AGE    DEMAND  STATE\n"
          "  *  backlog  s3          60     10s    12      fresh\n"
          "     busy     prometheus  32     2m10s  4       held\n"
          "  * its demand is the combined one\n"
          "\n"
          "  combined (max)    12\n"
          "  headroom 25%      15\n"
          "  min 0, max 50     15\n"
          "  stabilization 5m  15\n"
          "  target            15  x 2 = 30 executors\n"
          "\n"
          "  room for executors to come\n"
          "  wanted within 3m15s  40  lead time measured\n"
          "  wanted now           30\n"
          "  running              28\n"
          "  pending              6\n"
          "  room                 6\n"
          "\n"
          "  backlog: 1 request\n"
          "  backlog: changes next at 2026-01-05T18:00:00Z\n"
          "  busy: localhost:9090 answered 503; the last good reading is held\n"
          "  busy: warning: results may be partial\n"
          "  busy: forecast 40 (28 to 44) at 2026-01-05T08:15:00Z; not used: 3% less loss than "
          "naive, 5% less are needed\n"
          "\n"
          "  as of 2026-01-05T08:00:10Z, holds until 2026-01-05T08:02:00Z unless a reading "
          "changes\n");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(ExplainTest, SaysWhichStepChangedTheNumber) {
  policy::Policy policy = adapter::SamplePolicy();
  policy.replicas.max = 10;
  policy.scale_down.step = {.percent = false, .amount = 5, .period = std::chrono::seconds(30)};
  policy::Decision decision = adapter::SampleDecision();
  decision.clamped = 10;
  decision.stabilized = 20;
  decision.stepped = 25;
  decision.signals[0].at_least = true;
  decision.signals[1].active = false;
  world_.objects[0].definition = std::make_shared<const policy::Policy>(policy);
  world_.objects[0].decision = adapter::Shared(decision);
  EXPECT_EQ(Run({.target = "team-a/nightly"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("min 0, max 10     10  capped by max\n"));
  EXPECT_THAT(out_.str(), HasSubstr("stabilization 5m  20  kept up by an earlier peak\n"));
  EXPECT_THAT(out_.str(), HasSubstr("step 5/30s        25  goes down in steps\n"));
  EXPECT_THAT(out_.str(), HasSubstr(">=60"));
  EXPECT_THAT(out_.str(), HasSubstr("held, not active\n"));
}

TEST_F(ExplainTest, AChangeThatTheDetailTellsIsNotToldTwice) {
  policy::Decision decision = adapter::SampleDecision();
  decision.signals[0].detail = "open, changes at 2026-01-05T18:00:00Z";
  world_.objects[0].decision = adapter::Shared(decision);
  EXPECT_EQ(Run({.target = "team-a/nightly"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("  backlog: open, changes at 2026-01-05T18:00:00Z\n"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("changes next at")));
}

TEST_F(ExplainTest, ATargetInErrorIsANo) {
  EXPECT_EQ(Run({.target = "team-c/broken"}), kNo);
  EXPECT_THAT(out_.str(), HasSubstr("busy has had no good reading for 31m"));
  EXPECT_THAT(out_.str(), HasSubstr("KEDA gets UNAVAILABLE"));
  EXPECT_THAT(out_.str(), HasSubstr("target            -\n"));
}

TEST_F(ExplainTest, APolicyCanBeExplained) {
  EXPECT_EQ(Run({.policy = "etl"}), kOk);
  EXPECT_THAT(out_.str(), StartsWith("policy etl\n"));
  EXPECT_EQ(Run({.policy = "night"}), kNo);
  EXPECT_EQ(out_.str(),
            "policy night (no longer in the configuration)\n"
            "  no decision yet: the first readings are not there\n");
}

TEST_F(ExplainTest, WithoutANameEverythingHasALine) {
  EXPECT_EQ(Run({}), kNo);  // team-c/broken has no target
  EXPECT_THAT(out_.str(), HasSubstr("team-a/nightly (etl)"));
  EXPECT_THAT(out_.str(), HasSubstr("team-b/adhoc (stoker-prometheus-0badcafe)"));
  EXPECT_THAT(out_.str(), HasSubstr("team-c/broken (etl)"));
  EXPECT_THAT(out_.str(), HasSubstr("\n  etl "));
  EXPECT_THAT(out_.str(), HasSubstr("\n  night "));
  world_.objects.clear();
  world_.policies.resize(1);
  EXPECT_EQ(Run({}), kOk);
  EXPECT_THAT(out_.str(), StartsWith("  no ScaledObject was asked about"));
}

TEST_F(ExplainTest, JsonIsTheApisOwn) {
  EXPECT_EQ(Run({.target = "team-a/nightly", .output = "json"}), kOk);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["items"][0]["decision"]["target_replicas"], 15);
  EXPECT_EQ(Run({.output = "json"}), kNo);
  const auto all = nlohmann::json::parse(out_.str());
  EXPECT_EQ(all["targets"].size(), 3U);
  EXPECT_EQ(all["policies"].size(), 2U);
}

TEST_F(ExplainTest, ColoursOnlyWhenTold) {
  EXPECT_EQ(Run({.target = "team-a/nightly"}), kOk);
  EXPECT_THAT(out_.str(), Not(HasSubstr("\033")));
  EXPECT_EQ(Run({.target = "team-a/nightly", .colour = true}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("\033["));
}

TEST_F(ExplainTest, ControlCharactersDoNotReachTheTerminal) {
  policy::Decision decision = adapter::SampleDecision();
  decision.signals[1].error = "bad\033[2Jnews\r";
  world_.objects[0].decision = adapter::Shared(decision);
  EXPECT_EQ(Run({.target = "team-a/nightly"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("bad?[2Jnews?"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("\033")));
}

TEST_F(ExplainTest, AnUnknownObjectIsANo) {
  EXPECT_EQ(Run({.target = "team-a/none"}), kNo);
  EXPECT_EQ(out_.str(), "");
  EXPECT_THAT(err_.str(), StartsWith("stoker explain: nobody has asked about this scaled object"));
}

TEST_F(ExplainTest, BadUsageNeverAsksTheServer) {
  for (const char* target : {"nightly", "a/b/c", "/x", "x/"}) {
    EXPECT_EQ(Run({.target = target}), kUsage) << target;
    EXPECT_THAT(err_.str(), HasSubstr("NAMESPACE/NAME"));
  }
  EXPECT_EQ(Run({.token_file = "/nowhere"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--token-file"));
  EXPECT_TRUE(fakes_.transport->requests().empty());
}

TEST_F(ExplainTest, TheTokenGoesAlong) {
  UseTokens("s3cret\n");
  EXPECT_EQ(Run({.target = "team-a/nightly"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--token-file"));
  fakes_.files.Write("/me/token", "# mine\ns3cret\n");
  EXPECT_EQ(Run({.target = "team-a/nightly", .token_file = "/me/token"}), kOk) << err_.str();
  fakes_.files.Write("/me/token", "wr0ng\n");
  EXPECT_EQ(Run({.target = "team-a/nightly", .token_file = "/me/token"}), kUsage);
  EXPECT_THAT(err_.str(), Not(HasSubstr("wr0ng")));
  fakes_.files.Write("/me/token", "\n");
  EXPECT_EQ(Run({.target = "team-a/nightly", .token_file = "/me/token"}), kUsage);
}

TEST_F(ExplainTest, AServerThatCannotBeReachedIsOneLineWithTheMend) {
  EXPECT_EQ(Run({.server = "http://nowhere:1/"}), kUpstream);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(
      err_.str(),
      "stoker explain: no such host; check that `stoker serve` runs and that --server names its "
      "HTTP address\n");
}

TEST_F(ExplainTest, AnythingElseThanOurApiIsRecognised) {
  for (const char* body : {"<html>",
                           "[]",
                           "{}",
                           "null",
                           R"({"items": [{}]})",
                           R"({"items": 3})",
                           R"({"items": [{"decision": {"error": null}}]})"}) {
    fakes_.transport->set_handler([&](const HttpRequest&) -> Result<HttpResponse> {
      return HttpResponse{200, {}, body};
    });
    EXPECT_EQ(Run({.target = "team-a/nightly"}), kUpstream) << body;
    EXPECT_THAT(err_.str(), HasSubstr("--server")) << body;
    EXPECT_EQ(Run({}), kUpstream) << body;
    EXPECT_EQ(out_.str(), "");
  }
}

TEST_F(ExplainTest, AServerInTroubleIsAnUpstreamFailure) {
  fakes_.transport->set_handler([](const HttpRequest&) -> Result<HttpResponse> {
    return HttpResponse{503, {}, "no JSON"};
  });
  EXPECT_EQ(Run({.policy = "etl"}), kUpstream);
  EXPECT_EQ(err_.str(), "stoker explain: the server answered 503\n");
}

TEST_F(ExplainTest, ShowsTheRoomForExecutorsToCome) {
  EXPECT_EQ(Run({.policy = "etl"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("room for executors to come\n"));
  EXPECT_THAT(out_.str(), HasSubstr("wanted within 3m15s  40  lead time measured"));
}

TEST_F(ExplainTest, ShowsPlaceholdersWithoutThePolicysChain) {
  world_.objects[0].headroom = true;
  world_.objects[0].decision = adapter::Shared(policy::HeadroomDecision(adapter::SampleDecision()));
  EXPECT_EQ(Run({.target = "team-a/nightly"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("room for 6 executors: 40 wanted"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("combined (max)")));
}

}  // namespace
}  // namespace stoker::cli
