#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/environment.h"
#include "core/http_transport.h"
#include "core/log.h"
#include "core/result.h"
#include "upstream/aws/credentials.h"
#include "upstream/http/circuit_breaker.h"
#include "upstream/http/retry.h"
#include "upstream/http/url.h"
#include "upstream/prometheus/query_response.h"

namespace stoker::prom {

/// Who we are to Prometheus. At most one of basic, bearer token and SigV4; `headers` go with any.
/// Files are read for every request, so rotated secrets are picked up; line ends after them do not
/// count.
struct Auth {
  std::string username_file;  ///< basic, with password_file
  std::string password_file;
  std::string bearer_token_file;
  std::string sigv4_region;           ///< signs for "aps" with AWS' default credential chain
  std::vector<HttpHeader> headers{};  ///< e.g. X-Scope-OrgID
};

struct ClientOptions {
  std::string connection;                        ///< its name, for messages and the observer
  std::string url;                               ///< may have a path prefix (Mimir, Thanos)
  Duration interval = std::chrono::seconds(15);  ///< of polls; the breaker opens for half of it
  Auth auth{};
  TlsOptions tls{};
  http::RetryOptions retry{};
};

/// References outlive the client.
struct ClientDeps {
  const Clock& clock;
  Random& random;
  const Environment& environment;
  const FileSystem& files;
  HttpTransportFactory& transports;
  UpstreamObserver& observer;
  Logger& logger;
  std::shared_ptr<http::Waiter> waiter;
};

/// Asks one Prometheus, or what speaks its HTTP API. Tries again with jitter within the deadline,
/// and stops asking for half an interval after three failed queries in a row. Thread-safe.
class Client {
 public:
  /// kInvalidArgument for a URL that cannot be used.
  static Result<std::unique_ptr<Client>> Create(ClientOptions options, const ClientDeps& deps);

  /// An instant query at `time`. Messages begin with the connection's name and never hold the query
  /// or a secret. kInvalidArgument: the query is at fault; kUnauthenticated, kPermissionDenied: the
  /// credentials are; kNotFound: the URL is; else kUnavailable, kDeadlineExceeded,
  /// kResourceExhausted (answer too long) or kCancelled.
  Result<QueryResult> Query(const std::string& promql,
                            WallTime time,
                            MonoTime deadline,
                            const std::stop_token& stop);

  /// What instant queries at `first`, `first` + `step` (> 0) and so on up to `last` would give, in
  /// as few range queries as Prometheus' limit of 11,000 points a series and our own on an answer's
  /// length allow, so a series may come in several parts. `@ start()` and `@ end()` in the query
  /// mean those of a part. Fails as Query does, whole.
  Result<std::vector<Series>> QueryRange(const std::string& promql,
                                         WallTime first,
                                         WallTime last,
                                         Duration step,
                                         MonoTime deadline,
                                         const std::stop_token& stop);

 private:
  /// What is asked below /api/v1.
  struct Question {
    std::string path;
    std::string form;
    std::size_t max_body_bytes;
    MonoTime deadline;
    std::stop_token stop;
  };
  Client(ClientOptions options,
         const ClientDeps& deps,
         std::shared_ptr<HttpTransport> transport,
         std::shared_ptr<aws::CredentialsProvider> credentials);

  Result<HttpRequest> MakeRequest(const Question& question) const;
  Status Authorize(HttpRequest& request) const;
  Result<std::string> ReadSecret(const std::string& key, const std::string& path) const;
  Result<HttpResponse> Ask(const Question& question);
  template <class T>
  Result<T> Fetch(const Question& question, Result<T> (*parse)(std::string_view));
  void LogChange(bool open, const std::string& why) const;
  Status Judge(const HttpResponse& response, const std::string& path) const;

  const ClientOptions options_;
  const Clock& clock_;
  const FileSystem& files_;
  Logger& logger_;
  const std::shared_ptr<http::Waiter> waiter_;
  const std::shared_ptr<HttpTransport> transport_;
  const std::shared_ptr<aws::CredentialsProvider> credentials_;
  const http::Retrier retrier_;
  http::CircuitBreaker breaker_;
};

}  // namespace stoker::prom
