#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/result.h"

namespace stoker::adapter {

/// A configuration in the program, for the first five minutes: a folder and a schedule, loopback
/// only.
extern const char* const kEmbeddedConfig;
/// The folder it counts files in, relative to the working folder.
extern const char* const kEmbeddedFolder;

struct AppOptions {
  std::vector<std::string> config_paths;  ///< files and folders; none: kEmbeddedConfig
  std::string version;
  Duration reload_period = std::chrono::milliseconds(200);  ///< how often files are looked at
  Duration drain = std::chrono::seconds(10);                ///< at most, for open calls at shutdown
};

/// The whole service on real parts. Start returns once it listens; Stop drains: readiness goes
/// false, streams end with OK, calls finish. Start and Stop from one thread.
class App {
 public:
  /// kInvalidArgument: the configuration is bad, the message has a line per mistake. kUnavailable:
  /// a port or a certificate.
  static Result<std::unique_ptr<App>> Start(const AppOptions& options, Logger& logger);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// Read the configuration again now. A bad one is refused whole and logged; the old one stays.
  void Reload();
  void Stop();

  [[nodiscard]] int grpc_port() const;
  [[nodiscard]] int expander_port() const;  ///< 0: off
  [[nodiscard]] int http_port() const;
  [[nodiscard]] int probes_port() const;

 private:
  struct Impl;
  explicit App(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoker::adapter
