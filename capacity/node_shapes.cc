#include "capacity/node_shapes.h"

#include <utility>

#include "core/glob.h"
#include "core/text.h"
#include "core/units.h"

namespace stoker::capacity {
namespace {

using config::Bytes;
using config::Diagnostics;
using config::Node;
using config::ParamTable;

/// A map of the list, before the catalogue fills what it leaves out.
struct Given {
  std::string name;
  std::string node_group;
  std::optional<std::int64_t> cpu_millis;
  std::optional<Bytes> memory;
  std::optional<Bytes> ephemeral;
  bool spot = false;
  std::optional<double> price;
  std::optional<std::int64_t> max_nodes;
};

const ParamTable<Given>& Table() {
  static const auto kTable =
      ParamTable<Given>()
          .Add("name",
               &Given::name,
               {.help = "An instance type of the price lists, or a name of your own with `cpu` and "
                        "`memory`.",
                .required = true,
                .non_empty = true})
          .Add("nodeGroup",
               &Given::node_group,
               {.help =
                    "Glob over the autoscaler's node group ids (`*` stops at `/`, `**` does not). "
                    "Default: groups whose nodes have `name` as their instance type.",
                .example = "spot-*"})
          .AddCustom(
              "cpu",
              {.help = "vCPUs of a node as sold.", .example = "8"},
              [](const Node& node, Given& out, Diagnostics& diagnostics) {
                const Result<std::int64_t> millis = ParseCpuMillis(node.scalar());
                if (millis && *millis > 0) {
                  out.cpu_millis = *millis;
                } else {
                  config::Refuse(node, "expected vCPUs above 0, such as 8", diagnostics);
                }
              },
              config::ParamType::kString)
          .Add("memory",
               &Given::memory,
               {.help = "Memory of a node as sold.", .min = 1, .example = "32GiB"})
          .Add("ephemeralStorage",
               &Given::ephemeral,
               {.help = "Local disk of a node. Left out: not limiting.", .min = 1})
          .Add("spot", &Given::spot, {.help = "Its nodes are spot nodes.", .fallback = "false"})
          .Add("pricePerHour",
               &Given::price,
               {.help =
                    "US dollars by the hour for a node. Default: the price lists', if they know.",
                .min = 0,
                .max = 1e6})
          .Add("maxNodes",
               &Given::max_nodes,
               {.help = "Nodes that there can be of it, for what is said to be wanted.",
                .min = 0,
                .max = 1e6});
  return kTable;
}

std::optional<double> ListPrice(const rightsizing::NodeShape& node, bool spot) {
  if (!node.price) return std::nullopt;
  return spot ? node.price->spot_per_hour : node.price->on_demand_per_hour;
}

std::string Unknown(const std::string& name, const rightsizing::Catalogue& catalogue) {
  const std::vector<rightsizing::NodeShape> all = catalogue.All();
  std::vector<std::string_view> names;
  for (const rightsizing::NodeShape& node : all) names.emplace_back(node.name);
  const std::string_view nearest = NearestWord(name, names);
  return "unknown node type '" + name + "'; " +
         (nearest.empty() ? "give" : "did you mean '" + std::string(nearest) + "'? Else give") +
         " cpu and memory";
}

std::optional<NodeShape> Shape(const Node& node,
                               const rightsizing::Catalogue& catalogue,
                               Diagnostics& diagnostics) {
  Given given;
  if (node.IsScalar()) {
    given.name = node.scalar();
  } else if (!Table().Read(node, given, diagnostics)) {
    return std::nullopt;
  }
  NodeShape shape{.name = given.name,
                  .node_group = given.node_group,
                  .node = {},
                  .spot = given.spot,
                  .price_per_hour = {},
                  .max_nodes = given.max_nodes};
  const bool by_hand = given.cpu_millis && given.memory;
  if (Result<rightsizing::NodeShape> known = catalogue.Find(given.name)) {
    shape.node = *std::move(known);
  } else if (!by_hand) {
    diagnostics.Add(node, Unknown(given.name, catalogue));
    return std::nullopt;
  } else {
    shape.node.name = given.name;
  }
  if (given.cpu_millis) shape.node.cpu_millis = *given.cpu_millis;
  if (given.memory) shape.node.memory_bytes = given.memory->value;
  if (given.ephemeral) shape.node.ephemeral_bytes = given.ephemeral->value;
  shape.price_per_hour = given.price ? given.price : ListPrice(shape.node, given.spot);
  return shape;
}

}  // namespace

std::vector<NodeShape> ReadNodeShapes(const Node& node,
                                      const rightsizing::Catalogue& catalogue,
                                      Diagnostics& diagnostics) {
  std::vector<NodeShape> shapes;
  if (!node.IsList()) {
    diagnostics.Add(node, "expected a list of node types, such as [m5.2xlarge]");
    return shapes;
  }
  for (const Node& item : node.items()) {
    if (std::optional<NodeShape> shape = Shape(item, catalogue, diagnostics)) {
      shapes.push_back(*std::move(shape));
    }
  }
  return shapes;
}

const std::vector<config::ParamInfo>& NodeShapeParams() { return Table().infos(); }

NodePrices::NodePrices(std::vector<NodeShape> shapes, const rightsizing::Catalogue& catalogue)
    : shapes_(std::move(shapes)) {
  for (const rightsizing::NodeShape& node : catalogue.All()) {
    if (node.price) catalogue_.emplace(ToLower(node.name), *node.price);
  }
}

const NodeShape* NodePrices::ShapeOf(std::string_view group, std::string_view instance_type) const {
  for (const NodeShape& shape : shapes_) {
    if (!shape.node_group.empty() && GlobMatch(shape.node_group, group)) return &shape;
  }
  for (const NodeShape& shape : shapes_) {
    if (shape.node_group.empty() && EqualsIgnoreCase(shape.name, instance_type)) return &shape;
  }
  return nullptr;
}

std::optional<GroupPrice> NodePrices::PriceOf(std::string_view group,
                                              std::string_view instance_type,
                                              bool spot) const {
  const NodeShape* const shape = ShapeOf(group, instance_type);
  if (shape != nullptr && shape->spot == spot && shape->price_per_hour) {
    return GroupPrice{*shape->price_per_hour, "capacity.nodeShapes"};
  }
  const auto found = catalogue_.find(ToLower(instance_type));
  if (found == catalogue_.end()) return std::nullopt;
  const rightsizing::Price& price = found->second;
  const std::string source = price.region + ", " + price.as_of;
  if (!spot) return GroupPrice{price.on_demand_per_hour, source};
  if (!price.spot_per_hour) return std::nullopt;
  return GroupPrice{*price.spot_per_hour, source + (price.spot_estimated ? ", estimated" : "")};
}

}  // namespace stoker::capacity
