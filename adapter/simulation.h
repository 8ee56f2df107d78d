#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/signal.h"
#include "policy/decision.h"
#include "policy/policy.h"

namespace stoker::adapter {

/// What time is simulated, and how fast executors come.
struct SimulationOptions {
  WallTime from{};
  WallTime to{};  ///< exclusive
  /// From wanted to running. Releasing takes no time, and what is still starting goes first.
  Duration startup = std::chrono::seconds(60);
};

/// A stretch of time in which nothing changed. Everything is in replicas.
struct SimulatedSpan {
  WallTime begin{};
  WallTime end{};
  int target = 0;         ///< while unavailable: the last one, as an HPA keeps it
  int running = 0;        ///< of the target, started up
  double demand = 0;      ///< Decision::reactive; while unavailable: the last one
  bool available = true;  ///< false: the decision is an error, so there is no target
  bool held = false;      ///< some signal's last good reading serves
};

/// The target became another one, or came, or went.
struct SimulatedChange {
  WallTime time{};
  std::optional<int> before;  ///< absent at the beginning
  int target = 0;
  bool available = true;
  std::string why;  ///< policy::Summarize
};

/// What a policy would have cost and given. Shares of time are of `to` - `from`.
struct SimulationFigures {
  double hours = 0;  ///< simulated
  /// Integral of the target in executors: paid for from when they are wanted until they are
  /// released.
  double executor_hours = 0;
  /// Integral of the demand in executors, before headroom, bounds, stabilization and step.
  double demanded_executor_hours = 0;
  /// Integral of max(0, demand - running) in executors: work that found no executor, be it because
  /// they were starting, or because the policy did not want as many.
  double waiting_executor_hours = 0;
  double short_share = 0;  ///< of time in which demand was above running
  int increases = 0;       ///< of the target; the first one is where it begins, no change
  int decreases = 0;
  int peak_replicas = 0;
  double at_min_share = 0;  ///< of time with the target at replicas.min
  double at_max_share = 0;
  Duration held{0};         ///< time in which some signal was held
  Duration unavailable{0};  ///< time without a target: UNAVAILABLE to KEDA
};

struct Simulation {
  SimulationFigures figures;
  std::vector<SimulatedSpan> spans;  ///< without gaps from `from` to `to`
  std::vector<SimulatedChange> changes;
};

/// Runs `policy` over what its signals' polls found: `readings` in the order of policy.signals,
/// oldest first; those before `from` are what the first decisions look back on. Windows are kept
/// and decisions made as the service does, at every reading and whenever a decision ends to be
/// valid, on virtual time. What the first decision wants is running already. The workload follows
/// the target at once: KEDA's and the HPA's own delays, tolerance and fallback are not in it.
///
/// `histories`: the same at the steps of policy.forecast, for the signals it forecasts; what is
/// before `from` counts, as far back as its window. It looks as far ahead as its horizon, or the
/// startup.
Simulation Simulate(const policy::Policy& policy,
                    std::span<const std::vector<Reading>> readings,
                    const SimulationOptions& options,
                    std::span<const std::vector<Reading>> histories = {});

/// How far before `from` readings matter to the first decisions of `policy`.
Duration SimulationHistory(const policy::Policy& policy);

}  // namespace stoker::adapter
