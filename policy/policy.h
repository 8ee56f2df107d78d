#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/node.h"
#include "config/params.h"
#include "core/clock.h"
#include "core/result.h"
#include "core/signal.h"
#include "policy/expression.h"
#include "policy/forecast/settings.h"

namespace stoker::policy {

/// How demands become one number. All but kExpression are monotone: more of any signal never lowers
/// the result (and so more of a count that is already enough changes nothing).
enum class Combine : std::uint8_t { kMax, kSum, kMin, kAvg, kExpression };

enum class MetricMode : std::uint8_t { kCombined, kPerSignal };

struct Replicas {
  int min = 0;
  int max = 50;
  int executors_per_replica = 1;  ///< >= 1
  double headroom = 0;            ///< fraction: 0.25 asks for a quarter more
};

/// At most this much less than the target one period ago, e.g. 10%/1m or 5/30s. 100% is no limit. A
/// percentage lets go of what is below one replica already, else it would never reach 0.
struct ScaleDownStep {
  bool percent = true;
  double amount = 100;  ///< percent, or replicas
  Duration period = std::chrono::minutes(1);
};

struct ScaleDown {
  Duration stabilization{0};  ///< the target is the maximum over this long
  ScaleDownStep step;
};

/// A signal of a policy, as far as deciding is concerned.
struct PolicySignal {
  std::string name;  ///< [a-z][a-z0-9_]*
  std::string type;  ///< for the explanation only
  SignalTiming timing;
  DemandRule demand;
  OnEmpty on_empty = OnEmpty::kHold;
  FaultPolicy on_fault;

  /// How old a reading may be and still serve; after that the signal is at fault.
  [[nodiscard]] Duration Serves() const { return std::max(timing.max_age, on_fault.hold); }
};

/// How the cluster is told of executors to come; exactly one for a policy.
enum class Mechanism : std::uint8_t { kNone, kBuffer, kPlaceholder, kProvisioningRequest };
/// As people write it: "none", "buffer", "placeholder", "provisioningRequest".
std::string_view MechanismName(Mechanism mechanism);

/// A longer lead time is not taken, nor measured; schedules are known as far ahead.
inline constexpr Duration kLongestLeadTime = kScheduleAhead;

/// `leadTime: measured | 4m`.
struct LeadTimeChoice {
  std::optional<Duration> fixed;  ///< empty: measured
};

/// A toleration as Kubernetes has it; empty fields are left out.
struct Toleration {
  std::string key;
  std::string op;  ///< Exists or Equal
  std::string value;
  std::string effect;
  std::optional<int> seconds;
};

/// What one executor's pod requests: a preset's name, or cpu and memory.
struct ExecutorRequests {
  std::string preset;
  std::int64_t cpu_millis = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t ephemeral_storage_bytes = 0;  ///< 0: none
  std::map<std::string, std::string> node_selector;
  std::vector<Toleration> tolerations;
};

/// How a policy's headroom is made: `capacity` of a policy.
struct Capacity {
  std::optional<Mechanism> mechanism;  ///< empty: the default of the section `capacity`
  std::optional<ExecutorRequests> executor;
  std::optional<PolicySignal> running;      ///< value / target size are executors
  std::optional<PolicySignal> pending;      ///< only together with `running`
  std::optional<LeadTimeChoice> lead_time;  ///< empty: the default of the section `capacity`
  int max_executors = 100;
  std::string name_space;  ///< of the object that is written; "": our own
  std::string name;        ///< "": stoker-<policy>
};

/// Named signals and how to combine them. A plain value.
struct Policy {
  std::string name;
  std::vector<std::string> namespaces{"*"};
  Replicas replicas;
  Combine combine = Combine::kMax;
  std::optional<Expression> expression;  ///< set when combine is kExpression
  ScaleDown scale_down;
  FaultPolicy on_fault;
  MetricMode metric_mode = MetricMode::kCombined;
  std::vector<PolicySignal> signals;
  std::optional<Capacity> capacity;
  std::optional<forecast::Settings> forecast;
};

/// What the `signals:` map of a policy node holds, still to be read by the scalers' registry.
struct NamedNode {
  std::string name;
  config::Node node;
};

/// Reads a policy node but its signals' own keys: everything in Policy except `signals`, plus the
/// raw signal nodes. Names are checked, and the expression is compiled against them. Empty when a
/// diagnostic was added.
struct ParsedPolicy {
  Policy policy;
  std::vector<NamedNode> signals;
  std::optional<config::Node> running;  ///< of `capacity`
  std::optional<config::Node> pending;
};
std::optional<ParsedPolicy> ParsePolicy(const std::string& name,
                                        const config::Node& node,
                                        config::Diagnostics& diagnostics);

/// Rules over several keys (per-signal mode, a step that would take over a day to come down); call
/// once `signals` is filled. Adds diagnostics at `node`.
void CheckPolicy(const Policy& policy, const config::Node& node, config::Diagnostics& diagnostics);

/// The policy's keys, for docs and schema.
const std::vector<config::ParamInfo>& PolicyParams();

/// How long the step can keep the target of `policy` up after the wanted number went to 0; zero
/// when it limits nothing.
Duration StepReach(const Policy& policy);

/// How far back readings must be kept for Decide to see all it needs, besides the newest reading
/// and the last good one, which are always kept: what stabilization and step look back on, and,
/// where they do, the readings that were still held then.
Duration Lookback(const Policy& policy);

/// The same for the signals of policy.capacity: for as long as one of them is held, the other is
/// looked at as it was then. Lead times need more (lead_time.h).
Duration CapacityLookback(const Policy& policy);

/// Whether `signal` (an index of policy.signals) is to be forecast. Schedules tell their future
/// themselves, and what people push follows no rule: they are not.
bool IsForecast(const Policy& policy, std::size_t signal);

/// The value from which on a count cannot change the target of `policy`; empty when it must be
/// exact (expressions). `signal` indexes policy.signals.
std::optional<double> Enough(const Policy& policy, std::size_t signal);

/// The name as people write it: "max", "sum", "min", "avg", or the expression's text.
std::string CombineText(const Policy& policy);

/// The step as people write it, e.g. "10%/1m".
std::string StepText(const ScaleDownStep& step);

}  // namespace stoker::policy
