#pragma once

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/environment.h"
#include "core/http_transport.h"
#include "core/result.h"
#include "upstream/http/retry.h"
#include "upstream/kubernetes/access.h"
#include "upstream/kubernetes/answer.h"
#include "upstream/kubernetes/exec_credentials.h"
#include "upstream/kubernetes/pod_list.h"
#include "upstream/kubernetes/resource.h"
#include "upstream/kubernetes/watch_stream.h"

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
  /// Runs the program of a kubeconfig that logs in by one (exec); nullptr: such are refused.
  CommandRunner* commands = nullptr;
};

/// Which of a kind. Both as the API writes them: "spark-role=driver", "status.phase=Running".
struct Selectors {
  std::string labels{};
  std::string fields{};
};

/// A list, all pages of it. The API leaves apiVersion and kind out of items.
struct ObjectList {
  std::vector<nlohmann::json> items;
  std::string resource_version;  ///< of the list: a watch from here misses nothing
};

struct ApplyOptions {
  bool force = false;    ///< take over the fields that other managers own
  bool dry_run = false;  ///< the answer is what would be; nothing is written
};

/// Told by Client::Watch, on the thread that watches.
class WatchHandler {
 public:
  virtual ~WatchHandler() = default;
  /// All there is: at first, and again when the server does not remember what came since.
  virtual void OnList(const ObjectList& list) = 0;
  /// One change since.
  virtual void OnEvent(const WatchEvent& event) = 0;
  /// A stream broke or could not be had; it is tried again.
  virtual void OnFault(const ApiError& error) = 0;
};

/// Asks an API server for the few objects that Stoker deals with. Tokens are read for every request
/// and certificates for every connection, so that rotated ones are picked up. Requests count as
/// connection "kubernetes" with the observer. Every call ends by its deadline and soon after a
/// stop. What failed for want of an answer, or with 429, 502, 503 or 504, is tried again within
/// the deadline (upstream/http/retry.h): a creation whose answer was lost may so end as
/// kAlreadyExists, an update as kConflict. Thread-safe.
class Client {
 public:
  /// Of FindAccess. Nothing is asked yet.
  static Result<std::unique_ptr<Client>> Load(const AccessOptions& options, const ClientDeps& deps);
  /// Of InClusterAccess.
  static Result<std::unique_ptr<Client>> InCluster(const ClientDeps& deps);
  static Result<std::unique_ptr<Client>> Connect(Access access, const ClientDeps& deps);

  /// The namespace to use where none is named: our pod's, the context's, or "default".
  [[nodiscard]] const std::string& name_space() const { return access_.name_space; }

  /// One object; kNotFound when there is none.
  Answer<nlohmann::json> Get(const Resource& resource,
                             MonoTime deadline,
                             const std::stop_token& stop);

  /// Hands over all of a kind that match, object by object, holding one page of them: thousands of
  /// pods are large. `begin` is told before the first, and again when the server no longer knows
  /// the pages and they begin anew. Returns the list's resource version.
  Answer<std::string> Each(const Resource& resource,
                           const Selectors& selectors,
                           MonoTime deadline,
                           const std::stop_token& stop,
                           const std::function<void()>& begin,
                           const std::function<void(nlohmann::json)>& take);
  /// All of a kind (in all namespaces when `resource` names none) that match.
  Answer<ObjectList> List(const Resource& resource,
                          const Selectors& selectors,
                          MonoTime deadline,
                          const std::stop_token& stop);

  /// Server-side apply as field manager "stoker": afterwards the object has these fields, those
  /// that we applied before and left out now are gone, and all others are untouched. `object` needs
  /// apiVersion, kind and metadata.name. kConflict names the managers of fields that are not ours.
  /// Returns the object as it is then (would be, with dry_run).
  Answer<nlohmann::json> Apply(const Resource& resource,
                               const nlohmann::json& object,
                               const ApplyOptions& options,
                               MonoTime deadline,
                               const std::stop_token& stop);

  /// `resource` names no object; kAlreadyExists when there is one of that name.
  Answer<nlohmann::json> Create(const Resource& resource,
                                const nlohmann::json& object,
                                MonoTime deadline,
                                const std::stop_token& stop);

  /// Replaces it; kConflict when metadata.resourceVersion is not the newest.
  Answer<nlohmann::json> Update(const Resource& resource,
                                const nlohmann::json& object,
                                MonoTime deadline,
                                const std::stop_token& stop);

  /// With what belongs to it, in the background; kNotFound when there is none.
  Answer<void> Delete(const Resource& resource, MonoTime deadline, const std::stop_token& stop);

  /// Lists, then follows the changes until `deadline` or a stop, which are the good ends. Begins
  /// from `resource_version` when that is not empty, and leaves there how far it has come, for the
  /// next call. Streams that end or break are resumed, at first at once and then after a growing
  /// wait of at most 30 s; when the server has forgotten (410) it lists anew. Ends with an error
  /// for what does not mend itself: kForbidden, kUnauthorized, kUnknownKind, kInvalid.
  Answer<void> Watch(const Resource& resource,
                     const Selectors& selectors,
                     WatchHandler& handler,
                     std::string& resource_version,
                     MonoTime deadline,
                     const std::stop_token& stop);

  /// The pods of a namespace that match, in the API server's order; all must come before
  /// `deadline`. kPermissionDenied (RBAC), kUnauthenticated, kInvalidArgument (the selector),
  /// kResourceExhausted (a page or the list is too long), kUnavailable, kDeadlineExceeded or
  /// kCancelled.
  Result<std::vector<Pod>> ListPods(const std::string& name_space,
                                    const Selectors& selectors,
                                    MonoTime deadline,
                                    const std::stop_token& stop);

 private:
  struct Call;

  Client(Access access, const ClientDeps& deps, std::shared_ptr<HttpTransport> transport);

  Result<std::string> Token(const Call& call) const;
  Result<HttpRequest> MakeRequest(const Call& call) const;
  Answer<HttpResponse> Send(const Call& call);
  Answer<nlohmann::json> SendForObject(const Call& call);
  Answer<void> ListPages(const Resource& resource,
                         const Selectors& selectors,
                         MonoTime deadline,
                         const std::stop_token& stop,
                         const std::function<void()>& begin,
                         const std::function<Result<std::string>(std::string_view)>& add);
  Answer<void> ListOnce(const Resource& resource,
                        const Selectors& selectors,
                        WatchHandler& handler,
                        std::string& resource_version,
                        MonoTime deadline,
                        const std::stop_token& stop);
  Answer<void> WatchOnce(const Resource& resource,
                         const Selectors& selectors,
                         WatchHandler& handler,
                         std::string& resource_version,
                         MonoTime deadline,
                         const std::stop_token& stop);

  const Access access_;
  const Clock& clock_;
  const FileSystem& files_;
  const std::shared_ptr<http::Waiter> waiter_;
  const std::shared_ptr<HttpTransport> transport_;
  const http::Retrier retrier_;
  const std::unique_ptr<ExecCredentials> exec_;
};

}  // namespace stoker::kubernetes
