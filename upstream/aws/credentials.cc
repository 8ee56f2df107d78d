#include "upstream/aws/credentials.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "core/units.h"
#include "upstream/aws/credential_sources.h"

namespace stoker::aws {
namespace {

constexpr Duration kRecheck = std::chrono::seconds(10);

Result<Fetched> FetchDefault(const CredentialsDeps& deps,
                             const std::string& region,
                             MonoTime deadline) {
  Source source = FromEnvironment(deps.environment);
  if (source && !*source) source = FromWebIdentity(deps, region, deadline);
  if (source && !*source) source = FromProfile(deps.environment, deps.files);
  if (source && !*source) source = FromContainer(deps, deadline);
  if (source && !*source) source = FromInstance(deps, deadline);
  if (!source) return Fail(source.error());
  if (!*source) {
    return Fail(ErrorCode::kUnauthenticated,
                "no AWS credentials found: give the pod a role (IRSA or EKS Pod Identity), set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the connection "
                "credentials: {accessKeyIdFile, secretAccessKeyFile}");
  }
  return std::move(**source);
}

Result<std::string> ReadKey(const FileSystem& files, const std::string& path) {
  Result<std::string> text = files.Read(path);
  if (!text) return SourceError(text.error().code, "files", text.error().message);
  std::string key(Trim(*text));
  if (key.empty()) {
    return SourceError(
        ErrorCode::kUnauthenticated, "files", path + " is empty; it must hold the key");
  }
  return key;
}

}  // namespace

Source FromEnvironment(const Environment& environment) {
  Credentials credentials{Variable(environment, "AWS_ACCESS_KEY_ID"),
                          Variable(environment, "AWS_SECRET_ACCESS_KEY"),
                          Variable(environment, "AWS_SESSION_TOKEN")};
  if (credentials.access_key_id.empty() && credentials.secret_access_key.empty()) {
    return std::nullopt;
  }
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
    return SourceError(ErrorCode::kUnauthenticated,
                       "the environment",
                       "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set, or neither");
  }
  return Fetched{std::move(credentials), std::nullopt};
}

Result<Fetched> ParseCredentialsJson(std::string_view body) {
  const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  const auto text = [&](const char* key) -> std::string {
    if (!json.is_object()) return {};
    const auto it = json.find(key);
    return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  const std::string code = text("Code");
  Fetched fetched{{text("AccessKeyId"), text("SecretAccessKey"), text("Token")}, std::nullopt};
  if ((!code.empty() && code != "Success") || fetched.credentials.access_key_id.empty() ||
      fetched.credentials.secret_access_key.empty()) {
    return Fail(ErrorCode::kUnavailable, "the answer holds no credentials");
  }
  if (const std::string expiration = text("Expiration"); !expiration.empty()) {
    const Result<WallTime> expires = ParseTime(expiration);
    if (!expires) return Fail(ErrorCode::kUnavailable, "the answer's Expiration is no time");
    fetched.expires = *expires;
  }
  return fetched;
}

std::shared_ptr<CredentialsProvider> DefaultCredentials(const CredentialsDeps& deps,
                                                        const std::string& region) {
  return MakeCachingProvider(deps.clock, deps.logger, kRecheck, [deps, region](MonoTime deadline) {
    return FetchDefault(deps, region, deadline);
  });
}

std::shared_ptr<CredentialsProvider> FileCredentials(const CredentialsDeps& deps,
                                                     std::string access_key_id_file,
                                                     std::string secret_access_key_file) {
  return MakeCachingProvider(
      deps.clock,
      deps.logger,
      kRecheck,
      [&files = deps.files,
       id_file = std::move(access_key_id_file),
       secret_file = std::move(secret_access_key_file)](MonoTime) -> Result<Fetched> {
        Result<std::string> id = ReadKey(files, id_file);
        if (!id) return Fail(id.error());
        Result<std::string> secret = ReadKey(files, secret_file);
        if (!secret) return Fail(secret.error());
        return Fetched{{std::move(*id), std::move(*secret), {}}, std::nullopt};
      });
}

}  // namespace stoker::aws
