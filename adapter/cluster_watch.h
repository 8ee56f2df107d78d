#pragma once

#include <functional>
#include <memory>

#include "capacity/autoscaler_status.h"
#include "capacity/capacity_config.h"
#include "core/clock.h"
#include "core/executor.h"
#include "core/log.h"
#include "upstream/kubernetes/client.h"

namespace stoker::adapter {

/// Keeps what the Cluster Autoscaler tells of its node groups: reads its status ConfigMap every ten
/// seconds on `pool`, so that who asks reads memory. What was last known of a group stays while the
/// ConfigMap cannot be read, and wears off with `avoidFailed`. Thread-safe.
class ClusterWatch {
 public:
  static constexpr Duration kEvery = std::chrono::seconds(10);
  static constexpr Duration kTimeout = std::chrono::seconds(5);

  /// All must outlive the work that is posted, which ends soon after Stop.
  struct Deps {
    kubernetes::Client& client;
    std::function<capacity::ExpanderConfig()> config;  ///< in force now
    const Clock& clock;
    Executor& timers;
    Executor& pool;
    Logger& logger;
  };
  explicit ClusterWatch(const Deps& deps);
  ~ClusterWatch();
  ClusterWatch(const ClusterWatch&) = delete;
  ClusterWatch& operator=(const ClusterWatch&) = delete;

  void Start();
  void Stop();

  [[nodiscard]] capacity::GroupFailures Failures() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace stoker::adapter
