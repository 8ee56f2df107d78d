#pragma once

#include <string>
#include <string_view>

#include "adapter/server_config.h"
#include "core/environment.h"
#include "core/result.h"

namespace stoker::adapter {

/// Who may read explanations: callers with a bearer token of `server.http.auth.tokensFile` (one a
/// line,
/// `#` starts a comment line; read at every use, so that a changed file counts at once). Without a
/// file, everybody on a listener that only this machine reaches, or with `auth: off`; nobody else.
/// Thread-safe. Tokens appear in no message.
class BearerAuth {
 public:
  /// `files` must outlive this.
  BearerAuth(const HttpListener& listener, const FileSystem& files);

  /// kUnauthenticated when the caller may not; kUnavailable when the tokens file cannot be read.
  [[nodiscard]] Status Check(std::string_view authorization) const;

  /// The first token of the file, to show to a server with the same one; "" when there is none.
  [[nodiscard]] std::string FirstToken() const;

 private:
  const FileSystem& files_;
  std::string tokens_file_;
  bool open_ = false;
};

}  // namespace stoker::adapter
