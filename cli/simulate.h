#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "core/clock.h"

namespace stoker::cli {

struct SimulateOptions {
  std::vector<std::string> config;
  std::vector<std::string> policies;  ///< empty: all
  std::string csv;
  std::string from;  ///< as people write them; empty: see Simulate
  std::string to;
  std::string recorded;  ///< prometheus connection that has Stoker's own metrics
  Duration startup = std::chrono::seconds(60);
  std::optional<Duration> step;     ///< of --timeline all; default: the shortest interval
  std::optional<Duration> row_age;  ///< default: each signal's maxAge
  Duration timeout = std::chrono::seconds(60);  ///< for asking about the past
  std::string timeline = "changes";             ///< or "all", "none"
  bool json = false;
  bool plot = false;
  bool ascii = false;
  int width = 80;
};

/// Simulates what `options` say and prints to `terminal`; returns an ExitCode. Without `from` and
/// `to` it is from the first row of the CSV to the last; without a CSV, `to` is now.
int Simulate(const SimulateOptions& options, Terminal& terminal);

}  // namespace stoker::cli
