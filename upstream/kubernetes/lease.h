#pragma once

#include <memory>
#include <string>

#include "core/clock.h"
#include "core/environment.h"
#include "core/executor.h"
#include "core/log.h"
#include "upstream/kubernetes/client.h"

namespace stoker::kubernetes {

/// The times are those of Kubernetes' own components.
struct LeaseOptions {
  std::string name_space;
  std::string name;
  std::string identity;                          ///< of this process; another at each start
  Duration duration = std::chrono::seconds(15);  ///< a holder unheard of for so long is replaced
  Duration renew_within =
      std::chrono::seconds(10);  ///< without a renewal for so long we hold it not
  Duration retry_period = std::chrono::seconds(2);  ///< of renewals; takers wait up to 2.2 times it
};

/// One holder among replicas, by a Lease object (coordination.k8s.io/v1), which is made when it is
/// not there. Needs a Role with verbs get, create and update on leases.
///
/// Two never hold it at once as long as their monotonic clocks run at about the same speed: others
/// wait `duration` from when they saw the last renewal, we give up `renew_within` after we began
/// it. Wall clocks do not matter. What a holder has asked of the cluster may still arrive after it
/// has lost the lease.
///
/// Thread-safe. Requests run on `executor`, one at a time. The references outlive the object
/// and the work that it posted.
class Lease {
 public:
  struct Deps {
    Client& client;
    const Clock& clock;
    Executor& executor;
    Random& random;
    Logger& logger;
  };
  Lease(LeaseOptions options, const Deps& deps);
  /// Stops.
  // NOLINTNEXTLINE(bugprone-exception-escape): as in lease.cc
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  /// Begin to take it, and then to keep it.
  void Start();
  /// End for good, and release it when it is held, so that another need not wait; within 3 s. Call
  /// it on no thread of `executor`. Idempotent.
  void Stop();

  /// Whether we hold it now.
  [[nodiscard]] bool held() const;
  /// The identity of who held it when we looked last; "" for nobody known.
  [[nodiscard]] std::string holder() const;

 private:
  struct Core;
  const std::shared_ptr<Core> core_;
};

}  // namespace stoker::kubernetes
