#pragma once

#include <memory>
#include <string>

#include "core/http_transport.h"

namespace stoker::http {

/// Tells `observer` of every request that passes through, under the connection's name. `observer`
/// outlives it.
class ObservedTransport final : public HttpTransport {
 public:
  ObservedTransport(std::shared_ptr<HttpTransport> transport,
                    std::string connection,
                    UpstreamObserver& observer)
      : transport_(std::move(transport)), connection_(std::move(connection)), observer_(observer) {}

  Result<HttpResponse> Send(const HttpRequest& request) override {
    Result<HttpResponse> response = transport_->Send(request);
    observer_.OnUpstreamRequest(connection_, response ? response->status : 0);
    return response;
  }

 private:
  const std::shared_ptr<HttpTransport> transport_;
  const std::string connection_;
  UpstreamObserver& observer_;
};

}  // namespace stoker::http
