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
    kPolicy,   ///< `policy: NAME`, of the configuration
    kSignal,   ///< `type:` and that signal's keys
    kSpec,     ///< `policySpec:`, a whole policy as YAML
    kKedaE2e,  ///< `metricThreshold:`, what KEDA's e2e tests ask of their own scaler
  };
  Kind kind = Kind::kPolicy;
  std::string policy;      ///< kPolicy
  std::optional<int> min;  ///< kPolicy: may narrow the policy's bounds
  std::optional<int> max;
  bool headroom = false;  ///< kPolicy with `output: headroom`: for the placeholder's replicas
  config::Node node;      ///< kSignal, kKedaE2e: the signal's keys
  std::string spec;       ///< kSpec
  std::string metric;     ///< the metric's name; with per-signal metrics, what theirs start with
  /// kKedaE2e: the metric is in the signal's own units, with this as its target: the decision
  /// before it is rounded up to replicas, times this. Otherwise it is the replicas, and its
  /// target 1.
  std::optional<double> metric_target;

  [[nodiscard]] bool is_inline() const { return kind != Kind::kPolicy; }
};

/// The metric of KEDA's e2e tests, and the name under which its value is set.
inline constexpr char kKedaE2eMetric[] = "external-scaler-e2e-test";

/// Reads metadata as KEDA passes it on, KEDA's own keys included. kInvalidArgument names the key,
/// never a value. With `keda_e2e`, a metricThreshold alone is a trigger, too.
Result<Trigger> ReadTrigger(const std::map<std::string, std::string>& metadata,
                            bool keda_e2e = false);

/// Whether an object in `name_space` may ask for the trigger's policy, and narrow it as it does:
/// kNotFound (with the nearest name; also for the headroom of a policy without one),
/// kPermissionDenied, kInvalidArgument.
Status CheckPolicyUse(const Trigger& trigger,
                      const std::string& name_space,
                      const CompiledConfig& config);
/// The same for a policy at hand.
Status CheckPolicyUse(const Trigger& trigger,
                      const std::string& name_space,
                      const policy::Policy& policy);
/// The policy as the trigger narrows it. Its headroom is the whole policy's alone.
policy::Policy Narrowed(const policy::Policy& policy, const Trigger& trigger);

/// The policy an inline trigger brings, for an object in `name_space`. kInvalidArgument as above.
Result<CompiledPolicy> CompileInline(const Trigger& trigger,
                                     const std::string& name_space,
                                     const CompiledConfig& config,
                                     const scalers::Registry& registry,
                                     const scalers::ScalerDeps& deps);

}  // namespace stoker::adapter
