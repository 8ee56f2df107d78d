// What a decision costs, beside its own baseline: the plain policy without any look-back.

#include <benchmark/benchmark.h>

#include "policy/decision.h"

namespace stoker::policy {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr WallTime kNow{std::chrono::hours(490'000)};

/// Three signals read every 15 s for `readings` slots.
std::vector<SignalInput> Inputs(int readings) {
  std::vector<SignalInput> inputs(3);
  for (std::size_t signal = 0; signal < inputs.size(); ++signal) {
    auto window = std::make_shared<std::vector<Reading>>();
    for (int i = readings - 1; i >= 0; --i) {
      window->push_back(
          Reading{.time = kNow - seconds(15) * i,
                  .kind = Reading::Kind::kValue,
                  .value = static_cast<double>((i * 7 + static_cast<int>(signal)) % 40)});
    }
    inputs[signal].window = window;
  }
  return inputs;
}

Policy ThreeSignals() {
  Policy policy;
  policy.name = "bench";
  for (const char* name : {"one", "two", "three"}) {
    PolicySignal signal;
    signal.name = name;
    policy.signals.push_back(signal);
  }
  return policy;
}

void Run(benchmark::State& state, const Policy& policy) {
  const std::vector<SignalInput> inputs = Inputs(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Decide(policy, inputs, kNow));
}

void Plain(benchmark::State& state) { Run(state, ThreeSignals()); }

void Stabilized(benchmark::State& state) {
  Policy policy = ThreeSignals();
  policy.scale_down.stabilization = minutes(5);
  Run(state, policy);
}

void Stepped(benchmark::State& state) {
  Policy policy = ThreeSignals();
  policy.scale_down.stabilization = minutes(5);
  policy.scale_down.step = {.percent = true, .amount = 10, .period = minutes(1)};
  Run(state, policy);
}

BENCHMARK(Plain)->Arg(1)->Arg(1000);
BENCHMARK(Stabilized)->Arg(1000);
BENCHMARK(Stepped)->Arg(1000);

}  // namespace
}  // namespace stoker::policy

BENCHMARK_MAIN();
