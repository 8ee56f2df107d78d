#pragma once

#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/command_runner.h"
#include "core/result.h"
#include "upstream/kubernetes/access.h"

namespace stoker::kubernetes {

/// What a credential plugin answers.
struct ExecToken {
  std::string token;
  std::optional<WallTime> expires;  ///< empty: not known
};

/// Reads an ExecCredential. kUnavailable when it is none, has another apiVersion, or no token (a
/// client certificate is not supported); messages repeat nothing of it. Never throws.
Result<ExecToken> ParseExecCredential(std::string_view text, const std::string& api_version);

/// The token of a credential plugin, asked for again once it has run out or was not accepted.
/// Thread-safe; one caller runs the program while the others wait for it.
class ExecCredentials {
 public:
  /// `clock` and `commands` outlive it.
  ExecCredentials(ExecPlugin plugin, const Clock& clock, CommandRunner& commands)
      : plugin_(std::move(plugin)), clock_(clock), commands_(commands) {}

  Result<std::string> Get(MonoTime deadline, const std::stop_token& stop);
  /// The API server does not accept it.
  void Invalidate();

 private:
  const ExecPlugin plugin_;
  const Clock& clock_;
  CommandRunner& commands_;
  std::mutex mutex_;
  std::optional<ExecToken> current_;
};

}  // namespace stoker::kubernetes
