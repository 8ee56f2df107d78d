#include "adapter/trigger.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <openssl/evp.h>

#include "config/params.h"

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

}  // namespace

Result<Trigger> ReadTrigger(const std::map<std::string, std::string>& metadata) {
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
    const config::Node* type = trigger.node.Find("type");
    if (type == nullptr) type = trigger.node.Find("typeFromEnv");
    // Only a word goes into the name; whether it is a type is the registry's to say.
    const bool is_word = !type->scalar().empty() && type->scalar().size() <= 32 &&
                         std::all_of(type->scalar().begin(), type->scalar().end(), [](char c) {
                           return c >= 'a' && c <= 'z';
                         });
    trigger.metric =
        "stoker-" + (is_word ? type->scalar() : std::string("signal")) + "-" + ShortHash(canonical);
    return trigger;
  }
  if (spec) {
    trigger.kind = Trigger::Kind::kSpec;
    trigger.spec = std::move(*spec);
    trigger.metric = "stoker-spec-" + ShortHash(canonical);
  } else {
    trigger.policy = std::move(*policy);
    const bool is_name = !trigger.policy.empty() && trigger.policy.size() <= 200 &&
                         std::all_of(trigger.policy.begin(), trigger.policy.end(), [](char c) {
                           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                                  c == '_' || c == '.';
                         });
    if (!is_name) {
      return Fail(ErrorCode::kInvalidArgument,
                  "metadata: policy: expected a policy's name (lower-case letters, digits, - _ .)");
    }
    trigger.metric = "stoker-" + trigger.policy;
    struct Bounds {
      std::optional<int> min;
      std::optional<int> max;
    };
    static const auto kTable =
        config::ParamTable<Bounds>()
            .Add("minReplicas", &Bounds::min, {.help = "Raise the policy's min.", .min = 0})
            .Add("maxReplicas", &Bounds::max, {.help = "Lower the policy's max.", .min = 1});
    if (const std::optional<std::string> output = take("output")) {
      return Fail(ErrorCode::kInvalidArgument,
                  "metadata: output: this version has no headroom output; remove the key");
    }
    Bounds bounds;
    config::Diagnostics diagnostics;
    if (!kTable.Read(config::Node::FromMetadata(own), bounds, diagnostics)) {
      return Fail(diagnostics.ToError());
    }
    trigger.min = bounds.min;
    trigger.max = bounds.max;
    return trigger;
  }
  if (!own.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "metadata: unknown key '" + own.begin()->first +
                    "'; policySpec stands alone, write it inside the spec");
  }
  return trigger;
}

Result<CompiledPolicy> CompileInline(const Trigger& trigger,
                                     const std::string& name_space,
                                     const CompiledConfig& config,
                                     const scalers::Registry& registry,
                                     const scalers::ScalerDeps& deps) {
  const scalers::SignalContext context{.connections = config.connections,
                                       .name_space = name_space,
                                       .inline_object = true,
                                       .deps = deps};
  config::Diagnostics diagnostics;
  std::optional<CompiledPolicy> compiled;
  if (trigger.kind == Trigger::Kind::kSignal) {
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
