#include "capacity/expander.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace stoker::capacity {
namespace {

using rightsizing::Resources;
using std::chrono::minutes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kGiB = std::int64_t{1} << 30;
constexpr Resources kExecutor{.cpu_millis = 4000, .memory_bytes = 18 * kGiB};
constexpr Resources kDriver{.cpu_millis = 1000, .memory_bytes = 4 * kGiB};
const WallTime kNow{std::chrono::hours(1'000'000 / 2)};

PodSet Executors(std::int64_t count) {
  return {.role = PodRole::kExecutor, .requests = kExecutor, .count = count};
}
PodSet Drivers(std::int64_t count) {
  return {.role = PodRole::kDriver, .requests = kDriver, .count = count};
}
PodSet Others(std::int64_t count) {
  return {.role = PodRole::kOther, .requests = {}, .count = count};
}

/// A group of EKS nodes of this type.
ExpanderOption Option(const std::string& group,
                      const std::string& type,
                      bool spot,
                      std::int64_t nodes,
                      std::vector<PodSet> pods) {
  NodeTemplate node{.labels = {{"node.kubernetes.io/instance-type", type}},
                    .allocatable = {.cpu_millis = 7800, .memory_bytes = 30 * kGiB},
                    .max_pods = 58};
  node.labels["eks.amazonaws.com/capacityType"] = spot ? "SPOT" : "ON_DEMAND";
  return {.group = group, .nodes = nodes, .node = node, .pods = std::move(pods)};
}

const ExpanderRules& Prices() {
  static const ExpanderRules kRules{.prices = NodePrices({}, rightsizing::Catalogue())};
  return kRules;
}

std::vector<std::string> Chosen(const Choice& choice) {
  std::vector<std::string> groups;
  for (const Verdict& verdict : choice.verdicts) {
    if (verdict.chosen) groups.push_back(verdict.group);
  }
  return groups;
}

std::string Why(const Choice& choice, const std::string& group) {
  for (const Verdict& verdict : choice.verdicts) {
    if (verdict.group == group) return verdict.why;
  }
  return "no such group";
}

Choice ChooseNow(const std::vector<ExpanderOption>& options, const GroupFailures& failures = {}) {
  return Choose(options, Prices(), failures, kNow);
}

TEST(Expander, ExecutorsGoToSpot) {
  const Choice choice = ChooseNow({Option("od", "m5.2xlarge", false, 5, {Executors(5)}),
                                   Option("spot", "m5.2xlarge", true, 5, {Executors(5)})});
  EXPECT_THAT(Chosen(choice), ElementsAre("spot"));
  EXPECT_EQ(Why(choice, "od"), "dropped: not spot, where executors go");
  EXPECT_THAT(Why(choice, "spot"),
              HasSubstr("chosen for 5 executors: spot, $0.1536 an hour for each pod"));
  EXPECT_THAT(Why(choice, "spot"), HasSubstr("estimated"));
}

TEST(Expander, ExecutorsGoToTheCheapestForEach) {
  // 12 executors: two nodes of 16 cores hold eight, m5.2xlarge one each.
  const Choice choice = ChooseNow({Option("small", "m5.2xlarge", true, 12, {Executors(12)}),
                                   Option("large", "m5.8xlarge", true, 2, {Executors(12)})});
  EXPECT_THAT(Chosen(choice), ElementsAre("large"));
  EXPECT_THAT(Why(choice, "small"), HasSubstr("and large costs $0.1024"));
}

TEST(Expander, OneExecutorDoesNotOpenALargeNode) {
  const Choice choice = ChooseNow({Option("small", "m5.2xlarge", true, 1, {Executors(1)}),
                                   Option("large", "m5.24xlarge", true, 1, {Executors(1)})});
  EXPECT_THAT(Chosen(choice), ElementsAre("small"));
}

TEST(Expander, CountsNodesItselfWhereTheAutoscalerDoesNot) {
  const Choice choice = ChooseNow({Option("spot", "m5.2xlarge", true, 0, {Executors(3)})});
  EXPECT_DOUBLE_EQ(choice.verdicts[0].cost_per_pod.value_or(0), 0.384 * 0.4);
}

TEST(Expander, EqualCostsAreLeftToTheNextFilter) {
  const Choice choice = ChooseNow({Option("zone-a", "m5.2xlarge", true, 5, {Executors(5)}),
                                   Option("zone-b", "m5.2xlarge", true, 5, {Executors(5)}),
                                   Option("zone-c", "r5.2xlarge", true, 5, {Executors(5)})});
  EXPECT_THAT(Chosen(choice), ElementsAre("zone-a", "zone-b"));
}

TEST(Expander, AnUnknownPriceIsSaidAndNotCompared) {
  const Choice choice = ChooseNow({Option("known", "m5.2xlarge", true, 5, {Executors(5)}),
                                   Option("dearer", "r5.2xlarge", true, 5, {Executors(5)}),
                                   Option("new", "z9.huge", true, 1, {Executors(5)})});
  EXPECT_THAT(Chosen(choice), ElementsAre("known", "new"));
  EXPECT_THAT(Why(choice, "new"), HasSubstr("of unknown price, so not compared"));
}

TEST(Expander, DriversGoFirstAndOnDemand) {
  const Choice choice =
      ChooseNow({Option("spot", "m5.2xlarge", true, 3, {Drivers(1), Executors(2)}),
                 Option("executors", "m5.2xlarge", true, 2, {Executors(2)}),
                 Option("od", "m5.2xlarge", false, 3, {Drivers(1), Executors(2)})});
  EXPECT_THAT(Chosen(choice), ElementsAre("od"));
  EXPECT_EQ(Why(choice, "spot"), "dropped: spot, and drivers go on demand");
  EXPECT_EQ(Why(choice, "executors"), "dropped: takes no driver, and drivers go first");
  EXPECT_THAT(Why(choice, "od"), HasSubstr("chosen for 1 driver and 2 executors: on demand"));
}

TEST(Expander, ADriverTakesSpotWhereThereIsNothingElse) {
  const Choice choice = ChooseNow({Option("spot", "m5.2xlarge", true, 1, {Drivers(1)})});
  EXPECT_THAT(Chosen(choice), ElementsAre("spot"));
}

TEST(Expander, BacksOffFromGroupsThatFailedLately) {
  const GroupFailures failures{{"spot", {.last = kNow - minutes(3), .reason = "OutOfResource"}}};
  const std::vector<ExpanderOption> options{Option("od", "m5.2xlarge", false, 5, {Executors(5)}),
                                            Option("spot", "m5.2xlarge", true, 5, {Executors(5)})};
  const Choice choice = ChooseNow(options, failures);
  EXPECT_THAT(Chosen(choice), ElementsAre("od"));
  EXPECT_EQ(Why(choice, "spot"), "dropped: failed 3m ago (OutOfResource)");

  const Choice nothing_else = ChooseNow({options[1]}, failures);
  EXPECT_THAT(Chosen(nothing_else), ElementsAre("spot"));
  EXPECT_THAT(Why(nothing_else, "spot"), HasSubstr("failed lately, as all that are left"));
}

TEST(Expander, NamesTheRuleOfEachOption) {
  const auto rules = [](const Choice& choice) {
    std::vector<std::string> names;
    for (const Verdict& verdict : choice.verdicts) names.emplace_back(RuleName(verdict.rule));
    return names;
  };
  EXPECT_THAT(
      rules(ChooseNow({Option("cheap", "m5.2xlarge", true, 5, {Executors(5)}),
                       Option("dear", "r5.2xlarge", true, 5, {Executors(5)}),
                       Option("od", "m5.2xlarge", false, 5, {Executors(5)}),
                       Option("failed", "m5.2xlarge", true, 5, {Executors(5)}),
                       Option("mixed", "m5.2xlarge", true, 5, {Executors(5), Others(1)})},
                      {{"failed", {.last = kNow - minutes(1), .reason = "OutOfResource"}}})),
      ElementsAre("chosen", "costs_more", "not_spot", "failed", "left_alone"));
  EXPECT_THAT(rules(ChooseNow({Option("od", "m5.2xlarge", false, 1, {Drivers(1)}),
                               Option("spot", "m5.2xlarge", true, 1, {Drivers(1)}),
                               Option("executors", "m5.2xlarge", false, 1, {Executors(1)})})),
              ElementsAre("chosen", "spot", "takes_no_driver"));
}

TEST(Expander, PodsThatAreNotSparksAreLeftAlone) {
  const std::vector<ExpanderOption> options{Option("a", "m5.2xlarge", false, 1, {Others(1)}),
                                            Option("b", "m5.24xlarge", true, 1, {Others(1)})};
  const Choice choice = ChooseNow(options);
  EXPECT_THAT(Chosen(choice), ElementsAre("a", "b"));
  EXPECT_THAT(Why(choice, "a"), HasSubstr("left alone: it also takes 1 pod that"));

  const Choice mixed = ChooseNow({Option("web", "m5.2xlarge", false, 2, {Others(1), Executors(1)}),
                                  Option("od", "m5.2xlarge", false, 1, {Executors(1)}),
                                  Option("spot", "m5.2xlarge", true, 1, {Executors(1)})});
  EXPECT_THAT(Chosen(mixed), ElementsAre("web", "spot"));
}

TEST(Expander, OptionsOfWhichNothingIsKnownAreKept) {
  ExpanderOption bare{.group = "bare", .nodes = 1, .node = {}, .pods = {}};
  EXPECT_THAT(Chosen(ChooseNow({bare})), ElementsAre("bare"));
  bare.pods = {Executors(1)};  // no node template
  EXPECT_THAT(Chosen(ChooseNow({bare, Option("spot", "m5.2xlarge", true, 1, {Executors(1)})})),
              ElementsAre("spot"));
  EXPECT_THAT(Chosen(ChooseNow({bare})), ElementsAre("bare"));
  EXPECT_TRUE(ChooseNow({}).verdicts.empty());
}

TEST(Expander, TellsSpotByEveryProvidersLabels) {
  const ExpanderRules rules{
      .spot_labels = {{"pool", "cheap"}}, .spot_groups = {"**/mig-spot-*"}, .prices = {}};
  const auto spot = [&](const std::string& key, const std::string& value) {
    ExpanderOption option{.group = "g", .node = NodeTemplate{}, .pods = {}};
    option.node->labels[key] = value;
    return IsSpot(option, rules);
  };
  EXPECT_TRUE(spot("eks.amazonaws.com/capacityType", "SPOT"));
  EXPECT_FALSE(spot("eks.amazonaws.com/capacityType", "ON_DEMAND"));
  EXPECT_TRUE(spot("cloud.google.com/gke-spot", "true"));
  EXPECT_FALSE(spot("cloud.google.com/gke-spot", "false"));
  EXPECT_TRUE(spot("kubernetes.azure.com/scalesetpriority", "spot"));
  EXPECT_TRUE(spot("karpenter.sh/capacity-type", "spot"));
  EXPECT_FALSE(spot("karpenter.sh/capacity-type", "on-demand"));
  EXPECT_TRUE(spot("pool", "cheap"));
  EXPECT_FALSE(spot("pool", ""));
  EXPECT_TRUE(
      IsSpot({.group = "https://example/zones/a/mig-spot-1", .node = {}, .pods = {}}, rules));
  EXPECT_FALSE(IsSpot({.group = "mig-od-1", .node = {}, .pods = {}}, rules));
}

TEST(Expander, RolesAreToldByLabels) {
  EXPECT_EQ(RoleOf("driver", ""), PodRole::kDriver);
  EXPECT_EQ(RoleOf("executor", ""), PodRole::kExecutor);
  EXPECT_EQ(RoleOf("", "executor"), PodRole::kExecutor);
  EXPECT_EQ(RoleOf("", ""), PodRole::kOther);
  EXPECT_EQ(RoleOf("worker", ""), PodRole::kOther);
}

TEST(Expander, ChoosesAtLeastOneOfAnything) {
  std::mt19937 random(1);
  const auto below = [&](int limit) {
    return static_cast<int>(random() % static_cast<unsigned>(limit));
  };
  const ExpanderRules& rules = Prices();
  const std::vector<std::string> types{"m5.2xlarge", "r5.4xlarge", "unheard-of"};
  for (int round = 0; round < 5000; ++round) {
    std::vector<ExpanderOption> options;
    GroupFailures failures;
    for (int i = 0, count = 1 + below(6); i < count; ++i) {
      std::vector<PodSet> pods;
      if (below(3) > 0) pods.push_back(Executors(below(4)));
      if (below(4) == 0) pods.push_back(Drivers(1));
      if (below(6) == 0) pods.push_back(Others(1));
      options.push_back(Option("g" + std::to_string(below(4)),
                               types[static_cast<std::size_t>(below(3))],
                               below(2) == 0,
                               below(3),
                               std::move(pods)));
      if (below(5) == 0) options.back().node.reset();
      if (below(3) == 0) failures[options.back().group] = {.last = kNow, .reason = "x"};
    }
    const Choice choice = Choose(options, rules, failures, kNow);
    ASSERT_EQ(choice.verdicts.size(), options.size());
    ASSERT_FALSE(Chosen(choice).empty());
    for (const Verdict& verdict : choice.verdicts) ASSERT_NE(verdict.why, "");
    ASSERT_EQ(Chosen(Choose(options, rules, failures, kNow)), Chosen(choice));
  }
}

}  // namespace
}  // namespace stoker::capacity
