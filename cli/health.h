#pragma once

#include <string>

#include "cli/command.h"
#include "core/clock.h"
#include "core/http_transport.h"

namespace stoker::cli {

struct HealthOptions {
  std::string server = "http://127.0.0.1:8081";  ///< of the probes
  bool live = false;                             ///< ask /healthz instead of /readyz
};

/// Asks a server's probe once, for images that hold nothing else that could ask (a container's
/// health check). What it answers is printed: on `out` with kOk when it is well, else on `err` with
/// kNo (it answered, and is not), kUpstream (no answer) or kUsage (no such address).
int Health(const HealthOptions& options,
           HttpTransport& transport,
           const Clock& clock,
           Terminal& terminal);

}  // namespace stoker::cli
