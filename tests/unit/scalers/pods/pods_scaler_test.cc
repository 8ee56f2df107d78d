#include "scalers/pods/pods_scaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_waiter.h"
#include "tests/testing/signal_test.h"

namespace stoker::scalers {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class PodsScaler : public testing::SignalTest {
 protected:
  PodsScaler() {
    RegisterPods(registry_, std::make_shared<testing::FakeWaiter>(world_.clock));
    world_.environment.Set("KUBERNETES_SERVICE_HOST", "10.96.0.1");
    world_.files.Write("/var/run/secrets/kubernetes.io/serviceaccount/token", "t0ken");
  }
  std::optional<SignalDefinition> Signal(const std::string& more = "") {
    return ParseSignal("{type: pods, namespace: spark, labelSelector: 'spark-role=executor', " +
                       more + "}");
  }
  Result<Observation> Poll(const std::string& more = "") {
    return Signal(more)->make_source()->Poll(
        {.slot = world_.clock.WallNow(), .deadline = world_.clock.MonotonicNow() + seconds(5)});
  }
  void Answer(int status, const std::string& items) {
    world_.transport->set_handler([status, items](const HttpRequest&) -> Result<HttpResponse> {
      return HttpResponse{.status = status,
                          .headers = {},
                          .body = R"({"kind":"PodList","metadata":{},"items":[)" + items + "]}"};
    });
  }
  std::string Asked() { return world_.transport->requests().back().url; }
};

constexpr char kPod[] = R"({"metadata":{"name":"a"},"status":{"phase":"Running"}})";

TEST_F(PodsScaler, CountsPods) {
  Answer(200, std::string(kPod) + "," + kPod + "," + kPod);
  EXPECT_EQ(Poll()->value, 3);
  EXPECT_THAT(Asked(),
              HasSubstr("https://10.96.0.1:443/api/v1/namespaces/spark/"
                        "pods?labelSelector=spark-role%3Dexecutor"));
}

TEST_F(PodsScaler, AsksForThePhaseAlone) {
  Answer(200, "");
  const auto fields = [&](const std::string& more) {
    EXPECT_TRUE(Poll(more));
    const std::string url = Asked();
    const std::size_t at = url.find("fieldSelector=");
    return at == std::string::npos ? url : url.substr(at, url.find('&', at) - at);
  };
  EXPECT_EQ(fields(""), "fieldSelector=status.phase%3DRunning");
  EXPECT_EQ(fields("phase: running"), "fieldSelector=status.phase%3DRunning");
  EXPECT_EQ(fields("phase: pending"), "fieldSelector=status.phase%3DPending");
  EXPECT_EQ(fields("phase: any"),
            "fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed");
}

TEST_F(PodsScaler, LeavesOutWhatIsOnItsWayOut) {
  Answer(200,
         std::string(kPod) +
             R"(,{"metadata":{"name":"b","deletionTimestamp":"2026-01-05T00:00:00Z"},)"
             R"("status":{"phase":"Running"}})");
  EXPECT_EQ(Poll()->value, 1);
}

TEST_F(PodsScaler, NoPodIsAnAnswer) {
  Answer(200, "");
  const auto observation = Poll();
  ASSERT_TRUE(observation);
  EXPECT_FALSE(observation->empty);
  EXPECT_EQ(observation->value, 0);
}

TEST_F(PodsScaler, SaysWhichRightIsMissing) {
  Answer(403, "");
  const auto observation = Poll();
  ASSERT_FALSE(observation);
  EXPECT_EQ(observation.error().code, ErrorCode::kPermissionDenied);
}

TEST_F(PodsScaler, WithoutAClusterFailsAtThePoll) {
  world_.environment.Set("KUBERNETES_SERVICE_HOST", "");
  const auto signal = Signal();
  ASSERT_TRUE(signal) << "a configuration is checked anywhere";
  const auto observation =
      signal->make_source()->Poll({.deadline = world_.clock.MonotonicNow() + seconds(5)});
  ASSERT_FALSE(observation);
  EXPECT_EQ(observation.error().code, ErrorCode::kUnavailable);
}

TEST_F(PodsScaler, FillsTheDefinition) {
  const auto signal = Signal("targetSize: 4, activationTargetSize: 2");
  ASSERT_TRUE(signal) << diagnostics_.ToString();
  EXPECT_EQ(signal->connection, "");
  EXPECT_EQ(signal->demand.target_size, 4);
  EXPECT_EQ(signal->demand.activation, 2);
  EXPECT_EQ(signal->timing.interval, seconds(15));
  EXPECT_EQ(Signal()->demand.target_size, 1);
}

TEST_F(PodsScaler, IsNotForMetadata) {
  EXPECT_FALSE(ParseSignal("{type: pods, namespace: team, labelSelector: a=b}", "team", true));
}

}  // namespace
}  // namespace stoker::scalers
