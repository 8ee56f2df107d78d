#include <cmath>
#include <string>
#include <vector>

#include "core/text.h"
#include "core/units.h"
#include "policy/decision.h"
#include "policy/forecast/forecast.h"

namespace stoker::policy {
namespace {

using State = SignalDecision::State;

/// Two decimals are enough to follow the arithmetic.
std::string Short(double value) {
  return FormatNumber(std::abs(value) < 1e15 ? std::round(value * 100) / 100 : value);
}

std::string Plural(int count, const char* unit) {
  return std::to_string(count) + " " + unit + (count == 1 ? "" : "s");
}

/// "backlog asks for 12 (60 / 5)"
std::string Ask(const Policy& policy, const PolicySignal& signal, const SignalDecision& decided) {
  if (decided.state == State::kIgnored) return signal.name + " is at fault and ignored";
  std::string text = signal.name + " asks for ";
  if (decided.state == State::kSubstituted) {
    return text + Short(decided.demand.value_or(0)) + " (stands in while at fault)";
  }
  if (decided.at_least) text += "at least ";
  text += Short(decided.demand.value_or(0));
  const bool per_executor =
      signal.demand.per == DemandRule::Per::kExecutor && policy.replicas.executors_per_replica != 1;
  if (signal.demand.target_size != 1 || per_executor || decided.lifted) {
    text += " (" + Short(decided.lifted ? *decided.lifted : decided.value.value_or(0));
    if (signal.demand.target_size != 1) text += " / " + Short(signal.demand.target_size);
    if (per_executor) text += " / " + std::to_string(policy.replicas.executors_per_replica);
    if (decided.lifted) {
      text += ", forecast within " + FormatDuration(decided.forecast->horizon) + "; now " +
              Short(decided.value.value_or(0));
    }
    text += ")";
  }
  return text;
}

std::string LeadText(const LeadTime& lead) {
  std::string text = "within " + FormatDuration(lead.value);
  if (lead.source == LeadTime::Source::kAssumed) text += ", an assumed lead time";
  if (lead.measured()) text += ", measured";
  return text;
}

/// "14 wanted within 4m, an assumed lead time; 5 running; 3 pending"
std::string HeadroomReason(const Headroom& headroom) {
  std::string text = std::to_string(headroom.wanted_ahead) + " wanted " + LeadText(headroom.lead);
  if (!headroom.running) {
    text += "; " + std::to_string(headroom.wanted_now) + " now";
  } else {
    text += "; " + std::to_string(*headroom.running) + " running";
    if (headroom.pending) text += "; " + std::to_string(*headroom.pending) + " pending";
  }
  if (headroom.held) text += "; counts are held";
  if (headroom.capped) text += "; capped by maxExecutors";
  return text;
}

std::string SummarizeHeadroom(const Headroom& headroom) {
  return "room for " + Plural(headroom.executors, "executor") + ": " + HeadroomReason(headroom);
}

}  // namespace

std::string Summarize(const Policy& policy, const Decision& decision) {
  if (decision.error) return "unavailable: " + decision.error->message;
  if (decision.of_headroom && decision.headroom) return SummarizeHeadroom(*decision.headroom);

  std::string text = Plural(decision.target_replicas, "replica");
  if (policy.replicas.executors_per_replica != 1) {
    text += " (" + Plural(decision.target_executors, "executor") + ")";
  }
  const char* separator = ": ";
  const auto add = [&](const std::string& part) {
    text += separator + part;
    separator = "; ";
  };
  const std::size_t count = std::min(policy.signals.size(), decision.signals.size());
  for (std::size_t i = 0; i < count; ++i) {
    add(Ask(policy, policy.signals[i], decision.signals[i]));
  }
  if (count > 1 && policy.combine != Combine::kMax && !decision.gated) {
    add("combined by " + CombineText(policy) + ": " + Short(decision.combined));
  }
  if (decision.gated) add("no signal is above its activation");
  if (policy.replicas.headroom > 0 && decision.combined > 0) {
    add("with " + Short(policy.replicas.headroom * 100) +
        "% headroom: " + Short(decision.with_headroom));
  }
  if (decision.clamped < decision.with_headroom) {
    add("capped by max " + std::to_string(policy.replicas.max));
  } else if (decision.clamped > decision.with_headroom) {
    add("raised to min " + std::to_string(policy.replicas.min));
  }
  if (decision.stabilized > decision.clamped) {
    add("kept up by stabilization " + FormatDuration(policy.scale_down.stabilization) + " (peak " +
        Short(decision.stabilized) + ")");
  }
  if (decision.stepped > decision.stabilized) {
    add("step " + StepText(policy.scale_down.step) + " allows no lower than " +
        Short(decision.stepped));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const SignalDecision& decided = decision.signals[i];
    if (decided.state != State::kHeld || !decided.reading_time) continue;
    // "2026-01-05T09:30:00Z": the time of day says it.
    add(decided.name + (decided.error.empty() ? " gives nothing new" : " is failing") +
        ", its value is held since " + FormatTime(*decided.reading_time).substr(11, 5) + " UTC");
  }
  if (decision.headroom && decision.headroom->error) {
    add("room ahead unknown: " + decision.headroom->error->message);
  } else if (decision.headroom && decision.headroom->executors > 0) {
    add("makes room for " + std::to_string(decision.headroom->executors) + " (" +
        HeadroomReason(*decision.headroom) + ")");
  }
  return text;
}

}  // namespace stoker::policy
