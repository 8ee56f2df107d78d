#include "scalers/spark/driver_url.h"

#include <algorithm>

#include "core/text.h"
#include "upstream/http/url.h"

namespace stoker::scalers {
namespace {

constexpr std::string_view kNamespace = "{namespace}";
constexpr std::string_view kApplication = "{application}";
constexpr std::size_t kMaxLabel = 63;  // RFC 1035
constexpr std::size_t kMaxName = 253;

std::string Replace(std::string text, std::string_view what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

}  // namespace

bool IsDnsLabel(std::string_view text) {
  return !text.empty() && text.size() <= kMaxLabel && text.front() != '-' && text.back() != '-' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

Result<DriverUrl> DriverUrl::Parse(std::string_view text) {
  while (text.ends_with('/')) text.remove_suffix(1);
  DriverUrl url{std::string(text)};
  const std::string sample = Replace(Replace(url.text_, kNamespace, "n"), kApplication, "a");
  if (sample.find_first_of("{}") != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "only {namespace} and {application} may stand in braces");
  }
  const Result<http::Url> parsed = http::ParseUrl(sample);
  if (!parsed) return Fail(parsed.error());
  if (parsed->target.find('?') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "the URL must have no query (?)");
  }
  return url;
}

bool DriverUrl::needs_namespace() const { return text_.find(kNamespace) != std::string::npos; }

bool DriverUrl::needs_application() const { return text_.find(kApplication) != std::string::npos; }

Result<std::string> DriverUrl::For(const std::string& name_space,
                                   const std::string& application) const {
  const auto check = [](const char* key, const std::string& value) -> Status {
    if (IsDnsLabel(value)) return {};
    return Fail(ErrorCode::kInvalidArgument,
                std::string("'") + key +
                    "' becomes part of driverUrl and must be lower case letters, digits and "
                    "hyphens, at most 63");
  };
  Status status;
  if (needs_namespace()) status = check("namespace", name_space);
  if (status && needs_application()) status = check("application", application);
  if (!status) return Fail(status.error());

  std::string text = Replace(Replace(text_, kNamespace, name_space), kApplication, application);
  const Result<http::Url> url = http::ParseUrl(text);
  if (!url) return Fail(url.error());
  const std::vector<std::string_view> labels = Split(url->host, '.');
  if (url->host.size() > kMaxName || std::ranges::any_of(labels, [](std::string_view label) {
        return label.size() > kMaxLabel;
      })) {
    return Fail(ErrorCode::kInvalidArgument,
                "driverUrl gets a host name that is longer than names can be; shorten "
                "'application'");
  }
  return text;
}

}  // namespace stoker::scalers
