#include <utility>

#include <pugixml.hpp>

#include "core/text.h"
#include "core/units.h"
#include "upstream/aws/credential_sources.h"
#include "upstream/aws/region.h"
#include "upstream/http/url.h"

namespace stoker::aws {
namespace {

constexpr std::string_view kSource = "web identity";

/// The mend for what STS refuses with.
tl::unexpected<Error> Refused(const HttpResponse& response) {
  pugi::xml_document document;
  document.load_buffer(response.body.data(), response.body.size());
  const std::string_view code =
      document.child("ErrorResponse").child("Error").child("Code").child_value();
  if (code == "ExpiredTokenException") {
    return SourceError(
        ErrorCode::kUnauthenticated,
        kSource,
        "the token has expired; the file AWS_WEB_IDENTITY_TOKEN_FILE must be kept fresh "
        "(a projected service account token is)");
  }
  if (code == "InvalidIdentityToken") {
    return SourceError(ErrorCode::kUnauthenticated,
                       kSource,
                       "AWS does not accept the token; check that the cluster's OIDC provider is "
                       "registered in IAM");
  }
  if (code == "AccessDenied") {
    return SourceError(ErrorCode::kPermissionDenied,
                       kSource,
                       "the role AWS_ROLE_ARN may not be assumed; its trust policy must allow "
                       "sts:AssumeRoleWithWebIdentity for this service account");
  }
  return SourceError(response.status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kUnauthenticated,
                     kSource,
                     "STS answered HTTP " + std::to_string(response.status));
}

}  // namespace

Source FromWebIdentity(const CredentialsDeps& deps, const std::string& region, MonoTime deadline) {
  const std::string token_file = Variable(deps.environment, "AWS_WEB_IDENTITY_TOKEN_FILE");
  if (token_file.empty()) return std::nullopt;
  const std::string role = Variable(deps.environment, "AWS_ROLE_ARN");
  if (role.empty()) {
    return SourceError(ErrorCode::kUnauthenticated,
                       kSource,
                       "AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN is not; set it");
  }
  if (!IsRegion(region)) {
    return SourceError(
        ErrorCode::kUnauthenticated, kSource, "the connection needs a region, to find STS there");
  }
  const Result<std::string> token = deps.files.Read(token_file);
  if (!token) return SourceError(token.error().code, kSource, token.error().message);
  std::string session = Variable(deps.environment, "AWS_ROLE_SESSION_NAME");
  if (session.empty()) session = "stoker";

  HttpRequest request;
  request.method = "POST";
  request.url = "https://" + ServiceHost("sts", region) + "/";
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  request.body =
      "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + http::PercentEncode(role) +
      "&RoleSessionName=" + http::PercentEncode(session) +
      "&WebIdentityToken=" + http::PercentEncode(Trim(*token));
  request.deadline = deadline;
  request.max_body_bytes = 64U << 10U;
  const Result<HttpResponse> response = deps.transport->Send(request);
  if (!response) return SourceError(response.error().code, kSource, response.error().message);
  if (response->status != 200) return Refused(*response);

  pugi::xml_document document;
  const bool parsed = document.load_buffer(response->body.data(), response->body.size());
  const pugi::xml_node node = document.child("AssumeRoleWithWebIdentityResponse")
                                  .child("AssumeRoleWithWebIdentityResult")
                                  .child("Credentials");
  Fetched fetched{{node.child_value("AccessKeyId"),
                   node.child_value("SecretAccessKey"),
                   node.child_value("SessionToken")},
                  std::nullopt};
  const Result<WallTime> expires = ParseTime(node.child_value("Expiration"));
  if (!parsed || fetched.credentials.access_key_id.empty() ||
      fetched.credentials.secret_access_key.empty() || fetched.credentials.session_token.empty() ||
      !expires) {
    return SourceError(ErrorCode::kUnavailable, kSource, "the answer of STS holds no credentials");
  }
  fetched.expires = *expires;
  return fetched;
}

}  // namespace stoker::aws
