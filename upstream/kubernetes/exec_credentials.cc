#include "upstream/kubernetes/exec_credentials.h"

#include <utility>

#include "core/units.h"
#include "upstream/kubernetes/json.h"

namespace stoker::kubernetes {
namespace {

// A token must not run out on its way.
constexpr std::chrono::seconds kEarly{10};

}  // namespace

Result<ExecToken> ParseExecCredential(std::string_view text, const std::string& api_version) {
  const Result<nlohmann::json> answer = ParseJson(text);
  if (!answer || Text(*answer, {"kind"}) != "ExecCredential") {
    return Fail(ErrorCode::kUnavailable, "its answer is no ExecCredential");
  }
  if (Text(*answer, {"apiVersion"}) != api_version) {
    return Fail(ErrorCode::kUnavailable, "its answer has another apiVersion than " + api_version);
  }
  ExecToken token{Text(*answer, {"status", "token"}), std::nullopt};
  if (token.token.empty()) {
    return Fail(ErrorCode::kUnavailable,
                "it gave no token; plugins that give client certificates are not supported");
  }
  if (const auto time = ParseTime(Text(*answer, {"status", "expirationTimestamp"}))) {
    token.expires = *time;
  }
  return token;
}

Result<std::string> ExecCredentials::Get(MonoTime deadline, const std::stop_token& stop) {
  const std::scoped_lock lock(mutex_);
  const bool sound =
      current_ && (!current_->expires || clock_.WallNow() + kEarly < *current_->expires);
  if (sound) return current_->token;
  current_.reset();
  const Result<std::string> output = commands_.Run(plugin_.command, deadline, stop);
  if (!output) {
    const bool missing = output.error().code == ErrorCode::kNotFound && !plugin_.hint.empty();
    return Fail(
        output.error().code == ErrorCode::kNotFound ? ErrorCode::kUnavailable : output.error().code,
        "logging in by exec: " + output.error().message +
            (missing ? "; " + plugin_.hint : "; run it by hand to see why"));
  }
  Result<ExecToken> token = ParseExecCredential(*output, plugin_.api_version);
  if (!token) {
    return Fail(token.error().code,
                "logging in by exec: " + plugin_.command.program + ": " + token.error().message);
  }
  current_ = std::move(*token);
  return current_->token;
}

void ExecCredentials::Invalidate() {
  const std::scoped_lock lock(mutex_);
  current_.reset();
}

}  // namespace stoker::kubernetes
