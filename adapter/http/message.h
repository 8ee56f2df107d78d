#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/http_transport.h"
#include "core/result.h"

namespace stoker::adapter {

/// One incoming request as the routes see it.
struct ApiRequest {
  std::string method = "GET";
  std::string path;                                        ///< percent-decoded, without the query
  std::vector<std::pair<std::string, std::string>> query;  ///< decoded
  std::string authorization;                               ///< the header, "" when there is none
  /// At most 1 MiB, "" when none was sent. Absent: it is of another type than application/json, and
  /// was not read.
  std::optional<std::string> body = "";
};

/// A complete answer.
struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<HttpHeader> headers;
};

/// {"error": {"code": ..., "message": ..., "field": ...}}; `field` names the parameter at fault, if
/// any.
HttpReply ErrorReply(int status,
                     std::string_view code,
                     std::string_view message,
                     std::string_view field = {});

/// The same with the status and code that belong to the error.
HttpReply ErrorReply(const Error& error, std::string_view field = {});

}  // namespace stoker::adapter
