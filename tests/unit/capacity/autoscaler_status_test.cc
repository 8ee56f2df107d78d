#include "capacity/autoscaler_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/testing/fakes.h"

namespace stoker::capacity {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using stoker::testing::At;
using ::testing::ElementsAre;
using ::testing::Key;

constexpr const char* kYaml = R"(time: 2026-11-21 01:02:03.123456789 +0000 UTC
autoscalerStatus: Running
clusterWide:
  health:
    status: Healthy
nodeGroups:
- name: od
  health:
    status: Healthy
    nodeCounts:
      registered: {total: 2, ready: 2, notStarted: 0}
      longUnregistered: 0
      unregistered: 0
    cloudProviderTarget: 2
    minSize: 0
    maxSize: 10
    lastTransitionTime: "2026-11-20T23:00:00Z"
  scaleUp:
    status: NoActivity
- name: spot
  health:
    status: Healthy
    nodeCounts:
      longUnregistered: 0
  scaleUp:
    status: Backoff
    backoffInfo:
      errorCode: QUOTA_EXCEEDED
      errorMessage: "Instance 'x' creation failed: Quota 'CPUS' exceeded"
- name: gone
  health:
    status: Healthy
    nodeCounts:
      longUnregistered: 3
  scaleUp:
    status: InProgress
- name: sick
  health:
    status: Unhealthy
)";

constexpr const char* kText = R"(Cluster-autoscaler status at 2023-02-07 12:34:56.789 +0000 UTC:
Cluster-wide:
  Health:      Healthy (ready=4 unready=0 (resourceUnready=0) notStarted=0 longNotStarted=0 registered=4 longUnregistered=0)
               LastProbeTime:      2023-02-07 12:34:56.7 +0000 UTC m=+1.0
  ScaleUp:     NoActivity (ready=4 registered=4)

NodeGroups:
  Name:        od
  Health:      Healthy (ready=1 unready=0 notStarted=0 registered=1 longUnregistered=0 cloudProviderTarget=1 (minSize=1, maxSize=5))
  ScaleUp:     NoActivity (ready=1 cloudProviderTarget=1)
               LastProbeTime:      2023-02-07 12:34:56.7 +0000 UTC m=+1.0

  Name:        spot
  Health:      Unhealthy (ready=1 longUnregistered=2 cloudProviderTarget=3 (minSize=0, maxSize=5))
  ScaleUp:     Backoff (ready=1 cloudProviderTarget=3)
)";

TEST(AutoscalerStatus, ReadsTheYamlForm) {
  const auto status = ParseAutoscalerStatus(kYaml);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->time, At("2026-11-21T01:02:03Z"));
  ASSERT_EQ(status->groups.size(), 4U);
  EXPECT_TRUE(status->groups[0].healthy);
  EXPECT_FALSE(status->groups[0].backing_off);
  EXPECT_TRUE(status->groups[1].backing_off);
  EXPECT_EQ(status->groups[1].error_code, "QUOTA_EXCEEDED");
  EXPECT_EQ(status->groups[2].never_came, 3);
  EXPECT_FALSE(status->groups[3].healthy);
}

TEST(AutoscalerStatus, ReadsTheOlderTextForm) {
  const auto status = ParseAutoscalerStatus(kText);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->time, At("2023-02-07T12:34:56Z"));
  ASSERT_EQ(status->groups.size(), 2U);
  EXPECT_EQ(status->groups[0].name, "od");
  EXPECT_TRUE(status->groups[0].healthy);
  EXPECT_EQ(status->groups[1].name, "spot");
  EXPECT_FALSE(status->groups[1].healthy);
  EXPECT_TRUE(status->groups[1].backing_off);
  EXPECT_EQ(status->groups[1].never_came, 2);
}

TEST(AutoscalerStatus, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"", "nonsense", "a: b", "[1, 2]", "{", "autoscalerStatusX: Running"}) {
    EXPECT_FALSE(ParseAutoscalerStatus(text)) << text;
  }
  const auto starting = ParseAutoscalerStatus("autoscalerStatus: Initializing");
  ASSERT_TRUE(starting);
  EXPECT_TRUE(starting->groups.empty());
  EXPECT_TRUE(ParseAutoscalerStatus("autoscalerStatus: Running\nnodeGroups: nothing"));
}

TEST(GroupHealth, RemembersFailuresForAWhile) {
  GroupHealth health;
  const WallTime now = At("2026-11-21T01:02:10Z");
  health.Update(*ParseAutoscalerStatus(kYaml), now);
  EXPECT_THAT(health.Failures(now, minutes(15)),
              ElementsAre(Key("gone"), Key("sick"), Key("spot")));
  EXPECT_EQ(health.Failures(now, minutes(15))["spot"].reason, "QUOTA_EXCEEDED");
  EXPECT_EQ(health.Failures(now, minutes(15))["gone"].reason, "3 nodes never came");
  EXPECT_EQ(health.Failures(now, minutes(15))["sick"].reason, "unhealthy");

  AutoscalerStatus fine{.time = now + minutes(5), .groups = {{.name = "spot"}}};
  health.Update(fine, now + minutes(5));
  EXPECT_TRUE(health.Failures(now + minutes(5), minutes(15)).contains("spot"));
  EXPECT_TRUE(health.Failures(now + minutes(16), minutes(15)).empty());
}

TEST(GroupHealth, AnOldStatusTellsNothingOfNow) {
  GroupHealth health;
  const WallTime now = At("2026-11-21T01:02:10Z") + hours(5);  // the autoscaler stopped writing it
  health.Update(*ParseAutoscalerStatus(kYaml), now);
  EXPECT_TRUE(health.Failures(now, minutes(15)).empty());
}

}  // namespace
}  // namespace stoker::capacity
