#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapter/server_config.h"
#include "capacity/capacity_config.h"
#include "config/document.h"
#include "policy/policy.h"
#include "scalers/registry.h"

namespace stoker::adapter {

/// A policy ready to run: how to decide, and how to read each of its signals (same order).
struct CompiledPolicy {
  std::shared_ptr<const policy::Policy> policy;
  std::vector<scalers::SignalDefinition> signals;
  std::optional<scalers::SignalDefinition> running;  ///< of policy->capacity
  std::optional<scalers::SignalDefinition> pending;
  std::string fingerprint;  ///< of its configuration: equal ones need no restart
};

/// A whole configuration, checked: whatever is wrong with one is known before anything runs on it.
struct CompiledConfig {
  ServerConfig server;
  capacity::CapacityConfig capacity;
  std::shared_ptr<const capacity::ExpanderRules> expander_rules;  ///< null without server.expander
  scalers::ConnectionSet connections;
  std::string connections_fingerprint;
  std::map<std::string, CompiledPolicy> policies;
};

/// Checks and builds everything `document` says. Connections equal to `previous`'s are taken over
/// with their state (kept-alive sockets, credentials, circuit breakers), and then the policies that
/// are equal, too. Empty when a diagnostic was added.
std::shared_ptr<const CompiledConfig> CompileConfig(const config::Document& document,
                                                    const scalers::Registry& registry,
                                                    const scalers::ScalerDeps& deps,
                                                    const CompiledConfig* previous,
                                                    config::Diagnostics& diagnostics);

/// One policy node with its signals.
std::optional<CompiledPolicy> CompilePolicy(const std::string& name,
                                            const config::Node& node,
                                            const scalers::Registry& registry,
                                            const scalers::SignalContext& context,
                                            config::Diagnostics& diagnostics);

/// A policy of one signal, from a flat node (trigger metadata with `type:`): every key is the
/// signal's but minReplicas, maxReplicas and executorsPerReplica.
std::optional<CompiledPolicy> CompileSingleSignal(const std::string& name,
                                                  const config::Node& node,
                                                  const scalers::Registry& registry,
                                                  const scalers::SignalContext& context,
                                                  config::Diagnostics& diagnostics);

}  // namespace stoker::adapter
