#include "adapter/http/router.h"

#include <optional>

#include "core/text.h"

namespace stoker::adapter {
namespace {

/// What a path matched against a pattern left in the places of `{name}`; empty optional: no match.
std::optional<std::vector<std::string>> Match(std::string_view pattern, std::string_view path) {
  const std::vector<std::string_view> want = Split(pattern, '/');
  const std::vector<std::string_view> have = Split(path, '/');
  if (want.size() != have.size()) return std::nullopt;
  std::vector<std::string> captures;
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (want[i].starts_with('{') && !have[i].empty()) {
      captures.emplace_back(have[i]);
    } else if (want[i] != have[i]) {
      return std::nullopt;
    }
  }
  return captures;
}

HttpReply MethodNotAllowed(const std::string& allowed) {
  HttpReply reply = ErrorReply(405, "method_not_allowed", "this route takes " + allowed);
  reply.headers.push_back({"Allow", allowed});
  return reply;
}

}  // namespace

void Router::Add(ApiRoute route) { routes_.push_back(std::move(route)); }

std::vector<std::pair<std::string_view, std::string_view>> Router::Operations() const {
  std::vector<std::pair<std::string_view, std::string_view>> operations;
  for (const ApiRoute& route : routes_) operations.emplace_back(route.method, route.path);
  return operations;
}

HttpReply Router::Handle(const ApiRequest& request) const {
  const std::string_view asked = request.method;
  const std::string_view method = asked == "HEAD" ? "GET" : asked;
  std::string allowed;
  for (const ApiRoute& route : routes_) {
    std::optional<std::vector<std::string>> captures = Match(route.path, request.path);
    if (!captures) continue;
    if (route.method == method) return Serve(route, {request, std::move(*captures)});
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
    if (route.method == "GET") allowed += ", HEAD";
  }
  if (!allowed.empty()) return MethodNotAllowed(allowed);
  return ErrorReply(Error{ErrorCode::kNotFound, "no such route; GET /openapi.json lists them"});
}

HttpReply Router::Serve(const ApiRoute& route, const ApiCall& call) const {
  if (route.access == ApiRoute::Access::kToken) {
    if (const Status allowed = auth_.Check(call.request.authorization); !allowed) {
      HttpReply reply = ErrorReply(allowed.error());
      if (reply.status == 401) reply.headers.push_back({"WWW-Authenticate", "Bearer"});
      return reply;
    }
  }
  if (route.method != "GET" && !call.request.body) {
    return ErrorReply(415,
                      "unsupported_media_type",
                      "this route takes JSON: send it with 'Content-Type: application/json' and "
                      "without Content-Encoding");
  }
  return route.serve(call);
}

}  // namespace stoker::adapter
