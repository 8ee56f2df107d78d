#include "capacity/expander.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <utility>

#include "core/glob.h"
#include "core/text.h"
#include "core/units.h"
#include "rightsizing/packing.h"

namespace stoker::capacity {
namespace {

constexpr double kSameCost = 1.01;

/// Labels by which providers tell spot nodes, with the values that do (Azure's and Karpenter's are
/// in lower case, EKS's in upper).
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kSpotLabels{
    {{"eks.amazonaws.com/capacityType", "SPOT"},
     {"karpenter.sh/capacity-type", "spot"},
     {"cloud.google.com/gke-spot", "true"},
     {"cloud.google.com/gke-preemptible", "true"},
     {"cloud.google.com/gke-provisioning", "spot"},
     {"kubernetes.azure.com/scalesetpriority", "spot"},
     {"node.kubernetes.io/lifecycle", "spot"}}};

std::string_view Label(const NodeTemplate& node, std::string_view key) {
  const auto found = node.labels.find(key);
  return found == node.labels.end() ? std::string_view{} : std::string_view(found->second);
}

std::int64_t CountOf(const ExpanderOption& option, PodRole role) {
  std::int64_t count = 0;
  for (const PodSet& set : option.pods) count += set.role == role ? set.count : 0;
  return count;
}

/// Nodes that the pods come to, when each kind of pod has nodes of its own; 0: not known.
double NodesOf(const ExpanderOption& option) {
  if (option.nodes > 0) return static_cast<double>(option.nodes);
  if (!option.node) return 0;
  double nodes = 0;
  for (const PodSet& set : option.pods) {
    std::int64_t fit = rightsizing::FitPods(set.requests, option.node->allocatable).pods;
    if (option.node->max_pods > 0) fit = std::min(fit, option.node->max_pods);
    if (fit == 0) return 0;
    nodes += static_cast<double>(set.count) / static_cast<double>(fit);
  }
  return std::ceil(nodes);
}

std::string Counted(std::int64_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

std::string PodsText(const ExpanderOption& option) {
  const std::int64_t drivers = CountOf(option, PodRole::kDriver);
  const std::int64_t executors = CountOf(option, PodRole::kExecutor);
  std::string text = drivers > 0 ? Counted(drivers, "driver") : "";
  if (drivers > 0 && executors > 0) text += " and ";
  if (executors > 0) text += Counted(executors, "executor");
  return text;
}

std::string Dollars(double amount) {
  return "$" + FormatNumber(std::round(amount * 1e5) / 1e5) + " an hour for each pod";
}

/// The options still in the running. Never none: a rule that would drop all is skipped.
class Narrowing {
 public:
  Narrowing(std::vector<std::size_t> running, Choice& choice)
      : running_(std::move(running)), choice_(choice) {}

  [[nodiscard]] const std::vector<std::size_t>& running() const { return running_; }

  /// Drops those that `good` is false of by `rule`, for a reason of its own each.
  void Keep(Rule rule,
            const std::function<bool(std::size_t)>& good,
            const std::function<std::string(std::size_t)>& why_not) {
    const auto bad = std::stable_partition(running_.begin(), running_.end(), good);
    if (bad == running_.begin()) return;
    for (auto it = bad; it != running_.end(); ++it) {
      choice_.verdicts[*it].chosen = false;
      choice_.verdicts[*it].rule = rule;
      choice_.verdicts[*it].why = why_not(*it);
    }
    running_.erase(bad, running_.end());
  }

 private:
  std::vector<std::size_t> running_;
  Choice& choice_;
};

}  // namespace

std::string_view RuleName(Rule rule) {
  switch (rule) {
    case Rule::kChosen:
      return "chosen";
    case Rule::kLeftAlone:
      return "left_alone";
    case Rule::kTakesNoDriver:
      return "takes_no_driver";
    case Rule::kSpot:
      return "spot";
    case Rule::kNotSpot:
      return "not_spot";
    case Rule::kFailed:
      return "failed";
    case Rule::kCostsMore:
      return "costs_more";
  }
  return "";
}

PodRole RoleOf(std::string_view spark_role, std::string_view stands_in_for) {
  for (const std::string_view role : {spark_role, stands_in_for}) {
    if (role == "driver") return PodRole::kDriver;
    if (role == "executor") return PodRole::kExecutor;
  }
  return PodRole::kOther;
}

bool IsSpot(const ExpanderOption& option, const ExpanderRules& rules) {
  const auto matches = [&](const std::string& glob) { return GlobMatch(glob, option.group); };
  if (std::ranges::any_of(rules.spot_groups, matches)) return true;
  const NodeTemplate none;
  const NodeTemplate& node = option.node ? *option.node : none;
  const NodeShape* shape =
      rules.prices.ShapeOf(option.group, Label(node, "node.kubernetes.io/instance-type"));
  if (shape != nullptr && shape->spot) return true;
  const auto labelled = [&](const auto& label) {
    return EqualsIgnoreCase(Label(node, label.first), label.second);
  };
  return std::ranges::any_of(kSpotLabels, labelled) ||
         std::ranges::any_of(rules.spot_labels, labelled);
}

Choice ChooseAll(const std::vector<ExpanderOption>& options, std::string_view why) {
  Choice choice;
  for (const ExpanderOption& option : options) {
    choice.verdicts.push_back(
        {.group = option.group, .chosen = true, .cost_per_pod = {}, .why = std::string(why)});
  }
  return choice;
}

Choice Choose(const std::vector<ExpanderOption>& options,
              const ExpanderRules& rules,
              const GroupFailures& failures,
              WallTime now) {
  Choice choice = ChooseAll(options, "");
  std::vector<std::size_t> spark;
  std::vector<std::string> price_sources(options.size());
  for (std::size_t i = 0; i < options.size(); ++i) {
    const ExpanderOption& option = options[i];
    Verdict& verdict = choice.verdicts[i];
    verdict.spot = IsSpot(option, rules);
    if (option.pods.empty()) {
      verdict.why = "left alone: its pods are not known";
      continue;
    }
    if (const std::int64_t others = CountOf(option, PodRole::kOther); others > 0) {
      verdict.why =
          "left alone: it also takes " + Counted(others, "pod") + " that no Spark label tells of";
      continue;
    }
    spark.push_back(i);
    const auto price = rules.prices.PriceOf(
        option.group,
        option.node ? Label(*option.node, "node.kubernetes.io/instance-type") : std::string_view{},
        verdict.spot);
    const double nodes = NodesOf(option);
    if (!price || nodes <= 0) continue;
    const std::int64_t pods =
        CountOf(option, PodRole::kDriver) + CountOf(option, PodRole::kExecutor);
    verdict.cost_per_pod = price->per_hour * nodes / static_cast<double>(pods);
    price_sources[i] = price->source;
  }
  if (spark.empty()) return choice;

  const auto spot = [&](std::size_t i) { return choice.verdicts[i].spot; };
  const auto drives = [&](std::size_t i) { return CountOf(options[i], PodRole::kDriver) > 0; };
  const auto failed = [&](std::size_t i) { return failures.contains(options[i].group); };
  const auto works = [&](std::size_t i) { return !failed(i); };
  const auto failure = [&](std::size_t i) {
    const GroupFailure& last = failures.find(options[i].group)->second;
    const Duration ago = std::max(now - last.last, Duration::zero());
    return "dropped: failed " + FormatDuration(std::chrono::floor<std::chrono::seconds>(ago)) +
           " ago (" + last.reason + ")";
  };
  const bool drivers = std::ranges::any_of(spark, drives);
  Narrowing narrowing(spark, choice);
  if (drivers) {
    narrowing.Keep(Rule::kTakesNoDriver, drives, [](std::size_t) {
      return "dropped: takes no driver, and drivers go first";
    });
    narrowing.Keep(
        Rule::kSpot,
        [&](std::size_t i) { return !spot(i); },
        [](std::size_t) { return "dropped: spot, and drivers go on demand"; });
    narrowing.Keep(Rule::kFailed, works, failure);
  } else {
    narrowing.Keep(Rule::kFailed, works, failure);
    narrowing.Keep(
        Rule::kNotSpot, spot, [](std::size_t) { return "dropped: not spot, where executors go"; });
  }

  std::optional<double> lowest;
  std::string lowest_group;
  for (const std::size_t i : narrowing.running()) {
    const std::optional<double>& cost = choice.verdicts[i].cost_per_pod;
    if (!cost || (lowest && *lowest <= *cost)) continue;
    lowest = cost;
    lowest_group = options[i].group;
  }
  narrowing.Keep(
      Rule::kCostsMore,
      [&](std::size_t i) {
        const std::optional<double>& cost = choice.verdicts[i].cost_per_pod;
        return !cost || *cost <= *lowest * kSameCost;
      },
      [&](std::size_t i) {
        return "dropped: " + Dollars(*choice.verdicts[i].cost_per_pod) + ", and " + lowest_group +
               " costs $" + FormatNumber(std::round(*lowest * 1e5) / 1e5);
      });
  for (const std::size_t i : narrowing.running()) {
    Verdict& verdict = choice.verdicts[i];
    verdict.rule = Rule::kChosen;
    verdict.why =
        "chosen for " + PodsText(options[i]) + ": " + (verdict.spot ? "spot, " : "on demand, ") +
        (verdict.cost_per_pod ? Dollars(*verdict.cost_per_pod) + " (" + price_sources[i] + ")"
                              : "of unknown price, so not compared");
    if (failed(i)) verdict.why += "; it failed lately, as all that are left";
  }
  return choice;
}

}  // namespace stoker::capacity
