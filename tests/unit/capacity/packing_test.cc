#include "capacity/packing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace stoker::capacity {
namespace {

using rightsizing::Resources;
using ::testing::ElementsAre;

/// The lowest cost that holds all pods, by trying everything; infinity when nothing does.
class Exact {
 public:
  Exact(const std::vector<PodDemand>& demands,
        const std::vector<NodeOffer>& offers,
        std::vector<double> costs)
      : offers_(offers), costs_(std::move(costs)), used_(offers.size()) {
    for (const PodDemand& demand : demands) {
      pods_.insert(pods_.end(), static_cast<std::size_t>(demand.count), demand.requests);
    }
  }

  double Solve() {
    Place(0, 0);
    return best_;
  }

 private:
  struct Node {
    std::size_t offer;
    Resources left;
    std::int64_t pods;
  };
  static bool Fits(const Resources& pod, const Node& node) {
    return node.pods > 0 && pod.cpu_millis <= node.left.cpu_millis &&
           pod.memory_bytes <= node.left.memory_bytes;
  }

  void Place(std::size_t pod, double cost) {
    if (cost >= best_) return;
    if (pod == pods_.size()) {
      best_ = cost;
      return;
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) PutOn(i, pod, cost);
    for (std::size_t offer = 0; offer < offers_.size(); ++offer) {
      const NodeOffer& kind = offers_[offer];
      if (kind.max_nodes && used_[offer] >= *kind.max_nodes) continue;
      nodes_.push_back({offer, kind.allocatable, kind.max_pods});
      ++used_[offer];
      PutOn(nodes_.size() - 1, pod, cost + costs_[offer]);
      --used_[offer];
      nodes_.pop_back();
    }
  }
  void PutOn(std::size_t at, std::size_t pod, double cost) {
    if (!Fits(pods_[pod], nodes_[at])) return;
    const Node before = nodes_[at];
    nodes_[at].left.cpu_millis -= pods_[pod].cpu_millis;
    nodes_[at].left.memory_bytes -= pods_[pod].memory_bytes;
    --nodes_[at].pods;
    Place(pod + 1, cost);
    nodes_[at] = before;
  }

  const std::vector<NodeOffer>& offers_;
  const std::vector<double> costs_;
  std::vector<std::int64_t> used_;
  std::vector<Resources> pods_;
  std::vector<Node> nodes_;
  double best_ = std::numeric_limits<double>::infinity();
};

/// Whether the plan's nodes really hold the pods that it says it placed.
bool Holds(const NodePlan& plan,
           std::vector<PodDemand> demands,
           const std::vector<NodeOffer>& offers) {
  std::vector<NodeOffer> have;
  for (std::size_t i = 0; i < offers.size(); ++i) {
    if (offers[i].max_nodes && plan.nodes[i] > *offers[i].max_nodes) return false;
    have.push_back(offers[i]);
    have.back().max_nodes = plan.nodes[i];
  }
  for (std::size_t i = 0; i < demands.size(); ++i) demands[i].count -= plan.unplaced[i];
  return Exact(demands, have, std::vector<double>(have.size(), 0)).Solve() == 0;
}

struct Instance {
  std::vector<PodDemand> demands;
  std::vector<NodeOffer> offers;
};

Instance Random(std::mt19937& random, int sizes, bool priced) {
  const auto between = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1));
  };
  Instance instance;
  for (int i = 0; i < sizes; ++i) {
    instance.demands.push_back(
        {.requests = {.cpu_millis = between(1, 8) * 500, .memory_bytes = between(1, 8)},
         .count = between(1, sizes == 1 ? 7 : 3)});
  }
  for (int i = 0, count = between(1, 3); i < count; ++i) {
    NodeOffer offer{
        .shape = std::to_string(i),
        .allocatable = {.cpu_millis = between(4, 16) * 500, .memory_bytes = between(8, 24)},
        .max_pods = between(2, 10)};
    if (priced) offer.price_per_hour = between(1, 20) * 0.1;
    if (i > 0 && between(0, 2) == 0) offer.max_nodes = between(0, 3);
    instance.offers.push_back(offer);
  }
  return instance;
}

std::int64_t Sum(const std::vector<std::int64_t>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
}

class PackNodesOf : public ::testing::TestWithParam<int> {};

TEST_P(PackNodesOf, TakesTheFewestNodes) {
  std::mt19937 random(7);
  for (int round = 0; round < 400; ++round) {
    const Instance instance = Random(random, GetParam(), false);
    const NodePlan plan = PackNodes(instance.demands, instance.offers);
    ASSERT_TRUE(Holds(plan, instance.demands, instance.offers)) << round;
    const double best =
        Exact(instance.demands, instance.offers, std::vector<double>(instance.offers.size(), 1))
            .Solve();
    if (Sum(plan.unplaced) > 0) {
      ASSERT_EQ(best, std::numeric_limits<double>::infinity()) << round << ": there was room";
      continue;
    }
    ASSERT_EQ(static_cast<double>(Sum(plan.nodes)), best) << round;
  }
}

TEST_P(PackNodesOf, CostsTheLeast) {
  std::mt19937 random(11);
  for (int round = 0; round < 400; ++round) {
    const Instance instance = Random(random, GetParam(), true);
    const NodePlan plan = PackNodes(instance.demands, instance.offers);
    ASSERT_TRUE(Holds(plan, instance.demands, instance.offers)) << round;
    if (Sum(plan.unplaced) > 0) continue;
    std::vector<double> prices;
    for (const NodeOffer& offer : instance.offers) prices.push_back(*offer.price_per_hour);
    const double best = Exact(instance.demands, instance.offers, prices).Solve();
    ASSERT_NEAR(*plan.cost_per_hour, best, 1e-9) << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, PackNodesOf, ::testing::Values(1, 2, 3));

constexpr std::int64_t kGiB = std::int64_t{1} << 30;
const PodDemand kTenExecutors{.requests = {.cpu_millis = 4000, .memory_bytes = 18 * kGiB},
                              .count = 10};

NodeOffer Offer(const std::string& shape,
                int cores,
                std::int64_t memory,
                std::optional<double> price) {
  return {.shape = shape,
          .allocatable = {.cpu_millis = cores * 1000, .memory_bytes = memory * kGiB},
          .price_per_hour = price};
}

TEST(PackNodes, MixesShapesWhereThatIsCheapest) {
  const auto plan =
      PackNodes({kTenExecutors}, {Offer("one", 4, 20, 0.3), Offer("four", 16, 80, 1.0)});
  EXPECT_THAT(plan.nodes, ElementsAre(2, 2));
  EXPECT_DOUBLE_EQ(plan.cost_per_hour.value_or(0), 2.6);
}

TEST(PackNodes, RespectsMaximaAndSaysWhatFindsNoPlace) {
  std::vector<NodeOffer> offers{Offer("one", 4, 20, 0.3), Offer("four", 16, 80, 1.0)};
  offers[0].max_nodes = 1;
  offers[1].max_nodes = 1;
  const auto plan = PackNodes({kTenExecutors}, offers);
  EXPECT_THAT(plan.nodes, ElementsAre(1, 1));
  EXPECT_THAT(plan.unplaced, ElementsAre(5));
}

TEST(PackNodes, WithAPriceUnknownCountsNodes) {
  const auto plan =
      PackNodes({kTenExecutors}, {Offer("one", 4, 20, 0.01), Offer("four", 16, 80, std::nullopt)});
  EXPECT_EQ(plan.nodes[0] + plan.nodes[1], 3);
  EXPECT_EQ(plan.cost_per_hour, std::nullopt);
}

TEST(PackNodes, PlacesSmallPodsBesideLargeOnes) {
  const PodDemand driver{.requests = {.cpu_millis = 1000, .memory_bytes = 2 * kGiB}, .count = 3};
  const auto plan = PackNodes({driver, kTenExecutors}, {Offer("node", 9, 60, 1.0)});
  EXPECT_THAT(plan.nodes, ElementsAre(5));
}

TEST(PackNodes, MixedPodsCostNoMoreThanEachSizeByItself) {
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    Instance instance = Random(random, 2 + round % 3, true);
    std::erase_if(instance.offers,
                  [](const NodeOffer& offer) { return offer.max_nodes.has_value(); });
    double apart = 0;
    for (PodDemand& demand : instance.demands) {
      demand.count *= 100;
      const NodePlan alone = PackNodes({demand}, instance.offers);
      apart += alone.cost_per_hour.value_or(0);
    }
    const NodePlan plan = PackNodes(instance.demands, instance.offers);
    ASSERT_LE(*plan.cost_per_hour, apart + 1e-6) << round;
  }
}

TEST(PackNodes, OfNothingIsNothing) {
  EXPECT_THAT(PackNodes({}, {Offer("node", 8, 32, 1.0)}).nodes, ElementsAre(0));
  const auto homeless = PackNodes({kTenExecutors}, {});
  EXPECT_THAT(homeless.unplaced, ElementsAre(10));
  EXPECT_THAT(PackNodes({kTenExecutors}, {Offer("tiny", 2, 4, 0.1)}).unplaced, ElementsAre(10));
}

TEST(PackNodes, TakesManyMoreThanItSolvesExactly) {
  PodDemand many = kTenExecutors;
  many.count = 1'000'003;
  const auto plan = PackNodes({many}, {Offer("one", 4, 20, 0.3), Offer("four", 16, 80, 1.0)});
  EXPECT_THAT(plan.unplaced, ElementsAre(0));
  EXPECT_THAT(plan.nodes, ElementsAre(3, 250'000));
}

TEST(PackNodes, OffersAreWhatIsLeftForPods) {
  rightsizing::Catalogue catalogue;
  NodeShape shape{.name = "m5.2xlarge", .node_group = "", .node = *catalogue.Find("m5.2xlarge")};
  const auto offers = OffersOf({shape});
  ASSERT_EQ(offers.size(), 1U);
  EXPECT_LT(offers[0].allocatable.cpu_millis, 8000);
  EXPECT_EQ(offers[0].max_pods, 58);
}

}  // namespace
}  // namespace stoker::capacity
