#include <algorithm>
#include <utility>

#include "core/text.h"
#include "upstream/aws/credential_sources.h"
#include "upstream/http/url.h"

namespace stoker::aws {
namespace {

constexpr std::string_view kSource = "the container endpoint";

/// Plain HTTP to this machine or to the link-local addresses of ECS and of the EKS Pod Identity
/// agent, so that no variable can send the token elsewhere.
bool IsAllowed(const http::Url& url) {
  const std::string& host = url.host;
  if (url.secure()) return false;
  if (host == "169.254.170.2" || host == "169.254.170.23" || host == "fd00:ec2::23" ||
      host == "::1") {
    return true;
  }
  const auto parts = Split(host, '.');
  return parts.size() == 4 && parts[0] == "127" && std::ranges::all_of(parts, [](auto part) {
           return !part.empty() && part.size() <= 3 &&
                  std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
         });
}

}  // namespace

Source FromContainer(const CredentialsDeps& deps, MonoTime deadline) {
  const std::string relative = Variable(deps.environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  std::string address = Variable(deps.environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (relative.empty() && address.empty()) return std::nullopt;
  if (!relative.empty()) {
    if (!relative.starts_with('/')) {
      return SourceError(ErrorCode::kUnauthenticated,
                         kSource,
                         "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must start with /");
    }
    address = "http://169.254.170.2" + relative;
  }
  const Result<http::Url> url = http::ParseUrl(address);
  if (!url || !IsAllowed(*url)) {
    return SourceError(
        ErrorCode::kPermissionDenied,
        kSource,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI may only be http:// to a loopback address, "
        "169.254.170.2, 169.254.170.23 or [fd00:ec2::23]");
  }
  std::string token = Variable(deps.environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (const std::string file = Variable(deps.environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
      !file.empty()) {
    const Result<std::string> text = deps.files.Read(file);
    if (!text) return SourceError(text.error().code, kSource, text.error().message);
    token = Trim(*text);
  }
  if (token.find_first_of("\r\n") != std::string::npos) {
    return SourceError(
        ErrorCode::kUnauthenticated, kSource, "the authorization token must be a single line");
  }

  HttpRequest request;
  request.url = address;
  if (!token.empty()) request.headers.push_back({"Authorization", token});
  request.deadline = deadline;
  request.max_body_bytes = 64U << 10U;
  const Result<HttpResponse> response = deps.transport->Send(request);
  if (!response) return SourceError(response.error().code, kSource, response.error().message);
  if (response->status != 200) {
    return SourceError(
        response->status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kUnauthenticated,
        kSource,
        "it answered HTTP " + std::to_string(response->status) +
            "; check the pod identity association or the task role");
  }
  Result<Fetched> fetched = ParseCredentialsJson(response->body);
  if (!fetched) return SourceError(fetched.error().code, kSource, fetched.error().message);
  return std::move(*fetched);
}

}  // namespace stoker::aws
