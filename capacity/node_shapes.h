#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/params.h"
#include "rightsizing/catalogue.h"
#include "rightsizing/shape.h"

namespace stoker::capacity {

/// A kind of node that the cluster's node groups offer: one of `capacity.nodeShapes`.
struct NodeShape {
  std::string name;  ///< an instance type, or any name
  /// Glob over node group ids (core/glob.h). Empty: groups whose nodes are labelled as of this
  /// type.
  std::string node_group;
  rightsizing::NodeShape node;
  bool spot = false;
  std::optional<double> price_per_hour;  ///< of a node as these groups run it; absent: not known
  std::optional<std::int64_t> max_nodes;
};

/// Reads the list `capacity.nodeShapes`: names of the price catalogue, or maps. Adds a diagnostic
/// for each that is wrong and leaves it out.
std::vector<NodeShape> ReadNodeShapes(const config::Node& node,
                                      const rightsizing::Catalogue& catalogue,
                                      config::Diagnostics& diagnostics);

/// The keys of one shape, for docs and schema.
const std::vector<config::ParamInfo>& NodeShapeParams();

/// What a node of a group costs, in US dollars by the hour, with where that is known from.
struct GroupPrice {
  double per_hour = 0;
  std::string source;  ///< "capacity.nodeShapes", "us-east-1, 2026-07-06", "..., estimated"
};

/// Prices of node groups: by the shapes that name the group or the node's type, then by the
/// built-in price lists. Immutable; thread-safe.
class NodePrices {
 public:
  NodePrices() = default;
  NodePrices(std::vector<NodeShape> shapes, const rightsizing::Catalogue& catalogue);

  /// The shape that the configuration gives for this group, or for this instance type; null if
  /// none.
  [[nodiscard]] const NodeShape* ShapeOf(std::string_view group,
                                         std::string_view instance_type) const;
  /// Empty when it is not known, which a spot price often is.
  [[nodiscard]] std::optional<GroupPrice> PriceOf(std::string_view group,
                                                  std::string_view instance_type,
                                                  bool spot) const;

 private:
  std::vector<NodeShape> shapes_;
  std::map<std::string, rightsizing::Price, std::less<>> catalogue_;  ///< by lower-case type
};

}  // namespace stoker::capacity
