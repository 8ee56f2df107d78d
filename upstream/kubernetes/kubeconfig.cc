#include "upstream/kubernetes/kubeconfig.h"

#include <array>
#include <optional>
#include <utility>

#include "core/text.h"
#include "core/units.h"
#include "upstream/http/url.h"
#include "upstream/kubernetes/json.h"

namespace stoker::kubernetes {
namespace {

using nlohmann::json;

/// RFC 4648, with line breaks as kubeconfigs that were wrapped by hand have them.
std::optional<std::string> DecodeBase64(std::string_view text) {
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  std::size_t padding = 0;
  std::size_t digits = 0;
  for (const char c : text) {
    unsigned digit = 0;
    if (c == '\n' || c == '\r' || c == ' ') continue;
    ++digits;
    if (c == '=') {
      ++padding;
      continue;
    }
    if (c >= 'A' && c <= 'Z') {
      digit = static_cast<unsigned>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      digit = static_cast<unsigned>(c - 'a') + 26;
    } else if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0') + 52;
    } else if (c == '+' || c == '/') {
      digit = c == '+' ? 62 : 63;
    } else {
      return std::nullopt;
    }
    if (padding > 0) return std::nullopt;
    bits = (bits << 6U | digit) & 0xFFFFU;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>(bits >> static_cast<unsigned>(count) & 0xFFU);
    }
  }
  if (digits % 4 != 0 || padding > 2) return std::nullopt;
  return bytes;
}

/// One named entry, and the file that it is in.
struct Entry {
  const KubeconfigFile* file = nullptr;
  std::string label;  ///< "cluster 'dev'"
  json body;

  [[nodiscard]] std::string Get(std::string_view key) const { return Text(body, {key}); }
  /// As a path from where we are; "" when it is not set.
  [[nodiscard]] std::string GetPath(std::string_view key) const {
    std::string path = Get(key);
    if (path.empty() || path.starts_with('/')) return path;
    const std::size_t slash = file->path.rfind('/');
    return slash == std::string::npos ? path : file->path.substr(0, slash + 1) + path;
  }
  [[nodiscard]] tl::unexpected<Error> Bad(const std::string& message) const {
    return Fail(ErrorCode::kInvalidArgument, file->path + ": " + label + ": " + message);
  }
  /// What `key`-data holds; "" when it is not set.
  [[nodiscard]] Result<std::string> GetData(const std::string& key) const {
    const std::string text = Get(key + "-data");
    std::optional<std::string> data = DecodeBase64(text);
    if (!data) return Bad(key + "-data is no base64");
    return std::move(*data);
  }
};

/// All files together.
class Kubeconfig {
 public:
  static Result<Kubeconfig> Parse(const std::vector<KubeconfigFile>& files) {
    Kubeconfig all;
    for (const KubeconfigFile& file : files) {
      Result<json> root = ParseJson(file.json);
      if (!root || !(root->is_object() || root->is_null())) {
        return Fail(ErrorCode::kInvalidArgument, file.path + ": this is no kubeconfig");
      }
      all.files_.emplace_back(&file, std::move(*root));
    }
    return all;
  }

  [[nodiscard]] std::string CurrentContext() const {
    for (const auto& [file, root] : files_) {
      std::string name = Text(root, {"current-context"});
      if (!name.empty()) return name;
    }
    return {};
  }

  /// The `kind` ("cluster") named `name` of the first file that has it.
  [[nodiscard]] Result<Entry> Get(const std::string& kind, const std::string& name) const {
    const std::string list = kind + "s";
    for (const auto& [file, root] : files_) {
      const json* const entries = Find(root, {list});
      if (entries == nullptr || !entries->is_array()) continue;
      for (const json& entry : *entries) {
        if (Text(entry, {"name"}) != name) continue;
        const json* const body = Find(entry, {kind});
        return Entry{file, kind + " '" + name + "'", body == nullptr ? json() : *body};
      }
    }
    return Fail(ErrorCode::kInvalidArgument,
                (files_.empty() ? "kubeconfig" : files_.front().first->path) + ": there is no " +
                    kind + " '" + name + "'; see kubectl config view");
  }

 private:
  std::vector<std::pair<const KubeconfigFile*, json>> files_;
};

Status ReadCluster(const Entry& cluster, Access& access) {
  access.server = cluster.Get("server");
  while (access.server.ends_with('/')) access.server.pop_back();
  if (const auto url = http::ParseUrl(access.server);
      !url || access.server.find('?') != std::string::npos) {
    return cluster.Bad("server is no http or https URL");
  }
  if (!cluster.Get("proxy-url").empty()) {
    return cluster.Bad(
        "proxy-url is not supported; reach the API server without a proxy, e.g. "
        "through kubectl proxy or a tunnel, and remove it");
  }
  access.tls.server_name = cluster.Get("tls-server-name");
  const std::string skip = cluster.Get("insecure-skip-tls-verify");
  const Result<bool> skips = ParseBool(skip.empty() ? "false" : skip);
  if (!skips) return cluster.Bad("insecure-skip-tls-verify must be true or false");
  access.tls.insecure_skip_verify = *skips;
  Result<std::string> ca = cluster.GetData("certificate-authority");
  if (!ca) return Fail(ca.error());
  access.tls.ca_pem = std::move(*ca);
  access.tls.ca_file = cluster.GetPath("certificate-authority");
  return {};
}

/// A program's path: as one of ours when it is one, else a name to look up.
std::string ProgramOf(const Entry& user, const std::string& command) {
  if (command.find('/') == std::string::npos || command.starts_with('/')) return command;
  const std::size_t slash = user.file->path.rfind('/');
  return slash == std::string::npos ? command : user.file->path.substr(0, slash + 1) + command;
}

Result<ExecPlugin> ReadExec(const Entry& user, const json& exec, const Access& access) {
  ExecPlugin plugin;
  plugin.command.program = ProgramOf(user, Text(exec, {"command"}));
  plugin.api_version = Text(exec, {"apiVersion"});
  plugin.hint = Text(exec, {"installHint"});
  if (plugin.command.program.empty()) return user.Bad("exec has no command");
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1") {
    return user.Bad(
        "exec must have apiVersion client.authentication.k8s.io/v1 or v1beta1; write the entry "
        "anew, e.g. by aws eks update-kubeconfig");
  }
  if (Text(exec, {"interactiveMode"}) == "Always") {
    return user.Bad("exec wants a terminal (interactiveMode: Always), which Stoker has not");
  }
  if (const json* const arguments = Find(exec, {"args"}); arguments && arguments->is_array()) {
    for (const json& argument : *arguments) {
      plugin.command.arguments.push_back(argument.is_string() ? argument.get<std::string>() : "");
    }
  }
  if (const json* const variables = Find(exec, {"env"}); variables && variables->is_array()) {
    for (const json& variable : *variables) {
      plugin.command.environment[Text(variable, {"name"})] = Text(variable, {"value"});
    }
  }
  plugin.command.environment.erase("");
  json info{{"apiVersion", plugin.api_version},
            {"kind", "ExecCredential"},
            {"spec", {{"interactive", false}}}};
  if (Text(exec, {"provideClusterInfo"}) == "true") {
    info["spec"]["cluster"] = {{"server", access.server},
                               {"tls-server-name", access.tls.server_name},
                               {"insecure-skip-tls-verify", access.tls.insecure_skip_verify}};
  }
  plugin.command.environment["KUBERNETES_EXEC_INFO"] = ToText(info);
  return plugin;
}

Status ReadUser(const Entry& user, Access& access) {
  // What would let us ask as somebody else than the user means is refused, not passed over.
  constexpr std::array<std::pair<const char*, const char*>, 5> kRefused{{
      {"auth-provider", "auth-provider is not supported; give a token or tokenFile instead"},
      {"username", "username is not supported; give a token or a client certificate instead"},
      {"as", "as (impersonation) is not supported; give that user's own credentials"},
      {"as-uid", "as-uid (impersonation) is not supported; give that user's own credentials"},
      {"as-groups", "as-groups (impersonation) is not supported; give credentials of their own"},
  }};
  for (const auto& [key, message] : kRefused) {
    const json* const value = Find(user.body, {key});
    if (value != nullptr && !value->is_null() && *value != json("")) return user.Bad(message);
  }
  if (const json* const exec = Find(user.body, {"exec"}); exec != nullptr && exec->is_object()) {
    Result<ExecPlugin> plugin = ReadExec(user, *exec, access);
    if (!plugin) return Fail(plugin.error());
    access.exec = std::move(*plugin);
  }
  access.token = user.Get("token");
  access.token_file = user.GetPath("tokenFile");
  Result<std::string> cert = user.GetData("client-certificate");
  if (!cert) return Fail(cert.error());
  Result<std::string> key = user.GetData("client-key");
  if (!key) return Fail(key.error());
  access.tls.cert_pem = std::move(*cert);
  access.tls.key_pem = std::move(*key);
  access.tls.cert_file = user.GetPath("client-certificate");
  access.tls.key_file = user.GetPath("client-key");
  if ((access.tls.cert_pem + access.tls.cert_file).empty() !=
      (access.tls.key_pem + access.tls.key_file).empty()) {
    return user.Bad("client-certificate and client-key go together; give both or none");
  }
  return {};
}

}  // namespace

Result<Access> ReadKubeconfig(const std::vector<KubeconfigFile>& files,
                              const std::string& context) {
  const Result<Kubeconfig> all = Kubeconfig::Parse(files);
  if (!all) return Fail(all.error());
  const std::string name = context.empty() ? all->CurrentContext() : context;
  if (name.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                (files.empty() ? "kubeconfig" : files.front().path) +
                    ": it has no current-context; set one with kubectl config use-context, or "
                    "name one");
  }
  const Result<Entry> chosen = all->Get("context", name);
  if (!chosen) return Fail(chosen.error());

  Access access;
  access.name_space = chosen->Get("namespace");
  if (access.name_space.empty()) access.name_space = "default";
  access.who = chosen->label;
  access.login_mend = "it does not accept the credentials of " + chosen->label + "; log in again";
  const Result<Entry> cluster = all->Get("cluster", chosen->Get("cluster"));
  if (!cluster) return Fail(cluster.error());
  if (const Status read = ReadCluster(*cluster, access); !read) return Fail(read.error());
  if (const std::string user_name = chosen->Get("user"); !user_name.empty()) {
    const Result<Entry> user = all->Get("user", user_name);
    if (!user) return Fail(user.error());
    if (const Status read = ReadUser(*user, access); !read) return Fail(read.error());
  }
  if (!access.server.starts_with("https:") &&
      (access.exec || !(access.token + access.token_file).empty())) {
    return cluster->Bad("server is http, where everyone could read the token; use https");
  }
  return access;
}

}  // namespace stoker::kubernetes
