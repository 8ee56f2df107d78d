#pragma once

#include <string>
#include <string_view>

#include "cli/command.h"
#include "core/clock.h"
#include "core/environment.h"
#include "core/http_transport.h"
#include "core/result.h"

namespace stoker::cli {

struct ExplainOptions {
  std::string target;  ///< NAMESPACE/NAME; with an empty policy too: everything, a line each
  std::string policy;
  std::string server = "http://127.0.0.1:8080";
  std::string token_file;
  std::string ca_file;
  std::string output = "text";  ///< or "json"
  bool colour = false;
};

/// An answer of the HTTP API as people read it.
struct Explanation {
  std::string text;
  bool has_target = true;  ///< false when any decision shown is an error or still to come
};

/// `json` is what /api/v1/targets/{namespace}/{name} or /api/v1/policies/{name} answers.
/// kInvalidArgument when it is anything else.
Result<Explanation> FormatExplanation(std::string_view json, bool colour);

/// `json` is {"targets": [...], "policies": [...]}, the items of both lists.
Result<Explanation> FormatOverview(std::string_view json, bool colour);

/// Asks the server and prints; returns an ExitCode.
int Explain(const ExplainOptions& options,
            HttpTransport& transport,
            const Clock& clock,
            const FileSystem& files,
            Terminal& terminal);

}  // namespace stoker::cli
