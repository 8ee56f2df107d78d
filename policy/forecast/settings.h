#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/node.h"
#include "config/params.h"
#include "core/clock.h"

namespace stoker::forecast {

/// What a policy may use forecasts for.
enum class Lifts : std::uint8_t {
  kHeadroom,  ///< capacity ahead of the executors
  kReplicas,  ///< the target itself, too
};

/// `forecast:` of a policy. A plain value.
struct Settings {
  Duration step = std::chrono::minutes(5);        ///< between values of the history
  Duration window = std::chrono::hours(24 * 14);  ///< of history
  std::vector<Duration> seasons{std::chrono::hours(24), std::chrono::hours(24 * 7)};
  double quantile = 0.8;            ///< in (0, 1)
  std::optional<Duration> horizon;  ///< absent: the lead time
  Lifts lifts = Lifts::kHeadroom;
  std::vector<std::string> signals;  ///< names; empty: all but schedules and pushed values
};

/// Reads a `forecast:` node. False when a diagnostic was added. That `signals` exist is for the
/// policy to check.
bool ReadSettings(const config::Node& node, Settings& out, config::Diagnostics& diagnostics);

/// The keys of `forecast`, for docs and schema.
const std::vector<config::ParamInfo>& SettingsParams();

}  // namespace stoker::forecast
