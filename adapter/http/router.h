#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapter/http/bearer_auth.h"
#include "adapter/http/message.h"

namespace stoker::adapter {

/// A request on its way into a route.
struct ApiCall {
  const ApiRequest& request;
  std::vector<std::string> captures;  ///< what stood in the places of `{name}`, in order
};

/// One operation of the API. `path` is as openapi.json writes it, e.g. "/api/v1/policies/{name}";
/// `{name}` stands for one part of a path, not empty.
struct ApiRoute {
  enum class Access : std::uint8_t {
    kOpen,   ///< everybody
    kToken,  ///< callers that BearerAuth lets in: explanations, and whatever writes
  };
  std::string_view method;  ///< "GET" serves HEAD, too
  std::string_view path;
  Access access = Access::kToken;
  /// Must not wait for an upstream; called from several threads. For methods that take a body,
  /// request.body is there.
  std::function<HttpReply(const ApiCall&)> serve;
};

/// Finds the route of a request, and says what is wrong where there is none: 404 for a path nobody
/// has, 405 with Allow for another method, 401 for a caller without a token, 415 for a body that is
/// no JSON. Thread-safe once all routes are added.
class Router {
 public:
  /// `auth` must outlive this.
  explicit Router(const BearerAuth& auth) : auth_(auth) {}

  void Add(ApiRoute route);
  [[nodiscard]] HttpReply Handle(const ApiRequest& request) const;
  /// Method and path of every route, in the order of adding.
  [[nodiscard]] std::vector<std::pair<std::string_view, std::string_view>> Operations() const;

 private:
  [[nodiscard]] HttpReply Serve(const ApiRoute& route, const ApiCall& call) const;

  const BearerAuth& auth_;
  std::vector<ApiRoute> routes_;
};

}  // namespace stoker::adapter
