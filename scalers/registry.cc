#include "scalers/registry.h"

#include <algorithm>
#include <string>
#include <utility>

#include "config/fault_policy.h"
#include "core/text.h"
#include "core/units.h"

namespace stoker::scalers {
namespace {

using config::Diagnostics;
using config::Node;
using config::Param;
using config::ParamInfo;
using config::ParamType;

/// The keys every signal takes. Some say the same in different words.
struct CommonKeys {
  std::optional<Duration> interval;
  std::optional<Duration> timeout;
  std::optional<Duration> max_age;
  std::optional<DemandRule::Per> per;
  std::optional<OnEmpty> on_empty;
  std::optional<bool> ignore_null_values;
  std::optional<FaultPolicy> on_fault;
};

const config::ParamTable<CommonKeys>& CommonTable() {
  // `onFault` as a map, or in trigger metadata as two keys.
  const auto fault = [](CommonKeys& out) -> FaultPolicy& {
    if (!out.on_fault) out.on_fault.emplace();
    return *out.on_fault;
  };
  const Param hold{.help = "In trigger metadata: onFault.hold.", .min = 0};
  static const auto kTable =
      config::ParamTable<CommonKeys>()
          .Add("interval",
               &CommonKeys::interval,
               {.help = "Time between polls. Default: the connection's.", .min = 1})
          .Add("timeout",
               &CommonKeys::timeout,
               {.help = "How long one poll may take, retries included; at most the interval. "
                        "Default: the connection's.",
                .min = 0,
                .above_min = true})
          .Add("maxAge",
               &CommonKeys::max_age,
               {.help = "An older reading is stale. Default: the connection's, and at least two "
                        "intervals.",
                .min = 0,
                .above_min = true})
          .AddChoice(
              "per",
              &CommonKeys::per,
              {{"replica", DemandRule::Per::kReplica}, {"executor", DemandRule::Per::kExecutor}},
              {.help = "What the target size is for: one replica of the scale target, or "
                       "one executor.",
               .fallback = "replica"})
          .AddChoice(
              "onEmpty",
              &CommonKeys::on_empty,
              {{"hold", OnEmpty::kHold}, {"zero", OnEmpty::kZero}, {"error", OnEmpty::kError}},
              {.help = "What no data (and NaN) stands for: the last value, 0, or a fault.",
               .fallback = "hold"})
          .Add("ignoreNullValues",
               &CommonKeys::ignore_null_values,
               {.help = "KEDA's spelling of onEmpty: true is zero, false is error."})
          .AddCustom(
              "onFault",
              {.help = "What a faulted signal stands for. Default: the policy's."},
              [fault](const Node& node, CommonKeys& out, Diagnostics& diagnostics) {
                config::ReadFaultPolicy(node, fault(out), diagnostics);
              },
              ParamType::kObject)
          .AddCustom(
              "onFaultHold",
              hold,
              [fault, hold](const Node& node, CommonKeys& out, Diagnostics& diagnostics) {
                ReadValue(node, hold, fault(out).hold, diagnostics);
              },
              ParamType::kDuration)
          .AddCustom("onFaultThen",
                     {.help = "In trigger metadata: onFault.then, as fail, ignore or a number of "
                              "replicas."},
                     [fault](const Node& node, CommonKeys& out, Diagnostics& diagnostics) {
                       config::ReadFaultThen(node, fault(out), diagnostics);
                     });
  return kTable;
}

bool IsConnectionName(std::string_view name) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && name.size() <= 63 && lower(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return lower(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

std::string Join(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

template <class Type>
const Type* FindType(const std::vector<Type>& types, std::string_view name) {
  const auto found =
      std::find_if(types.begin(), types.end(), [&](const Type& type) { return type.name == name; });
  return found == types.end() ? nullptr : &*found;
}

template <class Type>
std::vector<std::string_view> Names(const std::vector<Type>& types) {
  std::vector<std::string_view> names;
  for (const Type& type : types) names.push_back(type.name);
  return names;
}

void CheckTimeout(const SignalTiming& timing, const Node& node, Diagnostics& diagnostics) {
  if (timing.timeout <= timing.interval) return;
  // Durations that came from metadata are values of it.
  const std::string numbers = node.confidential()
                                  ? ""
                                  : " (" + FormatDuration(timing.timeout) + " over " +
                                        FormatDuration(timing.interval) + ")";
  diagnostics.Add(
      node, "timeout is longer than interval" + numbers + "; lower timeout or raise interval");
}

/// Takes the common settings over into what the type's parser filled in.
void Apply(const CommonKeys& common,
           const Node& node,
           SignalDefinition& definition,
           Diagnostics& diagnostics) {
  SignalTiming& timing = definition.timing;
  if (common.interval) {
    timing.interval = *common.interval;
    // A slower or faster signal brings its own measure, unless told otherwise.
    if (!common.timeout) timing.timeout = std::min(timing.timeout, timing.interval);
    if (!common.max_age) timing.max_age = std::max(timing.max_age, 2 * timing.interval);
  }
  if (common.timeout) timing.timeout = *common.timeout;
  if (common.max_age) timing.max_age = *common.max_age;
  CheckTimeout(timing, node, diagnostics);
  if (timing.max_age < timing.interval) {
    diagnostics.Add(node,
                    "maxAge is shorter than interval, so that every reading would be stale before "
                    "the next; raise maxAge to two intervals or more");
  }
  if (common.per) definition.demand.per = *common.per;
  if (common.on_empty) definition.on_empty = *common.on_empty;
  if (common.ignore_null_values) {
    definition.on_empty = *common.ignore_null_values ? OnEmpty::kZero : OnEmpty::kError;
  }
  if (common.on_fault) definition.on_fault = common.on_fault;
}

}  // namespace

void Registry::Add(SignalType type) { signal_types_.push_back(std::move(type)); }

void Registry::Add(ConnectionType type) { connection_types_.push_back(std::move(type)); }

ConnectionSet Registry::ParseConnections(const Node& connections,
                                         const ScalerDeps& deps,
                                         Diagnostics& diagnostics) const {
  ConnectionSet set;
  if (connections.IsNull()) return set;
  if (!connections.IsMap()) {
    config::Refuse(connections, "expected a map of connection types", diagnostics);
    return set;
  }
  for (const Node::Entry& of_type : connections.entries()) {
    const ConnectionType* type = FindType(connection_types_, of_type.key);
    if (type == nullptr) {
      const std::vector<std::string_view> names = Names(connection_types_);
      const std::string_view nearest = NearestWord(of_type.key, names);
      diagnostics.Add(of_type.key_position,
                      connections.path(),
                      "unknown connection type '" + of_type.key + "'; " +
                          (nearest.empty() ? "known types: " + Join(names)
                                           : "did you mean '" + std::string(nearest) + "'?"));
      continue;
    }
    if (of_type.value.IsNull()) continue;
    if (!of_type.value.IsMap()) {
      config::Refuse(of_type.value, "expected a map of names to connections", diagnostics);
      continue;
    }
    for (const Node::Entry& named : of_type.value.entries()) {
      if (!IsConnectionName(named.key)) {
        diagnostics.Add(named.key_position,
                        of_type.value.path(),
                        "'" + named.key +
                            "' is no name for a connection; use lower case letters, digits, - and "
                            "_, a letter first, at most 63");
        continue;
      }
      std::shared_ptr<Connection> connection =
          type->create(named.key, named.value, deps, diagnostics);
      if (connection == nullptr) continue;
      CheckTimeout(connection->settings().timing, named.value, diagnostics);
      set.Add(std::move(connection));
    }
  }
  return set;
}

std::optional<SignalDefinition> Registry::ParseSignal(const Node& node,
                                                      const SignalContext& context,
                                                      Diagnostics& diagnostics) const {
  const std::size_t before = diagnostics.items().size();
  if (!node.IsMap()) {
    config::Refuse(node, "expected a map with 'type' and the signal's keys", diagnostics);
    return std::nullopt;
  }

  const std::vector<std::string_view> type_names = Names(signal_types_);
  const Node* type_node = node.Find("type");
  if (type_node == nullptr && node.from_metadata()) type_node = node.Find("typeFromEnv");
  if (type_node == nullptr || type_node->IsNull()) {
    diagnostics.Add(node, "missing required key 'type'; one of " + Join(type_names));
    return std::nullopt;
  }
  const SignalType* type = FindType(signal_types_, type_node->scalar());
  if (type == nullptr) {
    const Param choices{.choices = {type_names.begin(), type_names.end()}};
    std::string ignored;
    ReadValue(*type_node, choices, ignored, diagnostics);
    return std::nullopt;
  }
  if (context.inline_object && !type->allowed_inline) {
    diagnostics.Add(*type_node,
                    "signals of type " + type->name +
                        " are not allowed inline; put it in a policy of the configuration");
    return std::nullopt;
  }

  // Split the keys: `type`, the common ones, and the type's own, which it sees alone.
  std::vector<ParamInfo> all{{.key = "type"}};
  all.insert(all.end(), CommonSignalParams().begin(), CommonSignalParams().end());
  all.insert(all.end(), type->params.begin(), type->params.end());
  Node common = node;
  Node own = node;
  common.entries().clear();
  own.entries().clear();
  for (const Node::Entry& entry : node.entries()) {
    if (&entry.value == type_node) continue;
    const bool metadata = node.from_metadata();
    if (config::FindParam(type->params, entry.key, metadata) != nullptr) {
      own.entries().push_back(entry);
    } else if (config::FindParam(CommonSignalParams(), entry.key, metadata) != nullptr) {
      common.entries().push_back(entry);
    } else {
      diagnostics.Add(entry.key_position, node.path(), config::UnknownKeyMessage(entry.key, all));
    }
  }

  CommonKeys keys;
  CommonTable().Read(common, keys, diagnostics);
  if (keys.on_empty && keys.ignore_null_values) {
    diagnostics.Add(node, "'onEmpty' and 'ignoreNullValues' are both given; keep one");
  }
  if (common.Find("onFault") != nullptr &&
      (common.Find("onFaultHold") != nullptr || common.Find("onFaultThen") != nullptr)) {
    diagnostics.Add(node, "'onFault' and 'onFaultHold' or 'onFaultThen' are both given; keep one");
  }
  SignalDefinition definition;
  type->parse(own, context, definition, diagnostics);
  definition.type = type->name;
  if (definition.connection_type.empty()) definition.connection_type = type->name;
  if (diagnostics.items().size() == before) Apply(keys, node, definition, diagnostics);
  if (diagnostics.items().size() != before) return std::nullopt;
  return definition;
}

const std::vector<ParamInfo>& CommonSignalParams() {
  static const auto kInfos = [] {
    std::vector<ParamInfo> infos = CommonTable().infos();
    for (ParamInfo& info : infos) {
      if (info.key == "onFault") info.children = config::FaultPolicyParams();
    }
    return infos;
  }();
  return kInfos;
}

}  // namespace stoker::scalers
