#pragma once

#include <memory>
#include <string_view>

#include "core/command_runner.h"
#include "core/environment.h"
#include "core/log.h"
#include "scalers/registry.h"
#include "upstream/http/beast_transport.h"

namespace stoker::cli {

class NobodyWatches final : public UpstreamObserver {
 public:
  void OnUpstreamRequest(std::string_view, int) override {}
};

/// What a command compiles a configuration against outside the service: the machine's own clock,
/// environment, files and network. Compiling sends nothing anywhere. Outlives what it compiled.
struct Workshop {
  Workshop() { scalers::RegisterBuiltinScalers(registry); }
  SystemClock clock;
  SystemRandom random;
  SystemEnvironment environment;
  SystemFileSystem files;
  SystemCommandRunner commands{clock, environment};
  NobodyWatches observer;
  std::unique_ptr<Logger> logger = MakeStderrLogger(LogFormat::kText, LogLevel::kError);
  http::BeastTransportFactory transports{clock, files};
  scalers::Registry registry;
  scalers::PushedValues pushed;
  scalers::ScalerDeps deps{
      clock, random, environment, files, transports, observer, *logger, pushed};
};

}  // namespace stoker::cli
