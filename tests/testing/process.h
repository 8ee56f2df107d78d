#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace stoker::testing {

// For integration tests alone, which deal with real processes and so with real time.

/// A child process, killed and reaped at destruction, and by the kernel when the test itself dies.
class Process {
 public:
  /// `arguments[0]` is the program's path. stdout and stderr go to `output_file`, appended.
  /// `environment` is added to the test's own. Start it from a thread that outlives it. Fails with
  /// the mend when the program is not there.
  static Result<std::unique_ptr<Process>> Start(
      std::vector<std::string> arguments,
      std::string output_file,
      const std::map<std::string, std::string>& environment = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Sends SIGTERM, SIGKILL, SIGSTOP, ...; nothing when it has ended.
  void Signal(int number) const;
  /// Stops it as SIGSTOP does, and returns when all its threads stand still. SIGCONT lets it go on.
  void Freeze() const;
  /// Exit code, or 128 + the signal that ended it; empty when it still runs after `limit`.
  std::optional<int> Wait(Duration limit);
  [[nodiscard]] bool Running() { return !Wait(Duration::zero()); }
  /// What it has written so far.
  [[nodiscard]] std::string Output() const;

 private:
  Process(pid_t pid, std::string output_file) : pid_(pid), output_file_(std::move(output_file)) {}

  pid_t pid_;
  std::string output_file_;
  std::optional<int> exit_code_;
};

/// Asks every 20 ms until `condition` holds; false when it does not within `limit`.
bool WaitFor(const std::function<bool()>& condition, Duration limit);

/// A loopback TCP port that was free a moment ago.
int FreePort();

/// Whether something accepts connections at 127.0.0.1:`port` within `limit`.
bool WaitForPort(int port, Duration limit);

/// A new folder for one test, removed with all its content at destruction.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Writes a file in it and returns its path; `name` may hold folders.
  std::string Write(const std::string& name, const std::string& content) const;

 private:
  std::string path_;
};

}  // namespace stoker::testing
