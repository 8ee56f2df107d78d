#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace stoker {

struct HttpHeader {
  std::string name;
  std::string value;
};

/// One outgoing request.
struct HttpRequest {
  std::string method = "GET";
  std::string url;  ///< absolute http:// or https:// URL, already percent-encoded
  std::vector<HttpHeader> headers;
  std::string body;
  MonoTime deadline{};                      ///< total: resolve, connect, handshake, send and read
  std::size_t max_body_bytes = 16U << 20U;  ///< a longer body is an error, never cut short
  std::stop_token stop;                     ///< cancels between steps at shutdown
  /// That nobody is there (the name does not exist, or every address refused the connection) is
  /// kNotFound: for peers that come and go, whose absence is an answer. Otherwise, as any other
  /// failure to reach them, it is kUnavailable.
  bool tell_absence = false;
  /// For answers without an end, such as a watch: is given the body of a 2xx answer piece by piece,
  /// on the thread that sends, and HttpResponse::body stays empty; `max_body_bytes` bounds it
  /// not. Returning false ends the request with kCancelled. Bodies of other answers come whole.
  std::function<bool(std::string_view)> on_body{};
};

/// A complete answer, of any status.
struct HttpResponse {
  int status = 0;
  std::vector<HttpHeader> headers;
  std::string body;

  /// First header of that name (any case); empty when there is none.
  [[nodiscard]] std::string_view Header(std::string_view name) const;
};

/// How to verify the server and show who we are. Files are read at every new connection, so rotated
/// certificates are picked up.
struct TlsOptions {
  std::string ca_file;  ///< empty: the system's roots
  std::string cert_file;
  std::string key_file;
  std::string server_name;  ///< that the certificate must bear; empty: the URL's host
  bool insecure_skip_verify = false;
  /// In PEM form and in place of the files, for those who have them only in memory.
  std::string ca_pem{};
  std::string cert_pem{};
  std::string key_pem{};
};

/// Sends requests. Thread-safe, keeps connections alive. Never follows a redirect. Fails with
/// kDeadlineExceeded, kUnavailable (resolve, connect, TLS, protocol) or kResourceExhausted (body
/// too long), or with kNotFound as HttpRequest::tell_absence says; messages name host and port,
/// never the query, a header or a body.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  virtual Result<HttpResponse> Send(const HttpRequest& request) = 0;
};

/// Makes transports; the real one is http::BeastTransportFactory, tests use testing::FakeTransport.
class HttpTransportFactory {
 public:
  virtual ~HttpTransportFactory() = default;
  virtual Result<std::shared_ptr<HttpTransport>> Create(const TlsOptions& tls) = 0;
};

/// Told of every upstream request. Thread-safe. `code` is the HTTP status, or 0 when there was no
/// answer.
class UpstreamObserver {
 public:
  virtual ~UpstreamObserver() = default;
  virtual void OnUpstreamRequest(std::string_view connection, int code) = 0;
};

}  // namespace stoker
