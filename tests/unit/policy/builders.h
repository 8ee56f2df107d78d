#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policy/decision.h"
#include "policy/policy.h"

namespace stoker::policy {

// Short spellings for tables of readings. Times are offsets from one fixed moment.

constexpr WallTime kStart{std::chrono::hours(24 * 365 * 50)};

inline WallTime After(Duration offset) { return kStart + offset; }

inline Reading Value(Duration at, double value) {
  return {After(at), Reading::Kind::kValue, value, false};
}
inline Reading Empty(Duration at) { return {After(at), Reading::Kind::kEmpty, 0, false}; }
inline Reading Fault(Duration at) { return {After(at), Reading::Kind::kFault, 0, false}; }

inline SignalInput Input(std::vector<Reading> readings, std::string last_error = {}) {
  SignalInput input;
  input.window = std::make_shared<const std::vector<Reading>>(std::move(readings));
  input.last_error = std::move(last_error);
  return input;
}

inline PolicySignal Signal(std::string name, double target_size = 1, double activation = 0) {
  PolicySignal signal;
  signal.name = std::move(name);
  signal.type = "test";
  signal.demand.target_size = target_size;
  signal.demand.activation = activation;
  return signal;
}

inline Policy PolicyOf(std::vector<PolicySignal> signals, Combine combine = Combine::kMax) {
  Policy policy;
  policy.name = "etl";
  policy.combine = combine;
  policy.signals = std::move(signals);
  return policy;
}

inline Policy PolicyOf(std::vector<PolicySignal> signals, const std::string& expression) {
  std::vector<std::string> names;
  for (const PolicySignal& signal : signals) names.push_back(signal.name);
  Policy policy = PolicyOf(std::move(signals), Combine::kExpression);
  policy.expression = Expression::Compile(expression, names).value();
  return policy;
}

}  // namespace stoker::policy
