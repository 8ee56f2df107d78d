#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include <CLI/CLI.hpp>

namespace stoker::cli {

/// Exit codes every command keeps to.
enum ExitCode : int {
  kOk = 0,
  kNo = 1,        ///< the answer is "no" or a check failed
  kUsage = 2,     ///< bad usage or input
  kUpstream = 3,  ///< an upstream failed
};

/// Where a command prints: data on `out`, everything else on `err`; colour and progress only on a
/// terminal.
struct Terminal {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
};

/// Each command adds itself to the app and, when chosen, sets `run`, which main calls after
/// parsing. run returns an ExitCode and does not throw.
using Run = std::function<int()>;
void AddServeCommand(CLI::App& app, Terminal& terminal, Run& run);
void AddCheckCommand(CLI::App& app, Terminal& terminal, Run& run);
void AddExplainCommand(CLI::App& app, Terminal& terminal, Run& run);
void AddHintsCommand(CLI::App& app, Terminal& terminal, Run& run);
void AddQueryCommand(CLI::App& app, Terminal& terminal, Run& run);
void AddSchemaCommand(CLI::App& app, Terminal& terminal, Run& run);
void AddHealthCommand(CLI::App& app, Terminal& terminal, Run& run);
void AddSimulateCommand(CLI::App& app, Terminal& terminal, Run& run);

}  // namespace stoker::cli
