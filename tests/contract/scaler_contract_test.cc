// Signal types held against the contract of scaler_contract.h; those that count objects are in
// object_scalers_contract_test.cc.
#include <string>
#include <utility>
#include <vector>

#include "scalers/cron/cron_scaler.h"
#include "scalers/pods/pods_scaler.h"
#include "scalers/prometheus/prometheus_scaler.h"
#include "tests/contract/scaler_contract.h"

namespace stoker::testing {
namespace {

/// Every request is answered alike.
std::function<void(FakeWorld&)> Answer(int status, std::string body) {
  return [status, body = std::move(body)](FakeWorld& world) {
    world.transport->set_handler([status, body](const HttpRequest&) -> Result<HttpResponse> {
      return HttpResponse{.status = status, .headers = {}, .body = body};
    });
  };
}

std::function<void(FakeWorld&)> NoAnswer(ErrorCode code) {
  return [code](FakeWorld& world) {
    world.transport->set_handler([code](const HttpRequest&) -> Result<HttpResponse> {
      return Fail(code, "upstream:1 does not answer");
    });
  };
}

const ScalerFixture& Cron() {
  static const ScalerFixture kFixture = {
      .type = "cron",
      .add = [](scalers::Registry& registry,
                std::shared_ptr<http::Waiter>) { scalers::RegisterCron(registry); },
      .connections = "",
      // FakeWorld begins on 5 January 2026, 00:00 UTC.
      .signal = {{"timezone", "Asia/Kolkata"},
                 {"start", "0 5 * * *"},
                 {"end", "0 9 * * *"},
                 {"desiredReplicas", "7"}},
      .required = {"timezone", "start", "end", "desiredReplicas"},
      .same = {{{"maxAge", "5m"}}, {{"interval", "1m"}}},
      .different = {{{"timezone", "Asia/Tokyo"}},
                    {{"start", "1 5 * * *"}},
                    {{"end", "1 9 * * *"}},
                    {{"desiredReplicas", "8"}},
                    {{"lead", "1m"}}},
      .secrets = {},
      .has_upstream = false,
      .tells_past = true,
      .value = 7,
      .healthy = [](FakeWorld&) {},
      .faults = {},
      .empties = {},
      .odd = {}};
  return kFixture;
}

/// A pod list of two, one of which is on its way out, and one more.
constexpr char kPods[] = R"({"kind":"PodList","metadata":{},"items":[
  {"metadata":{"name":"a"},"status":{"phase":"Running"}},
  {"metadata":{"name":"b","deletionTimestamp":"2026-01-05T00:00:00Z"},
   "status":{"phase":"Running"}},
  {"metadata":{"name":"c"},"status":{"phase":"Running"}}]})";

std::function<void(FakeWorld&)> ApiServer(int status, std::string body) {
  return [answer = Answer(status, std::move(body))](FakeWorld& world) {
    world.environment.Set("KUBERNETES_SERVICE_HOST", "10.96.0.1");
    world.files.Write("/var/run/secrets/kubernetes.io/serviceaccount/token", "p0d-t0ken");
    answer(world);
  };
}

const ScalerFixture& Pods() {
  static const ScalerFixture kFixture = {
      .type = "pods",
      .add = scalers::RegisterPods,
      .connections = "",
      .signal = {{"namespace", "team"}, {"labelSelector", "spark-role=executor"}},
      .required = {"namespace", "labelSelector"},
      .same = {{{"targetSize", "4"}}, {{"activationTargetSize", "2"}}, {{"interval", "1m"}}},
      .different = {{{"namespace", "other"}},
                    {{"labelSelector", "spark-role=driver"}},
                    {{"phase", "pending"}}},
      .secrets = {"p0d-t0ken"},
      .has_upstream = true,
      .value = 2,
      .healthy = ApiServer(200, kPods),
      .faults = {{"unreachable", NoAnswer(ErrorCode::kUnavailable)},
                 {"too slow", NoAnswer(ErrorCode::kDeadlineExceeded)},
                 {"too long", NoAnswer(ErrorCode::kResourceExhausted)},
                 {"400", Answer(400, "{}")},
                 {"401", Answer(401, "{}")},
                 {"403", Answer(403, "{}")},
                 {"404", Answer(404, "{}")},
                 {"500", Answer(500, "")},
                 {"503", Answer(503, "")},
                 {"redirect", Answer(302, "")},
                 {"page", Answer(200, "<html>")},
                 {"empty body", Answer(200, "")},
                 {"cut short", Answer(200, std::string(kPods).substr(0, 60))},
                 {"another kind", Answer(200, R"({"kind":"Status"})")}},
      .empties = {},
      .odd = {}};
  return kFixture;
}

std::string Vector(const std::string& value) {
  return R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,")" +
         value + R"("]}]}})";
}

/// The same value at every minute that a range query's URL asks for.
std::string Matrix(const std::string& url, const std::string& value) {
  const auto number = [&](const std::string& key) {
    return std::stoll(url.substr(url.find("&" + key + "=") + key.size() + 2));
  };
  std::string points;
  for (long long at = number("start"); at <= number("end"); at += 60) {
    points += (points.empty() ? "[" : ",[") + std::to_string(at) + ",\"" + value + "\"]";
  }
  return R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[)" +
         points + "]}]}}";
}

const ScalerFixture& Prometheus() {
  static const std::string kSecret = "pr0m-s3cr3t";
  static const ScalerFixture kFixture = {
      .type = "prometheus",
      .add = scalers::RegisterPrometheus,
      .connections =
          "prometheus:\n"
          "  main: {url: 'http://prom.test:9090', auth: {bearerTokenFile: /token}}\n"
          "  other: {url: 'http://other.test:9090'}\n",
      .signal = {{"connection", "main"}, {"query", "sum(waiting)"}, {"threshold", "5"}},
      .required = {"query", "threshold"},
      .same = {{{"threshold", "6"}}, {{"activationThreshold", "3"}}, {{"per", "executor"}}},
      .different = {{{"query", "sum(running)"}}, {{"connection", "other"}}, {{"onSeveral", "sum"}}},
      .secrets = {kSecret},
      .has_upstream = true,
      .tells_past = true,
      .value = 12.5,
      .healthy =
          [](FakeWorld& world) {
            world.files.Write("/token", kSecret + "\n");
            world.transport->set_handler([](const HttpRequest& request) -> Result<HttpResponse> {
              const bool range = request.url.find("/query_range?") != std::string::npos;
              return HttpResponse{.status = 200,
                                  .headers = {},
                                  .body = range ? Matrix(request.url, "12.5") : Vector("12.5")};
            });
          },
      .faults = {{"unreachable", NoAnswer(ErrorCode::kUnavailable)},
                 {"too slow", NoAnswer(ErrorCode::kDeadlineExceeded)},
                 {"too long", NoAnswer(ErrorCode::kResourceExhausted)},
                 {"401", Answer(401, kSecret)},
                 {"403", Answer(403, "")},
                 {"404", Answer(404, "<html>")},
                 {"429", Answer(429, "")},
                 {"500", Answer(500, "")},
                 {"503", Answer(503, "")},
                 {"redirect", Answer(302, "")},
                 {"bad query",
                  Answer(400, R"({"status":"error","errorType":"bad_data","error":"parse"})")},
                 {"error with 200",
                  Answer(200, R"({"status":"error","errorType":"internal","error":"oops"})")},
                 {"empty body", Answer(200, "")},
                 {"page", Answer(200, "<html>sign in</html>")},
                 {"cut short", Answer(200, Vector("12.5").substr(0, 60))},
                 {"no token", [](FakeWorld& world) { world.files.Remove("/token"); }}},
      .empties = {{"no series",
                   Answer(200,
                          R"({"status":"success","data":{"resultType":"vector","result":[]}})")},
                  {"NaN", Answer(200, Vector("NaN"))},
                  {"+Inf", Answer(200, Vector("+Inf"))},
                  {"-Inf", Answer(200, Vector("-Inf"))}},
      .odd = {{"overflow", Answer(200, Vector("1e999"))},
              {"text", Answer(200, Vector("many"))},
              {"number and more", Answer(200, Vector("12abc"))},
              {"nothing", Answer(200, Vector(""))},
              {"range",
               Answer(200, R"({"status":"success","data":{"resultType":"matrix","result":[]}})")}}};
  return kFixture;
}

INSTANTIATE_TEST_SUITE_P(,
                         ScalerContract,
                         ::testing::Values(&Cron(), &Pods(), &Prometheus()),
                         [](const auto& param) { return param.param->type; });

TEST(ScalerContractCoverage, EveryTypeThatShipsIsHeldToIt) {
  scalers::Registry registry;
  scalers::RegisterBuiltinScalers(registry);
  std::vector<std::string> shipped;
  for (const scalers::SignalType& type : registry.signal_types()) shipped.push_back(type.name);
  EXPECT_EQ(shipped,
            (std::vector<std::string>{
                "cron", "directory", "manual", "pods", "prometheus", "s3", "spark"}))
      << "give a new type its fixture, here or in a file beside, and name it in this list";
}

}  // namespace
}  // namespace stoker::testing
