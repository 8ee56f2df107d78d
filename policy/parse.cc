#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/fault_policy.h"
#include "core/text.h"
#include "core/units.h"
#include "policy/capacity_params.h"
#include "policy/policy.h"

namespace stoker::policy {
namespace {

using config::Diagnostics;
using config::Node;
using config::Param;
using config::ParamTable;

constexpr int kMostReplicas = 100'000;
constexpr int kMostExecutorsPerReplica = 10'000;
constexpr std::size_t kMostSignals = 100;
constexpr double kMostHeadroom = 10;
constexpr Duration kDay = std::chrono::hours(24);
constexpr double kDaySeconds = 24 * 60 * 60;

/// What the table fills; becomes a ParsedPolicy once the names are known.
struct Fields {
  Policy policy;
  std::string combine = "max";
  std::vector<NamedNode> signals;
  std::optional<CapacityFields> capacity;
};

bool IsSignalName(std::string_view name) {
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

void ReadHeadroom(const Node& node, Replicas& out, Diagnostics& diagnostics) {
  config::Percent percent;
  if (!config::ReadValue(node, Param{}, percent, diagnostics)) return;
  if (!(percent.fraction >= 0 && percent.fraction <= kMostHeadroom)) {
    config::Refuse(node, "expected a headroom from 0% to 1000%", diagnostics);
    return;
  }
  out.headroom = percent.fraction;
}

std::optional<ScaleDownStep> ParseStep(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  std::string_view amount = Trim(text.substr(0, slash));
  const auto period = ParseDuration(Trim(text.substr(slash + 1)));
  if (!period || *period < std::chrono::seconds(1) || *period > kDay) return std::nullopt;
  ScaleDownStep step;
  step.period = *period;
  step.percent = !amount.empty() && amount.back() == '%';
  if (step.percent) amount.remove_suffix(1);
  const auto number = ParseNumber(amount);
  if (!number || *number <= 0 || *number > (step.percent ? 100 : kMostReplicas))
    return std::nullopt;
  if (!step.percent && !ParseInteger(amount)) return std::nullopt;
  step.amount = *number;
  return step;
}

void ReadStep(const Node& node, ScaleDown& out, Diagnostics& diagnostics) {
  const auto step = node.IsScalar() ? ParseStep(node.scalar()) : std::nullopt;
  if (step) {
    out.step = *step;
  } else {
    config::Refuse(node,
                   "expected a step down per period of 1s to 24h, as 10%/1m (over 0% to 100%) or "
                   "5/30s (replicas)",
                   diagnostics);
  }
}

void ReadSignals(const Node& node, Fields& out, Diagnostics& diagnostics) {
  if (!node.IsMap()) {
    config::Refuse(node, "expected signals by name", diagnostics);
    return;
  }
  if (node.entries().size() > kMostSignals) {
    diagnostics.Add(node, "over " + std::to_string(kMostSignals) + " signals; split the policy");
    return;
  }
  for (const Node::Entry& entry : node.entries()) {
    if (!IsSignalName(entry.key)) {
      diagnostics.Add(entry.key_position,
                      entry.value.path(),
                      "a signal's name must be lower-case letters, digits and '_', and start with "
                      "a letter");
    } else if (Expression::IsReserved(entry.key)) {
      diagnostics.Add(entry.key_position,
                      entry.value.path(),
                      "this name is a function in expressions; rename the signal");
    } else {
      out.signals.push_back({entry.key, entry.value});
    }
  }
}

const ParamTable<Replicas>& ReplicasTable() {
  static const auto kTable =
      ParamTable<Replicas>()
          .Add("min",
               &Replicas::min,
               {.help = "The least replicas there are, whatever the signals say.",
                .fallback = "0",
                .min = 0,
                .max = kMostReplicas})
          .Add("max",
               &Replicas::max,
               {.help = "The most replicas there are, whatever the signals say.",
                .fallback = "50",
                .min = 1,
                .max = kMostReplicas})
          .Add("executorsPerReplica",
               &Replicas::executors_per_replica,
               {.help = "Spark executors that one replica of the scale target stands for.",
                .fallback = "1",
                .min = 1,
                .max = kMostExecutorsPerReplica})
          .AddCustom("headroom",
                     {.help = "Ask for this much more than the signals do.",
                      .fallback = "0%",
                      .example = "25%"},
                     ReadHeadroom,
                     config::ParamType::kPercent);
  return kTable;
}

const ParamTable<ScaleDown>& ScaleDownTable() {
  static const auto kTable =
      ParamTable<ScaleDown>()
          .Add("stabilization",
               &ScaleDown::stabilization,
               {.help = "The target is the maximum over this long, so a dip does not shrink it.",
                .fallback = "0s",
                .min = 0,
                .max = kDaySeconds,
                .example = "5m"})
          .AddCustom("step",
                     {.help = "At most this much less than the target one period ago: a "
                              "percentage (`10%/1m`) or replicas (`5/30s`). `100%/1m` is no limit.",
                      .fallback = "100%/1m",
                      .example = "10%/1m"},
                     ReadStep,
                     config::ParamType::kString);
  return kTable;
}

const ParamTable<Fields>& Table() {
  // ParamTable fills members of one struct; these live one level down, in Fields::policy.
  static const auto kTable =
      ParamTable<Fields>()
          .AddCustom(
              "namespaces",
              {.help = "Kubernetes namespaces that may use the policy; `*` is all.",
               .fallback = "[\"*\"]",
               .non_empty = true},
              [](const Node& node, Fields& out, Diagnostics& diagnostics) {
                config::ReadValue(
                    node, Param{.non_empty = true}, out.policy.namespaces, diagnostics);
              },
              config::ParamType::kStringList)
          .AddCustom(
              "replicas",
              {.help = "Bounds of the target, and what a replica is."},
              [](const Node& node, Fields& out, Diagnostics& diagnostics) {
                ReplicasTable().Read(node, out.policy.replicas, diagnostics);
              },
              config::ParamType::kObject)
          .Add(
              "combine",
              &Fields::combine,
              {.help = "How the signals' demands become one number: `max`, `sum`, `min`, `avg`, or "
                       "an expression over the signal names, which stand for demands in replicas.",
               .fallback = "max",
               .non_empty = true,
               .example = "max(backlog, 0.5 * busy)"})
          .AddCustom(
              "scaleDown",
              {.help = "How fast the target may fall; it rises at once."},
              [](const Node& node, Fields& out, Diagnostics& diagnostics) {
                ScaleDownTable().Read(node, out.policy.scale_down, diagnostics);
              },
              config::ParamType::kObject)
          .AddCustom(
              "onFault",
              {.help = "What a signal stands for while it cannot be read; a signal may have "
                       "its own."},
              [](const Node& node, Fields& out, Diagnostics& diagnostics) {
                config::ReadFaultPolicy(node, out.policy.on_fault, diagnostics);
              },
              config::ParamType::kObject)
          .AddCustom(
              "metricMode",
              {.help = "One metric for the whole policy (`combined`), or one for each signal "
                       "(`per-signal`: only with `combine: max` and no headroom, stabilization "
                       "or step).",
               .fallback = "combined",
               .choices = {"combined", "per-signal"}},
              [](const Node& node, Fields& out, Diagnostics& diagnostics) {
                std::string text;
                const Param param{.choices = {"combined", "per-signal"}};
                if (!config::ReadValue(node, param, text, diagnostics)) return;
                out.policy.metric_mode =
                    text == "per-signal" ? MetricMode::kPerSignal : MetricMode::kCombined;
              },
              config::ParamType::kString)
          .AddCustom(
              "capacity",
              {.help = "Room for executors before they are wanted, and how the cluster is told. "
                       "Not in trigger metadata."},
              [](const Node& node, Fields& out, Diagnostics& diagnostics) {
                ReadCapacity(node, out.capacity.emplace(), diagnostics);
              },
              config::ParamType::kObject)
          .AddCustom(
              "forecast",
              {.help = "What signals are about to become, from their own past. Used only while its "
                       "back-test beats the newest value; never lowers anything. Not in trigger "
                       "metadata."},
              [](const Node& node, Fields& out, Diagnostics& diagnostics) {
                forecast::ReadSettings(node, out.policy.forecast.emplace(), diagnostics);
              },
              config::ParamType::kObject)
          .AddCustom("signals",
                     {.help = "The signals by name (lower-case letters, digits and `_`).",
                      .required = true},
                     ReadSignals,
                     config::ParamType::kObjectMap);
  return kTable;
}

const Node& At(const Node& node, std::string_view key) {
  const Node* found = node.Find(key);
  return found != nullptr ? *found : node;
}

void SetCombine(const std::string& text,
                const Node& node,
                ParsedPolicy& out,
                Diagnostics& diagnostics) {
  static constexpr std::array<std::pair<std::string_view, Combine>, 4> kNames{{
      {"max", Combine::kMax},
      {"sum", Combine::kSum},
      {"min", Combine::kMin},
      {"avg", Combine::kAvg},
  }};
  for (const auto& [name, combine] : kNames) {
    if (Trim(text) == name) {
      out.policy.combine = combine;
      return;
    }
  }
  std::vector<std::string> names;
  names.reserve(out.signals.size());
  for (const NamedNode& signal : out.signals) names.push_back(signal.name);
  auto expression = Expression::Compile(text, names);
  if (!expression) {
    std::string message = "expected max, sum, min, avg or an expression over the signal names";
    // The message would repeat words of the text.
    if (!node.confidential()) message += ": " + expression.error().message;
    diagnostics.Add(node, std::move(message));
    return;
  }
  out.policy.combine = Combine::kExpression;
  out.policy.expression = *std::move(expression);
}

void CheckForecast(const Policy& policy, const Node& node, Diagnostics& diagnostics) {
  if (policy.forecast->lifts == forecast::Lifts::kHeadroom && !policy.capacity) {
    diagnostics.Add(At(node, "lifts"),
                    "the policy has no headroom to lift; add `capacity`, or set lifts: replicas");
  }
  std::vector<std::string_view> names;
  for (const PolicySignal& signal : policy.signals) names.push_back(signal.name);
  for (const std::string& name : policy.forecast->signals) {
    const auto found = std::find(names.begin(), names.end(), name);
    std::string problem;
    if (found == names.end()) {
      const std::string_view nearest = NearestWord(name, names);
      problem = "the policy has no signal '" + name + "'";
      if (!nearest.empty()) problem += "; did you mean '" + std::string(nearest) + "'?";
    } else {
      const auto index = static_cast<std::size_t>(found - names.begin());
      if (policy.signals[index].type != "cron" && policy.signals[index].type != "manual") continue;
      problem = "signal '" + name + "' is of type " + policy.signals[index].type +
                ", which cannot be forecast; leave it out";
    }
    diagnostics.Add(At(node, "signals"), problem);
  }
}

}  // namespace

std::optional<ParsedPolicy> ParsePolicy(const std::string& name,
                                        const Node& node,
                                        Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.items().size();
  Fields fields;
  Table().Read(node, fields, diagnostics);
  if (diagnostics.items().size() > before) return std::nullopt;

  ParsedPolicy parsed{std::move(fields.policy), std::move(fields.signals), {}, {}};
  if (fields.capacity) {
    parsed.policy.capacity = std::move(fields.capacity->capacity);
    parsed.running = std::move(fields.capacity->running);
    parsed.pending = std::move(fields.capacity->pending);
  }
  parsed.policy.name = name;
  if (parsed.signals.empty()) {
    const Node& signals = At(node, "signals");
    diagnostics.Add(signals, "a policy needs at least one signal");
    return std::nullopt;
  }
  const Replicas& replicas = parsed.policy.replicas;
  if (replicas.min > replicas.max) {
    const Node& at = At(At(node, "replicas"), "min");
    diagnostics.Add(at, "min is over max; lower it or raise max");
  }
  SetCombine(fields.combine, At(node, "combine"), parsed, diagnostics);
  if (diagnostics.items().size() > before) return std::nullopt;
  return parsed;
}

void CheckPolicy(const Policy& policy, const Node& node, Diagnostics& diagnostics) {
  const Node& step = At(At(node, "scaleDown"), "step");
  const Duration reach = StepReach(policy);
  if (reach > kDay) {
    diagnostics.Add(
        step, "from max it would take over 24h to come down; allow larger steps, or lower max");
  }
  if (policy.capacity) CheckCapacity(*policy.capacity, At(node, "capacity"), diagnostics);
  if (policy.forecast) CheckForecast(policy, At(node, "forecast"), diagnostics);
  if (policy.metric_mode == MetricMode::kPerSignal) {
    const Node& mode = At(node, "metricMode");
    // KEDA and the HPA take the maximum of the metrics, and know nothing of the rest.
    if (policy.combine != Combine::kMax) diagnostics.Add(mode, "per-signal needs combine: max");
    if (policy.replicas.headroom > 0) diagnostics.Add(mode, "per-signal takes no headroom");
    if (policy.scale_down.stabilization > Duration::zero()) {
      diagnostics.Add(mode, "per-signal takes no scaleDown.stabilization; set the HPA's");
    }
    if (reach > Duration::zero()) {
      diagnostics.Add(mode, "per-signal takes no scaleDown.step; set the HPA's");
    }
  }
}

const std::vector<config::ParamInfo>& PolicyParams() {
  static const auto kInfos = [] {
    std::vector<config::ParamInfo> infos = Table().infos();
    for (config::ParamInfo& info : infos) {
      if (info.key == "replicas") info.children = ReplicasTable().infos();
      if (info.key == "scaleDown") info.children = ScaleDownTable().infos();
      if (info.key == "onFault") info.children = config::FaultPolicyParams();
      if (info.key == "capacity") info.children = CapacityParams();
      if (info.key == "forecast") info.children = forecast::SettingsParams();
    }
    return infos;
  }();
  return kInfos;
}

}  // namespace stoker::policy
