#include "adapter/compile.h"

#include <map>
#include <utility>

#include "capacity/manifests.h"

namespace stoker::adapter {
namespace {

/// The node as text, so that two can be compared: kinds, keys and scalars, not positions.
void AppendFingerprint(const config::Node& node, std::string& out) {
  switch (node.kind()) {
    case config::Node::Kind::kNull:
      out += '~';
      break;
    case config::Node::Kind::kScalar:
      out += std::to_string(node.scalar().size());
      out += ':';
      out += node.scalar();
      break;
    case config::Node::Kind::kList:
      out += '[';
      for (const config::Node& item : node.items()) AppendFingerprint(item, out);
      out += ']';
      break;
    case config::Node::Kind::kMap:
      out += '{';
      for (const config::Node::Entry& entry : node.entries()) {
        out += std::to_string(entry.key.size());
        out += ':';
        out += entry.key;
        AppendFingerprint(entry.value, out);
      }
      out += '}';
      break;
  }
}

std::string Fingerprint(const config::Node& node) {
  std::string out;
  AppendFingerprint(node, out);
  return out;
}

/// What the policy needs to know of a signal.
policy::PolicySignal ToPolicySignal(const std::string& name,
                                    const scalers::SignalDefinition& definition,
                                    const policy::Policy& policy) {
  policy::PolicySignal signal;
  signal.name = name;
  signal.type = definition.type;
  signal.timing = definition.timing;
  signal.demand = definition.demand;
  signal.on_empty = definition.on_empty;
  signal.on_fault = definition.on_fault.value_or(policy.on_fault);
  return signal;
}

void AddSignal(const std::string& name,
               scalers::SignalDefinition definition,
               policy::Policy& policy,
               CompiledPolicy& compiled) {
  policy.signals.push_back(ToPolicySignal(name, definition, policy));
  compiled.signals.push_back(std::move(definition));
}

/// Reads capacity.running or capacity.pending. They count executors, and a fault of theirs is one
/// of the headroom: there is nothing to ignore, and no number that could stand in.
void AddCount(const std::string& name,
              const config::Node& node,
              const scalers::Registry& registry,
              const scalers::SignalContext& context,
              const policy::Policy& policy,
              std::optional<policy::PolicySignal>& signal,
              std::optional<scalers::SignalDefinition>& out,
              config::Diagnostics& diagnostics) {
  out = registry.ParseSignal(node, context, diagnostics);
  if (!out) return;
  if (const config::Node* per = node.Find("per")) {
    diagnostics.Add(*per, "the value counts executors here; remove per");
  }
  if (out->on_fault && out->on_fault->then != FaultPolicy::Then::kFail) {
    const config::Node* on_fault = node.Find("onFault");
    diagnostics.Add(on_fault != nullptr ? *on_fault : node,
                    "while this cannot be read there is no headroom to be known; remove then");
  }
  signal = ToPolicySignal(name, *out, policy);
  signal->demand.per = DemandRule::Per::kReplica;
  signal->on_fault.then = FaultPolicy::Then::kFail;
}

/// Reads what `capacity` of the policy `node` leaves to the scalers.
void AddCapacity(const policy::ParsedPolicy& parsed,
                 const config::Node& node,
                 const scalers::Registry& registry,
                 const scalers::SignalContext& context,
                 policy::Policy& policy,
                 CompiledPolicy& compiled,
                 config::Diagnostics& diagnostics) {
  if (context.inline_object) {
    diagnostics.Add(*node.Find("capacity"),
                    "capacity is for policies of the configuration; remove it from the metadata",
                    ErrorCode::kPermissionDenied);
    return;
  }
  const auto add = [&](const char* name,
                       const std::optional<config::Node>& count,
                       std::optional<policy::PolicySignal>& signal,
                       std::optional<scalers::SignalDefinition>& definition) {
    if (!count) return;
    AddCount(name, *count, registry, context, policy, signal, definition, diagnostics);
  };
  add("running", parsed.running, policy.capacity->running, compiled.running);
  add("pending", parsed.pending, policy.capacity->pending, compiled.pending);
}

/// The node as text, with what else it depends on.
std::string PolicyFingerprint(const config::Node& node, const config::Node& capacity_section) {
  return Fingerprint(node) +
         (node.Find("capacity") == nullptr ? "" : Fingerprint(capacity_section));
}

/// What the section `capacity` says for all policies, where this one, `node`, does not say it.
void ApplyCapacity(const capacity::CapacityConfig& section,
                   const config::Node& node,
                   CompiledPolicy& compiled,
                   config::Diagnostics& diagnostics) {
  if (!compiled.policy->capacity) return;
  policy::Policy policy = *compiled.policy;
  policy::Capacity& capacity = *policy.capacity;
  if (!capacity.mechanism) capacity.mechanism = section.mechanism;
  if (!capacity.lead_time) capacity.lead_time = section.lead_time;
  if (capacity.executor || *capacity.mechanism != policy::Mechanism::kNone) {
    const Result<capacity::Headroom> headroom = capacity::MakeHeadroom(policy, section, "default");
    if (!headroom) diagnostics.Add(*node.Find("capacity"), headroom.error().message);
  }
  compiled.policy = std::make_shared<const policy::Policy>(std::move(policy));
}

/// Objects by namespace (empty: our own) and name, with the policy that they are of.
using ObjectOwners = std::map<std::pair<std::string, std::string>, std::string>;

/// Two policies of one object would undo each other's work, round after round.
void CheckObject(const policy::Policy& policy,
                 const capacity::CapacityConfig& section,
                 const config::Node& node,
                 ObjectOwners& owners,
                 config::Diagnostics& diagnostics) {
  if (!policy.capacity ||
      policy.capacity->mechanism.value_or(policy::Mechanism::kNone) == policy::Mechanism::kNone) {
    return;
  }
  const Result<capacity::Headroom> headroom = capacity::MakeHeadroom(policy, section, "default");
  if (!headroom) return;  // said already
  const auto [owner, is_free] =
      owners.try_emplace({policy.capacity->name_space, headroom->name}, policy.name);
  if (is_free) return;
  diagnostics.Add(*node.Find("capacity"),
                  "its object would be " + headroom->name + ", as that of policy '" +
                      owner->second + "' is; set name to another");
}

/// `node` is the policy's.
void CheckManual(const CompiledPolicy& compiled,
                 const config::Node& node,
                 config::Diagnostics& diagnostics) {
  const config::Node* signals = node.Find("signals");
  for (std::size_t i = 0; i < compiled.signals.size(); ++i) {
    if (compiled.signals[i].pushed_name.empty()) continue;
    const config::Node* signal = signals->Find(compiled.policy->signals[i].name);
    diagnostics.Add(signal->position(),
                    signal->path(),
                    "manual signals are off; set server.manual.enabled: true");
  }
}

}  // namespace

std::optional<CompiledPolicy> CompilePolicy(const std::string& name,
                                            const config::Node& node,
                                            const scalers::Registry& registry,
                                            const scalers::SignalContext& context,
                                            config::Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.items().size();
  std::optional<policy::ParsedPolicy> parsed = policy::ParsePolicy(name, node, diagnostics);
  if (!parsed) {
    // Its signals' mistakes are told, too, so that a person mends all at once.
    if (const config::Node* signals = node.Find("signals")) {
      for (const config::Node::Entry& signal : signals->entries()) {
        static_cast<void>(registry.ParseSignal(signal.value, context, diagnostics));
      }
    }
    return std::nullopt;
  }
  CompiledPolicy compiled;
  for (const policy::NamedNode& signal : parsed->signals) {
    std::optional<scalers::SignalDefinition> definition =
        registry.ParseSignal(signal.node, context, diagnostics);
    if (definition) AddSignal(signal.name, std::move(*definition), parsed->policy, compiled);
  }
  if (parsed->policy.capacity) {
    AddCapacity(*parsed, node, registry, context, parsed->policy, compiled, diagnostics);
  }
  if (parsed->policy.forecast && context.inline_object) {
    diagnostics.Add(*node.Find("forecast"),
                    "forecast is for policies of the configuration; remove it from the metadata",
                    ErrorCode::kPermissionDenied);
  }
  if (diagnostics.items().size() != before) return std::nullopt;
  policy::CheckPolicy(parsed->policy, node, diagnostics);
  if (diagnostics.items().size() != before) return std::nullopt;
  compiled.policy = std::make_shared<const policy::Policy>(std::move(parsed->policy));
  compiled.fingerprint = Fingerprint(node);
  return compiled;
}

std::optional<CompiledPolicy> CompileSingleSignal(const std::string& name,
                                                  const config::Node& node,
                                                  const scalers::Registry& registry,
                                                  const scalers::SignalContext& context,
                                                  config::Diagnostics& diagnostics) {
  struct Bounds {
    int min = 0;
    int max = 100;  // the HPA's own default
    int executors_per_replica = 1;
  };
  static const auto kTable =
      config::ParamTable<Bounds>()
          .Add("minReplicas", &Bounds::min, {.help = "Lowest target.", .min = 0})
          .Add("maxReplicas", &Bounds::max, {.help = "Highest target.", .min = 1, .max = 100000})
          .Add("executorsPerReplica",
               &Bounds::executors_per_replica,
               {.help = "Executors in one replica of the scale target.", .min = 1, .max = 10000});

  const std::size_t before = diagnostics.items().size();
  std::vector<config::Node::Entry> bounds_entries;
  std::vector<config::Node::Entry> signal_entries;
  for (const config::Node::Entry& entry : node.entries()) {
    std::string_view key = entry.key;
    if (key.ends_with("FromEnv")) key.remove_suffix(std::string_view("FromEnv").size());
    bool is_bound = false;
    for (const config::ParamInfo& info : kTable.infos()) is_bound |= info.key == key;
    (is_bound ? bounds_entries : signal_entries).push_back(entry);
  }
  config::Node bounds_node = node;
  bounds_node.entries() = std::move(bounds_entries);
  config::Node signal_node = node;
  signal_node.entries() = std::move(signal_entries);

  Bounds bounds;
  kTable.Read(bounds_node, bounds, diagnostics);
  if (bounds.min > bounds.max) {
    diagnostics.Add(node, "minReplicas is above maxReplicas");
  }
  std::optional<scalers::SignalDefinition> definition =
      registry.ParseSignal(signal_node, context, diagnostics);
  if (!definition || diagnostics.items().size() != before) return std::nullopt;

  policy::Policy policy;
  policy.name = name;
  policy.replicas.min = bounds.min;
  policy.replicas.max = bounds.max;
  policy.replicas.executors_per_replica = bounds.executors_per_replica;
  CompiledPolicy compiled;
  const std::string signal_name = definition->type;
  AddSignal(signal_name, std::move(*definition), policy, compiled);
  policy::CheckPolicy(policy, node, diagnostics);
  if (diagnostics.items().size() != before) return std::nullopt;
  compiled.policy = std::make_shared<const policy::Policy>(std::move(policy));
  compiled.fingerprint = Fingerprint(node);
  return compiled;
}

std::shared_ptr<const CompiledConfig> CompileConfig(const config::Document& document,
                                                    const scalers::Registry& registry,
                                                    const scalers::ScalerDeps& deps,
                                                    const CompiledConfig* previous,
                                                    config::Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.items().size();
  auto compiled = std::make_shared<CompiledConfig>();
  ReadServerConfig(document.server, compiled->server, diagnostics);
  if (!document.history.IsNull()) {
    diagnostics.Add(document.history, "this version has no such feature yet; remove the section");
  }
  capacity::ReadCapacityConfig(document.capacity, compiled->capacity, diagnostics);
  if (compiled->server.expander) {
    compiled->expander_rules = std::make_shared<const capacity::ExpanderRules>(
        capacity::MakeExpanderRules(compiled->capacity));
  }
  compiled->connections_fingerprint = Fingerprint(document.connections);
  const bool same_connections =
      previous != nullptr && previous->connections_fingerprint == compiled->connections_fingerprint;
  if (same_connections) {
    compiled->connections = previous->connections;
  } else {
    compiled->connections = registry.ParseConnections(document.connections, deps, diagnostics);
  }
  const scalers::SignalContext context{
      .connections = compiled->connections, .name_space = "", .inline_object = false, .deps = deps};
  const bool manual_allowed = compiled->server.manual.enabled;
  ObjectOwners owners;
  for (const config::Node::Entry& entry : document.policies.entries()) {
    if (same_connections) {
      const auto same = previous->policies.find(entry.key);
      if (same != previous->policies.end() &&
          same->second.fingerprint == PolicyFingerprint(entry.value, document.capacity)) {
        if (!manual_allowed) CheckManual(same->second, entry.value, diagnostics);
        CheckObject(*same->second.policy, compiled->capacity, entry.value, owners, diagnostics);
        compiled->policies.insert(*same);
        continue;
      }
    }
    std::optional<CompiledPolicy> policy =
        CompilePolicy(entry.key, entry.value, registry, context, diagnostics);
    if (policy && !manual_allowed) CheckManual(*policy, entry.value, diagnostics);
    if (!policy) continue;
    ApplyCapacity(compiled->capacity, entry.value, *policy, diagnostics);
    CheckObject(*policy->policy, compiled->capacity, entry.value, owners, diagnostics);
    policy->fingerprint = PolicyFingerprint(entry.value, document.capacity);
    compiled->policies.emplace(entry.key, std::move(*policy));
  }
  if (diagnostics.items().size() != before) return nullptr;
  return compiled;
}

}  // namespace stoker::adapter
