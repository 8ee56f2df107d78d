#include "scalers/prometheus/prometheus_scaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_waiter.h"
#include "tests/testing/signal_test.h"

namespace stoker::scalers {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class PrometheusScaler : public testing::SignalTest {
 protected:
  PrometheusScaler() {
    RegisterPrometheus(registry_, std::make_shared<testing::FakeWaiter>(world_.clock));
    Connect("main: {url: 'http://prom.example:9090'}");
  }

  /// Makes `prometheus: {YAML}` the connections and gives back the complaints.
  std::string Connect(const std::string& yaml) {
    return ParseConnections("prometheus:\n  " + yaml);
  }
  std::optional<SignalDefinition> Signal(const std::string& yaml,
                                         const std::string& name_space = "") {
    return ParseSignal("{type: prometheus, " + yaml + "}", name_space);
  }
  Result<Observation> Poll(const std::string& more = "") {
    const auto signal = Signal("query: up, threshold: 1" + more);
    if (!signal) return Fail(ErrorCode::kInvalidArgument, diagnostics_.ToString());
    return signal->make_source()->Poll(
        {.slot = world_.clock.WallNow(), .deadline = world_.clock.MonotonicNow() + seconds(3)});
  }
  /// Each poll from now on finds a vector of these values.
  void Values(const std::vector<std::string>& values, const std::string& more = "") {
    std::string elements;
    for (const std::string& value : values) {
      elements += (elements.empty() ? "" : ",") + std::string(R"({"metric":{},"value":[1,")") +
                  value + R"("]})";
    }
    Answer(R"({"status":"success","data":{"resultType":"vector","result":[)" + elements + "]}" +
           more + "}");
  }
  void Answer(const std::string& body) {
    world_.transport->set_handler([body](const HttpRequest&) -> Result<HttpResponse> {
      return HttpResponse{.status = 200, .body = body};
    });
  }
};

TEST_F(PrometheusScaler, FillsTheDefinition) {
  Connect("main: {url: 'http://a', interval: 30s, timeout: 5s, maxAge: 3m, maxConcurrent: 2}");
  const auto signal = Signal("query: up, threshold: 8, activationThreshold: 3");
  ASSERT_TRUE(signal) << diagnostics_.ToString();
  EXPECT_EQ(signal->type, "prometheus");
  EXPECT_EQ(signal->connection, "main");
  EXPECT_EQ(signal->demand.target_size, 8);
  EXPECT_EQ(signal->demand.activation, 3);
  EXPECT_EQ(signal->timing.interval, seconds(30));
  EXPECT_EQ(signal->timing.timeout, seconds(5));
  EXPECT_EQ(signal->timing.max_age, std::chrono::minutes(3));
  EXPECT_EQ(signal->max_concurrent, 2);
  EXPECT_FALSE(signal->countable);
}

TEST_F(PrometheusScaler, SignalsShareASourceWhenTheyAskTheSame) {
  Connect("{main: {url: 'http://a'}, other: {url: 'http://b'}}");
  const auto key = [&](const std::string& yaml) {
    const auto signal = Signal(yaml);
    return signal ? signal->source_key : diagnostics_.ToString();
  };
  const std::string base = key("connection: main, query: up, threshold: 1");
  EXPECT_EQ(key("connection: main, query: up, threshold: 2, activationThreshold: 9, interval: 1m"),
            base);
  EXPECT_EQ(key("serverAddress: 'http://a/', query: up, threshold: 1"), base);
  EXPECT_NE(key("connection: other, query: up, threshold: 1"), base);
  EXPECT_NE(key("connection: main, query: down, threshold: 1"), base);
  EXPECT_NE(key("connection: main, query: up, threshold: 1, onSeveral: sum"), base);
}

TEST_F(PrometheusScaler, AsksAtTheSlot) {
  Values({"12.5"});
  const auto observation = Poll();
  ASSERT_TRUE(observation) << observation.error().message;
  EXPECT_FALSE(observation->empty);
  EXPECT_EQ(observation->value, 12.5);
  EXPECT_EQ(observation->detail, "1 series");
  EXPECT_THAT(world_.transport->requests().at(0).url, HasSubstr("query=up&time=1767571200.000&"));
}

TEST_F(PrometheusScaler, ReadsAScalar) {
  Answer(R"({"status":"success","data":{"resultType":"scalar","result":[1,"42"]}})");
  EXPECT_EQ(Poll()->value, 42);
  EXPECT_EQ(Poll()->detail, "a scalar");
}

TEST_F(PrometheusScaler, NoSeriesIsEmpty) {
  Values({});
  EXPECT_TRUE(Poll()->empty);
  EXPECT_EQ(Poll()->detail, "no series");
}

TEST_F(PrometheusScaler, NanAndInfAreEmptyAndNeverZero) {
  for (const std::string value : {"NaN", "+Inf", "-Inf"}) {
    Values({value});
    const auto observation = Poll();
    ASSERT_TRUE(observation);
    EXPECT_TRUE(observation->empty) << value;
    EXPECT_EQ(observation->detail, "1 series, 1 of them NaN or Inf");
  }
  Values({"1", "NaN"});
  for (const std::string policy : {"sum", "max", "min", "avg"}) {
    EXPECT_TRUE(Poll(", onSeveral: " + policy)->empty) << policy;
  }
  Values({"1e308", "1e308"});
  EXPECT_TRUE(Poll(", onSeveral: sum")->empty);
}

TEST_F(PrometheusScaler, SeveralSeriesAreAMistakeUnlessSaidOtherwise) {
  Values({"4", "1", "7"});
  const auto refused = Poll();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      refused.error().message,
      "connection main: the query gives 3 series where one number is needed; wrap it in sum() "
      "or max(), or set onSeveral");
  const auto value = [&](const std::string& policy) {
    return Poll(", onSeveral: " + policy)->value;
  };
  EXPECT_EQ(value("sum"), 12);
  EXPECT_EQ(value("max"), 7);
  EXPECT_EQ(value("min"), 1);
  EXPECT_EQ(value("avg"), 4);
  EXPECT_EQ(value("first"), 4);
  EXPECT_EQ(Poll(", onSeveral: avg")->detail, "3 series, avg");
}

TEST_F(PrometheusScaler, HandsWarningsOn) {
  Values({"1"}, R"(,"warnings":["a store is down"],"infos":["no counter"])");
  EXPECT_THAT(Poll()->warnings, ElementsAre("a store is down", "info: no counter"));
}

TEST_F(PrometheusScaler, AFailedPollIsAnError) {
  EXPECT_EQ(Poll().error().code, ErrorCode::kUnavailable);
}

// ---- mistakes

TEST_F(PrometheusScaler, SaysWhichKeyIsWrong) {
  const auto wrong = [&](const std::string& yaml) {
    EXPECT_FALSE(Signal(yaml)) << yaml;
    return diagnostics_.ToString();
  };
  EXPECT_THAT(wrong("threshold: 1"), HasSubstr("missing required key 'query'"));
  EXPECT_THAT(wrong("query: up"), HasSubstr("missing required key 'threshold'"));
  EXPECT_THAT(wrong("query: '', threshold: 1"), HasSubstr("query"));
  EXPECT_THAT(wrong("query: up, threshold: 0"), HasSubstr("threshold"));
  EXPECT_THAT(wrong("query: up, threshold: 1, onSeveral: some"), HasSubstr("onSeveral"));
  EXPECT_THAT(wrong("query: up, trehsold: 1"), HasSubstr("did you mean 'threshold'?"));
  EXPECT_THAT(wrong("query: up, threshold: 1, connection: mian"), HasSubstr("main"));
  EXPECT_THAT(wrong("query: up, threshold: 1, connection: main, serverAddress: 'http://a'"),
              HasSubstr("'connection' and 'serverAddress' are both given"));
}

TEST_F(PrometheusScaler, AnAddressMeansAConnectionAndIsNeverUsed) {
  EXPECT_TRUE(Signal("query: up, threshold: 1, serverAddress: 'http://PROM.example:9090/'"));
  for (const std::string address : {"http://evil.example",
                                    "https://prom.example:9090",
                                    "http://prom.example",
                                    "http://prom.example:9090/other",
                                    "nonsense"}) {
    EXPECT_FALSE(Signal("query: up, threshold: 1, serverAddress: '" + address + "'")) << address;
  }
}

TEST_F(PrometheusScaler, AConnectionServesOnlyItsNamespaces) {
  Connect("main: {url: 'http://a', namespaces: [team-a]}");
  EXPECT_TRUE(Signal("query: up, threshold: 1", "team-a")) << diagnostics_.ToString();
  EXPECT_FALSE(Signal("query: up, threshold: 1", "team-b"));
  EXPECT_FALSE(Signal("query: up, threshold: 1, serverAddress: 'http://a'", "team-b"));
}

TEST_F(PrometheusScaler, TellsWhereKedasOtherKeysAreSet) {
  for (const auto& [key, hint] :
       std::vector<std::pair<std::string, std::string>>{{"customHeaders", "auth.headers"},
                                                        {"authModes", "auth in the connection"},
                                                        {"unsafeSsl", "tls.insecureSkipVerify"},
                                                        {"namespace", "in the query"},
                                                        {"queryParameters", "remove it"},
                                                        {"identityOwner", "auth.sigv4"},
                                                        {"awsRegion", "auth.sigv4.region"},
                                                        {"cortexOrgID", "X-Scope-OrgID"},
                                                        {"metricName", "remove it"}}) {
    EXPECT_FALSE(Signal("query: up, threshold: 1, " + key + ": s3cret"));
    EXPECT_THAT(diagnostics_.ToString(), HasSubstr(key + ": not taken here; ")) << key;
    EXPECT_THAT(diagnostics_.ToString(), HasSubstr(hint)) << key;
    EXPECT_THAT(diagnostics_.ToString(), Not(HasSubstr("s3cret"))) << key;
  }
}

TEST_F(PrometheusScaler, RefusesConnectionsThatCannotWork) {
  for (const auto& [yaml, text] : std::vector<std::pair<std::string, std::string>>{
           {"main: {}", "missing required key 'url'"},
           {"main: {url: 'prom:9090'}", "url: a URL must start with http:// or https://"},
           {"main: {url: 'http://me:s3cret@a'}", "must not hold a user or password"},
           {"main: {url: 'http://a', tls: {ca: /ca}}", "tls is set, but url begins with http://"},
           {"main: {url: 'https://a', tls: {cert: /c}}", "cert and key go together"},
           {"main: {url: 'http://a', auth: {bearerTokenFile: /t, sigv4: {region: r}}}",
            "give only one of basic, bearerTokenFile and sigv4"},
           {"main: {url: 'http://a', auth: {basic: {usernameFile: /u}}}",
            "missing required key 'passwordFile'"},
           {"main: {url: 'http://a', auth: {headers: {Authorization: Bearer s3cret}}}",
            "auth.headers must not hold Authorization, a secret"},
           {"main: {url: 'http://a', auth: {headers: {Host: b}}}", "auth.headers cannot set Host"},
           {"main: {url: 'http://a', usrl: b}", "unknown key 'usrl'"}}) {
    const std::string said = Connect(yaml);
    EXPECT_THAT(said, HasSubstr(text)) << yaml;
    EXPECT_THAT(said, Not(HasSubstr("s3cret"))) << yaml;
    EXPECT_TRUE(connections_.all().empty()) << yaml;
  }
}

TEST_F(PrometheusScaler, HandsAuthAndTlsToTheTransport) {
  EXPECT_EQ(
      Connect("main: {url: 'https://a', tls: {ca: /ca, cert: /c, key: /k, insecureSkipVerify: "
              "true}, auth: {basic: {usernameFile: /u, passwordFile: /p}, headers: "
              "{X-Scope-OrgID: t}}}"),
      "");
  EXPECT_EQ(world_.transports.created.back().ca_file, "/ca");
  EXPECT_EQ(world_.transports.created.back().cert_file, "/c");
  EXPECT_EQ(world_.transports.created.back().key_file, "/k");
  EXPECT_TRUE(world_.transports.created.back().insecure_skip_verify);
  world_.files.Write("/u", "u");
  world_.files.Write("/p", "p");
  Values({"1"});
  ASSERT_TRUE(Poll());
  const HttpRequest request = world_.transport->requests().back();
  const HttpResponse headers{.headers = request.headers};
  EXPECT_EQ(headers.Header("X-Scope-OrgID"), "t");
  EXPECT_EQ(headers.Header("Authorization"), "Basic dTpw");
}

TEST_F(PrometheusScaler, MetadataValuesStayOutOfComplaints) {
  const auto node = config::Node::FromMetadata({{"type", "prometheus"},
                                                {"serverAddress", "http://s3cret.example"},
                                                {"query", "s3cret"},
                                                {"threshold", "s3cret"},
                                                {"onSeveral", "s3cret"}});
  EXPECT_FALSE(ParseSignal(node, "ns", true));
  EXPECT_THAT(diagnostics_.ToString(), Not(HasSubstr("s3cret")));
  const auto address = config::Node::FromMetadata({{"type", "prometheus"},
                                                   {"serverAddress", "http://s3cret.example"},
                                                   {"query", "s3cret"},
                                                   {"threshold", "1"}});
  EXPECT_FALSE(ParseSignal(address, "ns", true));
  EXPECT_THAT(diagnostics_.ToString(), Not(HasSubstr("s3cret")));
}

// ---- the past

class PrometheusPast : public PrometheusScaler {
 protected:
  /// Past readings of four slots, a minute apart from 00:00:00 on.
  Result<std::vector<Reading>> Past(const std::string& more = "", const std::string& query = "up") {
    const auto signal = Signal("threshold: 1, query: '" + query + "'" + more);
    if (!signal) return Fail(ErrorCode::kInvalidArgument, diagnostics_.ToString());
    return signal->make_source()->PastReadings(
        {kFirst, kFirst + minutes(3), minutes(1)}, world_.clock.MonotonicNow() + seconds(3), {});
  }
  void Series(const std::vector<std::string>& series) {
    std::string elements;
    for (const std::string& values : series) {
      elements +=
          (elements.empty() ? "" : ",") + std::string(R"({"metric":{},"values":[)") + values + "]}";
    }
    Answer(R"({"status":"success","data":{"resultType":"matrix","result":[)" + elements + "]}}");
  }
  static Reading At(int minute, Reading::Kind kind, double value = 0) {
    return {.time = kFirst + minutes(minute), .kind = kind, .value = value};
  }
  using Kind = Reading::Kind;
  using minutes = std::chrono::minutes;
  static inline const WallTime kFirst = testing::At("2026-01-05T00:00:00Z");
};

TEST_F(PrometheusPast, IsWhatPollsWouldHaveFound) {
  Series({R"([1767571200,"4"],[1767571320,"NaN"],[1767571380,"5.5"])"});
  const auto past = Past();
  ASSERT_TRUE(past) << past.error().message;
  EXPECT_THAT(*past,
              ElementsAre(At(0, Kind::kValue, 4),
                          At(1, Kind::kEmpty),
                          At(2, Kind::kEmpty),
                          At(3, Kind::kValue, 5.5)));
  EXPECT_THAT(world_.transport->requests().at(0).url,
              HasSubstr("query=up&start=1767571200.000&end=1767571380.000&step=60.000&"));
}

TEST_F(PrometheusPast, SeveralSeriesFollowThePolicySlotBySlot) {
  Series({R"([1767571200,"4"],[1767571260,"1"],[1767571320,"1e308"])",
          R"([1767571260,"3"],[1767571320,"1e308"],[1767571380,"NaN"])"});
  EXPECT_THAT(Past(", onSeveral: sum").value(),
              ElementsAre(At(0, Kind::kValue, 4),
                          At(1, Kind::kValue, 4),
                          At(2, Kind::kEmpty),
                          At(3, Kind::kEmpty)));
  EXPECT_THAT(
      Past().value(),
      ElementsAre(
          At(0, Kind::kValue, 4), At(1, Kind::kFault), At(2, Kind::kFault), At(3, Kind::kEmpty)))
      << "several were a mistake then, too";
  EXPECT_THAT(Past(", onSeveral: first").value(),
              ElementsAre(At(0, Kind::kValue, 4), At(3, Kind::kEmpty)))
      << "which was first then cannot be told";
}

TEST_F(PrometheusPast, IsNotToldWhereRangeQueriesMeanSomethingElse) {
  Series({R"([1767571200,"4"])"});
  for (const std::string query : {"x @ end()", "x @start() / 2", "y @ 12 + x @\tend ()"}) {
    EXPECT_THAT(Past("", query).value(), ElementsAre()) << query;
  }
  EXPECT_THAT(Past("", "x @ 1767571200").value(), ::testing::SizeIs(4));
}

TEST_F(PrometheusPast, AnswersForOtherMomentsAreRefused) {
  for (const std::string values :
       {R"([1767571201,"4"])", R"([1767571140,"4"])", R"([1767571440,"4"])"}) {
    Series({values});
    const auto past = Past();
    ASSERT_FALSE(past) << values;
    EXPECT_EQ(past.error().code, ErrorCode::kUnavailable);
  }
}

TEST_F(PrometheusPast, FailsWhole) {
  Answer("<html>");
  EXPECT_THAT(Past().error().message, HasSubstr("connection main: "));
}

}  // namespace
}  // namespace stoker::scalers
