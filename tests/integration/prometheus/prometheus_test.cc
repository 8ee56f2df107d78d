// The prometheus scaler against a real Prometheus (Debian's package of that name), which the test
// starts, freezes, kills and starts again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <future>

#include "core/log.h"
#include "core/units.h"
#include "scalers/prometheus/prometheus_scaler.h"
#include "tests/integration/prometheus/real_prometheus.h"
#include "tests/testing/fakes.h"
#include "tests/testing/tls_files.h"
#include "upstream/http/beast_transport.h"

namespace stoker::scalers {
namespace {

using testing::RealPrometheus;

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// The scaler as the service wires it, on the machine's clock and network.
struct Scaler {
  SystemClock clock;
  SystemRandom random;
  SystemEnvironment environment;
  SystemFileSystem files;
  http::BeastTransportFactory transports{clock, files};
  testing::FakeObserver observer;
  testing::FakeLogger logger;
  PushedValues pushed;
  ScalerDeps deps{clock, random, environment, files, transports, observer, logger, pushed};
  Registry registry;
  ConnectionSet connections;

  explicit Scaler(const std::string& connection) {
    RegisterPrometheus(registry);
    config::Diagnostics diagnostics;
    const auto node =
        config::ParseYaml("prometheus: {main: {interval: 1s, timeout: 1s, " + connection + "}}",
                          "c.yaml",
                          diagnostics);
    if (node) connections = registry.ParseConnections(*node, deps, diagnostics);
    if (!diagnostics.empty()) throw std::runtime_error(diagnostics.ToString());
  }

  Result<std::unique_ptr<Source>> MakeSource(const std::string& promql, const std::string& more) {
    config::Diagnostics diagnostics;
    const auto node =
        config::ParseYaml("{type: prometheus, threshold: 1, query: '" + promql + "'" + more + "}",
                          "p.yaml",
                          diagnostics);
    const auto signal =
        node ? registry.ParseSignal(*node, {connections, "", false, deps}, diagnostics)
             : std::nullopt;
    if (!signal) return Fail(ErrorCode::kInternal, diagnostics.ToString());
    return signal->make_source();
  }
  Result<Observation> Poll(const std::string& promql,
                           Duration limit = seconds(20),
                           const std::string& more = "",
                           WallTime slot = RealPrometheus::BacklogStart()) {
    const auto source = MakeSource(promql, more);
    if (!source) return Fail(source.error());
    return (*source)->Poll({.slot = slot, .deadline = clock.MonotonicNow() + limit});
  }
  /// Polls until an answer comes, as Prometheus takes a moment after it began to listen.
  bool Ready(Duration limit = seconds(60)) {
    return testing::WaitFor([this] { return Poll("vector(1)").has_value(); }, limit);
  }
};

struct Prometheus : ::testing::Test {
  static void SetUpTestSuite() { server = new RealPrometheus; }
  static void TearDownTestSuite() {
    delete server;
    server = nullptr;
  }
  void SetUp() override {
    ASSERT_NE(server, nullptr) << "install the Debian package 'prometheus'";
    ASSERT_TRUE(scaler.Ready());
  }

  static inline RealPrometheus* server = nullptr;
  Scaler scaler{"url: '" + (server != nullptr ? server->Address() : "http://none.invalid") + "'"};
};

constexpr char kTwoSeries[] =
    R"(label_replace(vector(1),"a","b","","") or label_replace(vector(3),"a","c","",""))";

/// Two series from the fifth minute on, one before.
constexpr char kSeveralNowAndThen[] =
    R"(backlog or label_replace(backlog offset 5m,"a","b","",""))";

TEST_F(Prometheus, GivesScalarsAndVectors) {
  EXPECT_EQ(scaler.Poll("42.5")->value, 42.5);
  EXPECT_EQ(scaler.Poll("vector(7)")->value, 7);
  EXPECT_EQ(scaler.Poll("sum(backlog)")->value, 0);
}

TEST_F(Prometheus, AnswersForTheSlotToTheMillisecond) {
  EXPECT_EQ(scaler.Poll("time()", seconds(20), "", testing::At("2026-03-08T06:59:59.125Z"))->value,
            1772953199.125);
  for (int minute = 0; minute < 10; ++minute) {
    const WallTime slot = RealPrometheus::BacklogStart() + std::chrono::minutes(minute);
    EXPECT_EQ(scaler.Poll("backlog", seconds(20), "", slot)->value, minute);
    EXPECT_EQ(scaler.Poll("backlog", seconds(20), "", slot - milliseconds(1)).value().value,
              std::max(minute - 1, 0));
  }
}

TEST_F(Prometheus, NothingAndNanAreEmpty) {
  EXPECT_TRUE(scaler.Poll("no_such_metric")->empty);
  EXPECT_TRUE(scaler.Poll("0/0")->empty);
  EXPECT_TRUE(scaler.Poll("vector(1)/0")->empty);
  EXPECT_TRUE(scaler.Poll("-vector(1)/0")->empty);
  EXPECT_TRUE(
      scaler
          .Poll("backlog", seconds(20), "", RealPrometheus::BacklogStart() - std::chrono::hours(1))
          ->empty);
}

TEST_F(Prometheus, SeveralSeriesFollowThePolicy) {
  EXPECT_THAT(scaler.Poll(kTwoSeries).error().message, HasSubstr("gives 2 series"));
  EXPECT_EQ(scaler.Poll(kTwoSeries, seconds(20), ", onSeveral: sum")->value, 4);
}

TEST_F(Prometheus, ThePastIsWhatPollsFindSlotBySlot) {
  const SlotSpan span{RealPrometheus::BacklogStart() - std::chrono::minutes(2),
                      RealPrometheus::BacklogStart() + std::chrono::minutes(20),
                      seconds(15)};
  for (const std::string promql : {"backlog",
                                   "sum(backlog) / 2",
                                   "time()",
                                   "backlog - backlog == 0 or backlog / 0",
                                   "rate(backlog[3m])",
                                   "max_over_time(backlog[5m:30s] offset 1m)",
                                   "no_such_metric",
                                   "backlog or vector(-1)",
                                   kSeveralNowAndThen}) {
    for (const std::string more : {"", ", onSeveral: sum", ", onSeveral: max"}) {
      const auto source = scaler.MakeSource(promql, more);
      ASSERT_TRUE(source) << source.error().message;
      const auto past =
          (*source)->PastReadings(span, scaler.clock.MonotonicNow() + seconds(20), {});
      ASSERT_TRUE(past) << promql << ": " << past.error().message;
      ASSERT_EQ(past->size(), 22 * 4 + 1);
      for (const Reading& reading : *past) {
        const auto polled = (*source)->Poll(
            {.slot = reading.time, .deadline = scaler.clock.MonotonicNow() + seconds(20)});
        const Reading expected = ToReading(reading.time, polled);
        EXPECT_EQ(reading, expected) << promql << more << " at " << FormatTime(reading.time) << ": "
                                     << reading.value << " was polled as " << expected.value;
      }
    }
  }
}

TEST_F(Prometheus, TellsMoreThanItGivesInOneAnswer) {
  const SlotSpan span{RealPrometheus::BacklogStart() - std::chrono::hours(24 * 7),
                      RealPrometheus::BacklogStart() + std::chrono::minutes(9),
                      seconds(15)};
  const auto source = scaler.MakeSource("backlog or vector(-1)", ", onSeveral: max");
  ASSERT_TRUE(source) << source.error().message;
  const auto past = (*source)->PastReadings(span, scaler.clock.MonotonicNow() + seconds(60), {});
  ASSERT_TRUE(past) << past.error().message;
  ASSERT_EQ(past->size(), 7 * 24 * 240 + 37);
  EXPECT_EQ(past->front().value, -1);
  EXPECT_EQ(past->back().value, 9);
  for (std::size_t i = 1; i < past->size(); ++i) {
    EXPECT_EQ((*past)[i].time - (*past)[i - 1].time, seconds(15));
  }
}

TEST_F(Prometheus, RefusedQueriesSayWhyWithoutQuotingThem) {
  struct Case {
    std::string promql;
    std::string text;
  };
  for (const Case& test :
       {Case{"sum(s3cret", "bad_data at line 1, column 11"},
        Case{"sum(s3cret) by s3cret", "bad_data"},
        Case{"backlog[5m]", "a matrix"},
        Case{R"("s3cret")", "a string"},
        Case{"vector(1) + on() (" + std::string(kTwoSeries) + ")", "execution"}}) {
    const auto observation = scaler.Poll(test.promql);
    ASSERT_FALSE(observation) << test.promql;
    EXPECT_EQ(observation.error().code, ErrorCode::kInvalidArgument) << test.promql;
    EXPECT_THAT(observation.error().message, HasSubstr(test.text));
    EXPECT_THAT(observation.error().message, ::testing::Not(HasSubstr("s3cret")));
  }
}

TEST_F(Prometheus, TakesLongQueries) {
  std::string promql = "1";
  for (int i = 0; i < 2000; ++i) promql += " + 1";
  const auto observation = scaler.Poll(promql);
  ASSERT_TRUE(observation) << observation.error().message;
  EXPECT_EQ(observation->value, 2001);
}

TEST_F(Prometheus, AWrongPathIsCalledSo) {
  Scaler wrong("url: '" + server->Address() + "/prometheus'");
  const auto observation = wrong.Poll("1");
  ASSERT_FALSE(observation);
  EXPECT_EQ(observation.error().code, ErrorCode::kNotFound);
}

TEST_F(Prometheus, AFrozenServerCostsNoMoreThanTheDeadline) {
  server->Freeze();
  const MonoTime before = scaler.clock.MonotonicNow();
  const auto observation = scaler.Poll("1", milliseconds(300));
  const Duration took = scaler.clock.MonotonicNow() - before;
  server->Thaw();
  ASSERT_FALSE(observation);
  EXPECT_EQ(observation.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_LT(took, seconds(10));
  EXPECT_EQ(scaler.Poll("5")->value, 5);
}

TEST_F(Prometheus, KilledMidFlightItFailsAndRecoversWithinOneInterval) {
  server->Freeze();  // so that the query is in flight when the process dies
  auto in_flight = std::async(std::launch::async, [&] { return scaler.Poll("1"); });
  EXPECT_EQ(in_flight.wait_for(milliseconds(200)), std::future_status::timeout);
  server->Kill();
  const auto broken = in_flight.get();
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::kUnavailable);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(scaler.Poll("1"));
  EXPECT_THAT(scaler.Poll("1").error().message, HasSubstr("circuit open"));

  server->Start();
  Scaler watcher("url: '" + server->Address() + "'");
  ASSERT_TRUE(watcher.Ready());
  const Duration interval = seconds(1);
  EXPECT_TRUE(testing::WaitFor([&] { return scaler.Poll("6").has_value(); }, interval))
      << scaler.Poll("6").error().message;
  EXPECT_THAT(scaler.logger.text(), HasSubstr("info Prometheus answers again connection=main"));
}

TEST(SecuredPrometheus, TakesAPasswordOverMutualTls) {
  const testing::TempFolder folder;
  const auto authority = testing::MakeAuthority(folder, "authority");
  const auto certificate = testing::MakeCertificate(folder, "server", authority, "IP:127.0.0.1");
  const auto client = testing::MakeCertificate(folder, "client", authority, "DNS:stoker");
  // The bcrypt hash of "opensesame".
  RealPrometheus server(
      "basic_auth_users: {aladdin: "
      "'$2b$04$YPnR2jGzU/PSEHOwiJZI2.ELzCU74N0MQ3ClDDte6ADvIYX2/XLRm'}\n"
      "tls_server_config: {cert_file: " +
      certificate.cert + ", key_file: " + certificate.key + ", client_ca_file: " + authority.cert +
      ", client_auth_type: RequireAndVerifyClientCert}\n");
  const std::string user = folder.Write("user", "aladdin\n");
  const std::string good = folder.Write("good", "opensesame\n");
  const std::string bad = folder.Write("bad", "hunter2\n");
  const auto settings = [&](const std::string& password, const std::string& tls) {
    return "url: '" + server.Address("https") + "', auth: {basic: {usernameFile: " + user +
           ", passwordFile: " + password + "}}, tls: {" + tls + "}";
  };
  const std::string ca = "ca: " + authority.cert;
  const std::string full = ca + ", cert: " + client.cert + ", key: " + client.key;

  Scaler scaler(settings(good, full));
  ASSERT_TRUE(scaler.Ready()) << scaler.Poll("1").error().message;
  EXPECT_EQ(scaler.Poll("8")->value, 8);

  const auto refused = Scaler(settings(bad, full)).Poll("1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnauthenticated);
  const auto unsigned_client = Scaler(settings(good, ca)).Poll("1");
  ASSERT_FALSE(unsigned_client);
  EXPECT_EQ(unsigned_client.error().code, ErrorCode::kUnavailable);
  const auto untrusted =
      Scaler(settings(good, "cert: " + client.cert + ", key: " + client.key)).Poll("1");
  ASSERT_FALSE(untrusted);
  EXPECT_THAT(untrusted.error().message, HasSubstr("set tls.ca"));
}

}  // namespace
}  // namespace stoker::scalers
