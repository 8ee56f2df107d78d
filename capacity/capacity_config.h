#pragma once

#include <map>
#include <string>
#include <vector>

#include "capacity/expander.h"
#include "capacity/node_shapes.h"
#include "config/node.h"
#include "config/params.h"
#include "core/clock.h"

namespace stoker::capacity {

/// `capacity.expander`: what the choice among node groups goes by.
struct ExpanderConfig {
  std::map<std::string, std::string> spot_labels;
  std::vector<std::string> spot_groups;
  Duration avoid_failed = std::chrono::minutes(15);
  std::string status_namespace = "kube-system";
  std::string status_config_map = "cluster-autoscaler-status";
};

/// The `capacity:` section.
struct CapacityConfig {
  std::vector<NodeShape> node_shapes;
  ExpanderConfig expander;
};

/// Reads `capacity:`; a null node gives the defaults. False when a diagnostic was added.
bool ReadCapacityConfig(const config::Node& node,
                        CapacityConfig& out,
                        config::Diagnostics& diagnostics);

/// The keys of `capacity:`, for docs and schema.
const std::vector<config::ParamInfo>& CapacityParams();

/// What Choose goes by, with the prices of the built-in lists.
ExpanderRules MakeExpanderRules(const CapacityConfig& config);

}  // namespace stoker::capacity
