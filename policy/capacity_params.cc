#include "policy/capacity_params.h"

#include <string>
#include <utility>

#include "core/units.h"

namespace stoker::policy {
namespace {

using config::Diagnostics;
using config::Node;
using config::Param;
using config::ParamTable;
using config::ParamType;

constexpr int kMostExecutors = 100'000;
constexpr std::size_t kMostTolerations = 20;

/// A fallible reading of a text into `out`.
template <class T, class Parse>
void ReadWith(const Node& node, T& out, const Parse& parse, Diagnostics& diagnostics) {
  std::string text;
  if (!config::ReadValue(node, Param{.help = ""}, text, diagnostics)) return;
  const auto value = parse(text);
  if (value) {
    out = *value;
  } else {
    diagnostics.Add(node, value.error().message);
  }
}

const ParamTable<Toleration>& TolerationTable() {
  static const auto kTable =
      ParamTable<Toleration>()
          .Add("key", &Toleration::key, {.help = "The taint's key; none tolerates every taint."})
          .Add("operator",
               &Toleration::op,
               {.help = "Whether the taint's value matters.",
                .fallback = "Equal",
                .choices = {"Equal", "Exists"}})
          .Add("value", &Toleration::value, {.help = "The taint's value."})
          .Add("effect",
               &Toleration::effect,
               {.help = "The taint's effect; none matches all.",
                .choices = {"NoSchedule", "PreferNoSchedule", "NoExecute"}})
          .Add("tolerationSeconds",
               &Toleration::seconds,
               {.help = "How long NoExecute is tolerated.", .min = 0});
  return kTable;
}

void ReadTolerations(const Node& node, ExecutorRequests& out, Diagnostics& diagnostics) {
  if (!node.IsList() || node.items().size() > kMostTolerations) {
    diagnostics.Add(node,
                    "write a list of at most " + std::to_string(kMostTolerations) + " tolerations");
    return;
  }
  for (const Node& item : node.items()) {
    Toleration toleration;
    if (!TolerationTable().Read(item, toleration, diagnostics)) continue;
    // What the API server would refuse.
    if (toleration.key.empty() && toleration.op != "Exists") {
      diagnostics.Add(item, "without key it tolerates every taint; say so with operator: Exists");
    } else if (toleration.op == "Exists" && !toleration.value.empty()) {
      diagnostics.Add(item, "operator: Exists takes any value; remove value, or the operator");
    } else if (toleration.seconds && toleration.effect != "NoExecute") {
      diagnostics.Add(item, "tolerationSeconds is for effect: NoExecute; give both, or neither");
    }
    out.tolerations.push_back(std::move(toleration));
  }
}

const ParamTable<ExecutorRequests>& ExecutorTable() {
  static const auto kTable =
      ParamTable<ExecutorRequests>()
          .Add("preset",
               &ExecutorRequests::preset,
               {.help = "Name of an executor preset, instead of `cpu` and `memory`.",
                .non_empty = true,
                .example = "medium"})
          .AddCustom(
              "cpu",
              {.help = "CPU that an executor's pod requests.", .example = "4"},
              [](const Node& node, ExecutorRequests& out, Diagnostics& diagnostics) {
                ReadWith(node, out.cpu_millis, ParseCpuMillis, diagnostics);
              },
              ParamType::kString)
          .AddCustom(
              "memory",
              {.help = "Memory that it requests, overhead included.", .example = "18Gi"},
              [](const Node& node, ExecutorRequests& out, Diagnostics& diagnostics) {
                ReadWith(node, out.memory_bytes, ParseBytes, diagnostics);
              },
              ParamType::kBytes)
          .AddCustom(
              "ephemeralStorage",
              {.help = "Ephemeral storage that it requests.", .example = "50Gi"},
              [](const Node& node, ExecutorRequests& out, Diagnostics& diagnostics) {
                ReadWith(node, out.ephemeral_storage_bytes, ParseBytes, diagnostics);
              },
              ParamType::kBytes)
          .Add("nodeSelector",
               &ExecutorRequests::node_selector,
               {.help = "Labels of the nodes it may run on."})
          .AddCustom("tolerations",
                     {.help = "Taints that it tolerates, as Kubernetes writes them: a list of "
                              "`key`, `operator`, `value`, `effect`, `tolerationSeconds`."},
                     ReadTolerations);
  return kTable;
}

void ReadLeadTime(const Node& node, std::optional<LeadTimeChoice>& out, Diagnostics& diagnostics) {
  if (node.IsScalar() && node.scalar() == "measured") {
    out = LeadTimeChoice{};
    return;
  }
  const auto lead =
      node.IsScalar() ? ParseDuration(node.scalar()) : Fail(ErrorCode::kInvalidArgument, "");
  if (lead && *lead <= kLongestLeadTime) {
    out = LeadTimeChoice{*lead};
  } else {
    config::Refuse(
        node, "expected 'measured' or a duration of at most 6h, such as 4m", diagnostics);
  }
}

const ParamTable<Capacity>& PlainTable() {
  static const auto kTable =
      ParamTable<Capacity>()
          .AddChoice("mechanism",
                     &Capacity::mechanism,
                     {{"none", Mechanism::kNone},
                      {"buffer", Mechanism::kBuffer},
                      {"placeholder", Mechanism::kPlaceholder},
                      {"provisioningRequest", Mechanism::kProvisioningRequest}},
                     {.help = "How the cluster is told. Default: `capacity.mechanism`."})
          .AddObject("executor",
                     &Capacity::executor,
                     ExecutorTable(),
                     {.help = "What the pod of one executor requests. Required with a mechanism.",
                      .example = "{cpu: 4, memory: 18Gi}"})
          .AddCustom(
              "leadTime",
              {.help = "How long an executor takes from wanted to running: `measured` from "
                       "`running`, or a duration of at most 6h. Default: `capacity.leadTime`.",
               .example = "4m"},
              [](const Node& node, Capacity& out, Diagnostics& diagnostics) {
                ReadLeadTime(node, out.lead_time, diagnostics);
              },
              ParamType::kString)
          .Add("maxExecutors",
               &Capacity::max_executors,
               {.help = "The most executors to make room for.",
                .fallback = "100",
                .min = 1,
                .max = kMostExecutors})
          .Add("namespace",
               &Capacity::name_space,
               {.help = "Namespace of the object that is written. Default: Stoker's own.",
                .non_empty = true})
          .Add("name",
               &Capacity::name,
               {.help = "Name of the object that is written. Default: `stoker-NAME`.",
                .non_empty = true});
  return kTable;
}

const ParamTable<CapacityFields>& Table() {
  static const auto kTable =
      ParamTable<CapacityFields>()
          .Include(&CapacityFields::capacity, PlainTable())
          .AddCustom(
              "running",
              {.help = "A signal that counts the executors that run."},
              [](const Node& node, CapacityFields& out, Diagnostics&) { out.running = node; },
              ParamType::kObject)
          .AddCustom(
              "pending",
              {.help = "A signal that counts the executors that are created and do not run yet."},
              [](const Node& node, CapacityFields& out, Diagnostics&) { out.pending = node; },
              ParamType::kObject);
  return kTable;
}

const Node& At(const Node& node, std::string_view key) {
  const Node* found = node.Find(key);
  return found != nullptr ? *found : node;
}

}  // namespace

void ReadCapacity(const Node& node, CapacityFields& out, Diagnostics& diagnostics) {
  Table().Read(node, out, diagnostics);
}

void CheckCapacity(const Capacity& capacity, const Node& node, Diagnostics& diagnostics) {
  if (capacity.pending && !capacity.running) {
    diagnostics.Add(At(node, "pending"),
                    "pending needs running: what waits says little without what runs");
  }
  if (!capacity.executor) {
    if (capacity.mechanism.value_or(Mechanism::kNone) != Mechanism::kNone) {
      diagnostics.Add(node,
                      "mechanism " + std::string(MechanismName(*capacity.mechanism)) +
                          " needs executor: {cpu: 4, memory: 18Gi} or {preset: medium}");
    }
    return;
  }
  const ExecutorRequests& executor = *capacity.executor;
  const Node& at = At(node, "executor");
  const bool by_hand = executor.cpu_millis > 0 && executor.memory_bytes > 0;
  if (!executor.preset.empty() && (executor.cpu_millis > 0 || executor.memory_bytes > 0)) {
    diagnostics.Add(at, "give a preset, or cpu and memory, not both");
  } else if (executor.preset.empty() && !by_hand) {
    diagnostics.Add(at, "give a preset, or cpu and memory over 0");
  }
}

const std::vector<config::ParamInfo>& CapacityParams() { return Table().infos(); }

}  // namespace stoker::policy
