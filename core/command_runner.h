#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/environment.h"
#include "core/result.h"

namespace stoker {

/// A program and what it is given. No shell sees any of it.
struct Command {
  std::string program;  ///< a path, or a name that is looked up in PATH
  std::vector<std::string> arguments{};
  std::map<std::string, std::string> environment{};  ///< added to ours
};

/// Runs programs, which the serving path never does: for commands that people type. Thread-safe.
class CommandRunner {
 public:
  virtual ~CommandRunner() = default;
  /// What the program writes to stdout, at most 1 MiB, once it has ended with exit code 0. Its
  /// stderr is ours, its stdin is empty. At the deadline or a stop it is killed, with its children.
  /// kNotFound (no such program), kUnavailable (another exit code), kResourceExhausted,
  /// kDeadlineExceeded or kCancelled; messages name the program alone.
  virtual Result<std::string> Run(const Command& command,
                                  MonoTime deadline,
                                  const std::stop_token& stop) = 0;
};

class SystemCommandRunner final : public CommandRunner {
 public:
  /// Both outlive it.
  SystemCommandRunner(const Clock& clock, const Environment& environment)
      : clock_(clock), environment_(environment) {}
  Result<std::string> Run(const Command& command,
                          MonoTime deadline,
                          const std::stop_token& stop) override;

 private:
  const Clock& clock_;
  const Environment& environment_;
};

}  // namespace stoker
