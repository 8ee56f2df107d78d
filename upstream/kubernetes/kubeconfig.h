#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "upstream/kubernetes/access.h"

namespace stoker::kubernetes {

/// One kubeconfig file.
struct KubeconfigFile {
  std::string path;  ///< relative paths in it start from its folder
  std::string json;  ///< its content, as a YamlReader gives it
};

/// What `context` ("": the first file's current-context that is set) leads to. Of clusters, users
/// and contexts that several files have, the first counts, as with kubectl. Understood: server,
/// certificate-authority(-data), tls-server-name, insecure-skip-tls-verify, client-certificate and
/// client-key(-data), token, tokenFile, exec, namespace. Refused with the mend rather than passed
/// over: auth-provider, username, proxy-url, impersonation. kInvalidArgument; messages name files
/// and entries, never a credential. Never throws.
Result<Access> ReadKubeconfig(const std::vector<KubeconfigFile>& files, const std::string& context);

}  // namespace stoker::kubernetes
