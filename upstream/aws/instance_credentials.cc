#include <algorithm>
#include <utility>

#include "core/text.h"
#include "upstream/aws/credential_sources.h"
#include "upstream/http/url.h"

namespace stoker::aws {
namespace {

constexpr std::string_view kSource = "instance metadata";
constexpr std::string_view kMend =
    "; give the pod or instance a role, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give "
    "the "
    "connection credentials: {accessKeyIdFile, secretAccessKeyFile}";

tl::unexpected<Error> Failed(ErrorCode code, std::string_view text) {
  return SourceError(code, kSource, std::string(text).append(kMend));
}

/// Base URL, without a slash at its end. Only this machine and link-local addresses.
Result<std::string> Endpoint(const Environment& environment) {
  std::string address = Variable(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (address.empty()) {
    const bool ipv6 =
        EqualsIgnoreCase(Variable(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "ipv6");
    return std::string(ipv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254");
  }
  const Result<http::Url> url = http::ParseUrl(address);
  const auto is_numeric = [](std::string_view host) {
    return host.find_first_not_of("0123456789.") == std::string_view::npos;
  };
  const bool allowed = url && !url->secure() &&
                       (url->host == "::1" || url->host == "fd00:ec2::254" ||
                        (is_numeric(url->host) &&
                         (url->host.starts_with("127.") || url->host.starts_with("169.254."))));
  if (!allowed) {
    return SourceError(ErrorCode::kPermissionDenied,
                       kSource,
                       "AWS_EC2_METADATA_SERVICE_ENDPOINT may only be http:// to a loopback or "
                       "link-local address");
  }
  while (address.ends_with('/')) address.pop_back();
  return address;
}

}  // namespace

Source FromInstance(const CredentialsDeps& deps, MonoTime deadline) {
  if (EqualsIgnoreCase(Variable(deps.environment, "AWS_EC2_METADATA_DISABLED"), "true")) {
    return std::nullopt;
  }
  const Result<std::string> endpoint = Endpoint(deps.environment);
  if (!endpoint) return Fail(endpoint.error());

  const auto send = [&](std::string method, std::string_view path, HttpHeader header) {
    HttpRequest request;
    request.method = std::move(method);
    request.url = *endpoint;
    request.url += path;
    request.headers.push_back(std::move(header));
    request.deadline =
        std::min(deadline, deps.clock.MonotonicNow() + Duration(std::chrono::seconds(1)));
    request.max_body_bytes = 64U << 10U;
    return deps.transport->Send(request);
  };

  const Result<HttpResponse> token =
      send("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds", "300"});
  if (!token) return Failed(ErrorCode::kUnauthenticated, "nobody answers");
  if (token->status != 200 || token->body.empty() ||
      token->body.find_first_of("\r\n") != std::string::npos) {
    return Failed(ErrorCode::kUnauthenticated, "IMDSv2 gives no token");
  }
  const HttpHeader proof{"X-aws-ec2-metadata-token", token->body};
  const std::string_view folder = "/latest/meta-data/iam/security-credentials/";
  const Result<HttpResponse> role = send("GET", folder, proof);
  if (!role) return Failed(ErrorCode::kUnavailable, "it stopped answering");
  const std::string_view name = Trim(std::string_view(role->body).substr(0, role->body.find('\n')));
  if (role->status != 200 || name.empty()) {
    return Failed(ErrorCode::kUnauthenticated, "the instance has no role");
  }
  const Result<HttpResponse> answer =
      send("GET", std::string(folder) + http::PercentEncode(name), proof);
  if (!answer) return Failed(ErrorCode::kUnavailable, "it stopped answering");
  if (answer->status != 200) {
    return Failed(ErrorCode::kUnavailable,
                  "it answered HTTP " + std::to_string(answer->status) + " for the role");
  }
  Result<Fetched> fetched = ParseCredentialsJson(answer->body);
  if (!fetched) return Failed(fetched.error().code, fetched.error().message);
  return std::move(*fetched);
}

}  // namespace stoker::aws
