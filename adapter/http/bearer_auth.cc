#include "adapter/http/bearer_auth.h"

#include <openssl/crypto.h>

#include "core/net_address.h"
#include "core/text.h"

namespace stoker::adapter {
namespace {

constexpr std::string_view kScheme = "bearer ";

bool SameToken(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

BearerAuth::BearerAuth(const HttpListener& listener, const FileSystem& files)
    : files_(files), tokens_file_(listener.tokens_file) {
  const Result<ListenAddress> address = ParseListenAddress(listener.listen);
  open_ =
      listener.auth_off || (tokens_file_.empty() && address.has_value() && address->IsLoopback());
}

Status BearerAuth::Check(std::string_view authorization) const {
  if (open_) return {};
  if (tokens_file_.empty()) {
    return Fail(
        ErrorCode::kUnauthenticated,
        "this server gives explanations to nobody yet: set server.http.auth.tokensFile to a "
        "file of bearer tokens, or server.http.auth to off");
  }
  if (authorization.size() <= kScheme.size() ||
      !EqualsIgnoreCase(authorization.substr(0, kScheme.size()), kScheme)) {
    return Fail(ErrorCode::kUnauthenticated,
                "send a token of server.http.auth.tokensFile as 'Authorization: Bearer TOKEN'");
  }
  const std::string_view shown = Trim(authorization.substr(kScheme.size()));
  const Result<std::string> content = files_.Read(tokens_file_);
  if (!content) {
    return Fail(
        ErrorCode::kUnavailable,
        "tokens cannot be checked: the file of server.http.auth.tokensFile is not readable");
  }
  bool known = false;
  for (const std::string_view line : Split(*content, '\n')) {
    const std::string_view token = Trim(line);
    if (token.empty() || token.starts_with('#')) continue;
    if (SameToken(token, shown))
      known = true;  // goes on, so that the place does not show in the time
  }
  if (!known) {
    return Fail(ErrorCode::kUnauthenticated,
                "the token is not in the file of server.http.auth.tokensFile");
  }
  return {};
}

std::string BearerAuth::FirstToken() const {
  if (tokens_file_.empty()) return "";
  const Result<std::string> content = files_.Read(tokens_file_);
  if (!content) return "";
  for (const std::string_view line : Split(*content, '\n')) {
    const std::string_view token = Trim(line);
    if (!token.empty() && !token.starts_with('#')) return std::string(token);
  }
  return "";
}

}  // namespace stoker::adapter
