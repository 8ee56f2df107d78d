#include "cli/query.h"

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "externalscaler.grpc.pb.h"
#include "tests/testing/fakes.h"

namespace stoker::cli {
namespace {

using externalscaler::ExternalScaler;
using externalscaler::GetMetricSpecResponse;
using externalscaler::GetMetricsRequest;
using externalscaler::GetMetricsResponse;
using externalscaler::IsActiveResponse;
using externalscaler::ScaledObjectRef;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Somebody's external scaler; a test says what it answers.
class SomeScaler final : public ExternalScaler::Service {
 public:
  grpc::Status GetMetricSpec(grpc::ServerContext*,
                             const ScaledObjectRef* request,
                             GetMetricSpecResponse* response) override {
    const std::scoped_lock lock(mutex);
    object = *request;
    for (const auto& [name, target] : targets) {
      auto* spec = response->add_metricspecs();
      spec->set_metricname(name);
      if (integers_only) {
        spec->set_targetsize(static_cast<std::int64_t>(target));
      } else {
        spec->set_targetsizefloat(target);
      }
    }
    return spec_status;
  }
  grpc::Status GetMetrics(grpc::ServerContext*,
                          const GetMetricsRequest* request,
                          GetMetricsResponse* response) override {
    const std::scoped_lock lock(mutex);
    for (const double value : values[request->metricname()]) {
      auto* item = response->add_metricvalues();
      item->set_metricname(request->metricname());
      if (integers_only) {
        item->set_metricvalue(static_cast<std::int64_t>(value));
      } else {
        item->set_metricvaluefloat(value);
      }
    }
    return value_status;
  }
  grpc::Status IsActive(grpc::ServerContext*,
                        const ScaledObjectRef*,
                        IsActiveResponse* response) override {
    const std::scoped_lock lock(mutex);
    response->set_result(active);
    return active_status;
  }
  grpc::Status StreamIsActive(grpc::ServerContext*,
                              const ScaledObjectRef*,
                              grpc::ServerWriter<IsActiveResponse>* writer) override {
    Settle();
    if (quiet) released.get_future().wait();
    IsActiveResponse response;
    response.set_result(true);
    writer->Write(response);
    writer->Write(response);
    return active_status;
  }

  grpc::Status StreamMetricSpec(grpc::ServerContext* context,
                                const ScaledObjectRef* request,
                                grpc::ServerWriter<GetMetricSpecResponse>* writer) override {
    Settle();
    if (!quiet) return {grpc::StatusCode::UNIMPLEMENTED, ""};
    GetMetricSpecResponse response;
    const grpc::Status status = GetMetricSpec(context, request, &response);
    writer->Write(response);
    return status;
  }

  // Orders what a test sets before what a handler reads, and the other way round, where the thread
  // sanitizer sees it: gRPC, in between, is not instrumented.
  void Settle() { const std::scoped_lock lock(mutex); }

  std::mutex mutex;
  bool quiet = false;  // StreamIsActive says nothing until released, and StreamMetricSpec exists
  std::promise<void> released;
  ScaledObjectRef object;
  bool integers_only = false;
  bool active = true;
  std::vector<std::pair<std::string, double>> targets{{"orders", 1}};
  std::map<std::string, std::vector<double>> values{{"orders", {12}}};
  grpc::Status spec_status;
  grpc::Status value_status;
  grpc::Status active_status;
};

class QueryTest : public ::testing::Test {
 protected:
  QueryTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&scaler_);
    server_ = builder.BuildAndStart();
    options_.address = Address();
  }
  std::string Address() const { return "127.0.0.1:" + std::to_string(port_); }

  int Run() {
    scaler_.Settle();
    const int code = Query(
        options_,
        grpc::CreateChannel(options_.address, grpc::InsecureChannelCredentials()),
        clock_,
        [this](Duration duration) { Pause(duration); },
        terminal_);
    scaler_.Settle();
    return code;
  }
  // As the program would be called.
  int RunCommand(const std::string& arguments) {
    CLI::App app;
    stoker::cli::Run run;
    AddQueryCommand(app, terminal_, run);
    try {
      app.parse("query " + arguments);
    } catch (const CLI::ParseError& error) {
      err_ << error.what();
      return kUsage;
    }
    scaler_.Settle();
    const int code = run();
    scaler_.Settle();
    return code;
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  void Pause(Duration duration) {
    pauses_.push_back(duration);
    clock_.Advance(duration);
    if (between_) between_(pauses_.size());
    scaler_.Settle();
  }

  SomeScaler scaler_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  testing::FakeClock clock_{"2026-01-05T08:00:00Z"};
  QueryOptions options_;
  std::vector<Duration> pauses_;
  std::function<void(std::size_t)> between_;
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream err_;
  Terminal terminal_{.in = in_, .out = out_, .err = err_};
};

TEST(HpaReplicas, StaysWithinTheToleranceAndElseRoundsUp) {
  EXPECT_EQ(HpaReplicas(22, 1, 20, 0.1), 20);  // the trap: 10% of 20 is 2
  EXPECT_EQ(HpaReplicas(22, 1, 20, 0), 22);
  EXPECT_EQ(HpaReplicas(23, 1, 20, 0.1), 23);
  EXPECT_EQ(HpaReplicas(18, 1, 20, 0.1), 20);
  EXPECT_EQ(HpaReplicas(17, 1, 20, 0.1), 17);
  EXPECT_EQ(HpaReplicas(20, 1, 20, 0), 20);
  EXPECT_EQ(HpaReplicas(7.2, 2, 1, 0), 4);
  EXPECT_EQ(HpaReplicas(0.0004, 1, 1, 0), 0);
}

TEST_F(QueryTest, ShowsWhatKedaWouldSee) {
  options_.metadata = {{"policy", "etl"}};
  options_.name_space = "team-a";
  options_.name = "etl";
  EXPECT_EQ(Run(), kOk);
  EXPECT_EQ(out(),
            "METRIC    TARGET     VALUE    ACTIVE  REPLICAS\n"
            "orders         1        12       yes        12\n");
  EXPECT_EQ(err(), "");
  EXPECT_EQ(scaler_.object.name(), "etl");
  EXPECT_EQ(scaler_.object.namespace_(), "team-a");
  EXPECT_EQ(scaler_.object.scalermetadata().at("policy"), "etl");
}

TEST_F(QueryTest, InactiveIsAnAnswerToo) {
  scaler_.active = false;
  scaler_.values["orders"] = {0};
  EXPECT_EQ(Run(), kOk);
  EXPECT_THAT(out(), HasSubstr("orders         1         0        no         0\n"));
}

TEST_F(QueryTest, ReadsServersThatKnowIntegersOnly) {
  scaler_.integers_only = true;
  scaler_.targets = {{"orders", 5}};
  EXPECT_EQ(Run(), kOk);
  EXPECT_THAT(out(), HasSubstr("orders         5        12       yes         3\n"));
}

TEST_F(QueryTest, ShowsEveryMetricOrTheOneAskedFor) {
  scaler_.targets = {{"orders", 1}, {"a-rather-long-name", 2.5}};
  scaler_.values["a-rather-long-name"] = {6};
  EXPECT_EQ(Run(), kOk);
  EXPECT_THAT(out(),
              HasSubstr("orders                     1        12       yes        12\n"
                        "a-rather-long-name       2.5         6       yes         3\n"));
  out_.str("");
  options_.metric = "a-rather-long-name";
  EXPECT_EQ(Run(), kOk);
  EXPECT_THAT(out(), Not(HasSubstr("orders")));
  options_.metric = "s0-orders";
  EXPECT_EQ(Run(), kUpstream);
  EXPECT_THAT(err(), HasSubstr("has no metric \"s0-orders\""));
}

TEST_F(QueryTest, ShowsTheToleranceTrap) {
  scaler_.values["orders"] = {22};
  options_.replicas = 20;
  EXPECT_EQ(Run(), kOk);
  EXPECT_THAT(out(), HasSubstr("REPLICAS   HPA 10%    HPA 0%\n"));
  EXPECT_THAT(out(), HasSubstr("22        20        22\n"));
}

TEST_F(QueryTest, AtZeroReplicasKedaStartsWithOne) {
  options_.replicas = 0;
  options_.json = true;
  EXPECT_EQ(Run(), kOk);
  const auto hpa = nlohmann::json::parse(out())["metrics"][0]["hpa"];
  EXPECT_EQ(hpa["replicas_at_tolerance_10_percent"], 1);
  EXPECT_EQ(hpa["replicas_at_tolerance_0"], 1);
}

TEST_F(QueryTest, JsonIsAloneOnStdout) {
  options_.json = true;
  scaler_.values["orders"] = {5, 7};
  EXPECT_EQ(Run(), kOk);
  const auto json = nlohmann::json::parse(out());
  EXPECT_EQ(json["address"], options_.address);
  ASSERT_EQ(json["metrics"].size(), 1U);
  EXPECT_EQ(json["metrics"][0],
            (nlohmann::json{{"name", "orders"},
                            {"target", 1.0},
                            {"value", 12.0},
                            {"active", true},
                            {"replicas", 12}}));
  EXPECT_THAT(err(), HasSubstr("2 values for orders: the HPA adds them up"));
}

TEST_F(QueryTest, SaysWhatKubernetesWouldRefuse) {
  scaler_.targets = {{"orders", 0}};
  EXPECT_EQ(Run(), kOk);
  EXPECT_THAT(err(), HasSubstr("the target of orders is not above 0"));
  scaler_.targets.clear();
  EXPECT_EQ(Run(), kUpstream);
  EXPECT_THAT(err(), HasSubstr("no metric for this trigger"));
}

TEST_F(QueryTest, AnErrorIsOneLineAndExitCode3) {
  scaler_.value_status = {grpc::StatusCode::UNAVAILABLE, "backlog: no reading\nfor 31m"};
  EXPECT_EQ(Run(), kUpstream);
  EXPECT_EQ(err(), "stoker query: GetMetrics: UNAVAILABLE: backlog: no reading for 31m\n");
  EXPECT_EQ(out(), "");
  scaler_.value_status = grpc::Status::OK;
  scaler_.active_status = {grpc::StatusCode::PERMISSION_DENIED, "not this namespace"};
  EXPECT_EQ(Run(), kUpstream);
  EXPECT_THAT(err(), HasSubstr("IsActive: PERMISSION_DENIED: not this namespace\n"));
  scaler_.spec_status = {grpc::StatusCode::INVALID_ARGUMENT, "threshold: not a number"};
  EXPECT_EQ(Run(), kUpstream);
  EXPECT_THAT(err(), HasSubstr("GetMetricSpec: INVALID_ARGUMENT: threshold: not a number\n"));
}

TEST_F(QueryTest, AServerThatIsNotThereNamesTheMend) {
  server_->Shutdown();
  EXPECT_EQ(Run(), kUpstream);
  EXPECT_THAT(err(),
              AllOf(StartsWith("stoker query: GetMetricSpec: UNAVAILABLE: "),
                    HasSubstr("check that the server runs at " + options_.address),
                    HasSubstr("--tls")));
}

TEST_F(QueryTest, AServerThatIsNoScalerNamesTheMend) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  grpc::CallbackGenericService nothing;
  builder.RegisterCallbackGenericService(&nothing);
  const auto other = builder.BuildAndStart();
  options_.address = Address();
  EXPECT_EQ(Run(), kUpstream);
  EXPECT_THAT(err(), HasSubstr("UNIMPLEMENTED"));
  EXPECT_THAT(err(), HasSubstr("but no external scaler, check the port"));
}

TEST_F(QueryTest, WatchPrintsTheStartAndChangesOnly) {
  options_.watch = std::chrono::seconds(2);
  options_.count = 5;
  between_ = [this](std::size_t question) {
    if (question == 2) scaler_.values["orders"] = {13};
    if (question == 3) scaler_.value_status = {grpc::StatusCode::UNAVAILABLE, "stale for 31m"};
    if (question == 4) scaler_.value_status = {grpc::StatusCode::UNAVAILABLE, "stale for 32m"};
  };
  EXPECT_EQ(Run(), kUpstream);  // as the last answer was
  EXPECT_EQ(out(),
            "TIME      METRIC    TARGET     VALUE    ACTIVE  REPLICAS\n"
            "08:00:00  orders         1        12       yes        12\n"
            "08:00:04  orders         1        13       yes        13\n");
  EXPECT_EQ(err(), "stoker query: GetMetrics: UNAVAILABLE: stale for 31m\n");
  EXPECT_EQ(pauses_, std::vector<Duration>(4, std::chrono::seconds(2)));
}

TEST_F(QueryTest, WatchInJsonIsALineAChange) {
  options_.watch = std::chrono::seconds(1);
  options_.count = 2;
  options_.json = true;
  between_ = [this](std::size_t) { scaler_.active = false; };
  EXPECT_EQ(Run(), kOk);
  std::istringstream lines(out());
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(nlohmann::json::parse(line)["metrics"][0]["active"], true);
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(nlohmann::json::parse(line)["metrics"][0]["active"], false);
  EXPECT_EQ(nlohmann::json::parse(line)["time"], "2026-01-05T08:00:01Z");
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(QueryTest, StreamListensAsExternalPushDoes) {
  options_.stream = true;
  EXPECT_EQ(Run(), kOk);
  EXPECT_EQ(out(),
            "08:00:00  StreamIsActive    active\n"
            "08:00:00  StreamIsActive    active\n");
  scaler_.active_status = {grpc::StatusCode::NOT_FOUND, "no such policy"};
  EXPECT_EQ(Run(), kUpstream);
  EXPECT_THAT(err(), HasSubstr("StreamIsActive: NOT_FOUND: no such policy"));
}

TEST_F(QueryTest, StreamShowsSpecsToo) {
  options_.stream = true;
  options_.count = 1;
  scaler_.quiet = true;
  EXPECT_EQ(Run(), kOk);
  scaler_.released.set_value();
  EXPECT_EQ(out(), "08:00:00  StreamMetricSpec  orders target 1\n");
}

TEST_F(QueryTest, StreamStopsAfterCount) {
  options_.stream = true;
  options_.json = true;
  options_.count = 1;
  EXPECT_EQ(Run(), kOk);
  EXPECT_EQ(nlohmann::json::parse(out()),
            (nlohmann::json{
                {"time", "2026-01-05T08:00:00Z"}, {"method", "StreamIsActive"}, {"active", true}}));
}

TEST_F(QueryTest, TheCommandLineSaysWhatToAsk) {
  EXPECT_EQ(RunCommand(Address() + " --policy etl -m a=b=c --metadata d= -n team-a --name etl"),
            kOk);
  EXPECT_EQ(scaler_.object.scalermetadata().at("policy"), "etl");
  EXPECT_EQ(scaler_.object.scalermetadata().at("a"), "b=c");
  EXPECT_EQ(scaler_.object.scalermetadata().at("d"), "");
  EXPECT_EQ(scaler_.object.scalermetadata().at("scalerAddress"), Address());
  EXPECT_EQ(scaler_.object.namespace_(), "team-a");
  EXPECT_EQ(RunCommand(Address() + " --watch=10ms --count 2"), kOk);
  EXPECT_THAT(out(), HasSubstr("TIME"));
}

TEST_F(QueryTest, BadUsageIsExitCode2WithTheMend) {
  EXPECT_EQ(RunCommand(""), kUsage);
  const std::map<std::string, std::string> mistakes{
      {"--metadata nonsense", "expected KEY=VALUE"},
      {"--metadata =x", "expected KEY=VALUE"},
      {"--timeout 5", "--timeout: expected a duration"},
      {"--watch=soon", "--watch: expected a duration"},
      {"--count 3", "--count needs --watch or --stream"},
      {"--watch --stream", "choose one"},
      {"--cert c.pem", "--cert and --key belong together"},
      {"--ca /no/such/file", "/no/such/file"},
      {"--output yaml", "--output"},
      {"--replicas -1", "--replicas"},
  };
  for (const auto& [arguments, mend] : mistakes) {
    err_.str("");
    EXPECT_EQ(RunCommand(Address() + " " + arguments), kUsage) << arguments;
    EXPECT_THAT(err(), HasSubstr(mend)) << arguments;
    EXPECT_EQ(out(), "") << arguments;
  }
}

}  // namespace
}  // namespace stoker::cli
