#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "adapter/capacity_controller.h"
#include "adapter/decisions.h"
#include "adapter/engine.h"
#include "adapter/poller.h"
#include "adapter/reading_exchange.h"
#include "core/clock.h"
#include "core/http_transport.h"

namespace stoker::adapter {

/// Stoker's own metrics (prefix stoker_; docs/reference/metrics.md lists them). Counters and
/// histograms are kept here; everything per object, policy or signal is read from the decisions at
/// scrape time, so that ten thousand objects cost no registered series. A counter keeps at most
/// 1,000 label sets; what comes after is counted as "other". Thread-safe.
class Metrics final : public UpstreamObserver,
                      public PollObserver,
                      public DecisionObserver,
                      public PeersObserver,
                      public CapacityObserver {
 public:
  /// `clock` must outlive this.
  Metrics(const Clock& clock, const std::string& version);
  ~Metrics() override;

  void OnUpstreamRequest(std::string_view connection, int code) override;
  void OnPoll(std::string_view connection,
              std::string_view type,
              std::string_view result,
              Duration took) override;
  void OnDecision(std::string_view policy, policy::Bound bound) override;
  void OnPeers(int reached, int unreachable) override;
  void OnCapacity(const CapacityGauges& gauges) override;
  /// `method`: a method of our services, "GetMetrics"; `code`: "OK", "UNAVAILABLE", ...
  void OnGrpcRequest(std::string_view method, std::string_view code, Duration took);
  void OnConfigReload(bool successful);
  /// The expander left this group to the autoscaler.
  void OnExpanderChoice(std::string_view node_group);
  /// By this rule (capacity::RuleName) it chose or dropped an option.
  void OnExpanderOption(std::string_view rule);

  /// Prometheus text exposition (version 0.0.4). Series of objects, and what inline objects
  /// decide, only when `per_object`. A value that is not known has no series; it is never 0 or NaN
  /// instead.
  [[nodiscard]] std::string Render(const Decisions& decisions, bool per_object) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoker::adapter
