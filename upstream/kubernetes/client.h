#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/environment.h"
#include "core/http_transport.h"
#include "core/result.h"
#include "upstream/http/retry.h"
#include "upstream/kubernetes/pod_list.h"

namespace stoker::kubernetes {

/// References outlive the client.
struct ClientDeps {
  const Clock& clock;
  Random& random;
  const Environment& environment;
  const FileSystem& files;
  HttpTransportFactory& transports;
  UpstreamObserver& observer;
  std::shared_ptr<http::Waiter> waiter;
};

/// Asks the API server of the cluster that we run in, as our pod's service account. The token is
/// read for every request and the CA for every connection, so that rotated ones are picked up.
/// Requests count as connection "kubernetes" with the observer. Thread-safe.
class Client {
 public:
  /// kUnavailable when this is no pod of a cluster (KUBERNETES_SERVICE_HOST is not set).
  static Result<std::unique_ptr<Client>> InCluster(const ClientDeps& deps);

  /// The pods of a namespace that `label_selector` (e.g. "spark-role=driver") matches, in the API
  /// server's order, page by page; all must come before `deadline`. kPermissionDenied (RBAC),
  /// kUnauthenticated, kInvalidArgument (the selector), kResourceExhausted (a page or the list is
  /// too long), kUnavailable, kDeadlineExceeded or kCancelled.
  Result<std::vector<Pod>> ListPods(const std::string& name_space,
                                    const std::string& label_selector,
                                    MonoTime deadline,
                                    const std::stop_token& stop);

 private:
  Client(std::string url, const ClientDeps& deps, std::shared_ptr<HttpTransport> transport);

  Result<HttpResponse> Get(const std::string& target,
                           MonoTime deadline,
                           const std::stop_token& stop);

  const std::string url_;
  const FileSystem& files_;
  const std::shared_ptr<http::Waiter> waiter_;
  const std::shared_ptr<HttpTransport> transport_;
  const http::Retrier retrier_;
};

}  // namespace stoker::kubernetes
