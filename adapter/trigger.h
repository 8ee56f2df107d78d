#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "adapter/compile.h"
#include "config/node.h"
#include "core/result.h"

namespace stoker::adapter {

/// What the metadata of a ScaledObject's trigger asks for.
struct Trigger {
  enum class Kind : std::uint8_t {
    kPolicy,  ///< `policy: NAME`, of the configuration
    kSignal,  ///< `type:` and that signal's keys
    kSpec,    ///< `policySpec:`, a whole policy as YAML
  };
  Kind kind = Kind::kPolicy;
  std::string policy;      ///< kPolicy
  std::optional<int> min;  ///< kPolicy: may narrow the policy's bounds
  std::optional<int> max;
  config::Node node;   ///< kSignal: its keys
  std::string spec;    ///< kSpec
  std::string metric;  ///< the metric's name; with per-signal metrics, what theirs start with

  [[nodiscard]] bool is_inline() const { return kind != Kind::kPolicy; }
};

/// Reads metadata as KEDA passes it on, KEDA's own keys included. kInvalidArgument names the key,
/// never a value.
Result<Trigger> ReadTrigger(const std::map<std::string, std::string>& metadata);

/// Whether an object in `name_space` may ask for the trigger's policy, and narrow it as it does:
/// kNotFound (with the nearest name), kPermissionDenied, kInvalidArgument.
Status CheckPolicyUse(const Trigger& trigger,
                      const std::string& name_space,
                      const CompiledConfig& config);
/// The same for a policy at hand.
Status CheckPolicyUse(const Trigger& trigger,
                      const std::string& name_space,
                      const policy::Policy& policy);
/// The policy as the trigger narrows it.
policy::Policy Narrowed(const policy::Policy& policy, const Trigger& trigger);

/// The policy an inline trigger brings, for an object in `name_space`. kInvalidArgument as above.
Result<CompiledPolicy> CompileInline(const Trigger& trigger,
                                     const std::string& name_space,
                                     const CompiledConfig& config,
                                     const scalers::Registry& registry,
                                     const scalers::ScalerDeps& deps);

}  // namespace stoker::adapter
