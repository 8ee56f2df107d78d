#include "policy/policy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "core/units.h"

namespace stoker::policy {
namespace {

/// Keeps the arithmetic of absurd settings within bounds; CheckPolicy refuses them.
constexpr Duration kLongestReach = std::chrono::hours(24 * 366);

/// Steps until `from` has come down to nothing: the smallest k with from x factor^k < 1.
double PercentSteps(double from, double factor) {
  if (from < 1) return 0;
  double steps = std::floor(std::log(from) / -std::log(factor)) + 1;
  // The logarithms may be off by a hair at exact powers.
  while (from * std::pow(factor, steps) >= 1) ++steps;
  while (steps > 0 && from * std::pow(factor, steps - 1) < 1) --steps;
  return steps;
}

}  // namespace

std::string_view MechanismName(Mechanism mechanism) {
  switch (mechanism) {
    case Mechanism::kNone:
      return "none";
    case Mechanism::kBuffer:
      return "buffer";
    case Mechanism::kPlaceholder:
      return "placeholder";
    case Mechanism::kProvisioningRequest:
      return "provisioningRequest";
  }
  return "none";
}

Duration StepReach(const Policy& policy) {
  const ScaleDownStep& step = policy.scale_down.step;
  const double from = std::max(policy.replicas.max, 0);
  if ((step.percent && step.amount >= 100) || step.period <= Duration::zero()) {
    return Duration::zero();
  }
  const double per_step = step.percent ? step.amount / 100 : step.amount;
  if (!(per_step > 1e-9)) return kLongestReach;
  const double reach =
      (step.percent ? PercentSteps(from, 1 - per_step) : std::ceil(from / per_step)) *
      static_cast<double>(step.period.count());
  if (reach >= static_cast<double>(kLongestReach.count())) return kLongestReach;
  return Duration(static_cast<Duration::rep>(reach));
}

Duration Lookback(const Policy& policy) {
  Duration interval{0};
  Duration served{0};
  for (const PolicySignal& signal : policy.signals) {
    interval = std::max(interval, signal.timing.interval);
    served = std::max(served, signal.Serves());
  }
  const Duration history = policy.scale_down.stabilization + StepReach(policy);
  return history > Duration::zero() ? history + served + interval : interval;
}

Duration CapacityLookback(const Policy& policy) {
  Duration lookback{0};
  if (!policy.capacity) return lookback;
  for (const auto& signal : {policy.capacity->running, policy.capacity->pending}) {
    if (!signal) continue;
    lookback = std::max(lookback, signal->Serves() + signal->timing.interval);
  }
  return lookback;
}

bool IsForecast(const Policy& policy, std::size_t signal) {
  if (!policy.forecast) return false;
  const PolicySignal& of = policy.signals[signal];
  const std::vector<std::string>& named = policy.forecast->signals;
  if (named.empty()) return of.type != "cron" && of.type != "manual";
  return std::find(named.begin(), named.end(), of.name) != named.end();
}

std::optional<double> Enough(const Policy& policy, std::size_t signal) {
  if (policy.combine == Combine::kExpression) return std::nullopt;
  const DemandRule& rule = policy.signals[signal].demand;
  double enough = std::max(policy.replicas.max, 0) * rule.target_size;
  if (rule.per == DemandRule::Per::kExecutor) enough *= policy.replicas.executors_per_replica;
  if (policy.combine == Combine::kAvg) enough *= static_cast<double>(policy.signals.size());
  const double active =
      std::max(rule.activation + 1,
               std::nextafter(rule.activation, std::numeric_limits<double>::infinity()));
  return std::max(enough, active);
}

std::string CombineText(const Policy& policy) {
  switch (policy.combine) {
    case Combine::kMax:
      return "max";
    case Combine::kSum:
      return "sum";
    case Combine::kMin:
      return "min";
    case Combine::kAvg:
      return "avg";
    case Combine::kExpression:
      break;
  }
  return policy.expression ? policy.expression->text() : "max";
}

std::string StepText(const ScaleDownStep& step) {
  return FormatNumber(step.amount) + (step.percent ? "%/" : "/") + FormatDuration(step.period);
}

}  // namespace stoker::policy
