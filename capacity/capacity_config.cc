#include "capacity/capacity_config.h"

#include <algorithm>

#include "core/units.h"

namespace stoker::capacity {
namespace {

using config::Diagnostics;
using config::Node;
using config::ParamTable;
using policy::Mechanism;

void ReadLeadTime(const Node& node, CapacityConfig& out, Diagnostics& diagnostics) {
  if (node.IsScalar() && node.scalar() == "measured") return;
  const Result<Duration> fixed = ParseDuration(node.scalar());
  if (fixed && *fixed <= policy::kLongestLeadTime) {
    out.lead_time.fixed = *fixed;
  } else {
    config::Refuse(
        node, "expected 'measured' or a duration of at most 6h, such as 4m", diagnostics);
  }
}

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
    const auto lease =
        ParamTable<LeaseName>()
            .Add("namespace", &LeaseName::name_space, {.help = "Default: Stoker's own."})
            .Add("name", &LeaseName::name, {.help = "Its name.", .fallback = "stoker-capacity"});
    return ParamTable<CapacityConfig>()
        .AddChoice("mechanism",
                   &CapacityConfig::mechanism,
                   {{"none", Mechanism::kNone},
                    {"buffer", Mechanism::kBuffer},
                    {"placeholder", Mechanism::kPlaceholder},
                    {"provisioningRequest", Mechanism::kProvisioningRequest}},
                   {.help = "How the cluster is told of executors to come, by policies with "
                            "`capacity` that do not say it themselves.",
                    .fallback = "none"})
        .Add("write",
             &CapacityConfig::write,
             {.help = "Write CapacityBuffers and ProvisioningRequests. Otherwise `stoker hints "
                      "--diff` and `/api/v1/hints` show what would be written.",
              .fallback = "false"})
        .AddCustom("leadTime",
                   {.help = "How long executors take from wanted to running, for policies that do "
                            "not say it themselves: `measured`, or a duration of at most 6h.",
                    .fallback = "measured",
                    .example = "4m"},
                   ReadLeadTime,
                   config::ParamType::kString)
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
                   {.help = "What the choice among node groups goes by (`server.expander`)."})
        .AddObject("lease",
                   &CapacityConfig::lease,
                   lease,
                   {.help = "The Lease that one of the replicas holds to write."});
  }();
  return kTable;
}

}  // namespace

bool IsObjectName(std::string_view name) {
  constexpr std::size_t kLongest = 253;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kLongest && plain(name.front()) && plain(name.back()) &&
         std::all_of(
             name.begin(), name.end(), [&](char c) { return plain(c) || c == '-' || c == '.'; });
}

bool ReadCapacityConfig(const Node& node, CapacityConfig& out, Diagnostics& diagnostics) {
  if (node.IsNull()) return true;
  const std::size_t before = diagnostics.items().size();
  Table().Read(node, out, diagnostics);
  if (const Node* lease = node.Find("lease"); lease != nullptr && !IsObjectName(out.lease.name)) {
    diagnostics.Add(*lease, "name must be an object's name, such as stoker-capacity");
  }
  return diagnostics.items().size() == before;
}

const std::vector<config::ParamInfo>& CapacityParams() { return Table().infos(); }

ExpanderRules MakeExpanderRules(const CapacityConfig& config) {
  return {.spot_labels = config.expander.spot_labels,
          .spot_groups = config.expander.spot_groups,
          .prices = NodePrices(config.node_shapes, rightsizing::Catalogue())};
}

}  // namespace stoker::capacity
