#include "capacity/manifests.h"

#include <gtest/gtest.h>

#include "core/glob.h"

namespace stoker::capacity {
namespace {

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

policy::Policy PolicyWith(policy::ExecutorRequests executor) {
  policy::Policy policy;
  policy.name = "Team_A.etl";
  policy.replicas.max = 10;
  policy.replicas.executors_per_replica = 3;
  policy.capacity.emplace();
  policy.capacity->executor = std::move(executor);
  return policy;
}

NodeShape Shape(std::int64_t cpus, std::int64_t gib, std::optional<double> price) {
  NodeShape shape;
  shape.name = std::to_string(cpus) + "x" + std::to_string(gib);
  shape.node.cpu_millis = cpus * 1000;
  shape.node.memory_bytes = gib * kGiB;
  shape.price_per_hour = price;
  return shape;
}

Headroom Of(std::int64_t cpu_millis, std::int64_t gib) {
  Headroom headroom;
  headroom.policy = "etl";
  headroom.name_space = "spark";
  headroom.name = "stoker-etl";
  headroom.requests = {cpu_millis, gib * kGiB, 0};
  headroom.max_executors = 10;
  return headroom;
}

TEST(MakeHeadroom, TakesDefaultsFromTheSection) {
  CapacityConfig config;
  config.mechanism = policy::Mechanism::kBuffer;
  const auto headroom = MakeHeadroom(
      PolicyWith({.preset = {}, .cpu_millis = 4000, .memory_bytes = 18 * kGiB}), config, "stoker");
  ASSERT_TRUE(headroom) << headroom.error().message;
  EXPECT_EQ(headroom->mechanism, policy::Mechanism::kBuffer);
  EXPECT_EQ(headroom->name_space, "stoker");
  EXPECT_EQ(headroom->name, "stoker-team-a-etl");
  EXPECT_EQ(headroom->most_wanted, 30);
  EXPECT_EQ(headroom->max_executors, 100);
}

TEST(MakeHeadroom, SizesPresetsAsSparkSizesTheirPods) {
  const auto headroom = MakeHeadroom(PolicyWith({.preset = "large"}), {}, "stoker");
  ASSERT_TRUE(headroom) << headroom.error().message;
  EXPECT_EQ(headroom->requests.cpu_millis, 4000);
  EXPECT_EQ(headroom->requests.memory_bytes >> 20, 8192 + 819);  // 10% of the heap
}

TEST(MakeHeadroom, NamesWhatIsMissing) {
  policy::Policy policy = PolicyWith({.preset = "huge"});
  EXPECT_NE(MakeHeadroom(policy, {}, "stoker").error().message.find("executor.preset"),
            std::string::npos);
  policy.capacity->executor->preset = "small";
  policy.capacity->name = "No Name";
  EXPECT_NE(MakeHeadroom(policy, {}, "stoker").error().message.find("name and namespace"),
            std::string::npos);
  policy.capacity->mechanism = policy::Mechanism::kBuffer;
  policy.capacity->name = std::string(63, 'a');
  EXPECT_TRUE(MakeHeadroom(policy, {}, "stoker"));
  policy.capacity->name += "a";
  EXPECT_NE(MakeHeadroom(policy, {}, "stoker").error().message.find("at most 63"),
            std::string::npos);
  policy.capacity.reset();
  EXPECT_EQ(MakeHeadroom(policy, {}, "stoker").error().message,
            "policy 'Team_A.etl' does not say what an executor requests; set "
            "policies.Team_A.etl.capacity.executor: {cpu: 4, memory: 18Gi}");
}

TEST(GroupRegex, MatchesWhatTheGlobMatches) {
  EXPECT_EQ(GroupRegex("spot-*"), "^spot-[^/]*$");
  EXPECT_EQ(GroupRegex("**/eks.spot?"), "^.*/eks\\.spot[^/]$");
  EXPECT_EQ(GroupRegex("pool[0-9]"), "^pool[0-9]$");
  EXPECT_EQ(GroupRegex("pool[!a-c]"), "^pool[^/a-c]$");
  EXPECT_EQ(GroupRegex("a[]b]"), "^a[\\]b]$");
  EXPECT_EQ(GroupRegex("a[b"), "^a\\[b$");
  EXPECT_EQ(GroupRegex("a\\*b"), "^a\\*b$");
}

TEST(RankShapes, PutsTheCheapestPerExecutorFirst) {
  // 64 CPUs at 2.00 hold 15 executors of 4 CPUs; 8 CPUs at 0.30 hold one, since the node keeps some
  // for itself: the larger node is cheaper for an executor.
  const std::vector<NodeShape> shapes{Shape(8, 64, 0.30), Shape(64, 512, 2.0), Shape(2, 8, 0.01)};
  const std::vector<Headroom> headrooms{Of(4000, 16)};
  EXPECT_EQ(ExecutorsPerNode(shapes[0], headrooms[0].requests), 1);
  EXPECT_EQ(ExecutorsPerNode(shapes[1], headrooms[0].requests), 15);
  const std::vector<RankedShape> ranked = RankShapes(shapes, headrooms);
  ASSERT_EQ(ranked.size(), 2U) << "what holds no executor has no part in it";
  EXPECT_EQ(ranked[0].shape->name, "64x512");
  EXPECT_DOUBLE_EQ(*ranked[0].relative_cost, 1);
  EXPECT_EQ(ranked[1].shape->name, "8x64");
}

TEST(RankShapes, PutsWhatHasNoPriceLastAndSpotFirstOfIt) {
  std::vector<NodeShape> shapes{
      Shape(16, 64, std::nullopt), Shape(16, 64, std::nullopt), Shape(16, 64, 1.0)};
  shapes[1].spot = true;
  const std::vector<RankedShape> ranked = RankShapes(shapes, std::vector<Headroom>{Of(4000, 16)});
  ASSERT_EQ(ranked.size(), 3U);
  EXPECT_EQ(ranked[0].shape, &shapes[2]);
  EXPECT_EQ(ranked[1].shape, &shapes[1]);
  EXPECT_EQ(ranked[2].shape, &shapes[0]);
}

TEST(RankShapes, OfFreeNodesDividesByNothing) {
  const std::vector<NodeShape> shapes{Shape(16, 64, 0.0), Shape(16, 64, 1.0)};
  const std::vector<RankedShape> ranked = RankShapes(shapes, std::vector<Headroom>{Of(4000, 16)});
  ASSERT_EQ(ranked.size(), 2U);
  EXPECT_EQ(ranked[0].shape, &shapes[0]);
}

TEST(CapacityBuffer, IsCappedByItsLimits) {
  Headroom headroom = Of(3500, 13);
  headroom.executors = 4;
  const Json buffer = CapacityBuffer(headroom);
  EXPECT_EQ(buffer["spec"]["replicas"], 4);
  EXPECT_EQ(buffer["spec"]["limits"]["cpu"], "35");
  EXPECT_EQ(buffer["spec"]["limits"]["memory"], "130Gi");
}

TEST(CapacityBuffer, HasLimitsForAllOfMaxExecutors) {
  policy::ExecutorRequests executor;
  executor.cpu_millis = 4000;
  executor.memory_bytes = 1181116006;  // 1.1g, written as 1127Mi
  const auto headroom = MakeHeadroom(PolicyWith(executor), {}, "stoker");
  ASSERT_TRUE(headroom) << headroom.error().message;
  EXPECT_EQ(CapacityBuffer(*headroom)["spec"]["limits"]["memory"], "112700Mi") << "100 x 1127Mi";
}

TEST(Quotas, OfAbsurdSettingsStayPositive) {
  policy::ExecutorRequests executor;
  executor.cpu_millis = 999'999'999'999'000;
  executor.memory_bytes = 18 * kGiB;
  policy::Policy policy = PolicyWith(executor);
  policy.replicas.max = 100'000;
  policy.replicas.executors_per_replica = 10'000;
  HintInput input;
  input.headrooms = {*MakeHeadroom(policy, {}, "stoker")};
  const auto hint = MakeHint(input, HintFormat::kQuota);
  ASSERT_TRUE(hint) << hint.error().message;
  const Json& hard = hint->json["items"][0]["spec"]["hard"];
  EXPECT_EQ(hard["requests.cpu"], "9223372036854775807m");
  EXPECT_EQ(hard["requests.memory"], "8589934592Gi") << hard;
  EXPECT_EQ(hard["pods"], "1000000100");
}

TEST(ProvisioningRequest, OfAnotherSizeIsAnotherObject) {
  Headroom headroom = Of(3500, 13);
  headroom.executors = 4;
  EXPECT_EQ(ProvisioningRequest(headroom)["metadata"]["name"], "stoker-etl-4");
  EXPECT_EQ(ProvisioningRequest(headroom)["spec"]["podSets"][0]["count"], 4);
}

TEST(Objects, AreFoundByTheirLabels) {
  const Headroom headroom = Of(3500, 13);
  for (const Json& object :
       {PodTemplate(headroom), CapacityBuffer(headroom), ProvisioningRequest(headroom)}) {
    for (const auto& [key, value] : HeadroomLabels(headroom)) {
      EXPECT_EQ(object["metadata"]["labels"][key], value);
    }
    EXPECT_EQ(object["metadata"]["namespace"], "spark");
  }
}

}  // namespace
}  // namespace stoker::capacity
