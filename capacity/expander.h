#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capacity/node_shapes.h"
#include "core/clock.h"
#include "rightsizing/shape.h"

namespace stoker::capacity {

enum class PodRole : std::uint8_t { kOther, kDriver, kExecutor };

/// Says what pods a placeholder stands in for, where `spark-role` must not, since Spark selects by
/// it: `stoker/stands-in-for: executor`.
inline constexpr std::string_view kStandsInLabel = "stoker/stands-in-for";

/// By Spark's label `spark-role`, or kStandsInLabel. The autoscaler's fake pods (of a
/// CapacityBuffer or a ProvisioningRequest) carry the labels of their template and are told the
/// same way.
PodRole RoleOf(std::string_view spark_role, std::string_view stands_in_for);

/// Equal pods of one option.
struct PodSet {
  PodRole role = PodRole::kOther;
  rightsizing::Resources requests;
  std::int64_t count = 0;
};

/// What the autoscaler expects of a group's next node.
struct NodeTemplate {
  std::map<std::string, std::string, std::less<>> labels;
  rightsizing::Resources allocatable;
  std::int64_t max_pods = 0;  ///< 0: not known
};

/// A way to scale up: so many nodes of one group, for these pods.
struct ExpanderOption {
  std::string group;
  std::int64_t nodes = 0;            ///< as the autoscaler counted them; 0: not known
  std::optional<NodeTemplate> node;  ///< absent: not known
  std::vector<PodSet> pods;          ///< empty: not known
};

/// Why a group is better left alone for a while.
struct GroupFailure {
  WallTime last{};     ///< when it was last seen to fail
  std::string reason;  ///< "OutOfResource", "QUOTA_EXCEEDED", "unhealthy"
};
using GroupFailures = std::map<std::string, GroupFailure, std::less<>>;

/// What the choice goes by: `capacity.expander` and `capacity.nodeShapes`.
struct ExpanderRules {
  std::map<std::string, std::string> spot_labels;  ///< besides the providers' own
  std::vector<std::string> spot_groups;            ///< globs
  NodePrices prices;
};

/// What an option was chosen or dropped by.
enum class Rule : std::uint8_t {
  kChosen,
  kLeftAlone,      ///< not Spark's, or not known; chosen, too
  kTakesNoDriver,  ///< and drivers go first
  kSpot,           ///< and drivers go on demand
  kNotSpot,        ///< and executors go to spot
  kFailed,         ///< lately
  kCostsMore,
};
/// "chosen", "left_alone", "takes_no_driver", "spot", "not_spot", "failed", "costs_more".
std::string_view RuleName(Rule rule);

/// What became of one option.
struct Verdict {
  std::string group;
  bool chosen = false;
  Rule rule = Rule::kLeftAlone;
  bool spot = false;
  std::optional<double> cost_per_pod;  ///< US dollars by the hour, see Choose
  std::string why;                     ///< for people
};

/// Verdicts in the options' order.
struct Choice {
  std::vector<Verdict> verdicts;
};

/// Whether the group is told to be of spot nodes: by the configuration, or by the labels of EKS,
/// Karpenter, GKE, AKS, or node.kubernetes.io/lifecycle.
bool IsSpot(const ExpanderOption& option, const ExpanderRules& rules);

/// Which groups to scale up. Narrows the options down rule by rule; a rule that would leave none is
/// skipped, so at least one option is chosen whenever there is one:
///
/// 1. Options with pods that are not Spark's, or not known, are left alone: always chosen.
/// 2. With a driver among the pods: options that take one, and of these on demand before spot,
/// since a
///    lost driver is a lost application; then groups that did not fail lately.
/// 3. Else, for executors: groups that did not fail lately, then spot.
/// 4. The cheapest by cost per pod, price x nodes / pods, with the nodes that the autoscaler
/// counted, or
///    else those that the pods come to (rightsizing::FitPods). Options whose price is not known
///    cannot be compared and stay; so do costs within 1% of the lowest: the autoscaler's next
///    filter decides.
Choice Choose(const std::vector<ExpanderOption>& options,
              const ExpanderRules& rules,
              const GroupFailures& failures,
              WallTime now);

/// All options, for one reason.
Choice ChooseAll(const std::vector<ExpanderOption>& options, std::string_view why);

}  // namespace stoker::capacity
