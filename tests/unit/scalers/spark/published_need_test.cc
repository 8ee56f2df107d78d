#include "scalers/spark/published_need.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scalers/prometheus/prometheus_scaler.h"
#include "scalers/spark/spark_scaler.h"
#include "tests/testing/fake_waiter.h"
#include "tests/testing/signal_test.h"

namespace stoker::scalers {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Query(const std::string& application, const std::string& selector = "") {
  const auto query = MakeNeedQuery(application, selector);
  return query ? *query : "refused: " + query.error().message;
}

TEST(NeedQuery, NamesTheMetricAsSparkDoes) {
  EXPECT_THAT(Query("analytics"), HasSubstr("\"metrics_analytics_driver_Exec"));
  EXPECT_THAT(Query("app-20261120215050-0000"),
              HasSubstr("\"metrics_app_20261120215050_0000_driver_Exec"));
  EXPECT_THAT(Query("data.etl job"), HasSubstr("\"metrics_data_etl_job_driver_Exec"));
  EXPECT_THAT(Query("\xc3\xa9 x/y"), HasSubstr("\"metrics___x_y_driver_Exec"));
  EXPECT_THAT(Query("a\"} or vector(9) #"), HasSubstr("\"metrics_a___or_vector_9____driver_Exec"));
  EXPECT_THAT(Query("", "a='b'"), HasSubstr("\"metrics_.+_driver_Exec"));
}

TEST(NeedQuery, WritesMatchersAnew) {
  const auto matchers = [](const std::string& selector) {
    const std::string query = Query("", selector);
    const std::size_t begin = query.find("(Value|Number)\"");
    if (begin == std::string::npos) return query.substr(0, 8);
    return query.substr(begin + 15, query.find("}[6h]") - begin - 15);
  };
  EXPECT_EQ(matchers(R"(namespace="data")"), R"(,namespace="data")");
  EXPECT_EQ(matchers(R"({ namespace = 'data' , job=~"spark.*", pod!="a", x!~"b", })"),
            R"(,namespace="data",job=~"spark.*",pod!="a",x!~"b")");
  EXPECT_EQ(matchers(R"(a="say \"hi\" \\ it's")"), R"(,a="say \"hi\" \\ it's")");
  EXPECT_EQ(matchers(R"(a='say "hi"')"), R"(,a="say \"hi\"")");
  EXPECT_EQ(matchers(R"(a="}) or vector(9) #")"), R"(,a="}) or vector(9) #")");
  for (const char* bad : {"{}",
                          " ",
                          "a",
                          "a=",
                          "a=b",
                          "a=\"b",
                          "a=\"b'",
                          "a=\"b\\\"",
                          "a=\"b\\n\"",
                          "a=\"b\nc\"",
                          "a==\"b\"",
                          "1a=\"b\"",
                          "a-b=\"c\"",
                          "a=\"b\" c=\"d\"",
                          ",a=\"b\"",
                          "a=\"b\",,c=\"d\"",
                          "{a=\"b\"",
                          "a=\"b\"}",
                          "a=\"b\"} or vector(9)",
                          "__name__=~\".*\""}) {
    EXPECT_EQ(matchers(bad), "refused:") << bad;
  }
}

class SparkInPrometheus : public testing::SignalTest {
 protected:
  SparkInPrometheus() {
    const auto waiter = std::make_shared<testing::FakeWaiter>(world_.clock);
    RegisterPrometheus(registry_, waiter);
    RegisterSpark(registry_, waiter);
    EXPECT_EQ(ParseConnections("prometheus: {main: {url: 'http://prom', namespaces: [team]}}"), "");
  }
  std::optional<SignalDefinition> Signal(const std::string& yaml,
                                         const std::string& name_space = "") {
    return ParseSignal("{type: spark, " + yaml + "}", name_space, !name_space.empty());
  }
  std::string Complaint(const std::string& yaml, const std::string& name_space = "") {
    return Signal(yaml, name_space) ? "none" : diagnostics_.ToString();
  }
  Result<Observation> Poll(const std::string& elements) {
    world_.transport->set_handler([elements](const HttpRequest&) -> Result<HttpResponse> {
      return HttpResponse{
          .status = 200,
          .headers = {},
          .body =
              R"({"status":"success","data":{"resultType":"vector","result":[)" + elements + "]}}"};
    });
    const auto signal = Signal("prometheus: main, application: etl");
    if (!signal) return Fail(ErrorCode::kInvalidArgument, diagnostics_.ToString());
    return signal->make_source()->Poll(
        {.slot = world_.clock.WallNow(),
         .deadline = world_.clock.MonotonicNow() + std::chrono::seconds(3)});
  }
  static std::string Value(const std::string& value) {
    return R"({"metric":{},"value":[1,")" + value + R"("]})";
  }
};

TEST_F(SparkInPrometheus, CountsAgainstItsPrometheusConnection) {
  const auto signal = Signal("prometheus: main, application: etl, activationThreshold: 2");
  ASSERT_TRUE(signal) << diagnostics_.ToString();
  EXPECT_EQ(signal->type, "spark");
  EXPECT_EQ(signal->connection, "main");
  EXPECT_EQ(signal->connection_type, "prometheus");
  EXPECT_EQ(signal->on_empty, OnEmpty::kZero);
  EXPECT_EQ(signal->demand.activation, 2);
  EXPECT_EQ(signal->demand.per, DemandRule::Per::kExecutor);
}

TEST_F(SparkInPrometheus, ReadsWhatTheNumberMeans) {
  EXPECT_EQ(Poll(Value("7"))->value, 7);
  EXPECT_FALSE(Poll(Value("0"))->empty);
  EXPECT_TRUE(Poll(Value("NaN"))->empty);
  const auto fault = [&](const std::string& elements) {
    const auto observation = Poll(elements);
    return observation ? "none" : observation.error().message;
  };
  EXPECT_THAT(fault(Value("-2")), HasSubstr("main: Prometheus cannot scrape 2 of the drivers"));
  EXPECT_THAT(fault(""), HasSubstr("has not scraped for long enough"));
  EXPECT_THAT(fault(Value("+Inf")), HasSubstr("not one number"));
  EXPECT_THAT(fault(Value("1") + "," + Value("2")), HasSubstr("not one number"));
}

TEST_F(SparkInPrometheus, ChecksItsKeys) {
  EXPECT_THAT(Complaint("prometheus: main"), HasSubstr("give 'application' or 'selector'"));
  EXPECT_THAT(Complaint("prometheus: main, connection: apps, application: a"),
              HasSubstr("'connection' and 'prometheus' are both given"));
  EXPECT_THAT(Complaint("prometheus: main, application: a, namespace: data"),
              HasSubstr("put it into 'selector'"));
  EXPECT_THAT(Complaint("prometheus: main, selector: 'a'"), HasSubstr("must be label matchers"));
  EXPECT_THAT(Complaint("prometheus: other, application: a"),
              HasSubstr("no such prometheus connection"));
  EXPECT_THAT(Complaint("prometheus: main, application: a", "stranger"),
              HasSubstr("not open to this namespace"));
  EXPECT_EQ(Complaint("prometheus: main, application: a", "team"), "none");
}

}  // namespace
}  // namespace stoker::scalers
