// `stoker simulate` on the past that a real Prometheus keeps.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/integration/prometheus/real_prometheus.h"

namespace stoker::testing {
namespace {

using ::testing::HasSubstr;

/// What Stoker exported of a signal that cannot tell its past: 6 files, then 2.
std::string Recorded() {
  std::string samples = "# TYPE stoker_signal_value gauge\n";
  for (int minute = 0; minute < 10; ++minute) {
    for (const char* pod : {"a", "b"}) {
      const auto time = RealPrometheus::BacklogStart() + std::chrono::minutes(minute);
      samples += "stoker_signal_value{pod=\"" + std::string(pod) +
                 "\",policy=\"files\",signal=\"inbox\",type=\"directory\"} " +
                 (minute < 5 ? "6 " : "2 ") +
                 std::to_string(time.time_since_epoch() / std::chrono::seconds(1)) + "\n";
    }
  }
  return samples;
}

struct SimulateOnPrometheus : ::testing::Test {
  static void SetUpTestSuite() { server = new RealPrometheus("", Recorded()); }
  static void TearDownTestSuite() {
    delete server;
    server = nullptr;
  }

  void SetUp() override {
    binary = std::getenv("STOKER_BIN");
    ASSERT_NE(binary, nullptr) << "STOKER_BIN must name the stoker binary; scripts/test sets it";
    ASSERT_NE(server, nullptr) << "install the Debian package 'prometheus'";
    config =
        folder.Write("stoker.yaml",
                     "apiVersion: stoker/v1\n"
                     "connections:\n"
                     "  prometheus:\n"
                     "    main: {url: '" +
                         server->Address() +
                         "'}\n"
                         "    gone: {url: 'http://127.0.0.1:" +
                         std::to_string(FreePort()) +
                         "'}\n"
                         "policies:\n"
                         "  etl:\n"
                         "    replicas: {max: 5}\n"
                         "    signals:\n"
                         "      backlog: {type: prometheus, connection: main, query: backlog, "
                         "threshold: 1}\n"
                         "  lost:\n"
                         "    signals:\n"
                         "      backlog: {type: prometheus, connection: gone, query: backlog, "
                         "threshold: 1}\n"
                         "  files:\n"
                         "    signals: {inbox: {type: directory, path: /none, targetSize: 2}}\n");
    ASSERT_TRUE(WaitFor([this] { return Simulate("etl") == 0; }, std::chrono::seconds(60)))
        << output;
  }

  /// Ten minutes of the policy; returns the exit code.
  int Simulate(const std::string& policy, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {binary,
                                          "simulate",
                                          "-c",
                                          config,
                                          "--policy",
                                          policy,
                                          "--from",
                                          "2026-01-05T00:00:00Z",
                                          "--to",
                                          "2026-01-05T00:10:00Z",
                                          "--output",
                                          "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const TempFolder of_run;
    const auto process = Process::Start(arguments, of_run.path() + "/out");
    if (!process) return -1;
    const std::optional<int> code = (*process)->Wait(std::chrono::seconds(60));
    output = (*process)->Output();
    return code.value_or(-1);
  }
  nlohmann::json Figures() {
    return nlohmann::json::parse(output).at("policies").at(0).at("figures");
  }

  static inline RealPrometheus* server = nullptr;
  TempFolder folder;
  const char* binary = nullptr;
  std::string config;
  std::string output;
};

TEST_F(SimulateOnPrometheus, AsksTheSignalsOwnSource) {
  ASSERT_EQ(Simulate("etl"), 0) << output;
  // 0 to 5 a minute each, then 4 more minutes at the most there may be.
  EXPECT_DOUBLE_EQ(Figures().at("executor_hours"), (1 + 2 + 3 + 4 + 5 * 5) / 60.0);
  EXPECT_DOUBLE_EQ(Figures().at("demanded_executor_hours"), 45 / 60.0);
  EXPECT_EQ(Figures().at("unavailable_seconds"), 0);
  EXPECT_EQ(nlohmann::json::parse(output).at("policies").at(0).at("changes").size(), 6);
}

TEST_F(SimulateOnPrometheus, ReadsWhatStokerExportedOfSignalsWithoutAPast) {
  EXPECT_EQ(Simulate("files"), 2);
  EXPECT_THAT(output, HasSubstr("signal inbox (directory) cannot tell its past"));
  EXPECT_THAT(output, HasSubstr("a column 'inbox'"));
  ASSERT_EQ(Simulate("files", {"--recorded", "main"}), 0) << output;
  EXPECT_DOUBLE_EQ(Figures().at("executor_hours"), (3 * 5 + 1 * 5) / 60.0);
  EXPECT_EQ(Simulate("files", {"--recorded", "mian"}), 2);
  EXPECT_THAT(output, HasSubstr("main"));
}

TEST_F(SimulateOnPrometheus, AnUpstreamThatIsDownIsCalledSo) {
  EXPECT_EQ(Simulate("lost"), 3);
  EXPECT_THAT(output, HasSubstr("policy lost, signal backlog (prometheus): connection gone: "));
}

}  // namespace
}  // namespace stoker::testing
