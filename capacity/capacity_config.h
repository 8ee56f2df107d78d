#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "capacity/expander.h"
#include "capacity/node_shapes.h"
#include "config/node.h"
#include "config/params.h"
#include "core/clock.h"
#include "policy/policy.h"

namespace stoker::capacity {

/// `capacity.expander`: what the choice among node groups goes by.
struct ExpanderConfig {
  std::map<std::string, std::string> spot_labels;
  std::vector<std::string> spot_groups;
  Duration avoid_failed = std::chrono::minutes(15);
  std::string status_namespace = "kube-system";
  std::string status_config_map = "cluster-autoscaler-status";
};

/// Which Lease says who of the replicas writes.
struct LeaseName {
  std::string name_space;  ///< "": our own
  std::string name = "stoker-capacity";
  friend bool operator==(const LeaseName&, const LeaseName&) = default;
};

/// The `capacity:` section: what holds for all policies.
struct CapacityConfig {
  policy::Mechanism mechanism = policy::Mechanism::kNone;  ///< of policies that do not say it
  bool write = false;  ///< else the difference is shown, and nothing changes
  policy::LeadTimeChoice lead_time;
  std::vector<NodeShape> node_shapes;
  ExpanderConfig expander;
  LeaseName lease;
};

/// Reads `capacity:`; a null node gives the defaults. False when a diagnostic was added.
bool ReadCapacityConfig(const config::Node& node,
                        CapacityConfig& out,
                        config::Diagnostics& diagnostics);

/// The keys of `capacity:`, for docs and schema.
const std::vector<config::ParamInfo>& CapacityParams();

/// What Choose goes by, with the prices of the built-in lists.
ExpanderRules MakeExpanderRules(const CapacityConfig& config);

/// A name that Kubernetes takes for most kinds of objects: lower case letters, digits, `-` and `.`,
/// at most 253 of them.
bool IsObjectName(std::string_view name);

}  // namespace stoker::capacity
