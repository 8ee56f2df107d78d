#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "capacity/node_shapes.h"
#include "rightsizing/shape.h"

namespace stoker::capacity {

/// Pods of one size that need a place.
struct PodDemand {
  rightsizing::Resources requests;
  std::int64_t count = 0;
};

/// Nodes that can be had.
struct NodeOffer {
  std::string shape;
  rightsizing::Resources allocatable;
  std::int64_t max_pods = 110;
  std::optional<double> price_per_hour;   ///< absent: not known
  std::optional<std::int64_t> max_nodes;  ///< absent: as many as wanted
};

/// What to offer of the configured shapes, after what kubelet and DaemonSets take.
std::vector<NodeOffer> OffersOf(const std::vector<NodeShape>& shapes);

/// Nodes for pods.
struct NodePlan {
  std::vector<std::int64_t> nodes;     ///< as many of each offer, in their order
  std::vector<std::int64_t> unplaced;  ///< pods of each demand without a place
  /// By the hour; absent when a shape that is used has no known price.
  std::optional<double> cost_per_hour;
};

/// The cheapest nodes that hold all pods, or as many pods as there can be nodes for. Prices count
/// when all that can be used are known; else every node counts the same.
///
/// Pods of one size: exact up to 10,000 of them (a knapsack to cover); of more, the bulk goes to
/// what is cheapest for each pod. Up to four sizes: exact when there are few (up to 30 of each of
/// two sizes, 9 of three, 4 of four, by a table over all that can remain), else the bulk goes to
/// the mix that holds most for its cost, and the rest is exact; or one size after the other into
/// the room that the others left, in every order, where that is better. More sizes: the latter,
/// largest first.
NodePlan PackNodes(const std::vector<PodDemand>& demands, const std::vector<NodeOffer>& offers);

}  // namespace stoker::capacity
