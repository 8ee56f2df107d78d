#include "adapter/http/json.h"

#include <cmath>
#include <string_view>

#include "core/units.h"
#include "policy/forecast/forecast.h"

namespace stoker::adapter {
namespace {

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
Json Number(const std::optional<double>& value) { return value ? Number(*value) : Json(nullptr); }
Json Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
Json Time(WallTime time) { return FormatTime(time); }
Json Time(const std::optional<WallTime>& time) { return time ? Time(*time) : Json(nullptr); }

std::string_view CombineName(policy::Combine combine) {
  switch (combine) {
    case policy::Combine::kMax:
      return "max";
    case policy::Combine::kSum:
      return "sum";
    case policy::Combine::kMin:
      return "min";
    case policy::Combine::kAvg:
      return "avg";
    case policy::Combine::kExpression:
      break;
  }
  return "expression";
}

std::string_view OnEmptyName(OnEmpty on_empty) {
  switch (on_empty) {
    case OnEmpty::kHold:
      return "hold";
    case OnEmpty::kZero:
      return "zero";
    case OnEmpty::kError:
      break;
  }
  return "error";
}

Json FaultJson(const FaultPolicy& fault) {
  Json json{{"hold_seconds", Seconds(fault.hold)}};
  switch (fault.then) {
    case FaultPolicy::Then::kFail:
      json["then"] = "fail";
      break;
    case FaultPolicy::Then::kIgnore:
      json["then"] = "ignore";
      break;
    case FaultPolicy::Then::kReplicas:
      json["then"] = "replicas";
      json["then_replicas"] = fault.replicas;
      break;
  }
  return json;
}

Json SignalDefinitionJson(const policy::PolicySignal& signal) {
  return {{"name", signal.name},
          {"type", signal.type},
          {"target_size", Number(signal.demand.target_size)},
          {"activation", Number(signal.demand.activation)},
          {"per", signal.demand.per == DemandRule::Per::kExecutor ? "executor" : "replica"},
          {"interval_seconds", Seconds(signal.timing.interval)},
          {"timeout_seconds", Seconds(signal.timing.timeout)},
          {"max_age_seconds", Seconds(signal.timing.max_age)},
          {"on_empty", OnEmptyName(signal.on_empty)},
          {"on_fault", FaultJson(signal.on_fault)}};
}

std::string_view SourceName(policy::LeadTime::Source source) {
  switch (source) {
    case policy::LeadTime::Source::kAssumed:
      return "assumed";
    case policy::LeadTime::Source::kSet:
      return "set";
    case policy::LeadTime::Source::kMeasured:
      break;
  }
  return "measured";
}

Json ErrorJson(const std::optional<Error>& error) {
  if (!error) return nullptr;
  return {{"code", ErrorCodeName(error->code)}, {"message", error->message}};
}

Json HeadroomJson(const policy::Headroom& headroom) {
  const bool known = !headroom.error;
  const auto count = [](const std::optional<int>& executors) {
    return executors ? Json(*executors) : Json(nullptr);
  };
  return {{"headroom_executors", known ? Json(headroom.executors) : Json(nullptr)},
          {"capped", headroom.capped},
          {"wanted_executors", headroom.wanted_now},
          {"wanted_ahead_executors", headroom.wanted_ahead},
          {"running_executors", count(headroom.running)},
          {"pending_executors", count(headroom.pending)},
          {"held", headroom.held},
          {"lead_seconds", Seconds(headroom.lead.value)},
          {"lead_source", SourceName(headroom.lead.source)},
          {"lead_samples", headroom.lead.samples},
          {"error", ErrorJson(headroom.error)}};
}

Json ForecastJson(const forecast::Forecast& forecast) {
  Json ahead;
  if (!forecast.predictions.empty() && forecast.predictions.back()) {
    const forecast::Prediction& prediction = *forecast.predictions.back();
    const auto last = static_cast<Duration::rep>(forecast.predictions.size() - 1);
    ahead = {{"time", Time(forecast.first + last * forecast.step)},
             {"value", Number(prediction.value)},
             {"low", Number(prediction.low)},
             {"high", Number(prediction.high)}};
  }
  Json models = Json::array();
  for (const forecast::Share& share : forecast.models) {
    models.push_back({{"name", share.name}, {"weight", Number(share.weight)}});
  }
  return {{"used", forecast.used},
          {"summary", forecast::Summarize(forecast)},
          {"skill", Number(forecast.skill)},
          {"loss", Number(forecast.loss)},
          {"naive_loss", Number(forecast.naive_loss)},
          {"seasonal_naive_loss", Number(forecast.seasonal_loss)},
          {"tested_steps", forecast.tested},
          {"step_seconds", Seconds(forecast.step)},
          {"horizon_seconds", Seconds(forecast.horizon)},
          {"quantile", Number(forecast.quantile)},
          {"ahead", std::move(ahead)},
          {"models", std::move(models)}};
}

std::string Summary(const policy::Policy& policy,
                    const policy::Decision& decision,
                    bool inline_object) {
  if (!inline_object || !policy.expression) return policy::Summarize(policy, decision);
  policy::Policy shown = policy;  // the summary quotes an expression, but says nothing of a maximum
  shown.combine = policy::Combine::kMax;
  shown.expression.reset();
  return policy::Summarize(shown, decision);
}

}  // namespace

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Json> ParseObject(const std::string& body) {
  Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) {
    return Fail(ErrorCode::kInvalidArgument, "the body must be a JSON object: {...}");
  }
  return json;
}

Json SignalJson(const policy::SignalDecision& signal, bool inline_object) {
  Json warnings = Json::array();
  if (!inline_object) {
    warnings = signal.warnings;
  } else if (!signal.warnings.empty()) {
    // An upstream's warning may quote the query.
    warnings.push_back(std::to_string(signal.warnings.size()) +
                       " from the upstream, not shown for inline objects");
  }
  return {{"name", signal.name},
          {"type", signal.type},
          {"state", policy::StateName(signal.state)},
          {"value", Number(signal.value)},
          {"at_least", signal.at_least},
          {"demand_replicas", Number(signal.demand)},
          {"age_seconds", signal.age ? Seconds(*signal.age) : Json(nullptr)},
          {"up", signal.up},
          {"active", signal.active},
          {"winner", signal.winner},
          {"reading_time", Time(signal.reading_time)},
          {"error", signal.error.empty() ? Json(nullptr) : Json(signal.error)},
          {"warnings", std::move(warnings)},
          {"detail", signal.detail},
          {"next_change", Time(signal.next_change)},
          {"lifted_value", Number(signal.lifted)},
          {"forecast", signal.forecast ? ForecastJson(*signal.forecast) : Json(nullptr)}};
}

Json DecisionHeadline(const policy::Policy& policy,
                      const policy::Decision& decision,
                      bool inline_object) {
  const bool has_target = !decision.error;
  return {{"target_replicas", has_target ? Json(decision.target_replicas) : Json(nullptr)},
          {"target_executors", has_target ? Json(decision.target_executors) : Json(nullptr)},
          {"active", decision.active},
          {"held", decision.held},
          {"bound", policy::BoundName(decision.bound)},
          {"summary", Summary(policy, decision, inline_object)},
          {"time", Time(decision.time)},
          {"valid_until", Time(decision.valid_until)},
          {"error", ErrorJson(decision.error)},
          {"headroom", decision.headroom ? HeadroomJson(*decision.headroom) : Json(nullptr)}};
}

Json DecisionExplanation(const policy::Policy& policy,
                         const policy::Decision& decision,
                         bool inline_object) {
  Json json = DecisionHeadline(policy, decision, inline_object);
  json["combined"] = Number(decision.combined);
  json["gated"] = decision.gated;
  json["with_headroom"] = Number(decision.with_headroom);
  json["clamped"] = Number(decision.clamped);
  json["stabilized"] = Number(decision.stabilized);
  json["stepped"] = Number(decision.stepped);
  Json& signals = json["signals"] = Json::array();
  for (const policy::SignalDecision& signal : decision.signals) {
    signals.push_back(SignalJson(signal, inline_object));
  }
  if (decision.headroom && !decision.of_headroom) {
    Json& counts = json["headroom"]["signals"] = Json::array();
    for (const policy::SignalDecision& signal : decision.headroom->signals) {
      counts.push_back(SignalJson(signal, inline_object));
    }
  }
  return json;
}

Json DefinitionJson(const policy::Policy& policy, bool inline_object) {
  const policy::ScaleDownStep& step = policy.scale_down.step;
  Json signals = Json::array();
  for (const policy::PolicySignal& signal : policy.signals) {
    signals.push_back(SignalDefinitionJson(signal));
  }
  const bool show_expression = policy.expression.has_value() && !inline_object;
  return {{"namespaces", policy.namespaces},
          {"min_replicas", policy.replicas.min},
          {"max_replicas", policy.replicas.max},
          {"executors_per_replica", policy.replicas.executors_per_replica},
          {"headroom_percent", Number(policy.replicas.headroom * 100)},
          {"combine", CombineName(policy.combine)},
          {"expression", show_expression ? Json(policy.expression->text()) : Json(nullptr)},
          {"stabilization_seconds", Seconds(policy.scale_down.stabilization)},
          {"step_percent", step.percent ? Number(step.amount) : Json(nullptr)},
          {"step_replicas", step.percent ? Json(nullptr) : Number(step.amount)},
          {"step_period_seconds", Seconds(step.period)},
          {"on_fault", FaultJson(policy.on_fault)},
          {"metric_mode",
           policy.metric_mode == policy::MetricMode::kPerSignal ? "per-signal" : "combined"},
          {"signals", std::move(signals)}};
}

}  // namespace stoker::adapter
