#pragma once

#include <memory>

#include "core/clock.h"
#include "core/environment.h"
#include "core/http_transport.h"

namespace stoker::http {

/// The real HttpTransport: HTTP/1.1 over TCP or TLS (1.2 and later; the server's certificate and
/// name are verified unless told otherwise). Send runs on the caller's thread, ends by the deadline
/// whatever the server does, and ends soon after a stop. IPv4 and IPv6 addresses are tried in the
/// resolver's order, none getting more than its share of the time left. Connections are kept per
/// host and port (8 idle for 30 s at most); a GET or HEAD that meets a kept connection which the
/// server has closed meanwhile is sent again once. Proxies (HTTP_PROXY and the like) are not
/// supported.
///
/// `clock` and `files` outlive the factory and its transports. A transport's destructor may wait
/// for a name lookup in progress, which the system's resolver bounds.
class BeastTransportFactory final : public HttpTransportFactory {
 public:
  BeastTransportFactory(const Clock& clock, const FileSystem& files)
      : clock_(clock), files_(files) {}
  /// Never fails: certificate files are first read when a connection is made.
  Result<std::shared_ptr<HttpTransport>> Create(const TlsOptions& tls) override;

 private:
  const Clock& clock_;
  const FileSystem& files_;
};

}  // namespace stoker::http
