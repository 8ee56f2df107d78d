#include <csignal>
#include <filesystem>
#include <ostream>
#include <string>
#include <system_error>
#include <vector>

#include "adapter/app.h"
#include "cli/command.h"
#include "cli/version.h"
#include "core/log.h"

namespace stoker::cli {
namespace {

struct ServeOptions {
  std::vector<std::string> config;
  std::string log_format = "text";
  std::string log_level = "info";
  bool print_config = false;
};

/// Blocks the signals serve waits for. Threads inherit the mask, so this comes before any is
/// started.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

int Serve(const ServeOptions& options, Terminal& terminal) {
  if (options.print_config) {
    terminal.out << adapter::kEmbeddedConfig;
    return kOk;
  }
  const sigset_t signals = BlockSignals();
  const LogFormat format = options.log_format == "json" ? LogFormat::kJson : LogFormat::kText;
  LogLevel level = LogLevel::kInfo;
  if (options.log_level == "debug") level = LogLevel::kDebug;
  if (options.log_level == "warn") level = LogLevel::kWarn;
  if (options.log_level == "error") level = LogLevel::kError;
  const std::unique_ptr<Logger> logger = MakeStderrLogger(format, level);

  if (options.config.empty()) {
    std::error_code error;
    std::filesystem::create_directories(adapter::kEmbeddedFolder, error);
    if (error) {
      terminal.err << "stoker serve: cannot create ./" << adapter::kEmbeddedFolder << ": "
                   << error.message()
                   << "; start it in a folder you may write to, or pass --config\n";
      return kUsage;
    }
    logger->Info(
        "no --config: using the embedded configuration (see `stoker serve --print-config`)",
        {{"folder", adapter::kEmbeddedFolder}});
  }
  adapter::AppOptions app_options;
  app_options.config_paths = options.config;
  app_options.version = kVersion;
  Result<std::unique_ptr<adapter::App>> app = adapter::App::Start(app_options, *logger);
  if (!app) {
    terminal.err << app.error().message << '\n';
    return app.error().code == ErrorCode::kInvalidArgument ? kUsage : kUpstream;
  }
  while (true) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal == SIGHUP) {
      (*app)->Reload();
      continue;
    }
    logger->Info("stopping: letting calls in progress finish");
    (*app)->Stop();
    return kOk;
  }
}

}  // namespace

void AddServeCommand(CLI::App& app, Terminal& terminal, Run& run) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand(
      "serve", "Run the external scaler: gRPC for KEDA, HTTP for people and Prometheus");
  command
      ->add_option("-c,--config",
                   options->config,
                   "Configuration file or folder of *.yaml; may be given several times. "
                   "Without it an embedded one: the folder ./stoker-inbox and a schedule")
      ->envname("STOKER_CONFIG");
  command->add_option("--log-format", options->log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->envname("STOKER_LOG_FORMAT")
      ->capture_default_str();
  command->add_option("--log-level", options->log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->envname("STOKER_LOG_LEVEL")
      ->capture_default_str();
  command->add_flag("--print-config",
                    options->print_config,
                    "Print the embedded configuration, a starting point for your own, and exit");
  command->footer(
      "Files are looked at every 0.2 s and on SIGHUP; a bad one is refused whole and the old\n"
      "configuration stays. SIGTERM and SIGINT drain: open calls finish, streams end with OK.\n"
      "Any scalar can be overridden: STOKER_SERVER__GRPC__LISTEN=0.0.0.0:7000.\n\n"
      "Examples:\n"
      "  stoker serve\n"
      "  stoker serve --config /etc/stoker --log-format json");
  command->callback([options, &terminal, &run] {
    run = [options, &terminal] { return Serve(*options, terminal); };
  });
}

}  // namespace stoker::cli
