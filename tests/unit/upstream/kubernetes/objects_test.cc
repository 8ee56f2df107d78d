// The client's objects against the API server in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_kubernetes.h"
#include "tests/testing/fake_waiter.h"
#include "tests/testing/fakes.h"
#include "upstream/kubernetes/client.h"

namespace stoker::kubernetes {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const Resource kBuffers{"autoscaling.x-k8s.io", "v1beta1", "capacitybuffers", "spark", ""};

Resource Buffer(const std::string& name) {
  Resource resource = kBuffers;
  resource.name = name;
  return resource;
}

json BufferObject(const std::string& name, int replicas) {
  return {{"apiVersion", "autoscaling.x-k8s.io/v1beta1"},
          {"kind", "CapacityBuffer"},
          {"metadata", {{"name", name}}},
          {"spec", {{"replicas", replicas}}}};
}

struct Objects : ::testing::Test {
  testing::FakeWorld world;
  testing::FakeKubernetes cluster;
  std::shared_ptr<testing::FakeWaiter> waiter = std::make_shared<testing::FakeWaiter>(world.clock);
  std::unique_ptr<Client> client;
  std::stop_source stop;

  void SetUp() override {
    cluster.Join(world);
    client = *Client::InCluster({world.clock,
                                 world.random,
                                 world.environment,
                                 world.files,
                                 world.transports,
                                 world.observer,
                                 waiter});
  }
  MonoTime Soon() { return world.clock.MonotonicNow() + seconds(5); }
  Answer<json> Apply(const json& object, const ApplyOptions& options = {}) {
    return client->Apply(
        Buffer(object["metadata"]["name"]), object, options, Soon(), stop.get_token());
  }
  Answer<json> Get(const std::string& name) {
    return client->Get(Buffer(name), Soon(), stop.get_token());
  }
};

TEST_F(Objects, TheNamespaceIsThePods) { EXPECT_EQ(client->name_space(), "stoker"); }

TEST_F(Objects, AppliesAsFieldManagerStoker) {
  const auto applied = Apply(BufferObject("etl", 3));
  ASSERT_TRUE(applied) << applied.error().error.message;
  EXPECT_EQ((*applied)["spec"]["replicas"], 3);
  const HttpRequest request = world.transport->requests().back();
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(request.url,
            "https://10.96.0.1:443/apis/autoscaling.x-k8s.io/v1beta1/namespaces/spark/"
            "capacitybuffers/etl?fieldManager=stoker&force=false");
  EXPECT_EQ((HttpResponse{.headers = request.headers}.Header("Content-Type")),
            "application/apply-patch+yaml");
  EXPECT_EQ((*Get("etl"))["metadata"]["managedFields"][0]["manager"], "stoker");
}

TEST_F(Objects, ADryRunTellsWhatWouldBeAndWritesNothing) {
  ASSERT_TRUE(Apply(BufferObject("etl", 3)));
  const auto dry = Apply(BufferObject("etl", 9), {.dry_run = true});
  ASSERT_TRUE(dry) << dry.error().error.message;
  EXPECT_EQ((*dry)["spec"]["replicas"], 9);
  EXPECT_EQ((*Get("etl"))["spec"]["replicas"], 3);
  EXPECT_THAT(cluster.writes(), SizeIs(1));
  ASSERT_TRUE(Apply(BufferObject("new", 1), {.dry_run = true}));
  EXPECT_EQ(Get("new").error().reason, Reason::kNotFound);
}

TEST_F(Objects, AConflictNamesTheManagerAndForceTakesOver) {
  cluster.Put(Buffer("etl"), BufferObject("etl", 5), "kubectl-edit");
  const auto refused = Apply(BufferObject("etl", 3));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::kConflict);
  EXPECT_EQ(refused.error().error.message,
            "Kubernetes answered 409: capacitybuffers.autoscaling.x-k8s.io 'etl' in namespace "
            "'spark': manager 'kubectl-edit' owns .spec.replicas; have them leave it, or apply "
            "with force to take it over");
  ASSERT_THAT(refused.error().conflicts, SizeIs(1));
  EXPECT_EQ(refused.error().conflicts[0].manager, "kubectl-edit");
  EXPECT_EQ(refused.error().conflicts[0].field, ".spec.replicas");
  ASSERT_TRUE(Apply(BufferObject("etl", 3), {.force = true}));
  EXPECT_EQ((*Get("etl"))["spec"]["replicas"], 3);
}

TEST_F(Objects, WhatIsAppliedNoLongerGoesAndTheRestStays) {
  json object = BufferObject("etl", 3);
  object["metadata"]["labels"] = {{"ours", "1"}, {"shared", "1"}};
  ASSERT_TRUE(Apply(object));
  json theirs = cluster.Find(Buffer("etl"));
  theirs["metadata"]["annotations"]["note"] = "theirs";
  cluster.Put(Buffer("etl"), theirs, "helm");
  ASSERT_TRUE(Apply(BufferObject("etl", 3)));
  const json now = *Get("etl");
  EXPECT_FALSE(now["metadata"].contains("labels")) << now.dump();
  EXPECT_EQ(now["metadata"]["annotations"]["note"], "theirs");
  EXPECT_EQ(now["spec"]["replicas"], 3);
}

TEST_F(Objects, ApplyingTheSameAgainWritesNothing) {
  ASSERT_TRUE(Apply(BufferObject("etl", 3)));
  const json before = *Get("etl");
  ASSERT_TRUE(Apply(BufferObject("etl", 3)));
  EXPECT_EQ(*Get("etl"), before);
  EXPECT_THAT(cluster.writes(), SizeIs(1));
}

TEST_F(Objects, CreatesUpdatesAndDeletes) {
  auto made = client->Create(kBuffers, BufferObject("etl", 1), Soon(), {});
  ASSERT_TRUE(made) << made.error().error.message;
  EXPECT_EQ(client->Create(kBuffers, BufferObject("etl", 1), Soon(), {}).error().reason,
            Reason::kAlreadyExists);
  json object = *made;
  object["spec"]["replicas"] = 2;
  ASSERT_TRUE(client->Update(Buffer("etl"), object, Soon(), {}));
  const auto stale = client->Update(Buffer("etl"), object, Soon(), {});
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().reason, Reason::kConflict);
  EXPECT_THAT(stale.error().conflicts, IsEmpty());
  EXPECT_THAT(stale.error().error.message, HasSubstr("has changed since it was read"));
  ASSERT_TRUE(client->Delete(Buffer("etl"), Soon(), {}));
  EXPECT_EQ(client->Delete(Buffer("etl"), Soon(), {}).error().reason, Reason::kNotFound);
}

TEST_F(Objects, ListsByPagesAndSelectors) {
  for (int i = 0; i < 600; ++i) {
    const std::string name = "b" + std::to_string(1000 + i);
    json object = BufferObject(name, i);
    object["metadata"]["labels"]["even"] = i % 2 == 0 ? "yes" : "no";
    cluster.Put(Buffer(name), object);
  }
  const auto all = client->List(kBuffers, {}, Soon(), {});
  ASSERT_TRUE(all) << all.error().error.message;
  EXPECT_THAT(all->items, SizeIs(600));
  EXPECT_FALSE(all->resource_version.empty());
  EXPECT_THAT(cluster.requests(), SizeIs(3));
  EXPECT_THAT(client->List(kBuffers, {.labels = "even=yes"}, Soon(), {})->items, SizeIs(300));
  EXPECT_THAT(client->List(kBuffers, {.fields = "metadata.name=b1007"}, Soon(), {})->items,
              SizeIs(1));
  Resource elsewhere = kBuffers;
  elsewhere.name_space = "other";
  EXPECT_THAT(client->List(elsewhere, {}, Soon(), {})->items, IsEmpty());
}

TEST_F(Objects, TellsRefusalsApart) {
  cluster.Forbid("patch", "capacitybuffers");
  const auto forbidden = Apply(BufferObject("etl", 1));
  EXPECT_EQ(forbidden.error().reason, Reason::kForbidden);
  EXPECT_EQ(forbidden.error().error.code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(forbidden.error().error.message,
            "Kubernetes answered 403: this service account may not patch "
            "capacitybuffers.autoscaling.x-k8s.io in namespace 'spark'; give it a Role there with "
            "verbs create and patch on resource capacitybuffers of apiGroup autoscaling.x-k8s.io, "
            "and a RoleBinding");
  cluster.Serve("autoscaling.x-k8s.io", "v1beta1", "capacitybuffers", "");
  const auto unknown = Get("etl");
  EXPECT_EQ(unknown.error().reason, Reason::kUnknownKind);
  EXPECT_EQ(unknown.error().error.message,
            "Kubernetes answered 404: it does not serve capacitybuffers of "
            "autoscaling.x-k8s.io/v1beta1; install their CustomResourceDefinition");
  cluster.set_token("another");
  EXPECT_EQ(Get("etl").error().reason, Reason::kUnauthorized);
  cluster.AnswerNext({.status = 429, .headers = {{"Retry-After", "2"}}}, 3);
  const auto busy = Get("etl");
  EXPECT_EQ(busy.error().reason, Reason::kTooManyRequests);
  EXPECT_THAT(waiter->waits, ElementsAre(seconds(2), seconds(2)));
  cluster.AnswerNext({.status = 0}, 3);
  EXPECT_EQ(Get("etl").error().reason, Reason::kNoAnswer);
  cluster.AnswerNext({.status = 200, .body = "[]"});
  EXPECT_EQ(Get("etl").error().reason, Reason::kServerError);
}

TEST_F(Objects, RepeatsWhatTheServerSaysOfAWriteAndNeverOfARead) {
  const HttpResponse invalid{
      .status = 422, .body = R"({"kind":"Status","message":"spec.replicas: Invalid value:\n-1"})"};
  cluster.AnswerNext(invalid);
  const auto refused = Apply(BufferObject("etl", -1));
  EXPECT_EQ(refused.error().reason, Reason::kInvalid);
  EXPECT_EQ(refused.error().error.message,
            "Kubernetes answered 422: it does not accept capacitybuffers.autoscaling.x-k8s.io "
            "'etl' in namespace 'spark': spec.replicas: Invalid value: -1");
  cluster.AnswerNext(invalid);
  EXPECT_THAT(Get("etl").error().error.message, Not(HasSubstr("Invalid value")));
  cluster.AnswerNext(
      {.status = 403, .body = R"({"message":"pods \"x\" is forbidden: exceeded quota: compute"})"});
  EXPECT_THAT(Apply(BufferObject("etl", 1)).error().error.message,
              AllOf(HasSubstr("exceeded quota"), Not(HasSubstr("Role"))));
}

}  // namespace
}  // namespace stoker::kubernetes
