// The texts of events are what the Cluster Autoscaler and the API server write, with names changed.

#include "capacity/diagnosis.h"

#include <gtest/gtest.h>

namespace stoker::capacity {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr WallTime kNow{std::chrono::hours(500000)};
constexpr std::int64_t kGiB = std::int64_t{1} << 30;

Headroom Executors() {
  Headroom headroom;
  headroom.policy = "etl";
  headroom.name_space = "spark";
  headroom.name = "stoker-etl";
  headroom.requests = {4000, 18 * kGiB, 0};
  return headroom;
}

PendingPod Pod(const std::string& name, Duration age = minutes(3)) {
  return {.name_space = "spark",
          .name = name,
          .created = kNow - age,
          .reason = "Unschedulable",
          .message = "0/3 nodes are available: 3 Insufficient cpu.",
          .scale_up_delay = std::nullopt};
}

ClusterEvent Event(const std::string& reason,
                   const std::string& message,
                   const std::string& pod = "exec-1",
                   Duration age = minutes(1)) {
  return {.reason = reason,
          .message = message,
          .name_space = "spark",
          .kind = "Pod",
          .name = pod,
          .last = kNow - age};
}

ClusterView View() {
  ClusterView view;
  view.now = kNow;
  view.pods = {Pod("exec-1"), Pod("exec-2")};
  return view;
}

std::vector<std::string> Names(const std::vector<Finding>& findings) {
  std::vector<std::string> names;
  for (const Finding& finding : findings) names.emplace_back(BlockerName(finding.blocker));
  return names;
}

std::vector<std::string> NamesOf(const std::string& no_scale_up) {
  ClusterView view = View();
  view.events = {Event("NotTriggerScaleUp", "pod didn't trigger scale-up: " + no_scale_up)};
  return Names(Diagnose(view, Executors(), {}, {}));
}

using Strings = std::vector<std::string>;

TEST(NoScaleUpReasons, AreSplitWhereANumberBegins) {
  const std::vector<NoScaleUpReason> reasons = NoScaleUpReasons(
      "(combined from similar events): pod didn't trigger scale-up: 1 in backoff after failed "
      "scale-up, 6 node(s) had taint {workload: always-on}, that the pod didn't tolerate, 3 max "
      "cluster cpu, memory limit reached");
  ASSERT_EQ(reasons.size(), 3U);
  EXPECT_EQ(reasons[0].groups, 1);
  EXPECT_EQ(reasons[0].text, "in backoff after failed scale-up");
  EXPECT_EQ(reasons[1].groups, 6);
  EXPECT_EQ(reasons[1].text,
            "node(s) had taint {workload: always-on}, that the pod didn't tolerate");
  EXPECT_EQ(reasons[2].text, "max cluster cpu, memory limit reached");
  EXPECT_TRUE(NoScaleUpReasons("pod didn't trigger scale-up: ").empty());
  EXPECT_EQ(NoScaleUpReasons("max total nodes in cluster reached")[0].groups, 0);
  EXPECT_EQ(NoScaleUpReasons("99999999999999 too many")[0].groups, 0);
  EXPECT_LT(NoScaleUpReasons(std::string(100000, 'x'))[0].text.size(), 210U);
}

TEST(Diagnose, TellsWhatTheAutoscalerSaysOfPods) {
  EXPECT_EQ(NamesOf("2 Insufficient memory, 1 max node group size reached"),
            (Strings{"nothing_fits", "maximum"}));
  EXPECT_EQ(NamesOf("1 node(s) didn't match Pod's node affinity/selector"),
            (Strings{"nothing_fits"}));
  EXPECT_EQ(NamesOf("2 in backoff after failed scale-up"), (Strings{"back_off"}));
  EXPECT_EQ(NamesOf("1 not ready for scale-up"), (Strings{"not_ready"}));
  EXPECT_EQ(NamesOf("max total nodes in cluster reached"), (Strings{"cluster_limit"}));
  EXPECT_EQ(NamesOf("2 max cluster cpu, memory limit reached"), (Strings{"cluster_limit"}));
  EXPECT_EQ(NamesOf("1 exceeded quota: \"spark\", resources: cpu, nodes"),
            (Strings{"cluster_limit"}));
  EXPECT_EQ(NamesOf("1 expansion options filtered out and no longer considered"),
            (Strings{"expander"}));
  EXPECT_EQ(NamesOf("1 not all pods would fit and scale-up is using all-or-nothing strategy"),
            (Strings{"nothing_fits"}));
}

TEST(Diagnose, NamesPodsGroupsAndTheMend) {
  ClusterView view = View();
  for (const char* pod : {"exec-1", "exec-2"}) {
    view.events.push_back(Event(
        "NotTriggerScaleUp", "pod didn't trigger scale-up: 2 max node group size reached", pod));
  }
  const std::vector<Finding> findings = Diagnose(view, Executors(), {}, {});
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].message,
            "2 pods wait in spark: node groups that would take them are at their maximum (2 node "
            "groups: max node group size reached); raise their maximum, or add a group");
}

TEST(Diagnose, BelievesTheNewestWordOnAPod) {
  ClusterView view = View();
  view.events = {Event("NotTriggerScaleUp",
                       "pod didn't trigger scale-up: 1 in backoff after failed scale-up",
                       "exec-1",
                       minutes(5)),
                 Event("TriggeredScaleUp", "pod triggered scale-up: [{spot-m5-a 1->3 (max: 10)}]")};
  const std::vector<Finding> findings = Diagnose(view, Executors(), {}, {});
  EXPECT_EQ(Names(findings), (Strings{"in_progress"}));
  EXPECT_EQ(findings[0].message,
            "1 pod waits in spark for nodes that are on their way ([{spot-m5-a 1->3 (max: 10)}])");
}

TEST(Diagnose, ForgetsOldEventsAndOtherNamespaces) {
  ClusterView view = View();
  view.events = {Event("NotTriggerScaleUp",
                       "pod didn't trigger scale-up: 2 max node group size reached",
                       "exec-1",
                       minutes(11))};
  EXPECT_TRUE(Diagnose(view, Executors(), {}, {}).empty());
  view.events[0].last = kNow;
  view.events[0].name_space = "other";
  EXPECT_TRUE(Diagnose(view, Executors(), {}, {}).empty());
}

TEST(Diagnose, AddsWhatTheAutoscalerFailedWith) {
  ClusterView view = View();
  view.events = {
      Event("FailedScaleUp",
            "Node scale up in zones us-east-1a associated with this pod failed: IP space "
            "exhausted. Pod is at risk of not being scheduled."),
      {.reason = "ScaleUpTimedOut",
       .message = "Nodes added to group spot-m5-a failed to register within 15m2s",
       .name_space = "kube-system",
       .kind = "ConfigMap",
       .name = "cluster-autoscaler-status",
       .last = kNow - minutes(2)}};
  view.failures["spot-r5"] = {.last = kNow - minutes(1), .reason = "OutOfResource"};
  const std::vector<Finding> findings = Diagnose(view, Executors(), {}, {});
  ASSERT_EQ(Names(findings), (Strings{"back_off"}));
  for (const char* part :
       {"IP space exhausted", "spot-m5-a failed to register", "spot-r5: OutOf"}) {
    EXPECT_NE(findings[0].message.find(part), std::string::npos) << findings[0].message;
  }
  view.pods.clear();
  EXPECT_TRUE(Diagnose(view, Executors(), {}, {}).empty()) << "nobody waits for those groups";
}

RoomObject Buffer(std::vector<RoomObject::Condition> conditions) {
  return {.policy = "etl",
          .kind = "CapacityBuffer",
          .name = "stoker-etl",
          .created = kNow - minutes(5),
          .conditions = std::move(conditions)};
}

// The pods of a buffer are in the autoscaler's head alone.
TEST(Diagnose, HearsWhatTheAutoscalerSaysOfABuffer) {
  ClusterView view;
  view.now = kNow;
  view.rooms = {Buffer({{"ReadyForProvisioning", true, "AttributesSetSuccessfully", ""},
                        {"Provisioning", true, "FakePodsInjected", ""}})};
  EXPECT_TRUE(Diagnose(view, Executors(), {}, {}).empty());
  view.events = {Event("NotTriggerScaleUp",
                       "pod didn't trigger scale-up: 2 max node group size reached, 1 in backoff "
                       "after failed scale-up",
                       "stoker-etl")};
  view.events[0].kind = "CapacityBuffer";
  const std::vector<Finding> findings = Diagnose(view, Executors(), {}, {});
  ASSERT_EQ(Names(findings), (Strings{"maximum", "back_off"}));
  for (const Finding& finding : findings) {
    EXPECT_NE(finding.message.find("CapacityBuffer stoker-etl waits: "), std::string::npos)
        << finding.message;
  }
  ClusterEvent later = view.events[0];
  later.reason = "TriggeredScaleUp";
  later.last = kNow;
  view.events.push_back(later);
  EXPECT_TRUE(Diagnose(view, Executors(), {}, {}).empty()) << "nodes came, or are on their way";
  view.events.pop_back();
  view.rooms[0].policy = "other";
  EXPECT_TRUE(Diagnose(view, Executors(), {}, {}).empty());
}

TEST(Diagnose, ReadsTheConditionsOfABuffer) {
  ClusterView view;
  view.now = kNow;
  const auto names = [&](std::vector<RoomObject::Condition> conditions) {
    view.rooms = {Buffer(std::move(conditions))};
    return Names(Diagnose(view, Executors(), {}, {}));
  };
  EXPECT_EQ(names({}), (Strings{"no_autoscaler"}));
  EXPECT_EQ(names({{"ReadyForProvisioning", false, "error", "no such PodTemplate"}}),
            (Strings{"refused"}));
  EXPECT_EQ(names({{"Provisioning", false, "FailedToMakeFakePods", ""}}), (Strings{"refused"}));
  EXPECT_EQ(names({{"Provisioning", false, "BufferIsEmpty", ""}}), (Strings{}));
  EXPECT_EQ(names({{"LimitedByQuotas", true, "", "of 8 replicas 3 fit"}}),
            (Strings{"cluster_limit"}));
  EXPECT_EQ(names({{"LimitedByQuotas", false, "", ""}}), (Strings{}));
  view.rooms[0].conditions.clear();
  view.rooms[0].created = kNow - minutes(1);
  EXPECT_TRUE(Diagnose(view, Executors(), {}, {}).empty()) << "it may be looked at soon";
}

TEST(Diagnose, ReadsTheConditionsOfAProvisioningRequest) {
  ClusterView view;
  view.now = kNow;
  const auto found = [&](std::vector<RoomObject::Condition> conditions) {
    view.rooms = {Buffer(std::move(conditions))};
    view.rooms[0].kind = "ProvisioningRequest";
    view.rooms[0].name = "stoker-etl-8";
    return Diagnose(view, Executors(), {}, {});
  };
  EXPECT_EQ(Names(found({})), (Strings{"no_autoscaler"}));
  EXPECT_TRUE(found({{"Accepted", true, "", ""}, {"Provisioned", true, "", ""}}).empty());
  const auto findings =
      found({{"Accepted", true, "", ""},
             {"Provisioned", false, "CapacityIsNotFound", "Capacity is not found"}});
  ASSERT_EQ(Names(findings), (Strings{"refused"}));
  EXPECT_NE(findings[0].message.find(
                "ProvisioningRequest stoker-etl-8: CapacityIsNotFound, Capacity is not found"),
            std::string::npos)
      << findings[0].message;
  EXPECT_EQ(Names(found({{"Failed", true, "FailedToBookCapacity", ""}})), (Strings{"refused"}));
}

TEST(Diagnose, SeesAFullQuotaThoughNoPodWaits) {
  ClusterView view;
  view.now = kNow;
  view.quotas = {{.name_space = "spark",
                  .quota = "team",
                  .resource = "requests.cpu",
                  .used_millis = 98'000,
                  .hard_millis = 100'000}};
  const std::vector<Finding> findings = Diagnose(view, Executors(), {}, {});
  ASSERT_EQ(Names(findings), (Strings{"quota"}));
  EXPECT_NE(findings[0].message.find("requests.cpu is at 98% of its limit"), std::string::npos);
  view.quotas[0].used_millis = 96'000;
  EXPECT_TRUE(Diagnose(view, Executors(), {}, {}).empty());
  view.quotas[0] = {.name_space = "spark",
                    .quota = "team",
                    .resource = "pods",
                    .used_millis = 10'000,
                    .hard_millis = 10'000};
  EXPECT_EQ(Names(Diagnose(view, Executors(), {}, {})), (Strings{"quota"}));
  view.quotas[0].resource = "services";
  EXPECT_TRUE(Diagnose(view, Executors(), {}, {}).empty());
}

TEST(Diagnose, ComparesExecutorsWithTheShapesOfTheConfiguration) {
  NodeShape shape;
  shape.name = "m5.large";
  shape.node.cpu_millis = 2000;
  shape.node.memory_bytes = 8 * kGiB;
  const std::vector<NodeShape> shapes{shape};
  const std::vector<Finding> findings = Diagnose({.now = kNow}, Executors(), shapes, {});
  ASSERT_EQ(Names(findings), (Strings{"nothing_fits"}));
  EXPECT_NE(findings[0].message.find("m5.large, is too small"), std::string::npos);
}

TEST(Diagnose, SeesPodsBehindGates) {
  ClusterView view = View();
  for (PendingPod& pod : view.pods) pod.reason = "SchedulingGated";
  EXPECT_EQ(Names(Diagnose(view, Executors(), {}, {})), (Strings{"gated"}));
}

TEST(Diagnose, SeesAnExpanderThatNobodyAsks) {
  const ClusterView view = View();
  EXPECT_EQ(Names(Diagnose(view, Executors(), {}, {.expander = true, .last_choice = std::nullopt})),
            (Strings{"expander"}));
  EXPECT_EQ(
      Names(Diagnose(view, Executors(), {}, {.expander = true, .last_choice = kNow - minutes(4)})),
      (Strings{"expander"}));
  EXPECT_TRUE(Diagnose(view, Executors(), {}, {.expander = true, .last_choice = kNow - minutes(2)})
                  .empty());
}

TEST(Diagnose, SeesAnAutoscalerThatIsGone) {
  ClusterView view = View();
  view.status_time.emplace(std::nullopt);
  EXPECT_EQ(Names(Diagnose(view, Executors(), {}, {})), (Strings{"no_autoscaler"}));
  view.status_time.emplace(kNow - minutes(20));
  const std::vector<Finding> findings = Diagnose(view, Executors(), {}, {});
  ASSERT_EQ(Names(findings), (Strings{"no_autoscaler"}));
  EXPECT_NE(findings[0].message.find("wrote its status 20m ago"), std::string::npos);
  view.status_time.emplace(kNow - seconds(20));
  EXPECT_TRUE(Diagnose(view, Executors(), {}, {}).empty());
}

TEST(Diagnose, WaitsForYoungPods) {
  ClusterView view = View();
  view.pods = {Pod("exec-1", seconds(5))};
  EXPECT_EQ(Names(Diagnose(view, Executors(), {}, {})), (Strings{"cooldown"}));
  view.pods = {Pod("exec-1", minutes(1))};
  view.pods[0].scale_up_delay = minutes(2);
  const std::vector<Finding> findings = Diagnose(view, Executors(), {}, {});
  ASSERT_EQ(Names(findings), (Strings{"cooldown"}));
  EXPECT_NE(findings[0].message.find("pod-scale-up-delay of 2m"), std::string::npos);
}

TEST(Diagnose, PutsWhatStopsEverythingFirst) {
  ClusterView view = View();
  view.quotas = {{.name_space = "spark",
                  .quota = "team",
                  .resource = "requests.memory",
                  .used_millis = 100 * kGiB * 1000,
                  .hard_millis = 100 * kGiB * 1000}};
  view.events = {Event("NotTriggerScaleUp",
                       "pod didn't trigger scale-up: 1 in backoff after failed scale-up, 1 max "
                       "node group size reached, 3 Insufficient cpu")};
  EXPECT_EQ(Names(Diagnose(view, Executors(), {}, {})),
            (Strings{"quota", "nothing_fits", "maximum", "back_off"}));
}

}  // namespace
}  // namespace stoker::capacity
