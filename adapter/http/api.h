#pragma once

#include <span>
#include <string>
#include <string_view>

#include "adapter/decisions.h"
#include "adapter/http/bearer_auth.h"
#include "adapter/http/message.h"
#include "adapter/metrics.h"

namespace stoker::adapter {

/// The HTTP API: metrics, and the decisions with their explanations. Answers from memory;
/// thread-safe.
class Api {
 public:
  /// All references must outlive this.
  Api(const Decisions& decisions,
      const Metrics& metrics,
      const BearerAuth& auth,
      bool per_object_metrics)
      : decisions_(decisions),
        metrics_(metrics),
        auth_(auth),
        per_object_metrics_(per_object_metrics) {}

  [[nodiscard]] HttpReply Handle(const ApiRequest& request) const;

  /// Every route as openapi.json writes it, e.g. "/api/v1/policies/{name}".
  static std::vector<std::string_view> Paths();
  /// The embedded description.
  static std::string_view OpenApi();

 private:
  struct Call;
  struct Route;
  static std::span<const Route> Routes();

  HttpReply ServeMetrics(const Call& call) const;
  HttpReply ServeHealth(const Call& call) const;
  HttpReply ServeOpenApi(const Call& call) const;
  HttpReply ListTargets(const Call& call) const;
  HttpReply GetTarget(const Call& call) const;
  HttpReply ListPolicies(const Call& call) const;
  HttpReply GetPolicy(const Call& call) const;
  HttpReply ListSignals(const Call& call) const;

  const Decisions& decisions_;
  const Metrics& metrics_;
  const BearerAuth& auth_;
  const bool per_object_metrics_;
};

}  // namespace stoker::adapter
