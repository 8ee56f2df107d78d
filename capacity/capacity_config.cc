#include "capacity/capacity_config.h"

namespace stoker::capacity {
namespace {

using config::ParamTable;

const ParamTable<CapacityConfig>& Table() {
  static const ParamTable<CapacityConfig> kTable = [] {
    const auto expander =
        ParamTable<ExpanderConfig>()
            .Add("spotLabels",
                 &ExpanderConfig::spot_labels,
                 {.help = "Node labels that tell spot nodes, besides those of EKS, GKE, AKS and "
                          "Karpenter.",
                  .example = "{pool: cheap}"})
            .Add(
                "spotNodeGroups",
                &ExpanderConfig::spot_groups,
                {.help = "Globs over node group ids that are of spot nodes (`*` stops at `/`, `**` "
                         "does not).",
                 .example = "[\"spot-*\"]"})
            .Add(
                "avoidFailed",
                &ExpanderConfig::avoid_failed,
                {.help =
                     "A group that the autoscaler backed off from, or whose nodes did not come, is "
                     "the last choice for this long.",
                 .fallback = "15m",
                 .max = 86400})
            .Add("statusNamespace",
                 &ExpanderConfig::status_namespace,
                 {.help = "Where the autoscaler runs, and writes its status.",
                  .fallback = "kube-system",
                  .non_empty = true})
            .Add("statusConfigMap",
                 &ExpanderConfig::status_config_map,
                 {.help = "The ConfigMap with its status.",
                  .fallback = "cluster-autoscaler-status",
                  .non_empty = true});
    return ParamTable<CapacityConfig>()
        .AddCustom(
            "nodeShapes",
            {.help = "Kinds of nodes that the cluster offers: instance types of the price lists, "
                     "or maps of the keys below."},
            [](const config::Node& node, CapacityConfig& out, config::Diagnostics& diagnostics) {
              out.node_shapes = ReadNodeShapes(node, rightsizing::Catalogue(), diagnostics);
            })
        .AddObject("expander",
                   &CapacityConfig::expander,
                   expander,
                   {.help = "What the choice among node groups goes by (`server.expander`)."});
  }();
  return kTable;
}

}  // namespace

bool ReadCapacityConfig(const config::Node& node,
                        CapacityConfig& out,
                        config::Diagnostics& diagnostics) {
  return node.IsNull() || Table().Read(node, out, diagnostics);
}

const std::vector<config::ParamInfo>& CapacityParams() { return Table().infos(); }

ExpanderRules MakeExpanderRules(const CapacityConfig& config) {
  return {.spot_labels = config.expander.spot_labels,
          .spot_groups = config.expander.spot_groups,
          .prices = NodePrices(config.node_shapes, rightsizing::Catalogue())};
}

}  // namespace stoker::capacity
