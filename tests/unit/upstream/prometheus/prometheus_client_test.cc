#include "upstream/prometheus/prometheus_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_waiter.h"
#include "tests/testing/fakes.h"

namespace stoker::prom {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kOne[] =
    R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"7"]}]}})";

struct Prometheus : ::testing::Test {
  testing::FakeWorld world;
  std::shared_ptr<testing::FakeWaiter> waiter = std::make_shared<testing::FakeWaiter>(world.clock);
  ClientOptions options{.connection = "main", .url = "http://prom.example:9090/"};
  std::unique_ptr<Client> client;

  Result<std::unique_ptr<Client>> Create() {
    return Client::Create(options,
                          {world.clock,
                           world.random,
                           world.environment,
                           world.files,
                           world.transports,
                           world.observer,
                           world.logger,
                           waiter});
  }
  Client& Make() {
    auto made = Create();
    if (!made) throw std::runtime_error(made.error().message);
    client = std::move(*made);
    return *client;
  }
  Result<QueryResult> Ask(const std::string& promql = "up") {
    if (!client) Make();
    return client->Query(promql,
                         testing::At("2026-01-05T00:00:00Z") + milliseconds(250),
                         world.clock.MonotonicNow() + seconds(3),
                         {});
  }
  void Answer(int status, const std::string& body = "") {
    world.transport->set_handler([status, body](const HttpRequest&) -> Result<HttpResponse> {
      return HttpResponse{.status = status, .body = body};
    });
  }
  void Refuse() {
    world.transport->set_handler([](const HttpRequest&) -> Result<HttpResponse> {
      return Fail(ErrorCode::kUnavailable, "prom.example:9090: while connecting: refused");
    });
  }
  HttpRequest Last() { return world.transport->requests().back(); }
  std::string Header(const std::string& name) {
    const HttpRequest request = Last();
    return std::string(HttpResponse{.headers = request.headers}.Header(name));
  }
};

TEST_F(Prometheus, AsksAtTheSlotByGet) {
  Answer(200, kOne);
  const auto result = Ask("sum(rate(x[5m])) / 2 & \"ä\"");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->samples.at(0).value, 7);
  EXPECT_EQ(Last().method, "GET");
  EXPECT_FALSE(Last().tell_absence) << "a Prometheus that is gone is a fault";
  EXPECT_EQ(Last().url,
            "http://prom.example:9090/api/v1/query?query=sum%28rate%28x%5B5m%5D%29%29%20%2F%202%20"
            "%26%20%22%C3%A4%22&time=1767571200.250&timeout=2.700");
  EXPECT_EQ(Last().deadline, world.clock.MonotonicNow() + seconds(3));
  EXPECT_EQ(world.observer.Count("main", 200), 1);
}

TEST_F(Prometheus, AsksByPostWhenTheQueryIsLong) {
  Answer(200, kOne);
  ASSERT_TRUE(Ask(std::string(2000, 'x')));
  EXPECT_EQ(Last().method, "POST");
  EXPECT_EQ(Last().url, "http://prom.example:9090/api/v1/query");
  EXPECT_THAT(Last().body, StartsWith("query=xxx"));
  EXPECT_THAT(Last().body, HasSubstr("&time=1767571200.250"));
  EXPECT_EQ(Header("Content-Type"), "application/x-www-form-urlencoded");
}

TEST_F(Prometheus, KeepsThePathOfItsUrl) {
  options.url = "https://mimir.example/prometheus/";
  Answer(200, kOne);
  ASSERT_TRUE(Ask());
  EXPECT_THAT(Last().url, StartsWith("https://mimir.example/prometheus/api/v1/query?query=up"));
}

TEST_F(Prometheus, RefusesUrlsThatCannotBe) {
  for (const std::string url :
       {"", "prom:9090", "ftp://prom", "http://user:s3cret@prom", "http://prom/?tenant=s3cret"}) {
    options.url = url;
    const auto made = Create();
    ASSERT_FALSE(made) << url;
    EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(made.error().message, Not(HasSubstr("s3cret")));
  }
}

// ---- ranges

constexpr char kNoSeries[] = R"({"status":"success","data":{"resultType":"matrix","result":[]}})";

struct PrometheusRange : Prometheus {
  const WallTime first = testing::At("2026-01-05T00:00:00Z");

  Result<std::vector<Series>> AskRange(std::int64_t points, const std::string& promql = "up") {
    if (!client) Make();
    return client->QueryRange(promql,
                              first,
                              first + seconds(15) * (points - 1),
                              seconds(15),
                              world.clock.MonotonicNow() + seconds(3),
                              {});
  }
  /// What each request asked for after the query itself.
  std::vector<std::string> Asked() {
    std::vector<std::string> parts;
    for (const HttpRequest& request : world.transport->requests()) {
      const std::size_t start = request.url.find("&start=");
      parts.push_back(request.url.substr(start, request.url.find("&timeout") - start));
    }
    return parts;
  }
};

TEST_F(PrometheusRange, AsksForAllMomentsAtOnce) {
  Answer(200,
         R"({"status":"success","data":{"resultType":"matrix","result":[)"
         R"({"metric":{},"values":[[1767571200,"7"],[1767571215,"8"]]}]}})");
  const auto series = AskRange(3);
  ASSERT_TRUE(series) << series.error().message;
  ASSERT_THAT(*series, SizeIs(1));
  EXPECT_EQ(series->at(0).at(1).value, 8);
  EXPECT_EQ(Last().method, "GET");
  EXPECT_EQ(Last().url,
            "http://prom.example:9090/api/v1/query_range?query=up&start=1767571200.000"
            "&end=1767571230.000&step=15.000&timeout=2.700");
  ASSERT_TRUE(AskRange(3, std::string(2000, 'x')));
  EXPECT_EQ(Last().method, "POST");
  EXPECT_EQ(Last().url, "http://prom.example:9090/api/v1/query_range");
}

TEST_F(PrometheusRange, SplitsWhatPrometheusWouldRefuse) {
  Answer(200, kNoSeries);
  ASSERT_TRUE(AskRange(11'001));
  EXPECT_THAT(Asked(),
              ::testing::ElementsAre("&start=1767571200.000&end=1767736200.000&step=15.000"));
  ASSERT_TRUE(AskRange(11'003));
  EXPECT_THAT(Asked(),
              ::testing::ElementsAre("&start=1767571200.000&end=1767736200.000&step=15.000",
                                     "&start=1767571200.000&end=1767736200.000&step=15.000",
                                     "&start=1767736215.000&end=1767736230.000&step=15.000"));
  EXPECT_TRUE(AskRange(0)) << "nothing to ask";
  EXPECT_THAT(Asked(), SizeIs(3));
}

TEST_F(PrometheusRange, AsksForLessWhenTheAnswerIsTooLong) {
  int requests = 0;
  world.transport->set_handler([&](const HttpRequest&) -> Result<HttpResponse> {
    if (++requests == 1) return Fail(ErrorCode::kResourceExhausted, "the answer is too long");
    return HttpResponse{.status = 200, .body = kNoSeries};
  });
  ASSERT_TRUE(AskRange(5501));
  EXPECT_THAT(Asked(),
              ::testing::ElementsAre("&start=1767571200.000&end=1767653700.000&step=15.000",
                                     "&start=1767571200.000&end=1767653685.000&step=15.000",
                                     "&start=1767653700.000&end=1767653700.000&step=15.000"));

  world.transport->set_handler([](const HttpRequest&) -> Result<HttpResponse> {
    return Fail(ErrorCode::kResourceExhausted, "the answer is too long");
  });
  const auto hopeless = AskRange(5501);
  ASSERT_FALSE(hopeless);
  EXPECT_EQ(hopeless.error().code, ErrorCode::kResourceExhausted);
}

TEST_F(PrometheusRange, FailsAsQueriesDo) {
  Answer(404);
  const auto wrong = AskRange(2, "sum(s3cret)");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(wrong.error().message, StartsWith("connection main: "));
  EXPECT_THAT(wrong.error().message, HasSubstr("/api/v1/query_range is expected"));
  EXPECT_THAT(wrong.error().message, Not(HasSubstr("s3cret")));
  Answer(200, "<html>");
  EXPECT_THAT(AskRange(2).error().message, HasSubstr("a web page"));
  Refuse();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(AskRange(2));
  EXPECT_THAT(AskRange(2).error().message, HasSubstr("circuit open"));
}

// ---- credentials

TEST_F(Prometheus, SignsInWithABasicPasswordFromFiles) {
  options.auth.username_file = "/user";
  options.auth.password_file = "/password";
  world.files.Write("/user", "aladdin\n");
  world.files.Write("/password", "opensesame\n");
  Answer(200, kOne);
  ASSERT_TRUE(Ask());
  EXPECT_EQ(Header("Authorization"), "Basic YWxhZGRpbjpvcGVuc2VzYW1l");
}

TEST_F(Prometheus, ReadsARotatedTokenAnew) {
  options.auth.bearer_token_file = "/token";
  Answer(200, kOne);
  for (const std::string token : {"one", "two"}) {
    world.files.Write("/token", token + "\n");
    ASSERT_TRUE(Ask());
    EXPECT_EQ(Header("Authorization"), "Bearer " + token);
  }
}

TEST_F(Prometheus, SendsTheTenantWithAnyKind) {
  options.auth.headers = {{"X-Scope-OrgID", "team-a"}};
  options.auth.bearer_token_file = "/token";
  world.files.Write("/token", "t");
  Answer(200, kOne);
  ASSERT_TRUE(Ask());
  EXPECT_EQ(Header("X-Scope-OrgID"), "team-a");
  EXPECT_EQ(Header("Authorization"), "Bearer t");
}

TEST_F(Prometheus, SignsForAmazonManagedPrometheus) {
  options.auth.sigv4_region = "eu-west-1";
  world.environment.Set("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
  world.environment.Set("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI");
  Answer(200, kOne);
  ASSERT_TRUE(Ask());
  EXPECT_THAT(Header("Authorization"), HasSubstr("/eu-west-1/aps/aws4_request"));
}

TEST_F(Prometheus, AMissingOrEmptySecretNamesItsFile) {
  options.auth.bearer_token_file = "/token";
  Answer(200, kOne);
  auto result = Ask();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(result.error().message,
            "connection main: cannot read auth's bearerTokenFile: /token: no such file");
  world.files.Write("/token", "\n");
  result = Ask();
  EXPECT_EQ(result.error().code, ErrorCode::kUnauthenticated);
  EXPECT_THAT(result.error().message, HasSubstr("(/token) is empty"));
  EXPECT_TRUE(world.transport->requests().empty());
}

// ---- what it makes of answers

TEST_F(Prometheus, MapsAnswersToErrorsWithAMend) {
  struct Case {
    int status;
    std::string body;
    ErrorCode code;
    std::string text;
  };
  const std::string bad =
      R"({"status":"error","errorType":"bad_data","error":"1:2: parse error: s3cret"})";
  const std::string slow = R"({"status":"error","errorType":"timeout","error":"s3cret"})";
  for (const Case& test : {
           Case{301, "", ErrorCode::kUnavailable, "301, a redirect, which is not followed"},
           Case{400, bad, ErrorCode::kInvalidArgument, "bad_data at line 1, column 2"},
           Case{400, "", ErrorCode::kInvalidArgument, "answered 400: it refused the query"},
           Case{401, "", ErrorCode::kUnauthenticated, "set or correct the connection's auth"},
           Case{403, "", ErrorCode::kPermissionDenied, "give them the right"},
           Case{404, "page", ErrorCode::kNotFound, "is the URL right?"},
           Case{422, bad, ErrorCode::kInvalidArgument, "refused the query"},
           Case{429, "", ErrorCode::kUnavailable, "poll less often"},
           Case{500, "<html>", ErrorCode::kUnavailable, "answered 500"},
           Case{503, slow, ErrorCode::kUnavailable, "gave the query up (timeout); make it cheaper"},
           Case{200, " <html>", ErrorCode::kUnavailable, "a web page, not Prometheus' JSON"},
           Case{200, "{}", ErrorCode::kUnavailable, "not what Prometheus' query API gives"},
           Case{200, bad, ErrorCode::kInvalidArgument, "bad_data"},
       }) {
    Answer(test.status, test.body);
    Make();
    const auto result = Ask();
    ASSERT_FALSE(result) << test.status;
    EXPECT_EQ(result.error().code, test.code) << test.status;
    EXPECT_THAT(result.error().message, StartsWith("connection main: "));
    EXPECT_THAT(result.error().message, HasSubstr(test.text));
  }
}

TEST_F(Prometheus, NoSecretQueryOrBodyGetsIntoErrorsOrLogs) {
  // Whatever the answer, none of these words may show.
  const std::vector<std::string> secrets = {"hunter2", "s3cret_metric", "tenant-x", "leaky"};
  options.auth.username_file = "/user";
  options.auth.password_file = "/password";
  options.auth.headers = {{"X-Scope-OrgID", "tenant-x"}};
  world.files.Write("/user", "me");
  world.files.Write("/password", "hunter2");
  const std::string json_leak = R"("leaky hunter2 s3cret_metric tenant-x 1:1: parse error: leaky")";
  std::vector<std::string> texts;
  for (const int status : {100, 200, 204, 302, 400, 401, 403, 404, 405, 418, 422, 429, 500, 503}) {
    for (const std::string& body :
         {std::string("leaky"),
          std::string("<html>leaky"),
          R"({"status":"error","errorType":"bad_data","error":)" + json_leak + "}",
          R"({"status":"error","errorType":)" + json_leak + R"(,"error":"leaky"})",
          R"({"status":"success","data":{"resultType":)" + json_leak + R"(,"result":[]}})"}) {
      Answer(status, body);
      Make();
      for (int i = 0; i < 5; ++i) {
        const auto result = Ask("sum(s3cret_metric)");
        ASSERT_FALSE(result);
        texts.push_back(result.error().message);
      }
    }
  }
  texts.push_back(world.logger.text());
  for (const std::string& text : texts) {
    for (const std::string& secret : secrets) EXPECT_THAT(text, Not(HasSubstr(secret)));
  }
}

// ---- trying again and giving up

TEST_F(Prometheus, TriesAgainWithinItsDeadline) {
  int attempts = 0;
  world.transport->set_handler([&](const HttpRequest&) -> Result<HttpResponse> {
    if (++attempts < 3) return HttpResponse{.status = 503};
    return HttpResponse{.status = 200, .body = kOne};
  });
  EXPECT_TRUE(Ask());
  EXPECT_EQ(attempts, 3);
  EXPECT_THAT(waiter->waits, SizeIs(2));
  EXPECT_EQ(world.observer.Count("main", 503), 2);
}

TEST_F(Prometheus, DoesNotRepeatAQueryThatWasRefused) {
  Answer(400, "");
  EXPECT_FALSE(Ask());
  EXPECT_THAT(world.transport->requests(), SizeIs(1));
}

TEST_F(Prometheus, StopsAskingAfterThreeFailuresAndRecoversAtTheNextSlot) {
  Refuse();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(Ask());
  const std::size_t sent = world.transport->requests().size();
  const auto result = Ask();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(result.error().message, HasSubstr("circuit open after 3 failures"));
  EXPECT_THAT(result.error().message, HasSubstr("refused"));
  EXPECT_THAT(world.transport->requests(), SizeIs(sent));
  Answer(200, kOne);
  world.clock.Advance(options.interval);
  EXPECT_TRUE(Ask());
  EXPECT_TRUE(Ask());
}

TEST_F(Prometheus, LogsOneLineForEachChange) {
  Refuse();
  for (int slot = 0; slot < 10; ++slot) {
    EXPECT_FALSE(Ask());
    world.clock.Advance(options.interval);
  }
  ASSERT_THAT(world.logger.lines(), SizeIs(1));
  EXPECT_THAT(world.logger.lines()[0], HasSubstr("connection=main failure=prom.example:9090"));
  Answer(200, kOne);
  EXPECT_TRUE(Ask());
  EXPECT_TRUE(Ask());
  ASSERT_THAT(world.logger.lines(), SizeIs(2));
  EXPECT_EQ(world.logger.lines()[1], "info Prometheus answers again connection=main");
}

TEST_F(Prometheus, OneBadQueryDoesNotStopTheOthers) {
  const std::string slow = R"({"status":"error","errorType":"timeout","error":"x"})";
  for (const auto& [status, body] :
       std::vector<std::pair<int, std::string>>{{400, ""}, {422, ""}, {401, ""}, {503, slow}}) {
    Answer(status, body);
    Make();
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(Ask());
    Answer(200, kOne);
    EXPECT_TRUE(Ask()) << status;
  }
}

TEST_F(Prometheus, TroubleOfOurOwnDoesNotOpenTheCircuit) {
  options.auth.bearer_token_file = "/token";
  Answer(200, kOne);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(Ask());
  world.files.Write("/token", "t");
  EXPECT_TRUE(Ask());
}

}  // namespace
}  // namespace stoker::prom
