#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapter/compile.h"
#include "adapter/decisions.h"
#include "capacity/diagnosis.h"
#include "capacity/manifests.h"
#include "core/clock.h"
#include "core/executor.h"
#include "core/log.h"
#include "upstream/kubernetes/client.h"

namespace stoker::adapter {

/// How one policy's headroom stands in the cluster.
struct CapacityStatus {
  std::string policy;
  policy::Mechanism mechanism = policy::Mechanism::kNone;
  std::string object;                 ///< "CapacityBuffer spark/stoker-etl"; "": none of ours
  std::optional<WallTime> written;    ///< when this replica wrote it last
  std::vector<std::string> diff;      ///< what is not yet as it should be, a line for each field
  std::string error;                  ///< why nothing is written, or could be
  std::optional<std::int64_t> there;  ///< executors that the object in the cluster makes room for
  std::vector<capacity::Finding> missing;
};

/// What all policies together ask of the cluster, for metrics.
struct CapacityGauges {
  std::map<std::string, std::int64_t> wanted_nodes;     ///< by node shape, see WantedNodes
  std::map<std::string, std::int64_t> buffer_replicas;  ///< by policy
  /// By policy that has a mechanism: whether its status has no error.
  std::map<std::string, bool> up{};
};

/// Nodes of each shape that all executors wanted within the lead times would take, as is cheapest
/// (capacity/packing.h). A name that several shapes have counts them together.
std::map<std::string, std::int64_t> WantedNodes(const std::vector<capacity::NodeShape>& shapes,
                                                const std::vector<capacity::Headroom>& wanted);

/// Told after every round. On the executor's thread; must not wait.
class CapacityObserver {
 public:
  virtual ~CapacityObserver() = default;
  virtual void OnCapacity(const CapacityGauges& gauges) = 0;
};

/// Keeps CapacityBuffers and ProvisioningRequests as large as the policies' headroom. Every 15 s it
/// compares what should be with what is in the cluster, and writes the difference when
/// `capacity.write` is on and `may_write` says so; otherwise the difference is only shown.
/// Placeholders are KEDA's to scale.
///
/// Nothing is written while a headroom is an error: whatever is there stays. An object of the same
/// name that does not carry Stoker's labels is left alone. A ProvisioningRequest is made anew,
/// under another name, when the headroom grows beyond it, its booking is over, or it failed ten
/// minutes ago; it stays while the headroom shrinks, and goes when there is none left. When the
/// configuration no longer asks for an object that it asked for since the start, the buffer makes
/// room for nothing, and requests go; where a policy moved to another object, once that one is as
/// it should be.
///
/// Thread-safe. Rounds run on `executor`, one at a time.
class CapacityController {
 public:
  static constexpr Duration kEvery = std::chrono::seconds(15);
  static constexpr Duration kTimeout = std::chrono::seconds(10);  ///< of one policy's turn

  /// All must outlive the work that is posted, which ends soon after Stop.
  struct Deps {
    const Decisions& decisions;
    std::function<capacity::CapacityConfig()> config;  ///< in force now
    /// Asked for once a policy has a mechanism; kUnavailable when there is no cluster to ask.
    std::function<Result<kubernetes::Client*>()> client;
    std::function<bool()> may_write;                    ///< whether this replica holds the Lease
    std::function<capacity::OwnView()> own;             ///< what the expander knows
    std::function<capacity::GroupFailures()> failures;  ///< of node groups; may be empty
    const Clock& clock;
    Executor& executor;
    CapacityObserver& observer;
    Logger& logger;
  };
  explicit CapacityController(Deps deps);
  ~CapacityController();
  CapacityController(const CapacityController&) = delete;
  CapacityController& operator=(const CapacityController&) = delete;

  void Start();
  /// Waits for a round in progress, which it cuts short.
  void Stop();

  /// By policy name; empty before the first round.
  [[nodiscard]] std::vector<CapacityStatus> Statuses() const;

 private:
  struct Core;
  std::shared_ptr<Core> core_;
};

}  // namespace stoker::adapter
