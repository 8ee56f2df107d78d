#include "adapter/capacity_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "core/units.h"
#include "tests/testing/fake_decisions.h"
#include "tests/testing/fake_kubernetes.h"
#include "tests/testing/fake_waiter.h"
#include "tests/testing/fakes.h"

namespace stoker::adapter {
namespace {

using kubernetes::Resource;
using nlohmann::json;
using policy::Mechanism;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kGiB = std::int64_t{1} << 30;
const Resource kBuffer{
    "autoscaling.x-k8s.io", "v1beta1", "capacitybuffers", "stoker", "stoker-etl"};
const Resource kTemplate{"", "v1", "podtemplates", "stoker", "stoker-etl"};

/// The object of policy etl, by its full name.
void SizeTheSame(policy::Capacity& capacity) {
  capacity.name_space = "stoker";
  capacity.name = "stoker-etl";
}

class NoWaiter final : public http::Waiter {
 public:
  bool WaitUntil(MonoTime /*when*/, std::stop_token stop) override {
    return !stop.stop_requested();
  }
};

struct Gauges final : CapacityObserver {
  void OnCapacity(const CapacityGauges& gauges) override { last = gauges; }
  CapacityGauges last;
};

struct Controller : ::testing::Test {
  testing::FakeWorld world;
  testing::FakeKubernetes cluster;
  testing::FakeDecisions decisions;
  Gauges gauges;
  std::unique_ptr<kubernetes::Client> client;
  capacity::CapacityConfig config;
  bool leads = true;
  bool in_cluster = true;
  std::unique_ptr<CapacityController> controller;

  void SetUp() override {
    cluster.Join(world);
    cluster.Serve("", "v1", "events", "Event");
    cluster.Serve("", "v1", "resourcequotas", "ResourceQuota");
    client = *kubernetes::Client::InCluster({world.clock,
                                             world.random,
                                             world.environment,
                                             world.files,
                                             world.transports,
                                             world.observer,
                                             std::make_shared<NoWaiter>()});
    config.write = true;
    config.mechanism = Mechanism::kBuffer;
  }

  void Start() {
    controller = std::make_unique<CapacityController>(
        CapacityController::Deps{decisions,
                                 [this] { return config; },
                                 [this]() -> Result<kubernetes::Client*> {
                                   if (!in_cluster)
                                     return Fail(ErrorCode::kUnavailable, "no cluster to ask");
                                   return client.get();
                                 },
                                 [this] { return leads; },
                                 nullptr,
                                 nullptr,
                                 world.clock,
                                 world.executor,
                                 gauges,
                                 world.logger});
    controller->Start();
    world.executor.RunReady();
  }

  /// The policy's headroom, in executors; an error when `fault` is not empty.
  void Decide(int executors, const std::string& fault = "") {
    policy::Policy policy;
    policy.name = "etl";
    policy.capacity.emplace();
    policy.capacity->mechanism = config.mechanism;
    policy.capacity->max_executors = 50;
    policy.capacity->executor =
        policy::ExecutorRequests{.preset = "", .cpu_millis = 4000, .memory_bytes = 18 * kGiB};
    auto decision = std::make_shared<policy::Decision>(*testing::MakeDecision(1));
    decision->headroom.emplace();
    decision->headroom->executors = executors;
    decision->headroom->wanted_ahead = executors + 2;
    if (!fault.empty()) decision->headroom->error = Error{ErrorCode::kUnavailable, fault};
    decisions.SetPolicies({{.name = "etl",
                            .retired = false,
                            .definition = std::make_shared<const policy::Policy>(policy),
                            .decision = decision}});
  }
  /// The policy that Decide made, under another name and with another `capacity`.
  PolicyView Another(const std::string& name,
                     const std::function<void(policy::Capacity&)>& change) {
    PolicyView view = decisions.Policies().at(0);
    policy::Policy policy = *view.definition;
    view.name = policy.name = name;
    change(*policy.capacity);
    view.definition = std::make_shared<const policy::Policy>(policy);
    return view;
  }
  void PutPendingPod() {
    cluster.Put({"", "v1", "pods", "stoker", "exec-1"},
                {{"apiVersion", "v1"},
                 {"kind", "Pod"},
                 {"metadata",
                  {{"name", "exec-1"},
                   {"namespace", "stoker"},
                   {"creationTimestamp", "2026-01-04T23:50:00Z"}}},
                 {"spec", json::object()},
                 {"status", {{"phase", "Pending"}}}});
  }
  /// A minute before the start, of an object in that namespace.
  void PutEvent(const std::string& name_space,
                const std::string& kind,
                const std::string& name,
                const std::string& reason,
                const std::string& message) {
    cluster.Put({"", "v1", "events", name_space, name + ".1"},
                {{"apiVersion", "v1"},
                 {"kind", "Event"},
                 {"metadata", {{"name", name + ".1"}, {"namespace", name_space}}},
                 {"involvedObject", {{"kind", kind}, {"namespace", name_space}, {"name", name}}},
                 {"reason", reason},
                 {"message", message},
                 {"lastTimestamp", "2026-01-04T23:59:00Z"}});
  }
  void Round() { world.clock.Advance(CapacityController::kEvery); }
  /// The policy goes from the configuration, and its hold time is over.
  void Forget() {
    decisions.SetPolicies({});
    Round();
  }
  bool Up() { return gauges.last.up.at("etl"); }
  CapacityStatus Status() { return controller->Statuses().at(0); }
  std::int64_t Replicas() { return cluster.Find(kBuffer)["spec"]["replicas"].get<std::int64_t>(); }
  std::vector<std::string> Requests() {
    std::vector<std::string> names;
    for (const char* size : {"3", "5", "8"}) {
      const Resource one{"autoscaling.x-k8s.io",
                         "v1",
                         "provisioningrequests",
                         "stoker",
                         std::string("stoker-etl-") + size};
      if (!cluster.Find(one).is_null()) names.push_back(size);
    }
    return names;
  }
};

TEST_F(Controller, MakesABufferAsLargeAsTheHeadroomAndKeepsItSo) {
  Decide(5);
  Start();
  EXPECT_EQ(Replicas(), 5);
  EXPECT_FALSE(cluster.Find(kTemplate).is_null());
  EXPECT_EQ(Status().object, "CapacityBuffer stoker/stoker-etl");
  EXPECT_EQ(Status().error, "");
  EXPECT_THAT(Status().diff, IsEmpty());
  EXPECT_EQ(Status().written, world.clock.WallNow());
  EXPECT_EQ(gauges.last.buffer_replicas["etl"], 5);
  Decide(2);
  Round();
  EXPECT_EQ(Replicas(), 2);
  Decide(0);
  Round();
  EXPECT_EQ(Replicas(), 0) << "executors came, and took the room";
}

TEST_F(Controller, WritesNothingWhereNothingDiffers) {
  Decide(5);
  Start();
  const std::size_t writes = cluster.writes().size();
  EXPECT_EQ(writes, 2U);
  for (int i = 0; i < 10; ++i) Round();
  EXPECT_EQ(cluster.writes().size(), writes);
}

TEST_F(Controller, ShowsTheDifferenceUnlessItMayWrite) {
  Decide(5);
  config.write = false;
  Start();
  EXPECT_THAT(cluster.writes(), IsEmpty());
  EXPECT_THAT(Status().diff,
              ElementsAre("PodTemplate stoker-etl: create", "CapacityBuffer stoker-etl: create"));
  EXPECT_EQ(Status().written, std::nullopt);
  config.write = true;
  leads = false;
  Round();
  EXPECT_THAT(cluster.writes(), IsEmpty()) << "another replica holds the Lease";
  leads = true;
  Round();
  EXPECT_EQ(Replicas(), 5);
  config.write = false;
  Decide(7);
  Round();
  EXPECT_THAT(Status().diff, ElementsAre("spec.replicas: 5 -> 7"));
  EXPECT_EQ(Status().there, 5);
}

TEST_F(Controller, LeavesEverythingAsItIsWhileNobodyKnows) {
  Decide(5);
  Start();
  const std::size_t writes = cluster.writes().size();
  Decide(0, "running: has had no good reading for 31m");
  Round();
  EXPECT_EQ(Replicas(), 5);
  EXPECT_THAT(Status().error, HasSubstr("no good reading"));
  decisions.SetPolicies({{.name = "etl",
                          .retired = false,
                          .definition = decisions.Policies().at(0).definition,
                          .decision = nullptr}});
  Round();
  EXPECT_EQ(Replicas(), 5);
  EXPECT_EQ(Status().error, "there is no decision yet");
  EXPECT_EQ(cluster.writes().size(), writes);
}

TEST_F(Controller, LeavesEverythingAsItIsWhileTheClusterFails) {
  Decide(5);
  Start();
  cluster.AnswerNext({.status = 500}, 1000);
  Decide(0);
  Round();
  EXPECT_NE(Status().error, "");
  cluster.AnswerNext({.status = 500}, 0);
  EXPECT_EQ(Replicas(), 5);
}

TEST_F(Controller, TellsThatItMayNot) {
  cluster.Forbid("patch", "capacitybuffers");
  Decide(5);
  Start();
  EXPECT_THAT(Status().error, HasSubstr("capacitybuffers"));
  EXPECT_FALSE(Up());
  EXPECT_THAT(Status().diff, ElementsAre("CapacityBuffer stoker-etl: create"));
  const std::string said = world.logger.text();
  EXPECT_THAT(said, HasSubstr("the cluster cannot be told of executors to come"));
  Round();
  EXPECT_EQ(world.logger.text(), said) << "said once";
  cluster.Allow("patch", "capacitybuffers");
  Round();
  EXPECT_EQ(Status().error, "");
  EXPECT_TRUE(Up());
  EXPECT_EQ(Replicas(), 5);
  EXPECT_THAT(world.logger.text(), HasSubstr("can be told of executors to come again"));
}

TEST_F(Controller, TellsThatTheKindIsNotInstalled) {
  cluster.Serve("autoscaling.x-k8s.io", "v1beta1", "capacitybuffers", "");
  Decide(5);
  Start();
  EXPECT_THAT(Status().error, HasSubstr("CustomResourceDefinitions are not installed"));
}

// Else nobody would hear of it: the targets are answered as ever.
TEST_F(Controller, IsDownWhileTheHeadroomIsAnError) {
  Decide(5);
  Start();
  EXPECT_TRUE(Up());
  Decide(0, "running: has had no good reading for 31m");
  Round();
  EXPECT_FALSE(Up());
  config.mechanism = Mechanism::kPlaceholder;
  Decide(0, "running: has had no good reading for 31m");
  Round();
  EXPECT_FALSE(Up()) << "KEDA gets UNAVAILABLE for output: headroom";
  config.mechanism = Mechanism::kNone;
  Decide(0, "running: has had no good reading for 31m");
  Round();
  EXPECT_THAT(gauges.last.up, IsEmpty()) << "the cluster is not told of it anyway";
}

TEST_F(Controller, IsUpWhereItOnlyReads) {
  leads = false;
  Decide(5);
  Start();
  EXPECT_TRUE(Up()) << "another replica writes";
  cluster.Forbid("get", "capacitybuffers");
  Round();
  EXPECT_FALSE(Up()) << "it could not go on, were it to lead";
}

TEST_F(Controller, DoesNotTakeOverWhatOthersMade) {
  cluster.Put(kBuffer,
              {{"apiVersion", "autoscaling.x-k8s.io/v1beta1"},
               {"kind", "CapacityBuffer"},
               {"metadata", {{"name", "stoker-etl"}, {"namespace", "stoker"}}},
               {"spec", {{"replicas", 1}}}});
  Decide(5);
  Start();
  EXPECT_EQ(Replicas(), 1);
  EXPECT_THAT(Status().error, HasSubstr("is not Stoker's"));
}

TEST_F(Controller, TakesOverWhatPeopleAppliedFromItsHints) {
  capacity::Headroom headroom;
  headroom.name = "stoker-etl";
  headroom.name_space = "stoker";
  headroom.requests = {4000, 18 * kGiB, 0};
  headroom.max_executors = 50;
  headroom.executors = 1;
  cluster.Put(kBuffer, json::parse(capacity::CapacityBuffer(headroom).dump()));
  Decide(5);
  Start();
  EXPECT_EQ(Status().error, "");
  EXPECT_EQ(Replicas(), 5);
}

TEST_F(Controller, NeverMakesRoomForMoreThanAllowed) {
  Decide(500);
  Start();
  EXPECT_EQ(Replicas(), 50);
}

TEST_F(Controller, LeavesPlaceholdersToKeda) {
  config.mechanism = Mechanism::kPlaceholder;
  Decide(5);
  Start();
  EXPECT_THAT(cluster.writes(), IsEmpty());
  EXPECT_EQ(Status().error, "");
  EXPECT_EQ(Status().object, "");
}

TEST_F(Controller, SaysThatThereIsNoCluster) {
  in_cluster = false;
  config.node_shapes.resize(1);
  config.node_shapes[0].name = "big";
  config.node_shapes[0].node.cpu_millis = 64000;
  config.node_shapes[0].node.memory_bytes = 512 * kGiB;
  Decide(18);
  Start();
  EXPECT_EQ(Status().error, "no cluster to ask");
  EXPECT_EQ(gauges.last.wanted_nodes["big"], 2) << "20 wanted, 15 on a node";
  EXPECT_THAT(gauges.last.buffer_replicas, IsEmpty());
}

TEST_F(Controller, MakesAProvisioningRequestAnewWhenMoreIsNeeded) {
  config.mechanism = Mechanism::kProvisioningRequest;
  Decide(5);
  Start();
  EXPECT_THAT(Requests(), ElementsAre("5"));
  EXPECT_EQ(Status().there, 5);
  Decide(3);
  Round();
  EXPECT_THAT(Requests(), ElementsAre("5")) << "executors come; nothing new is asked for";
  Decide(8);
  Round();
  EXPECT_THAT(Requests(), ElementsAre("8"));
  Decide(0);
  Round();
  EXPECT_THAT(Requests(), IsEmpty());
  EXPECT_EQ(Status().error, "");
}

TEST_F(Controller, AsksAgainWhenABookingIsOver) {
  config.mechanism = Mechanism::kProvisioningRequest;
  Decide(5);
  Start();
  const Resource request{
      "autoscaling.x-k8s.io", "v1", "provisioningrequests", "stoker", "stoker-etl-5"};
  json over = cluster.Find(request);
  over["status"]["conditions"] = {{{"type", "BookingExpired"}, {"status", "True"}}};
  cluster.Put(request, over, "autoscaler");
  Round();
  EXPECT_THAT(Requests(), IsEmpty()) << "its name has to be free first";
  Round();
  EXPECT_THAT(Requests(), ElementsAre("5"));
}

TEST_F(Controller, LeavesAFailedRequestForAWhile) {
  config.mechanism = Mechanism::kProvisioningRequest;
  Decide(5);
  Start();
  const Resource request{
      "autoscaling.x-k8s.io", "v1", "provisioningrequests", "stoker", "stoker-etl-5"};
  json failed = cluster.Find(request);
  failed["status"]["conditions"] = {{{"type", "Failed"},
                                     {"status", "True"},
                                     {"lastTransitionTime", FormatTime(world.clock.WallNow())}}};
  cluster.Put(request, failed, "autoscaler");
  const std::size_t writes = cluster.writes().size();
  for (int i = 0; i < 30; ++i) Round();
  EXPECT_EQ(cluster.writes().size(), writes) << "not deleted and made anew in every other round";
  for (int i = 0; i < 12; ++i) Round();
  EXPECT_THAT(Requests(), ElementsAre("5"));
  EXPECT_EQ(cluster.writes().size(), writes + 2) << "asked again after ten minutes";
}

TEST_F(Controller, KeepsAProvisioningRequestWhileNobodyKnows) {
  config.mechanism = Mechanism::kProvisioningRequest;
  Decide(5);
  Start();
  Decide(0, "no reading");
  Round();
  EXPECT_THAT(Requests(), ElementsAre("5"));
}

// A buffer that nobody sizes any more would keep its nodes for good.
TEST_F(Controller, EmptiesTheBufferThatNobodyAsksForAnyMore) {
  Decide(5);
  Start();
  leads = false;
  Forget();
  EXPECT_EQ(Replicas(), 5) << "another replica holds the Lease";
  leads = true;
  Round();
  EXPECT_EQ(Replicas(), 0);
  const std::size_t requests = cluster.requests().size();
  Round();
  EXPECT_EQ(cluster.requests().size(), requests) << "done with it";
}

TEST_F(Controller, EmptiesTheBufferOfAPolicyWithAnotherMechanism) {
  Decide(5);
  Start();
  config.mechanism = Mechanism::kProvisioningRequest;
  Decide(5);
  Round();
  EXPECT_EQ(Replicas(), 0);
  EXPECT_THAT(Requests(), ElementsAre("5"));
  config.mechanism = Mechanism::kBuffer;
  Decide(8);
  Round();
  EXPECT_EQ(Replicas(), 8);
  EXPECT_THAT(Requests(), IsEmpty());
}

// Else a fault would take room back.
TEST_F(Controller, KeepsABufferUntilWhatReplacesItIsThere) {
  Decide(5);
  Start();
  config.mechanism = Mechanism::kProvisioningRequest;
  Decide(5, "running: has had no good reading for 31m");
  Round();
  EXPECT_EQ(Replicas(), 5) << "nobody knows how much is wanted";
  cluster.Forbid("create", "provisioningrequests");
  Decide(5);
  Round();
  EXPECT_EQ(Replicas(), 5) << "it could not be made";
  EXPECT_THAT(Status().error, HasSubstr("provisioningrequests"));
  cluster.Allow("create", "provisioningrequests");
  Round();
  EXPECT_THAT(Requests(), ElementsAre("5"));
  EXPECT_EQ(Replicas(), 0);
}

TEST_F(Controller, KeepsTheBufferOfAPolicyWhileItsTargetsAreAnswered) {
  Decide(5);
  Start();
  std::vector<PolicyView> views = decisions.Policies();
  views[0].retired = true;
  decisions.SetPolicies(views);
  Round();
  EXPECT_EQ(Replicas(), 5);
  Forget();
  EXPECT_EQ(Replicas(), 0);
}

TEST_F(Controller, EmptiesNothingWhereItMayNot) {
  Decide(5);
  Start();
  cluster.Forbid("patch", "capacitybuffers");
  Forget();
  EXPECT_EQ(Replicas(), 5);
  EXPECT_THAT(world.logger.text(), HasSubstr("the cluster cannot be told"));
  cluster.Allow("patch", "capacitybuffers");
  Round();
  EXPECT_EQ(Replicas(), 0);
  Decide(5);
  Round();
  config.write = false;
  Forget();
  EXPECT_EQ(Replicas(), 5);
}

// As with the chart: the right to the old object goes with what needed it.
TEST_F(Controller, TellsOnceThatAnOldBufferCannotBeEmptied) {
  Decide(5);
  Start();
  config.mechanism = Mechanism::kProvisioningRequest;
  cluster.Forbid("patch", "capacitybuffers");
  Decide(5);
  Round();
  const std::string said = world.logger.text();
  EXPECT_THAT(said, HasSubstr("the cluster cannot be told"));
  for (int i = 0; i < 5; ++i) Round();
  EXPECT_EQ(world.logger.text(), said);
}

TEST_F(Controller, MakesNoBufferAnewToEmptyIt) {
  Decide(5);
  Start();
  cluster.Remove(kBuffer);
  Forget();
  EXPECT_TRUE(cluster.Find(kBuffer).is_null());
}

// Only here the namespace is known that a policy without one means.
TEST_F(Controller, LetsOnePolicyAloneSizeAnObject) {
  Decide(5);
  decisions.SetPolicies({decisions.Policies().at(0), Another("other", SizeTheSame)});
  Start();
  EXPECT_EQ(Replicas(), 5);
  EXPECT_EQ(controller->Statuses().at(0).error, "");
  EXPECT_THAT(controller->Statuses().at(1).error,
              HasSubstr("set policies.other.capacity.name to another"));
}

TEST_F(Controller, ANewPolicyTakesNoObjectFromAnother) {
  Decide(5);
  Start();
  decisions.SetPolicies({Another("adhoc", SizeTheSame), decisions.Policies().at(0)});
  for (int i = 0; i < 3; ++i) Round();
  EXPECT_EQ(Replicas(), 5);
  EXPECT_THAT(controller->Statuses().at(0).error,
              HasSubstr("set policies.adhoc.capacity.name to another"));
  EXPECT_EQ(controller->Statuses().at(1).error, "");
}

TEST_F(Controller, OnePolicyThatTakesLongCostsNoOtherItsTurn) {
  Decide(5);
  const auto elsewhere = [](policy::Capacity& capacity) { capacity.name_space = "slow"; };
  decisions.SetPolicies({Another("early", elsewhere), decisions.Policies().at(0)});
  std::string slow = "PATCH";
  world.transport->set_handler(
      [&, answer = cluster.Handler()](const HttpRequest& request) -> Result<HttpResponse> {
        if (request.method == slow && request.url.find("/namespaces/slow/") != std::string::npos) {
          world.clock.Advance(CapacityController::kTimeout);
          return Fail(ErrorCode::kDeadlineExceeded, "no answer in time");
        }
        if (request.deadline <= world.clock.MonotonicNow()) {
          return Fail(ErrorCode::kDeadlineExceeded, "no time left");
        }
        return answer(request);
      });
  Start();
  EXPECT_THAT(controller->Statuses().at(0).error, HasSubstr("no answer in time"));
  EXPECT_EQ(controller->Statuses().at(1).error, "");
  EXPECT_EQ(Replicas(), 5);
  // Without the API server nobody is kept waiting for his turn to fail.
  slow = "GET";
  Round();
  EXPECT_THAT(controller->Statuses().at(1).error, HasSubstr("no answer in time"));
  EXPECT_EQ(Replicas(), 5);
}

// Both mechanisms share the name of the PodTemplate.
TEST_F(Controller, LeavesThePodTemplateToWhatReplacesTheBuffer) {
  Decide(5);
  Start();
  config.mechanism = Mechanism::kProvisioningRequest;
  Decide(5);
  const auto larger = [](policy::Capacity& capacity) {
    capacity.executor->memory_bytes = 30 * kGiB;
  };
  decisions.SetPolicies({Another("etl", larger)});
  Round();
  EXPECT_EQ(Replicas(), 0);
  EXPECT_EQ(cluster.Find(
                kTemplate)["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"],
            "30Gi");
}

TEST_F(Controller, OutlivesARoundThatThrows) {
  Decide(5);
  Start();
  decisions.SetThrowing(true);
  Round();
  EXPECT_EQ(Replicas(), 5);
  EXPECT_THAT(Status().error, HasSubstr("a defect of Stoker's"));
  EXPECT_FALSE(Up());
  EXPECT_THAT(world.logger.text(), HasSubstr("a defect of Stoker's"));
  decisions.SetThrowing(false);
  Decide(7);
  Round();
  EXPECT_EQ(Replicas(), 7);
  EXPECT_EQ(Status().error, "");
}

TEST_F(Controller, SaysWhyExecutorsHaveNoNodes) {
  PutPendingPod();
  PutEvent("stoker",
           "Pod",
           "exec-1",
           "NotTriggerScaleUp",
           "pod didn't trigger scale-up: 1 max node group size reached");
  Decide(5);
  Start();
  ASSERT_EQ(Status().missing.size(), 1U);
  EXPECT_EQ(Status().missing[0].blocker, capacity::Blocker::kMaximum);
}

TEST_F(Controller, SaysWhatTheAutoscalerSaysOfItsObjects) {
  Decide(5);
  Start();
  EXPECT_THAT(Status().missing, IsEmpty());
  json buffer = cluster.Find(kBuffer);
  buffer["status"]["conditions"] = json::array({{{"type", "ReadyForProvisioning"},
                                                 {"status", "False"},
                                                 {"reason", "error"},
                                                 {"message", "no such PodTemplate"}}});
  cluster.Put(kBuffer, buffer, "cluster-autoscaler");
  PutEvent("stoker",
           "CapacityBuffer",
           "stoker-etl",
           "NotTriggerScaleUp",
           "pod didn't trigger scale-up: 1 max node group size reached");
  Round();
  ASSERT_EQ(Status().missing.size(), 2U);
  EXPECT_EQ(Status().missing[0].blocker, capacity::Blocker::kRefused);
  EXPECT_THAT(Status().missing[0].message, HasSubstr("no such PodTemplate"));
  EXPECT_EQ(Status().missing[1].blocker, capacity::Blocker::kMaximum);
}

TEST_F(Controller, SaysWhatFailedOfWholeNodeGroups) {
  PutPendingPod();
  PutEvent("kube-system",
           "ConfigMap",
           "status",
           "ScaleUpTimedOut",
           "Nodes added to group spot-m5-a failed to register within 15m2s");
  Decide(5);
  Start();
  ASSERT_GE(Status().missing.size(), 1U);
  EXPECT_EQ(Status().missing[0].blocker, capacity::Blocker::kBackOff);
  EXPECT_THAT(Status().missing[0].message, HasSubstr("spot-m5-a failed to register"));
}

TEST_F(Controller, GoesOnWithoutWhatItMayNotSee) {
  cluster.Forbid("list", "resourcequotas");
  Decide(5);
  Start();
  EXPECT_EQ(Replicas(), 5);
  ASSERT_EQ(Status().missing.size(), 1U);
  EXPECT_EQ(Status().missing[0].blocker, capacity::Blocker::kUnknown);
  EXPECT_THAT(Status().missing[0].message, HasSubstr("resourcequotas"));
}

TEST_F(Controller, StopsBetweenRounds) {
  Decide(5);
  Start();
  controller->Stop();
  const std::size_t requests = cluster.requests().size();
  Round();
  EXPECT_EQ(cluster.requests().size(), requests);
}

}  // namespace
}  // namespace stoker::adapter
