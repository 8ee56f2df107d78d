#include "adapter/cluster_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/units.h"
#include "tests/testing/fake_kubernetes.h"
#include "tests/testing/fakes.h"

namespace stoker::adapter {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;

/// Moves the clock, for retries.
class NoWaiter final : public http::Waiter {
 public:
  bool WaitUntil(MonoTime /*when*/, std::stop_token stop) override {
    return !stop.stop_requested();
  }
};

class ClusterWatchTest : public ::testing::Test {
 protected:
  ClusterWatchTest() {
    cluster_.Join(world_);
    client_ = *kubernetes::Client::InCluster({world_.clock,
                                              world_.random,
                                              world_.environment,
                                              world_.files,
                                              world_.transports,
                                              world_.observer,
                                              std::make_shared<NoWaiter>()});
    watch_ = std::make_unique<ClusterWatch>(ClusterWatch::Deps{*client_,
                                                               [this] { return config_; },
                                                               world_.clock,
                                                               world_.executor,
                                                               world_.executor,
                                                               world_.logger});
  }

  /// The autoscaler writes that `group` backs off, or that all is well.
  void Tell(const std::string& group) {
    std::string status = "time: " + FormatTime(world_.clock.WallNow()) +
                         "\nautoscalerStatus: Running\nnodeGroups:\n- name: od\n";
    if (!group.empty()) {
      status += "- name: " + group +
                "\n  scaleUp: {status: Backoff, backoffInfo: {errorCode: OutOfResource}}\n";
    }
    cluster_.Put({"", "v1", "configmaps", config_.status_namespace, config_.status_config_map},
                 {{"apiVersion", "v1"},
                  {"kind", "ConfigMap"},
                  {"metadata", {{"name", config_.status_config_map}}},
                  {"data", {{"status", status}}}});
  }

  stoker::testing::FakeWorld world_;
  stoker::testing::FakeKubernetes cluster_;
  std::unique_ptr<kubernetes::Client> client_;
  capacity::ExpanderConfig config_;
  std::unique_ptr<ClusterWatch> watch_;
};

TEST_F(ClusterWatchTest, FollowsTheStatusEveryTenSeconds) {
  Tell("");
  watch_->Start();
  world_.executor.RunReady();
  EXPECT_THAT(watch_->Failures(), IsEmpty());
  Tell("spot");
  world_.clock.Advance(seconds(10));
  EXPECT_THAT(watch_->Failures(), ElementsAre(Key("spot")));
  EXPECT_EQ(watch_->Failures()["spot"].reason, "OutOfResource");
  Tell("");
  world_.clock.Advance(minutes(16));
  EXPECT_THAT(watch_->Failures(), IsEmpty());
}

TEST_F(ClusterWatchTest, KeepsWhatItKnewForAWhileWhenTheStatusCannotBeRead) {
  Tell("spot");
  watch_->Start();
  world_.executor.RunReady();
  cluster_.Forbid("get", "configmaps");
  world_.clock.Advance(minutes(5));
  EXPECT_THAT(watch_->Failures(), ElementsAre(Key("spot")));
  EXPECT_THAT(world_.logger.text(), HasSubstr("warn the autoscaler's status cannot be read"));
  const std::size_t lines = world_.logger.lines().size();
  world_.clock.Advance(minutes(11));
  EXPECT_THAT(watch_->Failures(), IsEmpty());
  EXPECT_EQ(world_.logger.lines().size(), lines) << "a line for a change, not for a poll";
  cluster_.Allow("get", "configmaps");
  Tell("spot");
  world_.clock.Advance(seconds(10));
  EXPECT_THAT(watch_->Failures(), ElementsAre(Key("spot")));
  EXPECT_THAT(world_.logger.text(), HasSubstr("info the autoscaler's status can be read"));
}

TEST_F(ClusterWatchTest, AConfigMapThatIsMissingIsSaidOnce) {
  watch_->Start();
  world_.executor.RunReady();
  EXPECT_THAT(watch_->Failures(), IsEmpty());
  EXPECT_THAT(world_.logger.text(), HasSubstr("cluster-autoscaler-status"));
}

TEST_F(ClusterWatchTest, EndsWithItsStop) {
  Tell("spot");
  watch_->Start();
  world_.executor.RunReady();
  watch_->Stop();
  const std::size_t asked = cluster_.requests().size();
  world_.clock.Advance(minutes(5));
  EXPECT_EQ(cluster_.requests().size(), asked);
  EXPECT_EQ(world_.executor.pending(), 0U);
}

}  // namespace
}  // namespace stoker::adapter
