#pragma once

#include <vector>

#include "config/node.h"
#include "config/params.h"
#include "core/signal.h"

namespace stoker::config {

/// Reads `onFault: {hold: 30m, then: fail | ignore | {replicas: N}}`, which policies and signals
/// share. What is not given keeps its value in `out`. False when a diagnostic was added.
bool ReadFaultPolicy(const Node& node, FaultPolicy& out, Diagnostics& diagnostics);

/// Reads the `then` alone. Trigger metadata, which has no maps, writes the N itself.
bool ReadFaultThen(const Node& node, FaultPolicy& out, Diagnostics& diagnostics);

/// The keys of `onFault`, for docs and schema.
const std::vector<ParamInfo>& FaultPolicyParams();

}  // namespace stoker::config
