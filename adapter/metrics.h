#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "adapter/decisions.h"
#include "core/clock.h"
#include "core/http_transport.h"

namespace stoker::adapter {

/// Stoker's own metrics (prefix stoker_, names in CONTRACTS and docs/reference/metrics.md). Counters and
/// histograms are kept here; everything per object, policy or signal is read from the decisions at scrape
/// time, so that ten thousand objects cost no registered series. Thread-safe.
class Metrics final : public UpstreamObserver {
 public:
  /// `decisions` may be null (no per-object series) and must outlive this.
  Metrics(const Clock& clock, std::string version);
  ~Metrics() override;

  void OnUpstreamRequest(std::string_view connection, int code) override;
  /// `result`: "ok", "empty" or "error".
  void OnPoll(std::string_view connection, std::string_view type, std::string_view result,
              Duration took);
  /// `method`: "GetMetrics"; `code`: "OK", "UNAVAILABLE", ...
  void OnGrpcRequest(std::string_view method, std::string_view code, Duration took);
  void OnConfigReload(bool successful);
  void OnDecision(std::string_view policy, policy::Bound bound);

  /// Prometheus text exposition (version 0.0.4). Per-object series only when `per_object`.
  [[nodiscard]] std::string Render(const Decisions& decisions, bool per_object) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoker::adapter
