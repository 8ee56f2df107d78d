#pragma once

#include <optional>
#include <vector>

#include "config/node.h"
#include "config/params.h"
#include "policy/policy.h"

namespace stoker::policy {

/// A policy's `capacity`, with the signals in it still to be read by the scalers' registry.
struct CapacityFields {
  Capacity capacity;
  std::optional<config::Node> running;
  std::optional<config::Node> pending;
};

/// Reads the node; adds diagnostics.
void ReadCapacity(const config::Node& node, CapacityFields& out, config::Diagnostics& diagnostics);

/// Rules over several keys; `node` is the policy's `capacity`.
void CheckCapacity(const Capacity& capacity,
                   const config::Node& node,
                   config::Diagnostics& diagnostics);

/// The keys, for docs and schema.
const std::vector<config::ParamInfo>& CapacityParams();

}  // namespace stoker::policy
