// The signal type spark held against the contract of scaler_contract.h.
#include <string>
#include <utility>

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

std::function<void(FakeWorld&)> NoAnswer(ErrorCode code) {
  return [code](FakeWorld& world) {
    world.transport->set_handler([code](const HttpRequest& request) -> Result<HttpResponse> {
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
                 {"page", Driver([](FakeDriver& d) { d.applications = "<html>"; })},
                 {"empty body", Driver([](FakeDriver& d) { d.applications = ""; })},
                 {"cut short", Driver([](FakeDriver& d) { d.stages = "[{"; })}},
      .empties = {{"nobody there", NoAnswer(ErrorCode::kNotFound)},
                  {"no application", Driver([](FakeDriver& d) { d.applications = "[]"; })},
                  {"ended", Driver([](FakeDriver& d) {
                     d.applications =
                         R"([{"id":"app-1","name":"job","attempts":[{"completed":true}]}])";
                   })},
                  {"ends now", Driver([](FakeDriver& d) { d.stages = std::nullopt; })}},
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

INSTANTIATE_TEST_SUITE_P(Spark, ScalerContract, ::testing::Values(&Spark()), [](const auto& param) {
  return param.param->type;
});

}  // namespace
}  // namespace stoker::testing
