// The signal type spark held against the contract of scaler_contract.h.
#include <string>
#include <utility>

#include "scalers/prometheus/prometheus_scaler.h"
#include "scalers/spark/spark_scaler.h"
#include "tests/contract/scaler_contract.h"
#include "tests/testing/fake_driver.h"

namespace stoker::testing {
namespace {

/// The driver with one of its answers changed.
std::function<void(FakeWorld&)> Driver(const std::function<void(FakeDriver&)>& change) {
  FakeDriver driver;
  driver.stages =
      R"([{"status":"ACTIVE","numTasks":48,"numCompletedIndices":0,"numActiveTasks":8}])";
  driver.executors = R"([{"id":"1","maxTasks":4}])";
  change(driver);
  return [driver](FakeWorld& world) {
    world.transport->set_handler(
        [driver](const HttpRequest& request) { return driver.Answer(request); });
  };
}

/// Every request, or those of one path, are answered alike; the host shows as the transport shows
/// it.
std::function<void(FakeWorld&)> Answer(int status, const std::string& path = "") {
  return [status, path](FakeWorld& world) {
    world.transport->set_handler([status, path](const HttpRequest& request) {
      if (request.url.find(path) == std::string::npos) return FakeDriver().Answer(request);
      return Result<HttpResponse>(HttpResponse{.status = status});
    });
  };
}

std::function<void(FakeWorld&)> NoAnswer(ErrorCode code, const std::string& path = "") {
  return [code, path](FakeWorld& world) {
    world.transport->set_handler([code, path](const HttpRequest& request) -> Result<HttpResponse> {
      if (request.url.find(path) == std::string::npos) return FakeDriver().Answer(request);
      const std::string host = request.url.substr(7, request.url.find('/', 7) - 7);
      return Fail(code, host + ": while connecting: no answer");
    });
  };
}

const ScalerFixture& Spark() {
  static const ScalerFixture kFixture = {
      .type = "spark",
      .add = scalers::RegisterSpark,
      .connections =
          "spark:\n"
          "  apps: {driverUrl: 'http://{application}.{namespace}.svc:4040'}\n"
          "  other: {driverUrl: 'http://{application}.other.svc:4040'}\n",
      .signal = {{"connection", "apps"}, {"application", "etl"}, {"namespace", "team"}},
      .required = {"application", "namespace"},
      .same = {{{"activationThreshold", "6"}}, {{"per", "replica"}}, {{"interval", "1m"}}},
      .different = {{{"application", "other"}}, {{"namespace", "other"}}},
      .secrets = {},
      .has_upstream = true,
      .value = 12,
      .healthy = Driver([](FakeDriver&) {}),
      .faults = {{"unreachable", NoAnswer(ErrorCode::kUnavailable)},
                 {"too slow", NoAnswer(ErrorCode::kDeadlineExceeded)},
                 {"too long", NoAnswer(ErrorCode::kResourceExhausted)},
                 {"401", Answer(401)},
                 {"403", Answer(403)},
                 {"404", Answer(404)},
                 {"500", Answer(500)},
                 {"503", Answer(503)},
                 {"redirect", Answer(302)},
                 {"no stages", Answer(500, "/stages")},
                 {"listed, not found", Driver([](FakeDriver& d) { d.stages = std::nullopt; })},
                 {"page", Driver([](FakeDriver& d) { d.applications = "<html>"; })},
                 {"empty body", Driver([](FakeDriver& d) { d.applications = ""; })},
                 {"cut short", Driver([](FakeDriver& d) { d.stages = "[{"; })}},
      .empties = {{"nobody there", NoAnswer(ErrorCode::kNotFound)},
                  {"no application", Driver([](FakeDriver& d) { d.applications = "[]"; })},
                  {"ended", Driver([](FakeDriver& d) {
                     d.applications =
                         R"([{"id":"app-1","name":"job","attempts":[{"completed":true}]}])";
                   })},
                  {"ends now", NoAnswer(ErrorCode::kNotFound, "/stages")}},
      .odd = {
          {"negative", Driver([](FakeDriver& d) {
             d.stages =
                 R"([{"status":"ACTIVE","numTasks":-4,"numCompletedIndices":0,"numActiveTasks":0}])";
           })},
          {"huge", Driver([](FakeDriver& d) {
             d.stages =
                 R"([{"status":"ACTIVE","numTasks":1e300,"numCompletedIndices":0,"numActiveTasks":0}])";
           })}}};
  return kFixture;
}

/// Prometheus' answer with one number; in a range query, at each of the ten minutes up to now.
std::string Prometheus(const std::string& url, const std::string& value) {
  const bool range = url.find("/query_range?") != std::string::npos;
  std::string points = range ? "" : R"([1,")" + value + R"("])";
  for (std::int64_t seconds = 1767571200 - 540; range && seconds <= 1767571200; seconds += 60) {
    points += (points.empty() ? "[" : ",[") + std::to_string(seconds) + R"(,")" + value + R"("])";
  }
  return std::string(R"({"status":"success","data":{"resultType":")") +
         (range ? "matrix" : "vector") + R"(","result":[{"metric":{},)" +
         (range ? R"("values":[)" + points + "]" : R"("value":)" + points) + "}]}}";
}

std::function<void(FakeWorld&)> Number(const std::string& value) {
  return [value](FakeWorld& world) {
    world.transport->set_handler([value](const HttpRequest& request) {
      return Result<HttpResponse>(
          HttpResponse{.status = 200, .headers = {}, .body = Prometheus(request.url, value)});
    });
  };
}

const ScalerFixture& SparkInPrometheus() {
  static const ScalerFixture kFixture = {
      .type = "spark",
      .add =
          [](scalers::Registry& registry, std::shared_ptr<http::Waiter> waiter) {
            scalers::RegisterSpark(registry, waiter);
            scalers::RegisterPrometheus(registry, std::move(waiter));
          },
      .connections =
          "prometheus:\n"
          "  main: {url: 'http://prom.test:9090'}\n"
          "  other: {url: 'http://other.test:9090'}\n",
      .signal = {{"prometheus", "main"},
                 {"application", "etl"},
                 {"selector", R"(namespace="data")"}},
      .required = {},
      .same = {{{"activationThreshold", "6"}}, {{"selector", "{namespace='data'}"}}},
      .different = {{{"application", "other"}},
                    {{"selector", R"(namespace="other")"}},
                    {{"prometheus", "other"}}},
      .secrets = {},
      .has_upstream = true,
      .tells_past = true,
      .value = 12,
      .healthy = Number("12"),
      .faults = {{"unreachable", NoAnswer(ErrorCode::kUnavailable)},
                 {"gone", NoAnswer(ErrorCode::kNotFound)},
                 {"too slow", NoAnswer(ErrorCode::kDeadlineExceeded)},
                 {"403", Answer(403)},
                 {"500", Answer(500)},
                 {"redirect", Answer(302)}},
      .empties = {{"NaN", Number("NaN")}},
      .odd = {{"a driver is down", Number("-1")},
              {"+Inf", Number("+Inf")},
              {"-Inf", Number("-Inf")},
              {"text", Number("many")}}};
  return kFixture;
}

INSTANTIATE_TEST_SUITE_P(Prometheus,
                         ScalerContract,
                         ::testing::Values(&SparkInPrometheus()),
                         [](const auto& param) { return param.param->type; });
INSTANTIATE_TEST_SUITE_P(Spark, ScalerContract, ::testing::Values(&Spark()), [](const auto& param) {
  return param.param->type;
});

}  // namespace
}  // namespace stoker::testing
