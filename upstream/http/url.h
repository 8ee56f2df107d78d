#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace stoker::http {

/// The parts of an absolute http(s) URL.
struct Url {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< lower case; an IPv6 address without its brackets
  std::string port;    ///< always set: "80" or "443" when the URL has none
  std::string target;  ///< path and query, starts with "/"

  [[nodiscard]] bool secure() const { return scheme == "https"; }
  /// What the Host header says: brackets around IPv6, no port when it is the scheme's own.
  [[nodiscard]] std::string Authority() const;
};

/// Splits a URL that is already percent-encoded. kInvalidArgument, without repeating the text, for
/// another scheme, a user or password (they would end up in logs), a fragment, a bad host or port,
/// blanks and control characters.
Result<Url> ParseUrl(std::string_view text);

/// Percent-encodes all but RFC 3986's unreserved characters, and "/" when `keep_slash`.
std::string PercentEncode(std::string_view text, bool keep_slash = false);

}  // namespace stoker::http
