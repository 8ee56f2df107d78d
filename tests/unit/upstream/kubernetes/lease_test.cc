#include "upstream/kubernetes/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_kubernetes.h"
#include "tests/testing/fake_waiter.h"
#include "tests/testing/fakes.h"

namespace stoker::kubernetes {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

const Resource kLease{"coordination.k8s.io", "v1", "leases", "stoker", "capacity"};

/// A waiter that does not wait: clocks are moved by the test alone.
class NoWaiter final : public http::Waiter {
 public:
  bool WaitUntil(MonoTime /*when*/, std::stop_token stop) override {
    return !stop.stop_requested();
  }
};

struct LeaseTest : ::testing::Test {
  testing::FakeWorld world;
  testing::FakeKubernetes cluster;
  std::unique_ptr<Client> client;

  void SetUp() override {
    cluster.Join(world);
    client = *Client::InCluster({world.clock,
                                 world.random,
                                 world.environment,
                                 world.files,
                                 world.transports,
                                 world.observer,
                                 std::make_shared<NoWaiter>()});
  }
  std::unique_ptr<Lease> Take(const std::string& identity) {
    auto lease = std::make_unique<Lease>(
        LeaseOptions{.name_space = "stoker", .name = "capacity", .identity = identity},
        Lease::Deps{*client, world.clock, world.executor, world.random, world.logger});
    lease->Start();
    world.executor.RunReady();
    return lease;
  }
  json Spec() { return cluster.Find(kLease)["spec"]; }
  /// From now on nobody reaches the API server.
  void CutOff() { cluster.AnswerNext({.status = 0}, 1'000'000); }
};

TEST_F(LeaseTest, TheFirstMakesAndHoldsIt) {
  const auto a = Take("a");
  EXPECT_TRUE(a->held());
  EXPECT_EQ(a->holder(), "a");
  EXPECT_EQ(Spec(),
            json({{"holderIdentity", "a"},
                  {"leaseDurationSeconds", 15},
                  {"leaseTransitions", 0},
                  {"acquireTime", "2026-01-05T00:00:00.000000Z"},
                  {"renewTime", "2026-01-05T00:00:00.000000Z"}}));
  EXPECT_THAT(world.logger.text(), HasSubstr("this replica holds the lease now"));
}

TEST_F(LeaseTest, IsRenewedEveryTwoSecondsByOneRequest) {
  const auto a = Take("a");
  const std::size_t before = cluster.requests().size();
  world.clock.Advance(seconds(60));
  EXPECT_TRUE(a->held());
  EXPECT_EQ(cluster.requests().size() - before, 30U);
  EXPECT_EQ(Spec()["renewTime"], "2026-01-05T00:01:00.000000Z");
  EXPECT_EQ(Spec()["acquireTime"], "2026-01-05T00:00:00.000000Z");
}

TEST_F(LeaseTest, ASecondWaitsWhileTheFirstRenews) {
  const auto a = Take("a");
  const auto b = Take("b");
  for (int i = 0; i < 100; ++i) {
    world.clock.Advance(seconds(1));
    EXPECT_TRUE(a->held());
    EXPECT_FALSE(b->held());
  }
  EXPECT_EQ(b->holder(), "a");
}

TEST_F(LeaseTest, StoppingReleasesItForTheNext) {
  const auto a = Take("a");
  const auto b = Take("b");
  a->Stop();
  EXPECT_FALSE(a->held());
  EXPECT_EQ(Spec()["holderIdentity"], "");
  world.clock.Advance(seconds(5));
  EXPECT_TRUE(b->held());
  EXPECT_EQ(Spec()["leaseTransitions"], 1);
  a->Stop();
  world.clock.Advance(seconds(20));
  EXPECT_TRUE(b->held());
}

TEST_F(LeaseTest, AHolderThatIsNotHeardOfIsReplacedAfterItsTime) {
  cluster.Put(kLease,
              {{"apiVersion", "coordination.k8s.io/v1"},
               {"kind", "Lease"},
               {"spec",
                {{"holderIdentity", "gone"},
                 {"leaseDurationSeconds", 15},
                 {"leaseTransitions", 4},
                 // Its clock is far ahead, which must not matter.
                 {"renewTime", "2030-01-01T00:00:00.000000Z"}}}});
  const auto b = Take("b");
  world.clock.Advance(seconds(14));
  EXPECT_FALSE(b->held());
  EXPECT_EQ(b->holder(), "gone");
  world.clock.Advance(seconds(6));
  EXPECT_TRUE(b->held());
  EXPECT_EQ(Spec()["leaseTransitions"], 5);
}

TEST_F(LeaseTest, IsNotHeldWithoutARenewalAndNeverByTwo) {
  const auto a = Take("a");
  const auto b = Take("b");
  world.clock.Advance(seconds(2));
  // a's requests alone fail from here on.
  world.transport->set_handler([&](const HttpRequest& request) -> Result<HttpResponse> {
    if (request.body.find("\"holderIdentity\":\"a\"") != std::string::npos) {
      return Fail(ErrorCode::kUnavailable, "cut off");
    }
    return cluster.Handle(request);
  });
  bool lost = false;
  for (int i = 0; i < 400 && !b->held(); ++i) {
    world.clock.Advance(std::chrono::milliseconds(100));
    lost = lost || !a->held();
    EXPECT_FALSE(a->held() && b->held());
    EXPECT_TRUE(lost || !b->held());
  }
  EXPECT_TRUE(b->held());
  world.clock.Advance(seconds(10));
  EXPECT_FALSE(a->held());
  EXPECT_EQ(a->holder(), "b");
  EXPECT_THAT(world.logger.text(), HasSubstr("this replica lost the lease"));
}

TEST_F(LeaseTest, ComesBackWhenTheApiServerDoes) {
  const auto a = Take("a");
  CutOff();
  world.clock.Advance(seconds(30));
  EXPECT_FALSE(a->held());
  world.transport->set_handler([&, fresh = std::make_shared<testing::FakeKubernetes>()](
                                   const HttpRequest& request) { return fresh->Handle(request); });
  world.clock.Advance(seconds(5));
  EXPECT_TRUE(a->held());
}

TEST_F(LeaseTest, AFaultIsLoggedOnceWithItsMend) {
  cluster.Forbid("create", "leases");
  const auto a = Take("a");
  world.clock.Advance(seconds(60));
  EXPECT_FALSE(a->held());
  const std::string text = world.logger.text();
  const std::string mend = "verb create on resource leases of apiGroup coordination.k8s.io";
  EXPECT_THAT(text, HasSubstr(mend));
  EXPECT_EQ(text.find(mend), text.rfind(mend));
  cluster.Allow("create", "leases");
  world.clock.Advance(seconds(5));
  EXPECT_TRUE(a->held());
}

TEST_F(LeaseTest, SurvivesAnotherWriterOfTheSameObject) {
  const auto a = Take("a");
  json object = cluster.Find(kLease);
  object["metadata"]["labels"]["note"] = "x";
  cluster.Put(kLease, object);
  world.clock.Advance(seconds(6));
  EXPECT_TRUE(a->held());
  EXPECT_EQ(cluster.Find(kLease)["metadata"]["labels"]["note"], "x");
  // And of nonsense.
  object = cluster.Find(kLease);
  object["spec"] = "nonsense";
  cluster.Put(kLease, object);
  world.clock.Advance(seconds(12));
  EXPECT_TRUE(a->held());
  cluster.Remove(kLease);
  world.clock.Advance(seconds(12));
  EXPECT_TRUE(a->held());
}

TEST_F(LeaseTest, ADestroyedOneAsksNoMore) {
  Take("a").reset();
  const std::size_t before = cluster.requests().size();
  world.clock.Advance(seconds(60));
  EXPECT_EQ(cluster.requests().size(), before);
  EXPECT_EQ(Spec()["holderIdentity"], "");
}

}  // namespace
}  // namespace stoker::kubernetes
