#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/compile.h"
#include "capacity/manifests.h"
#include "cli/command.h"
#include "core/clock.h"
#include "core/result.h"
#include "upstream/kubernetes/client.h"

namespace stoker::cli {

struct HintsOptions {
  std::string format;    ///< one of capacity::HintFormatNames(), or "" with explain
  bool explain = false;  ///< say what is missing and why, instead
  bool diff = false;     ///< compare what `format` writes with the cluster
  std::vector<std::string> config;
  std::vector<std::string> policies;  ///< empty: all
  std::string name_space = "stoker";  ///< of objects whose policy names none
  std::optional<int> executors;       ///< the size to write
  std::string expander_address;       ///< "": the chart's
  std::string scaler_address;
  std::string server = "http://127.0.0.1:8080";  ///< whom to ask with explain and no config
  std::string token_file;
  std::string ca_file;
  std::string kubeconfig;  ///< "": where kubectl looks
  std::string context;
  std::string output = "text";  ///< or "json"
};

/// What the hints of these policies depend on; sizes are left at 0. kInvalidArgument names what the
/// configuration lacks.
Result<capacity::HintInput> ReadHintInput(const adapter::CompiledConfig& config,
                                          const HintsOptions& options);

/// An answer of /api/v1/hints as people read it.
struct HintsExplanation {
  std::string text;
  bool complete = true;  ///< nothing is missing, and nothing is an error
};
/// `policies`: only these; empty: all. kInvalidArgument when `json` is anything else.
Result<HintsExplanation> FormatHints(std::string_view json,
                                     const std::vector<std::string>& policies);

enum class Sizes : std::uint8_t { kCompare, kIgnore };

/// What applying the hint's objects would change, a line each; empty: nothing. kIgnore: how large a
/// CapacityBuffer is does not count, for whoever says no number means none.
Result<std::vector<std::string>> DiffHint(const capacity::Hint& hint,
                                          Sizes sizes,
                                          kubernetes::Client& client,
                                          MonoTime deadline);

/// Prints what `options` ask for; returns an ExitCode.
int Hints(const HintsOptions& options, Terminal& terminal);

}  // namespace stoker::cli
