#pragma once

#include <optional>
#include <string>
#include <vector>

#include "adapter/compile.h"
#include "capacity/manifests.h"
#include "cli/command.h"
#include "core/result.h"

namespace stoker::cli {

struct HintsOptions {
  std::string format;  ///< one of capacity::HintFormatNames()
  std::vector<std::string> config;
  std::vector<std::string> policies;  ///< empty: all
  std::string name_space = "stoker";  ///< of objects whose policy names none
  std::optional<int> executors;       ///< the size to write
  std::string expander_address;       ///< "": the chart's
  std::string scaler_address;
  std::string output = "text";  ///< or "json"
};

/// What the hints of these policies depend on; sizes are left at 0. kInvalidArgument names what the
/// configuration lacks.
Result<capacity::HintInput> ReadHintInput(const adapter::CompiledConfig& config,
                                          const HintsOptions& options);

/// Prints what `options` ask for; returns an ExitCode.
int Hints(const HintsOptions& options, Terminal& terminal);

}  // namespace stoker::cli
