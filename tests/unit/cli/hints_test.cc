#include "cli/hints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_kubernetes.h"
#include "tests/testing/fakes.h"

namespace stoker::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kAnswer = R"({"items": [
  {"policy": "etl", "mechanism": "buffer", "wanted_executors": 30, "wanted_ahead_executors": 40,
   "running_executors": 34, "pending_executors": null, "lead_seconds": 240, "lead_measured": true,
   "headroom_executors": 6, "capped": false, "object": "CapacityBuffer spark/stoker-etl",
   "object_executors": 5, "written": null, "diff": ["spec.replicas: 5 -> 6"], "error": null,
   "missing": [{"reason": "maximum", "message": "2 pods \u001bwait"}]},
  {"policy": "night", "mechanism": "none", "wanted_executors": null, "wanted_ahead_executors": null,
   "running_executors": null, "pending_executors": null, "lead_seconds": null,
   "lead_measured": null, "headroom_executors": null, "capped": null, "object": null,
   "object_executors": null, "written": null, "diff": [], "error": null, "missing": []}],
  "expander": {"choices": []}})";

TEST(FormatHints, TellsWhatIsWantedThereAndMissing) {
  const auto told = FormatHints(kAnswer, {"etl"});
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_FALSE(told->complete);
  EXPECT_EQ(told->text,
            "etl: room for 6 executors (mechanism buffer)\n"
            "  wanted 30, within 4m 40; running 34, pending -\n"
            "  CapacityBuffer spark/stoker-etl makes room for 5\n"
            "  not yet: spec.replicas: 5 -> 6\n"
            "  maximum: 2 pods ?wait\n");
}

TEST(FormatHints, IsCompleteWhereNothingIsMissing) {
  const auto told = FormatHints(kAnswer, {"night"});
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_TRUE(told->complete);
  EXPECT_EQ(told->text, "night: the headroom is not known (mechanism none)\n");
  EXPECT_THAT(FormatHints(R"({"items": []})", {})->text, HasSubstr("no policy makes room"));
}

TEST(FormatHints, NamesAPolicyThatIsNotThere) {
  const auto told = FormatHints(kAnswer, {"etl", "etk"});
  ASSERT_FALSE(told) << "nothing missing would be no answer to a mistyped name";
  EXPECT_EQ(told.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(told.error().message, HasSubstr("no policy 'etk'"));
}

TEST(FormatHints, RefusesWhatIsNoAnswer) {
  for (const char* text : {"", "[]", "{}", R"({"items": [{}]})", R"({"items": [{"policy": 1}]})"}) {
    EXPECT_FALSE(FormatHints(text, {})) << text;
  }
}

class NoWaiter final : public http::Waiter {
 public:
  bool WaitUntil(MonoTime /*when*/, std::stop_token stop) override {
    return !stop.stop_requested();
  }
};

TEST(DiffHint, NamesObjectsAndFields) {
  testing::FakeWorld world;
  testing::FakeKubernetes cluster;
  cluster.Join(world);
  const auto client = *kubernetes::Client::InCluster({world.clock,
                                                      world.random,
                                                      world.environment,
                                                      world.files,
                                                      world.transports,
                                                      world.observer,
                                                      std::make_shared<NoWaiter>()});
  capacity::HintInput input;
  input.headrooms.resize(1);
  capacity::Headroom& headroom = input.headrooms[0];
  headroom.policy = "etl";
  headroom.mechanism = policy::Mechanism::kBuffer;
  headroom.name_space = "spark";
  headroom.name = "stoker-etl";
  headroom.requests = {4000, std::int64_t{18} << 30, 0};
  headroom.max_executors = 10;
  headroom.executors = 3;
  const auto hint = capacity::MakeHint(input, capacity::HintFormat::kCapacityBuffer);
  ASSERT_TRUE(hint);
  const MonoTime deadline = world.clock.MonotonicNow() + std::chrono::seconds(10);
  EXPECT_THAT(*DiffHint(*hint, Sizes::kCompare, *client, deadline),
              ElementsAre("PodTemplate spark/stoker-etl: create",
                          "CapacityBuffer spark/stoker-etl: create"));
  for (const auto& item : hint->json["items"]) {
    const bool pod = item["kind"] == "PodTemplate";
    cluster.Put({pod ? "" : "autoscaling.x-k8s.io",
                 pod ? "v1" : "v1beta1",
                 pod ? "podtemplates" : "capacitybuffers",
                 "spark",
                 "stoker-etl"},
                nlohmann::json::parse(item.dump()));
  }
  EXPECT_THAT(*DiffHint(*hint, Sizes::kCompare, *client, deadline), IsEmpty());
  headroom.executors = 5;
  const auto larger = capacity::MakeHint(input, capacity::HintFormat::kCapacityBuffer);
  EXPECT_THAT(*DiffHint(*larger, Sizes::kCompare, *client, deadline),
              ElementsAre("CapacityBuffer spark/stoker-etl: spec.replicas: 3 -> 5"));
  EXPECT_THAT(*DiffHint(*larger, Sizes::kIgnore, *client, deadline), IsEmpty());
  cluster.Forbid("get", "capacitybuffers");
  EXPECT_THAT(DiffHint(*larger, Sizes::kCompare, *client, deadline).error().message,
              HasSubstr("capacitybuffers"));
}

}  // namespace
}  // namespace stoker::cli
