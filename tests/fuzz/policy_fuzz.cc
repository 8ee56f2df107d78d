// Any YAML is a policy or complaints, never both nor neither; and a policy that passes decides.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "config/node.h"
#include "policy/decision.h"
#include "policy/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoker;
  using namespace std::chrono_literals;
  config::Diagnostics diagnostics;
  const auto node =
      config::ParseYaml({reinterpret_cast<const char*>(data), size}, "policy", diagnostics, 10'000);
  if (!node) return 0;
  auto parsed = policy::ParsePolicy("fuzz", *node, diagnostics);
  if (parsed.has_value() != diagnostics.empty()) std::abort();
  if (!parsed) return 0;
  constexpr WallTime kNow{std::chrono::hours(500'000)};
  std::vector<policy::SignalInput> inputs;
  double value = 1;
  for (const policy::NamedNode& named : parsed->signals) {
    policy::PolicySignal signal;
    signal.name = named.name;
    signal.on_fault = parsed->policy.on_fault;
    parsed->policy.signals.push_back(signal);
    inputs.emplace_back().window = std::make_shared<const std::vector<Reading>>(
        std::vector<Reading>{{kNow - 2h, Reading::Kind::kValue, value, false},
                             {kNow - 1min, Reading::Kind::kValue, 7 * value, false},
                             {kNow - 1s, Reading::Kind::kFault, 0, false}});
    value *= 3;
  }
  policy::CheckPolicy(parsed->policy, *node, diagnostics);
  if (!diagnostics.empty()) return 0;
  const policy::Decision decision = policy::Decide(parsed->policy, inputs, kNow);
  if (policy::Summarize(parsed->policy, decision).empty()) std::abort();
  if (decision.valid_until <= kNow) std::abort();
  if (decision.error) return 0;
  if (decision.target_replicas < parsed->policy.replicas.min ||
      decision.target_replicas > parsed->policy.replicas.max) {
    std::abort();
  }
  return 0;
}
