#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "adapter/decisions.h"
#include "adapter/http/bearer_auth.h"
#include "adapter/http/message.h"
#include "adapter/http/router.h"
#include "adapter/metrics.h"

namespace stoker::adapter {

/// The HTTP API: metrics, and the decisions with their explanations. Answers from memory;
/// thread-safe once all routes are added.
class Api {
 public:
  /// All references must outlive this.
  struct Deps {
    const Decisions& decisions;
    const Metrics& metrics;
    const BearerAuth& auth;
    bool per_object_metrics = true;
  };
  explicit Api(const Deps& deps);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  /// Adds an operation of another part of the service; before the first request.
  void Add(ApiRoute route) { router_.Add(std::move(route)); }

  [[nodiscard]] HttpReply Handle(const ApiRequest& request) const {
    return router_.Handle(request);
  }

  /// Method and path of every operation as openapi.json writes them.
  [[nodiscard]] std::vector<std::pair<std::string_view, std::string_view>> Operations() const {
    return router_.Operations();
  }
  /// The embedded description.
  static std::string_view OpenApi();

 private:
  HttpReply ServeMetrics(const ApiCall& call) const;
  HttpReply ServeHealth(const ApiCall& call) const;
  HttpReply ServeOpenApi(const ApiCall& call) const;
  HttpReply ListTargets(const ApiCall& call) const;
  HttpReply GetTarget(const ApiCall& call) const;
  HttpReply ListPolicies(const ApiCall& call) const;
  HttpReply GetPolicy(const ApiCall& call) const;
  HttpReply ListSignals(const ApiCall& call) const;

  const Decisions& decisions_;
  const Metrics& metrics_;
  const bool per_object_metrics_;
  Router router_;
};

}  // namespace stoker::adapter
