#include "scalers/spark/spark_scaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_driver.h"
#include "tests/testing/fake_waiter.h"
#include "tests/testing/signal_test.h"

namespace stoker::scalers {
namespace {

using ::testing::ElementsAre;
using testing::FakeDriver;
using ::testing::HasSubstr;

constexpr char kUrl[] = "{apps: {driverUrl: 'http://{application}-ui-svc.{namespace}.svc:4040'}}";

class SparkScaler : public testing::SignalTest {
 protected:
  SparkScaler() {
    RegisterSpark(registry_, std::make_shared<testing::FakeWaiter>(world_.clock));
    EXPECT_EQ(Connect(kUrl), "");
    driver_.stages =
        R"([{"status":"ACTIVE","numTasks":48,"numCompletedIndices":0,"numActiveTasks":8}])";
    driver_.executors = R"([{"id":"1","maxTasks":4}])";
  }
  std::string Connect(const std::string& yaml) { return ParseConnections("spark: " + yaml); }
  std::optional<SignalDefinition> Signal(const std::string& yaml,
                                         const std::string& name_space = "") {
    return ParseSignal("{type: spark, " + yaml + "}", name_space, !name_space.empty());
  }
  std::string Complaint(const std::string& yaml, const std::string& name_space = "") {
    return Signal(yaml, name_space) ? "none" : diagnostics_.ToString();
  }
  Result<Observation> Poll(const std::string& yaml) {
    const auto signal = Signal(yaml);
    if (!signal) return Fail(ErrorCode::kInvalidArgument, diagnostics_.ToString());
    return signal->make_source()->Poll(
        {.slot = world_.clock.WallNow(),
         .deadline = world_.clock.MonotonicNow() + std::chrono::seconds(3)});
  }
  void Serve() {
    world_.transport->set_handler(
        [driver = driver_](const HttpRequest& request) { return driver.Answer(request); });
  }
  std::vector<std::string> Hosts() {
    std::vector<std::string> hosts;
    for (const HttpRequest& request : world_.transport->requests()) {
      const std::string host = request.url.substr(0, request.url.find('/', 8));
      if (hosts.empty() || hosts.back() != host) hosts.push_back(host);
    }
    return hosts;
  }

  FakeDriver driver_;
};

TEST_F(SparkScaler, FillsTheDefinition) {
  Connect("{apps: {driverUrl: 'http://d:4040', interval: 30s, timeout: 5s, maxConcurrent: 2}}");
  const auto signal = Signal("activationThreshold: 3");
  ASSERT_TRUE(signal) << diagnostics_.ToString();
  EXPECT_EQ(signal->type, "spark");
  EXPECT_EQ(signal->connection, "apps");
  EXPECT_EQ(signal->demand.target_size, 1);
  EXPECT_EQ(signal->demand.activation, 3);
  EXPECT_EQ(signal->demand.per, DemandRule::Per::kExecutor);
  EXPECT_EQ(signal->on_empty, OnEmpty::kZero);
  EXPECT_EQ(signal->timing.interval, std::chrono::seconds(30));
  EXPECT_EQ(signal->max_concurrent, 2);
  EXPECT_EQ(Signal("onEmpty: hold")->on_empty, OnEmpty::kHold);
  EXPECT_EQ(Signal("per: replica")->demand.per, DemandRule::Per::kReplica);
}

TEST_F(SparkScaler, AsksTheDriverOfTheApplication) {
  Serve();
  const auto observation = Poll("application: etl, namespace: data");
  ASSERT_TRUE(observation) << observation.error().message;
  EXPECT_FALSE(observation->empty);
  EXPECT_EQ(observation->value, 12);
  EXPECT_EQ(observation->detail,
            "pending 40, running 8 tasks over 4 slots an executor; 1 application");
  EXPECT_THAT(Hosts(), ElementsAre("http://etl-ui-svc.data.svc:4040"));
}

TEST_F(SparkScaler, SaysWhenItIsSparksOwnCount) {
  driver_.metrics =
      R"({"gauges":{"x.driver.ExecutorAllocationManager.executors.numberMaxNeededExecutors":{"value":3}}})";
  Serve();
  EXPECT_EQ(Poll("application: etl, namespace: data")->detail, "Spark's own count; 1 application");
}

TEST_F(SparkScaler, GoneIsEmpty) {
  world_.transport->set_handler([](const HttpRequest&) -> Result<HttpResponse> {
    return Fail(ErrorCode::kNotFound, "h:4040: while looking up the name: Host not found");
  });
  const auto observation = Poll("application: etl, namespace: data");
  ASSERT_TRUE(observation) << observation.error().message;
  EXPECT_TRUE(observation->empty);
  EXPECT_EQ(observation->detail, "no driver runs it");
}

TEST_F(SparkScaler, OneUrlForAllLooksForTheName) {
  Connect("{apps: {driverUrl: 'http://d:4040'}}");
  Serve();
  EXPECT_EQ(Poll("application: job")->value, 12);
  EXPECT_EQ(Poll("application: app-1")->value, 12);
  EXPECT_TRUE(Poll("application: My other job")->empty);
  EXPECT_EQ(Poll("interval: 15s")->value, 12);
}

TEST_F(SparkScaler, ObjectsSeeTheirOwnNamespace) {
  const auto own = Signal("application: etl", "team");
  ASSERT_TRUE(own) << diagnostics_.ToString();
  EXPECT_EQ(own->source_key, Signal("application: etl, namespace: team")->source_key);
  EXPECT_EQ(own->source_key, Signal("application: etl, namespace: team", "team")->source_key);
  EXPECT_NE(own->source_key, Signal("application: etl", "other")->source_key);
  EXPECT_THAT(Complaint("application: etl, namespace: data", "team"),
              HasSubstr("'namespace' is not the object's own"));
  EXPECT_EQ(diagnostics_.ToError().code, ErrorCode::kPermissionDenied);
}

TEST_F(SparkScaler, WhatTheUrlNeedsMustBeThere) {
  EXPECT_THAT(Complaint("application: etl"), HasSubstr("missing 'namespace'"));
  EXPECT_THAT(Complaint("namespace: data"), HasSubstr("missing 'application'"));
  EXPECT_THAT(Complaint("application: 'evil.com/', namespace: data"),
              HasSubstr("'application' becomes part of driverUrl"));
  EXPECT_THAT(Complaint("application: etl, namespace: 'a/b'"),
              HasSubstr("'namespace' must be a namespace's name"));
  Connect("{apps: {driverUrl: 'http://d:4040'}}");
  EXPECT_THAT(Complaint("namespace: data"), HasSubstr("driverUrl has no {namespace}; remove it"));
  EXPECT_EQ(Complaint("application: x", "team"), "none");
}

TEST_F(SparkScaler, ChecksItsConnection) {
  EXPECT_THAT(Connect("{apps: {}}"), HasSubstr("give one of driverUrl and discover"));
  EXPECT_THAT(Connect("{apps: {driverUrl: 'http://d', discover: {}}}"),
              HasSubstr("give one of driverUrl and discover"));
  EXPECT_THAT(Connect("{apps: {driverUrl: 'http://d/{name}'}}"),
              HasSubstr("only {namespace} and {application}"));
  EXPECT_THAT(Connect("{apps: {driverUrl: 'http://d', tls: {ca: /ca}}}"),
              HasSubstr("tls needs a driverUrl that begins with https://"));
  EXPECT_THAT(Connect("{apps: {driverUrl: 'https://d', tls: {cert: /c}}}"),
              HasSubstr("cert and key go together"));
  EXPECT_EQ(Connect("{apps: {driverUrl: 'https://d', tls: {cert: /c, key: /k}}}"), "");
  EXPECT_EQ(world_.transports.created.back().cert_file, "/c");
}

// ---- drivers among pods

class SparkDiscovery : public SparkScaler {
 protected:
  SparkDiscovery() {
    world_.environment.Set("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    world_.files.Write("/var/run/secrets/kubernetes.io/serviceaccount/token", "t0ken");
    EXPECT_EQ(Connect("{apps: {discover: {}}}"), "");
  }
  static std::string Pod(const std::string& ip,
                         const std::string& labels = "",
                         const std::string& phase = "Running",
                         const std::string& metadata = "") {
    return R"({"metadata":{"name":"p","namespace":"data","labels":{)" + labels + "}" + metadata +
           R"(},"spec":{"containers":[]},"status":{"phase":")" + phase + R"(","podIP":")" + ip +
           R"("}})";
  }
  /// The cluster has these pods; a driver answers at each address but `dead`.
  void Pods(const std::string& pods, const std::string& dead = "none") {
    world_.transport->set_handler([pods, dead, driver = driver_](
                                      const HttpRequest& request) -> Result<HttpResponse> {
      if (request.url.starts_with("https://10.0.0.1")) {
        return HttpResponse{
            .status = 200,
            .headers = {},
            .body = R"({"kind":"PodList","apiVersion":"v1","metadata":{},"items":[)" + pods + "]}"};
      }
      if (request.url.find(dead) != std::string::npos) {
        return Fail(ErrorCode::kNotFound, dead + ":4040: while connecting: refused");
      }
      return driver.Answer(request);
    });
  }
};

TEST_F(SparkDiscovery, AsksThePodsOfTheNamespace) {
  Pods(Pod("10.1.0.1") + "," + Pod("10.1.0.2"));
  const auto observation = Poll("namespace: data");
  ASSERT_TRUE(observation) << observation.error().message;
  EXPECT_EQ(observation->value, 24);
  EXPECT_EQ(observation->detail,
            "pending 80, running 16 tasks over 4 slots an executor; 2 applications");
  EXPECT_THAT(world_.transport->requests().front().url,
              HasSubstr("/namespaces/data/pods?labelSelector=spark-role%3Ddriver"));
  EXPECT_THAT(Hosts(),
              ElementsAre("https://10.0.0.1:443", "http://10.1.0.1:4040", "http://10.1.0.2:4040"));
}

TEST_F(SparkDiscovery, NeedsANamespace) {
  EXPECT_THAT(Complaint("application: etl"), HasSubstr("missing 'namespace'"));
  EXPECT_EQ(Complaint("application: etl", "team"), "none");
}

TEST_F(SparkDiscovery, KnowsApplicationsByTheirLabels) {
  const auto counts = [&](const std::string& labels, const std::string& application) {
    Pods(Pod("10.1.0.1", labels));
    const auto observation = Poll("namespace: data, application: '" + application + "'");
    return observation && !observation->empty;
  };
  EXPECT_TRUE(counts(R"("spark-app-selector":"spark-1")", "spark-1"));
  EXPECT_TRUE(counts(R"("sparkoperator.k8s.io/app-name":"etl")", "etl"));
  EXPECT_TRUE(counts(R"("spark-app-name":"my-etl-job")", "My  ETL/job"));
  EXPECT_FALSE(counts(R"("spark-app-name":"other")", "job")) << "the label decides";
  EXPECT_TRUE(counts(R"("spark-role":"driver")", "job")) << "the driver decides";
  EXPECT_FALSE(counts(R"("spark-role":"driver")", "other"));
}

TEST_F(SparkDiscovery, PodsThatEndedOrNeverBeganAreNoDrivers) {
  Pods(Pod("10.1.0.1", "", "Succeeded") + "," + Pod("10.1.0.2", "", "Failed") + "," +
       Pod("", "", "Pending"));
  const auto observation = Poll("namespace: data");
  ASSERT_TRUE(observation) << observation.error().message;
  EXPECT_TRUE(observation->empty);
  EXPECT_EQ(observation->detail, "no driver pod runs it");
  EXPECT_THAT(Hosts(), ElementsAre("https://10.0.0.1:443"));
}

TEST_F(SparkDiscovery, ARunningPodMustAnswerUnlessItIsOnItsWayOut) {
  Pods(Pod("10.1.0.1") + "," + Pod("10.1.0.2"), "10.1.0.2");
  const auto observation = Poll("namespace: data");
  ASSERT_FALSE(observation);
  EXPECT_THAT(observation.error().message,
              HasSubstr("connection apps: driver pod at 10.1.0.2:4040: while connecting"));
  Pods(Pod("10.1.0.1") + "," +
           Pod("10.1.0.2", "", "Running", R"(,"deletionTimestamp":"2026-01-05T00:00:00Z")"),
       "10.1.0.2");
  EXPECT_EQ(Poll("namespace: data")->value, 12);
}

TEST_F(SparkDiscovery, AListThatFailsIsAFault) {
  world_.transport->set_handler(
      [](const HttpRequest&) -> Result<HttpResponse> { return HttpResponse{.status = 403}; });
  const auto observation = Poll("namespace: data");
  ASSERT_FALSE(observation);
  EXPECT_EQ(observation.error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(observation.error().message, HasSubstr("connection apps: Kubernetes answered 403"));
}

TEST_F(SparkScaler, DiscoveryOutsideOfAClusterFailsAtThePoll) {
  EXPECT_EQ(Connect("{apps: {discover: {podLabel: 'app=driver'}}}"), "");
  const auto observation = Poll("namespace: data");
  ASSERT_FALSE(observation);
  EXPECT_THAT(observation.error().message, HasSubstr("not in a Kubernetes cluster"));
}

}  // namespace
}  // namespace stoker::scalers
