// The real binary, asked with its own commands, over real upstreams.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "tests/testing/process.h"
#include "upstream/http/beast_transport.h"

namespace stoker::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

std::string Binary() {
  const char* path = std::getenv("STOKER_BIN");
  EXPECT_NE(path, nullptr) << "STOKER_BIN must name the stoker binary; scripts/test sets it";
  return path == nullptr ? "" : path;
}

struct Ran {
  int code = -1;
  std::string out;
};

class AppTest : public ::testing::Test {
 protected:
  static constexpr const char* kServer = R"(apiVersion: stoker/v1
server:
  grpc: {listen: "127.0.0.1:0"}
  http: {listen: "127.0.0.1:0", auth: off}
  probes: {listen: "127.0.0.1:0"}
)";

  /// Starts `stoker serve` on a configuration and waits until it listens.
  void Serve(const std::string& config) {
    config_ = folder_.Write("stoker.yaml", kServer + config);
    log_ = folder_.path() + "/serve.log";
    Result<std::unique_ptr<Process>> process =
        Process::Start({Binary(), "serve", "--config", config_}, log_);
    ASSERT_TRUE(process) << process.error().message;
    server_ = std::move(*process);
    ASSERT_TRUE(WaitFor([&] { return Logged("stoker is up"); }, seconds(20))) << server_->Output();
  }
  [[nodiscard]] bool Logged(const std::string& text) const {
    return server_->Output().find(text) != std::string::npos;
  }
  [[nodiscard]] std::string Port(const std::string& which) const {
    std::smatch match;
    const std::string output = server_->Output();
    std::regex_search(output, match, std::regex(which + "_port=([0-9]+)"));
    return match[1];
  }
  Ran Stoker(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), Binary());
    const std::string file = folder_.path() + "/command." + std::to_string(++commands_);
    Result<std::unique_ptr<Process>> process = Process::Start(std::move(arguments), file);
    EXPECT_TRUE(process);
    const std::optional<int> code = (*process)->Wait(seconds(20));
    return {code.value_or(-1), (*process)->Output()};
  }
  /// The value KEDA would get; empty when it would get an error.
  std::optional<double> Value(const std::string& policy) {
    const Ran ran =
        Stoker({"query", "127.0.0.1:" + Port("grpc"), "--policy", policy, "--output", "json"});
    last_ = ran.out;
    if (ran.code != 0) return std::nullopt;
    const std::regex pattern(R"re("value": *([0-9.]+))re");
    std::smatch match;
    if (!std::regex_search(last_, match, pattern)) return std::nullopt;
    return std::stod(match[1]);
  }
  bool WaitForValue(const std::string& policy, double value, Duration limit) {
    return WaitFor([&] { return Value(policy) == value; }, limit);
  }
  HttpResponse Get(const std::string& port, const std::string& path) {
    SystemClock clock;
    SystemFileSystem files;
    http::BeastTransportFactory factory(clock, files);
    const auto transport = factory.Create({});
    HttpRequest request;
    request.url = "http://127.0.0.1:" + port + path;
    request.deadline = clock.MonotonicNow() + seconds(5);
    Result<HttpResponse> response = (*transport)->Send(request);
    EXPECT_TRUE(response) << (response ? "" : response.error().message);
    return response ? *response : HttpResponse{};
  }
  std::unique_ptr<Process> StartPrometheus(int port) {
    const std::string config = folder_.Write("prometheus.yml", "scrape_configs: []\n");
    Result<std::unique_ptr<Process>> process =
        Process::Start({"/usr/bin/prometheus",
                        "--config.file=" + config,
                        "--storage.tsdb.path=" + folder_.path() + "/tsdb",
                        "--web.listen-address=127.0.0.1:" + std::to_string(port)},
                       folder_.path() + "/prometheus.log");
    EXPECT_TRUE(process) << (process ? "" : process.error().message);
    EXPECT_TRUE(WaitForPort(port, seconds(20)));
    return std::move(*process);
  }

  TempFolder folder_;
  std::string config_;
  std::string log_;
  std::string last_;
  std::unique_ptr<Process> server_;
  int commands_ = 0;
};

TEST_F(AppTest, CountsFilesAndExplains) {
  const std::string inbox = folder_.path() + "/inbox";
  folder_.Write("inbox/one", "x");
  Serve("policies:\n  etl:\n    signals:\n      inbox: {type: directory, path: " + inbox +
        ", targetSize: 2}\n");
  EXPECT_TRUE(WaitForValue("etl", 1, seconds(10))) << last_;
  for (int i = 0; i < 6; ++i) folder_.Write("inbox/more" + std::to_string(i), "x");
  EXPECT_TRUE(WaitForValue("etl", 4, seconds(10))) << last_;

  const Ran explained =
      Stoker({"explain", "--policy", "etl", "--server", "http://127.0.0.1:" + Port("http")});
  EXPECT_EQ(explained.code, 0) << explained.out;
  EXPECT_THAT(explained.out, HasSubstr("inbox"));
  const Ran by_object = Stoker({"query",
                                "127.0.0.1:" + Port("grpc"),
                                "--policy",
                                "etl",
                                "--namespace",
                                "data",
                                "--name",
                                "spark"});
  EXPECT_EQ(by_object.code, 0) << by_object.out;
  const HttpResponse target = Get(Port("http"), "/api/v1/targets/data/spark");
  EXPECT_EQ(target.status, 200) << target.body;
  EXPECT_EQ(Get(Port("probes"), "/readyz").status, 200);
  const HttpResponse metrics = Get(Port("http"), "/metrics");
  EXPECT_THAT(metrics.body,
              HasSubstr("stoker_target_replicas{namespace=\"data\",scaled_object=\"spark\",policy="
                        "\"etl\"} 4"));
}

TEST_F(AppTest, PrometheusKilledHoldsThenFailsThenRecovers) {
  const int port = FreePort();
  std::unique_ptr<Process> prometheus = StartPrometheus(port);
  Serve("connections:\n  prometheus:\n    main: {url: \"http://127.0.0.1:" + std::to_string(port) +
        "\", interval: 1s, timeout: 800ms, maxAge: 2s}\n"
        "policies:\n  etl:\n    onFault: {hold: 8s, then: fail}\n    signals:\n"
        "      busy: {type: prometheus, connection: main, query: 'vector(24)', threshold: 8}\n");
  ASSERT_TRUE(WaitForValue("etl", 3, seconds(15))) << last_ << server_->Output();

  prometheus->Signal(SIGKILL);
  prometheus->Wait(seconds(5));
  // From here on: 3, until the hold is over, then an error. Never another number.
  const SystemClock clock;
  const MonoTime killed = clock.MonotonicNow();
  int held = 0;
  bool failed = false;
  while (!failed && clock.MonotonicNow() - killed < seconds(20)) {
    const std::optional<double> value = Value("etl");
    if (value) {
      EXPECT_EQ(*value, 3);
      ++held;
    } else {
      failed = true;
      EXPECT_THAT(last_, HasSubstr("UNAVAILABLE"));
    }
  }
  EXPECT_TRUE(failed) << "the hold never ended";
  EXPECT_GE(clock.MonotonicNow() - killed, seconds(6)) << "the hold ended too soon";
  EXPECT_GT(held, 3);
  EXPECT_TRUE(WaitFor([&] { return Logged("no target"); }, seconds(5))) << server_->Output();

  prometheus = StartPrometheus(port);
  EXPECT_TRUE(WaitForValue("etl", 3, milliseconds(2500)))
      << "one interval is 1 s; " << last_ << server_->Output();
}

TEST_F(AppTest, ReloadsAndRefusesABadFileWhole) {
  const std::string inbox = folder_.path() + "/inbox";
  for (int i = 0; i < 8; ++i) folder_.Write("inbox/file" + std::to_string(i), "x");
  const auto config = [&](const std::string& target_size) {
    return std::string(kServer) +
           "policies:\n  etl:\n    signals:\n      inbox: {type: directory, path: " + inbox +
           ", targetSize: " + target_size + "}\n";
  };
  Serve(config("8").substr(std::string(kServer).size()));
  EXPECT_TRUE(WaitForValue("etl", 1, seconds(10))) << last_;
  folder_.Write("stoker.yaml", config("2"));
  EXPECT_TRUE(WaitForValue("etl", 4, seconds(15))) << last_ << server_->Output();

  folder_.Write("stoker.yaml", config("none"));
  EXPECT_TRUE(WaitFor([&] { return Logged("configuration refused"); }, seconds(15)));
  EXPECT_THAT(server_->Output(), HasSubstr("stoker.yaml:9:"));
  EXPECT_EQ(Value("etl"), 4) << "the old one stays";
  EXPECT_THAT(Get(Port("http"), "/metrics").body,
              HasSubstr("stoker_config_last_reload_successful 0"));
  folder_.Write("stoker.yaml", config("1") + "capacity: {lease: {name: other}}\n");
  EXPECT_TRUE(WaitFor([&] { return Logged("capacity.lease changed"); }, seconds(15)));
  EXPECT_TRUE(WaitForValue("etl", 8, seconds(15))) << last_ << server_->Output();
  EXPECT_THAT(Get(Port("http"), "/metrics").body,
              HasSubstr("stoker_config_last_reload_successful 1"));
}

TEST_F(AppTest, StopsCleanlyOnSigterm) {
  Serve(
      "policies:\n  etl:\n    signals:\n      hours: {type: cron, timezone: UTC, start: '0 0 * * "
      "*', "
      "end: '59 23 * * *', desiredReplicas: 1}\n");
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(seconds(10)), 0) << server_->Output();
}

TEST_F(AppTest, TakenPortIsOneClearLine) {
  Serve("policies: {}\n");
  const std::string other = folder_.Write(
      "other.yaml",
      "apiVersion: stoker/v1\nserver:\n  grpc: {listen: \"127.0.0.1:" + Port("grpc") +
          "\"}\n  http: {listen: \"127.0.0.1:0\"}\n  probes: {listen: \"127.0.0.1:0\"}\n");
  const Ran ran = Stoker({"serve", "--config", other});
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.out, HasSubstr(Port("grpc")));
}

TEST_F(AppTest, BadConfigurationIsUsageAndEveryMistakeIsListed) {
  const std::string bad =
      folder_.Write("bad.yaml",
                    "apiVersion: stoker/v1\npolicies:\n  etl:\n    combin: max\n"
                    "    signals:\n      a: {type: cron, timezone: Mars/Olympus}\n");
  const Ran ran = Stoker({"serve", "--config", bad});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.out,
              HasSubstr("bad.yaml:4:5: policies.etl: unknown key 'combin'; did you mean "
                        "'combine'?"));
  EXPECT_THAT(ran.out, HasSubstr("bad.yaml:6:"));
}

}  // namespace
}  // namespace stoker::testing
