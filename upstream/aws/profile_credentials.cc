#include <algorithm>
#include <array>
#include <map>

#include "core/text.h"
#include "upstream/aws/credential_sources.h"

namespace stoker::aws {
namespace {

constexpr std::string_view kSource = "the shared profile";

using Section = std::map<std::string, std::string>;

/// The keys of one section, empty when there is none. `text` is AWS' dialect of INI: comments start
/// a line with # or ; or follow a blank; indented lines belong to nested settings, of which we need
/// none.
std::optional<Section> ReadSection(std::string_view text, std::string_view wanted) {
  std::optional<Section> section;
  bool inside = false;
  for (std::string_view line : Split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#' || line.front() == ';' || line.front() == ' ' ||
        line.front() == '\t') {
      continue;
    }
    if (line.front() == '[') {
      inside = Trim(line.substr(1, std::min(line.find(']'), line.size()) - 1)) == wanted;
      if (inside && !section) section.emplace();
      continue;
    }
    const std::size_t equals = line.find('=');
    if (!inside || equals == std::string_view::npos) continue;
    std::string_view value = line.substr(equals + 1);
    value = value.substr(0, std::min(value.find(" #"), value.find(" ;")));
    (*section)[ToLower(Trim(line.substr(0, equals)))] = Trim(value);
  }
  return section;
}

/// A file that `variable` names, or else ~/.aws/`name`. Empty text when the latter does not exist.
Result<std::string> ReadShared(const Environment& environment,
                               const FileSystem& files,
                               std::string_view variable,
                               std::string_view name) {
  std::string path = Variable(environment, variable);
  const bool named = !path.empty();
  if (!named) {
    const std::string home = Variable(environment, "HOME");
    if (home.empty()) return std::string();
    path = home + "/.aws/" + std::string(name);
  }
  Result<std::string> text = files.Read(path);
  if (!text && !named && text.error().code == ErrorCode::kNotFound) return std::string();
  if (!text) return SourceError(text.error().code, kSource, text.error().message);
  return text;
}

}  // namespace

Source FromProfile(const Environment& environment, const FileSystem& files) {
  const std::string chosen = Variable(environment, "AWS_PROFILE");
  const std::string profile = chosen.empty() ? "default" : chosen;
  const Result<std::string> keys =
      ReadShared(environment, files, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
  if (!keys) return Fail(keys.error());
  const Result<std::string> config = ReadShared(environment, files, "AWS_CONFIG_FILE", "config");
  if (!config) return Fail(config.error());

  std::optional<Section> section = ReadSection(*config, "profile " + profile);
  if (!section && profile == "default") section = ReadSection(*config, profile);
  if (std::optional<Section> own = ReadSection(*keys, profile)) {
    if (section) own->merge(*section);  // what both files have, the credentials file decides
    section = std::move(own);
  }
  if (!section) {
    if (chosen.empty()) return std::nullopt;
    return SourceError(
        ErrorCode::kUnauthenticated,
        kSource,
        "AWS_PROFILE names a profile that neither the credentials nor the config file "
        "has; add it or unset AWS_PROFILE");
  }
  Credentials credentials{(*section)["aws_access_key_id"],
                          (*section)["aws_secret_access_key"],
                          (*section)["aws_session_token"]};
  if (!credentials.access_key_id.empty() && !credentials.secret_access_key.empty()) {
    return Fetched{std::move(credentials), std::nullopt};
  }
  if (!credentials.access_key_id.empty() || !credentials.secret_access_key.empty()) {
    return SourceError(ErrorCode::kUnauthenticated,
                       kSource,
                       "a profile needs both aws_access_key_id and aws_secret_access_key");
  }
  static constexpr std::array<std::string_view, 8> kOtherWays{"credential_process",
                                                              "credential_source",
                                                              "login_session",
                                                              "role_arn",
                                                              "source_profile",
                                                              "sso_session",
                                                              "sso_start_url",
                                                              "web_identity_token_file"};
  for (const std::string_view key : kOtherWays) {
    if (!section->contains(std::string(key))) continue;
    return SourceError(ErrorCode::kUnauthenticated,
                       kSource,
                       std::string(key) +
                           " is not supported in a profile; use static keys there, or "
                           "web identity, container or instance credentials");
  }
  return std::nullopt;  // only a region and the like
}

}  // namespace stoker::aws
