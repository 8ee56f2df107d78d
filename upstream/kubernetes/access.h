#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/command_runner.h"
#include "core/environment.h"
#include "core/http_transport.h"
#include "core/result.h"

namespace stoker::kubernetes {

/// A program that logs in, as client-go's credential plugins do (client.authentication.k8s.io).
struct ExecPlugin {
  Command command;          ///< KUBERNETES_EXEC_INFO is set
  std::string api_version;  ///< that its answer must have
  std::string hint;         ///< how to install it; may be ""
};

/// Where an API server is, and as whom we ask it.
struct Access {
  std::string server;  ///< http(s) URL, without a slash at its end
  TlsOptions tls;
  std::string token;               ///< "" for none
  std::string token_file;          ///< read for every request; goes before `token`
  std::optional<ExecPlugin> exec;  ///< in place of both
  std::string name_space;          ///< the one to use where none is named
  std::string who;                 ///< for messages: "this service account", "context 'dev'"
  std::string login_mend;          ///< what to say and to do when the server does not accept it
};

/// A YAML document as JSON text, every scalar as a string: config::YamlToJson. Passed in, since
/// upstream reads no YAML. `source` names the text in messages.
using YamlReader =
    std::function<Result<std::string>(std::string_view text, const std::string& source)>;

/// Which API server.
struct AccessOptions {
  std::string kubeconfig{};  ///< a file; "": see FindAccess
  std::string context{};     ///< "": the current one
  YamlReader yaml{};         ///< needed for a kubeconfig
};

/// Of the cluster that we run in, as our pod's service account. kUnavailable when this is no pod
/// (KUBERNETES_SERVICE_HOST is not set).
Result<Access> InClusterAccess(const Environment& environment, const FileSystem& files);

/// With a file or a context given, that; else the cluster that we run in; else the current context
/// of the files in $KUBECONFIG, or of ~/.kube/config. kUnavailable when there is none of these,
/// kInvalidArgument when a kubeconfig cannot be used. Messages name the file, the entry and the
/// mend, never a credential.
Result<Access> FindAccess(const AccessOptions& options,
                          const Environment& environment,
                          const FileSystem& files);

}  // namespace stoker::kubernetes
