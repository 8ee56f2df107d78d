#include "upstream/kubernetes/access.h"

#include <utility>
#include <vector>

#include "core/text.h"
#include "upstream/http/url.h"
#include "upstream/kubernetes/kubeconfig.h"

namespace stoker::kubernetes {
namespace {

// Where every pod finds its service account.
constexpr char kTokenFile[] = "/var/run/secrets/kubernetes.io/serviceaccount/token";
constexpr char kCaFile[] = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
constexpr char kNamespaceFile[] = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

constexpr char kNoCluster[] =
    "no Kubernetes cluster: this is no pod of one (KUBERNETES_SERVICE_HOST is not set), and there "
    "is no kubeconfig; run Stoker as a pod, set KUBECONFIG or log in to a cluster";

/// The files to read; with `required` false those that are absent are passed over.
Result<std::vector<KubeconfigFile>> ReadFiles(const std::vector<std::string>& paths,
                                              bool required,
                                              const FileSystem& files,
                                              const YamlReader& yaml) {
  std::vector<KubeconfigFile> found;
  for (const std::string& path : paths) {
    const Result<std::string> text = files.Read(path);
    if (!text) {
      if (!required && text.error().code == ErrorCode::kNotFound) continue;
      return Fail(text.error().code, "kubeconfig: " + text.error().message);
    }
    Result<std::string> json = yaml(*text, path);
    if (!json) return Fail(ErrorCode::kInvalidArgument, json.error().message);
    found.push_back({path, std::move(*json)});
  }
  return found;
}

}  // namespace

Result<Access> InClusterAccess(const Environment& environment, const FileSystem& files) {
  const std::string host = environment.Get("KUBERNETES_SERVICE_HOST").value_or("");
  const std::string port = environment.Get("KUBERNETES_SERVICE_PORT").value_or("443");
  if (host.empty()) {
    return Fail(ErrorCode::kUnavailable,
                "not in a Kubernetes cluster: KUBERNETES_SERVICE_HOST is not set; run Stoker as a "
                "pod");
  }
  const bool bare_ipv6 = host.find(':') != std::string::npos && !host.starts_with('[');
  Access access;
  access.server = "https://" + (bare_ipv6 ? "[" + host + "]" : host) + ":" + port;
  if (!http::ParseUrl(access.server)) {
    return Fail(ErrorCode::kUnavailable,
                "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are no address");
  }
  access.tls.ca_file = kCaFile;
  access.token_file = kTokenFile;
  access.name_space = Trim(files.Read(kNamespaceFile).value_or("default"));
  access.who = "this service account";
  access.login_mend =
      "it does not accept the service account's token; restart the pod if it does not renew itself";
  return access;
}

Result<Access> FindAccess(const AccessOptions& options,
                          const Environment& environment,
                          const FileSystem& files) {
  const bool chosen = !options.kubeconfig.empty() || !options.context.empty();
  if (!chosen && !environment.Get("KUBERNETES_SERVICE_HOST").value_or("").empty()) {
    return InClusterAccess(environment, files);
  }
  std::vector<std::string> paths;
  const std::string listed = environment.Get("KUBECONFIG").value_or("");
  const std::string home = environment.Get("HOME").value_or("");
  if (!options.kubeconfig.empty()) {
    paths.push_back(options.kubeconfig);
  } else if (!listed.empty()) {
    for (const std::string_view path : Split(listed, ':')) {
      if (!path.empty()) paths.emplace_back(path);
    }
  } else if (!home.empty()) {
    paths.push_back(home + "/.kube/config");
  }
  const Result<std::vector<KubeconfigFile>> found =
      ReadFiles(paths, !options.kubeconfig.empty(), files, options.yaml);
  if (!found) return Fail(found.error());
  if (found->empty()) return Fail(ErrorCode::kUnavailable, kNoCluster);
  return ReadKubeconfig(*found, options.context);
}

}  // namespace stoker::kubernetes
