#include "cli/health.h"

#include <chrono>
#include <memory>
#include <ostream>
#include <utility>

#include "core/environment.h"
#include "core/text.h"
#include "upstream/http/beast_transport.h"

namespace stoker::cli {
namespace {

constexpr std::chrono::seconds kPatience{3};

}  // namespace

int Health(const HealthOptions& options,
           HttpTransport& transport,
           const Clock& clock,
           Terminal& terminal) {
  HttpRequest request;
  request.url = options.server;
  while (request.url.ends_with('/')) request.url.pop_back();
  request.url += options.live ? "/healthz" : "/readyz";
  request.deadline = clock.MonotonicNow() + kPatience;
  const Result<HttpResponse> response = transport.Send(request);
  if (!response) {
    const bool usage = response.error().code == ErrorCode::kInvalidArgument;
    terminal.err << "stoker health: " << (usage ? "--server: " : "") << response.error().message
                 << '\n';
    return usage ? kUsage : kUpstream;
  }
  if (response->status != 200) {
    terminal.err << "stoker health: the server answered " << response->status << ": "
                 << Trim(response->body) << '\n';
    return kNo;
  }
  terminal.out << Trim(response->body) << '\n';
  return kOk;
}

void AddHealthCommand(CLI::App& app, Terminal& terminal, Run& run) {
  auto options = std::make_shared<HealthOptions>();
  CLI::App* command =
      app.add_subcommand("health", "Ask a server's probe, as a container's health check does");
  command->add_option("--server", options->server, "Where the server's probes are")
      ->capture_default_str();
  command->add_flag(
      "--live", options->live, "Whether it runs at all, rather than whether it is ready");
  command->footer(
      "Exit codes: 0 it is well, 1 it is not (yet), 2 bad usage, 3 it cannot be reached.\n\n"
      "Examples:\n"
      "  stoker health\n"
      "  stoker health --server http://10.0.0.7:8081 --live");
  command->callback([options, &terminal, &run] {
    run = [options, &terminal] {
      const SystemClock clock;
      const SystemFileSystem files;
      http::BeastTransportFactory factory(clock, files);
      const Result<std::shared_ptr<HttpTransport>> transport = factory.Create({});
      if (!transport) {
        terminal.err << "stoker health: " << transport.error().message << '\n';
        return static_cast<int>(kUsage);
      }
      return Health(*options, **transport, clock, terminal);
    };
  });
}

}  // namespace stoker::cli
