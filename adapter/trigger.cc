#include "adapter/trigger.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <openssl/evp.h>

#include "config/params.h"
#include "core/text.h"
#include "core/units.h"

namespace stoker::adapter {
namespace {

/// Keys KEDA itself reads and passes on; they are no part of what we are asked.
constexpr std::array<std::string_view, 7> kTransportKeys = {"scalerAddress",
                                                            "enableTLS",
                                                            "unsafeSsl",
                                                            "caCert",
                                                            "tlsCertFile",
                                                            "tlsClientCert",
                                                            "tlsClientKey"};

/// 8 hex digits that name a piece of metadata.
std::string ShortHash(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string hex;
  for (std::size_t i = 0; i < 4; ++i) {
    hex += kHex[digest[i] >> 4U];
    hex += kHex[digest[i] & 0xFU];
  }
  return hex;
}

bool Allows(const std::vector<std::string>& namespaces, std::string_view name_space) {
  return std::any_of(namespaces.begin(), namespaces.end(), [&](const std::string& allowed) {
    return allowed == "*" || allowed == name_space;
  });
}

/// The signal's type as far as it can stand in a metric's name; whether it is one is the registry's
/// to say.
std::string TypeWord(const config::Node& node) {
  const config::Node* type = node.Find("type");
  if (type == nullptr) type = node.Find("typeFromEnv");
  const std::string& word = type->scalar();
  const bool fits =
      !word.empty() && word.size() <= 32 &&
      std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  return fits ? word : "signal";
}

bool IsPolicyName(std::string_view name) {
  return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

const config::ParamTable<Trigger>& NarrowingTable() {
  static const auto kTable =
      config::ParamTable<Trigger>()
          .Add("minReplicas", &Trigger::min, {.help = "Raise the policy's min.", .min = 0})
          .Add("maxReplicas", &Trigger::max, {.help = "Lower the policy's max.", .min = 1});
  return kTable;
}

/// A manual signal that was set to nothing is at 0, as in KEDA's own test server.
Result<Trigger> KedaE2eTrigger(const std::string& threshold) {
  const Result<double> target = ParseNumber(threshold);
  if (!target || !(*target > 0)) {
    return Fail(ErrorCode::kInvalidArgument, "metadata: metricThreshold: expected a number over 0");
  }
  Trigger trigger;
  trigger.kind = Trigger::Kind::kKedaE2e;
  trigger.metric = kKedaE2eMetric;
  trigger.metric_target = *target;
  trigger.node = config::Node::FromMetadata({{"type", "manual"},
                                             {"name", kKedaE2eMetric},
                                             {"targetSize", threshold},
                                             {"onEmpty", "zero"},
                                             {"maxReplicas", "100000"}});
  return trigger;
}

}  // namespace

Result<Trigger> ReadTrigger(const std::map<std::string, std::string>& metadata, bool keda_e2e) {
  std::map<std::string, std::string> own;
  for (const auto& [key, value] : metadata) {
    if (std::find(kTransportKeys.begin(), kTransportKeys.end(), key) == kTransportKeys.end()) {
      own.emplace(key, value);
    }
  }
  const auto take = [&own](const std::string& key) -> std::optional<std::string> {
    for (const std::string& spelling : {key, key + "FromEnv"}) {
      if (auto node = own.extract(spelling)) return std::move(node.mapped());
    }
    return std::nullopt;
  };
  if (keda_e2e && own.size() == 1) {
    if (const auto threshold = take("metricThreshold")) return KedaE2eTrigger(*threshold);
  }
  const bool has_type = own.contains("type") || own.contains("typeFromEnv");
  std::string canonical;
  for (const auto& [key, value] : own) {
    canonical += key + '\0' + value + '\0';
  }
  std::optional<std::string> policy = take("policy");
  std::optional<std::string> spec = take("policySpec");
  if (int{policy.has_value()} + int{spec.has_value()} + int{has_type} != 1) {
    return Fail(ErrorCode::kInvalidArgument,
                "metadata needs exactly one of policy, type and policySpec");
  }

  Trigger trigger;
  if (has_type) {
    trigger.kind = Trigger::Kind::kSignal;
    trigger.node = config::Node::FromMetadata(own);
    trigger.metric = "stoker-" + TypeWord(trigger.node) + "-" + ShortHash(canonical);
    return trigger;
  }
  if (spec) {
    if (!own.empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "metadata: unknown key '" + own.begin()->first +
                      "'; policySpec stands alone, write it inside the spec");
    }
    trigger.kind = Trigger::Kind::kSpec;
    trigger.spec = std::move(*spec);
    trigger.metric = "stoker-spec-" + ShortHash(canonical);
    return trigger;
  }
  trigger.policy = std::move(*policy);
  if (!IsPolicyName(trigger.policy)) {
    return Fail(ErrorCode::kInvalidArgument,
                "metadata: policy: expected a policy's name (lower-case letters, digits, - _ .)");
  }
  trigger.metric = "stoker-" + trigger.policy;
  if (const auto output = take("output")) {
    if (*output != "headroom") {
      return Fail(ErrorCode::kInvalidArgument,
                  "metadata: output: expected headroom; without the key it is the target");
    }
    trigger.headroom = true;
    trigger.metric += "-headroom";
  }
  config::Diagnostics diagnostics;
  if (!NarrowingTable().Read(config::Node::FromMetadata(own), trigger, diagnostics)) {
    return Fail(diagnostics.ToError());
  }
  if (trigger.headroom && (trigger.min || trigger.max)) {
    return Fail(ErrorCode::kInvalidArgument,
                "metadata: minReplicas and maxReplicas do not go with output: headroom; set "
                "capacity.maxExecutors of the policy");
  }
  return trigger;
}

policy::Policy Narrowed(const policy::Policy& policy, const Trigger& trigger) {
  policy::Policy narrowed = policy;
  narrowed.replicas.min = std::max(policy.replicas.min, trigger.min.value_or(0));
  narrowed.replicas.max = std::min(policy.replicas.max, trigger.max.value_or(policy.replicas.max));
  narrowed.capacity.reset();
  return narrowed;
}

Status CheckPolicyUse(const Trigger& trigger,
                      const std::string& name_space,
                      const policy::Policy& policy) {
  if (!Allows(policy.namespaces, name_space)) {
    return Fail(ErrorCode::kPermissionDenied,
                "policy '" + policy.name + "' is not for namespace '" + name_space +
                    "'; add it to the policy's namespaces");
  }
  if (trigger.headroom && !policy.capacity) {
    return Fail(ErrorCode::kNotFound,
                "policy '" + policy.name + "' has no headroom; give it a section capacity");
  }
  const policy::Replicas narrowed = Narrowed(policy, trigger).replicas;
  if (narrowed.min > narrowed.max) {
    return Fail(ErrorCode::kInvalidArgument,
                "metadata: minReplicas and maxReplicas can only narrow the policy's " +
                    std::to_string(policy.replicas.min) + " to " +
                    std::to_string(policy.replicas.max));
  }
  return {};
}

Status CheckPolicyUse(const Trigger& trigger,
                      const std::string& name_space,
                      const CompiledConfig& config) {
  if (const auto found = config.policies.find(trigger.policy); found != config.policies.end()) {
    return CheckPolicyUse(trigger, name_space, *found->second.policy);
  }
  std::vector<std::string_view> names;
  for (const auto& [name, compiled] : config.policies) {
    if (Allows(compiled.policy->namespaces, name_space)) names.push_back(name);
  }
  const std::string_view nearest = NearestWord(trigger.policy, names);
  return Fail(ErrorCode::kNotFound,
              nearest.empty() ? "no policy of that name in the configuration"
                              : "no policy of that name in the configuration; did you mean '" +
                                    std::string(nearest) + "'?");
}

Result<CompiledPolicy> CompileInline(const Trigger& trigger,
                                     const std::string& name_space,
                                     const CompiledConfig& config,
                                     const scalers::Registry& registry,
                                     const scalers::ScalerDeps& deps) {
  const scalers::SignalContext context{.connections = config.connections,
                                       .name_space = name_space,
                                       .inline_object = trigger.kind != Trigger::Kind::kKedaE2e,
                                       .deps = deps};
  config::Diagnostics diagnostics;
  std::optional<CompiledPolicy> compiled;
  if (trigger.kind != Trigger::Kind::kSpec) {
    compiled = CompileSingleSignal(trigger.metric, trigger.node, registry, context, diagnostics);
  } else {
    Result<config::Node> node =
        config::ParseYaml(trigger.spec, "metadata policySpec", diagnostics, 2000);
    if (node) {
      node->set_confidential();
      compiled = CompilePolicy(trigger.metric, *node, registry, context, diagnostics);
    }
  }
  if (!compiled) {
    return Fail(diagnostics.empty()
                    ? Error{ErrorCode::kInvalidArgument, "metadata: not a valid policy"}
                    : diagnostics.ToError());
  }
  return std::move(*compiled);
}

}  // namespace stoker::adapter
