#pragma once

#include <string>
#include <vector>

#include "adapter/simulation.h"

namespace stoker::cli {

/// One policy's simulation, with what is needed to read it.
struct SimulatedPolicy {
  std::string name;
  int executors_per_replica = 1;
  adapter::Simulation simulation;
};

/// The figures, one row each, one column per policy.
std::string FiguresTable(const std::vector<SimulatedPolicy>& policies);

/// The changes of all targets in the order of time, the first `most` of them.
std::string ChangesTable(const std::vector<SimulatedPolicy>& policies, std::size_t most);

/// What holds at every multiple of `step` from the beginning on.
std::string StepsTable(const std::vector<SimulatedPolicy>& policies, Duration step);

/// A chart of executors over time for each policy, all on one scale, `width` columns wide: demand
/// that is met, what is wanted beyond the demand, and demand beyond what is wanted, as means over
/// the time that a column stands for. Block characters, or ASCII.
std::string Plot(const std::vector<SimulatedPolicy>& policies, int width, bool ascii);

/// All of it as one JSON document. `step`: the timeline at its multiples instead of the changes;
/// zero: the changes; `timeline` false: neither.
std::string SimulationJson(const std::vector<SimulatedPolicy>& policies,
                           const adapter::SimulationOptions& options,
                           bool timeline,
                           Duration step);

}  // namespace stoker::cli
