#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "upstream/aws/credentials.h"

// The parts behind credentials.h; nothing outside upstream/aws includes this.
namespace stoker::aws {

/// What a source gave.
struct Fetched {
  Credentials credentials;
  std::optional<WallTime> expires;  ///< absent for long-lived keys
};

/// One look at one source: empty when the source is not configured, an Error when it is and fails.
using Source = Result<std::optional<Fetched>>;

Source FromEnvironment(const Environment& environment);
Source FromWebIdentity(const CredentialsDeps& deps, const std::string& region, MonoTime deadline);
Source FromProfile(const Environment& environment, const FileSystem& files);
Source FromContainer(const CredentialsDeps& deps, MonoTime deadline);
/// Not configured only when switched off. Waits a second or two at most, since off EC2 nobody may
/// answer.
Source FromInstance(const CredentialsDeps& deps, MonoTime deadline);

/// The JSON that container and instance endpoints answer with. kUnavailable when it is something
/// else.
Result<Fetched> ParseCredentialsJson(std::string_view body);

/// Keeps what `fetch` gave until 5 minutes before it expires, or `recheck` when it does not expire.
std::shared_ptr<CredentialsProvider> MakeCachingProvider(
    const Clock& clock,
    Logger& logger,
    Duration recheck,
    std::function<Result<Fetched>(MonoTime deadline)> fetch);

/// "AWS credentials from SOURCE: TEXT"
inline tl::unexpected<Error> SourceError(ErrorCode code,
                                         std::string_view source,
                                         std::string_view text) {
  std::string message = "AWS credentials from ";
  message.append(source).append(": ").append(text);
  return Fail(code, std::move(message));
}

/// A variable's value; empty when unset or set to nothing.
inline std::string Variable(const Environment& environment, std::string_view name) {
  return environment.Get(name).value_or("");
}

}  // namespace stoker::aws
