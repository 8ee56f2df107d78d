#include "upstream/http/url.h"

#include <algorithm>

#include "core/text.h"
#include "core/units.h"

namespace stoker::http {
namespace {

bool IsAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsHost(std::string_view host, bool bracketed) {
  const std::string_view extra = bracketed ? ":." : "-._";
  return !host.empty() && host.size() <= 255 && std::ranges::all_of(host, [&](char c) {
    return IsAlnum(c) || extra.find(c) != std::string_view::npos;
  });
}

tl::unexpected<Error> Bad(std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument, std::string(why));
}

}  // namespace

std::string Url::Authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (secure() ? "443" : "80")) text += ":" + port;
  return text;
}

Result<Url> ParseUrl(std::string_view text) {
  if (std::ranges::any_of(text, [](char c) { return c <= ' ' || c >= '\x7f'; })) {
    return Bad("a URL has no blanks, control or non-ASCII characters; percent-encode them");
  }
  const std::size_t colon = text.find("://");
  Url url;
  if (colon != std::string_view::npos) url.scheme = ToLower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") {
    return Bad("a URL must start with http:// or https://");
  }
  text.remove_prefix(colon + 3);
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  std::string_view authority = text.substr(0, end);
  const std::string_view target = text.substr(end);
  if (authority.find('@') != std::string_view::npos) {
    return Bad("a URL must not hold a user or password; configure them as files");
  }
  if (target.find('#') != std::string_view::npos) return Bad("a URL must not have a fragment (#)");

  const bool bracketed = authority.starts_with('[');
  const std::size_t host_end =
      bracketed ? authority.find(']') : std::min(authority.find(':'), authority.size());
  if (host_end == std::string_view::npos) return Bad("a URL's IPv6 address must end with ]");
  const std::string_view host =
      bracketed ? authority.substr(1, host_end - 1) : authority.substr(0, host_end);
  if (!IsHost(host, bracketed)) return Bad("a URL needs a host name or address");
  url.host = ToLower(host);

  std::string_view port = authority.substr(bracketed ? host_end + 1 : host_end);
  url.port = url.secure() ? "443" : "80";
  if (!port.empty()) {
    const bool has_colon = port.front() == ':';
    port.remove_prefix(1);
    const Result<std::int64_t> number = ParseInteger(port);
    const bool digits = std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
    if (!has_colon || !digits || !number || *number < 1 || *number > 65535) {
      return Bad("a URL's port is a number from 1 to 65535");
    }
    url.port = std::to_string(*number);
  }
  url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  return url;
}

std::string PercentEncode(std::string_view text, bool keep_slash) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || (keep_slash && c == '/')) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return out;
}

}  // namespace stoker::http
