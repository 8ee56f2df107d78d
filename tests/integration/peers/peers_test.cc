// What holds for replicas, on two real processes that poll a Prometheus which the test plays.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <regex>
#include <utility>

#include "adapter/http/http_server.h"
#include "core/text.h"
#include "tests/contract/replica_contract.h"
#include "tests/testing/fakes.h"
#include "tests/testing/process.h"
#include "upstream/http/beast_transport.h"

namespace stoker::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string Binary() {
  const char* path = std::getenv("STOKER_BIN");
  EXPECT_NE(path, nullptr) << "STOKER_BIN must name the stoker binary; scripts/test sets it";
  return path == nullptr ? "" : path;
}

/// A Prometheus that says one number, or fails.
class StandIn {
 public:
  StandIn() {
    auto server = adapter::HttpServer::Start(
        {.listen = "127.0.0.1:0", .tls = std::nullopt, .threads = 2},
        [this](const adapter::ApiRequest& request) { return Answer(request); },
        logger_);
    EXPECT_TRUE(server);
    server_ = std::move(*server);
  }
  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(server_->port());
  }
  std::atomic<double> demand{0};
  std::atomic<bool> failing{false};

 private:
  adapter::HttpReply Answer(const adapter::ApiRequest& request) const {
    adapter::HttpReply reply;
    if (failing) {
      reply.status = 503;
      return reply;
    }
    // It has no past, so that what a restarted replica knows comes from its sibling.
    reply.body = request.path == "/api/v1/query_range"
                     ? R"({"status":"success","data":{"resultType":"matrix","result":[]}})"
                     : R"({"status":"success","data":{"resultType":"scalar","result":[0,")" +
                           FormatNumber(demand) + "\"]}}";
    return reply;
  }

  FakeLogger logger_;
  std::unique_ptr<adapter::HttpServer> server_;
};

class RealReplicas final : public ReplicaRig {
 public:
  RealReplicas() {
    folder_.Write("tokens", "# of the replicas\ns3cr3t\n");
    for (Replica& replica : replicas_) replica.http_port = FreePort();
  }

  void Configure(const Policy& policy) override {
    for (int i = 0; i < 2; ++i) {
      Replica& replica = At(i);
      replica.config = folder_.Write("stoker" + std::to_string(i) + ".yaml", Config(i, policy));
      if (!replica.process) {
        Start(i);
        continue;
      }
      ++replica.reloads;
      EXPECT_TRUE(WaitFor(
          [&] { return Count(replica, "configuration reloaded") >= replica.reloads; }, seconds(20)))
          << replica.process->Output();
    }
  }
  void SetDemand(double value) override {
    for (Replica& replica : replicas_) replica.upstream.demand = value;
  }
  void SetFault(int replica, bool failing) override { At(replica).upstream.failing = failing; }
  void Restart(int replica) override {
    Replica& at = At(replica);
    at.process->Signal(SIGTERM);
    EXPECT_EQ(at.process->Wait(seconds(20)), 0) << at.process->Output();
    Start(replica);
  }
  void Order(int replica, double value) override {
    HttpRequest request;
    request.method = "PUT";
    request.url = Url(At(replica).http_port) + "/api/v1/manual/ordered";
    request.headers = {{"Authorization", "Bearer s3cr3t"}, {"Content-Type", "application/json"}};
    request.body = "{\"value\": " + FormatNumber(value) + "}";
    EXPECT_EQ(Send(std::move(request)).status, 200);
  }
  std::optional<double> Ask(int replica) override {
    const std::string file = folder_.path() + "/answer." + std::to_string(++questions_);
    auto asked = Process::Start({Binary(),
                                 "query",
                                 "127.0.0.1:" + Port(At(replica), "grpc"),
                                 "--policy",
                                 "etl",
                                 "--output",
                                 "json"},
                                file);
    EXPECT_TRUE(asked);
    if ((*asked)->Wait(seconds(20)) != 0) return std::nullopt;
    static const std::regex kValue(R"re("value": *([0-9.]+))re");
    std::smatch match;
    const std::string output = (*asked)->Output();
    if (!std::regex_search(output, match, kValue)) return std::nullopt;
    return std::stod(match[1]);
  }
  void Wait() override {
    WaitFor([] { return false; }, milliseconds(350));
  }
  [[nodiscard]] int waits_per_slot() const override { return 3; }

  [[nodiscard]] std::string Log(int replica) { return At(replica).process->Output(); }
  [[nodiscard]] std::string Metrics(int replica) {
    HttpRequest request;
    request.url = Url(At(replica).http_port) + "/metrics";
    return Send(std::move(request)).body;
  }

 private:
  struct Replica {
    StandIn upstream;
    int http_port = 0;
    std::string config;
    int starts = 0;
    int reloads = 0;  ///< since the process started
    std::unique_ptr<Process> process;
  };

  Replica& At(int replica) { return replicas_.at(static_cast<std::size_t>(replica)); }
  static std::string Url(int port) { return "http://127.0.0.1:" + std::to_string(port); }

  std::string Config(int index, const Policy& policy) {
    const auto address = [&](int i) { return "127.0.0.1:" + std::to_string(At(i).http_port); };
    return "apiVersion: stoker/v1\nserver:\n  grpc: {listen: \"127.0.0.1:0\"}\n  http: {listen: "
           "\"" +
           address(index) + "\", auth: {tokensFile: " + folder_.path() +
           "/tokens}}\n  probes: {listen: \"127.0.0.1:0\"}\n  peers: {addresses: [\"" + address(0) +
           "\", \"" + address(1) + "\"]}\n" + (policy.manual ? "  manual: {enabled: true}\n" : "") +
           "connections:\n  prometheus:\n    main: {url: \"" + At(index).upstream.url() +
           "\", interval: 1s, timeout: 800ms}\npolicies:\n  etl:\n    replicas: {max: 1000}\n"
           "    onFault: {hold: 1h}\n    scaleDown: {stabilization: " +
           std::to_string(policy.stabilization_slots) +
           "s}\n    signals:\n      queue: {type: prometheus, connection: main, query: queue, "
           "threshold: " +
           FormatNumber(policy.target_size) + "}\n" +
           (policy.manual ? "      ordered: {type: manual, name: ordered, targetSize: 1}\n" : "");
  }
  void Start(int index) {
    Replica& replica = At(index);
    replica.reloads = 0;
    auto process = Process::Start({Binary(), "serve", "--config", replica.config},
                                  folder_.path() + "/serve." + std::to_string(index) + "." +
                                      std::to_string(++replica.starts));
    ASSERT_TRUE(process) << process.error().message;
    replica.process = std::move(*process);
    ASSERT_TRUE(WaitFor([&] { return Count(replica, "stoker is up") > 0; }, seconds(20)))
        << replica.process->Output();
    HttpRequest request;
    request.url = "http://127.0.0.1:" + Port(replica, "probes") + "/readyz";
    ASSERT_TRUE(WaitFor([&] { return Send(request).status == 200; }, seconds(20)));
  }
  static int Count(const Replica& replica, const std::string& text) {
    const std::string output = replica.process->Output();
    int count = 0;
    for (std::size_t at = output.find(text); at != std::string::npos;
         at = output.find(text, at + 1)) {
      ++count;
    }
    return count;
  }
  static std::string Port(const Replica& replica, const std::string& which) {
    std::smatch match;
    const std::string output = replica.process->Output();
    std::regex_search(output, match, std::regex(which + "_port=([0-9]+)"));
    return match[1];
  }
  HttpResponse Send(HttpRequest request) {
    request.deadline = clock_.MonotonicNow() + seconds(5);
    Result<HttpResponse> response = transport_->Send(request);
    return response ? std::move(*response) : HttpResponse{};
  }

  SystemClock clock_;
  SystemFileSystem files_;
  http::BeastTransportFactory factory_{clock_, files_};
  std::shared_ptr<HttpTransport> transport_ = *factory_.Create({});
  TempFolder folder_;
  int questions_ = 0;
  std::array<Replica, 2> replicas_;
};

INSTANTIATE_TEST_SUITE_P(Processes,
                         ReplicaContract,
                         ::testing::Values(MakeReplicaRig([]() -> std::unique_ptr<ReplicaRig> {
                           return std::make_unique<RealReplicas>();
                         })));

TEST(Peers, ShowWhomTheyReach) {
  RealReplicas rig;
  rig.SetDemand(3);
  rig.Configure({});
  for (int replica = 0; replica < 2; ++replica) {
    EXPECT_TRUE(WaitFor(
        [&] {
          return rig.Metrics(replica).find("stoker_peers{state=\"reached\"} 1") !=
                 std::string::npos;
        },
        seconds(10)))
        << rig.Log(replica);
    const std::string metrics = rig.Metrics(replica);
    EXPECT_THAT(metrics, ::testing::HasSubstr("stoker_peers{state=\"unreachable\"} 0"));
    EXPECT_THAT(metrics,
                ::testing::HasSubstr("stoker_upstream_requests_total{code=\"200\",connection="
                                     "\"peers\"}"));
    EXPECT_THAT(rig.Log(replica), ::testing::Not(::testing::HasSubstr("s3cr3t")));
  }
}

}  // namespace
}  // namespace stoker::testing
