#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "capacity/expander.h"
#include "capacity/manifests.h"
#include "capacity/node_shapes.h"
#include "core/clock.h"
#include "rightsizing/shape.h"

namespace stoker::capacity {

/// Why capacity that is wanted is not there, in the order in which to look at them: what comes
/// earlier makes what comes later vain.
enum class Blocker : std::uint8_t {
  kQuota,         ///< a ResourceQuota lets no more pods be created
  kGated,         ///< pods wait for scheduling gates; the autoscaler does not look at them
  kRefused,       ///< the autoscaler cannot use the object that asks for room, or gave it up
  kNothingFits,   ///< no node group takes such a pod
  kMaximum,       ///< node groups that would take it are at their maximum
  kClusterLimit,  ///< the autoscaler's own limits: nodes, CPU, memory, CapacityQuotas
  kBackOff,       ///< groups whose last scale-up failed are left alone for a while
  kNotReady,      ///< groups with too many nodes that are not ready
  kExpander,      ///< the expander left no group, or is not asked
  kNoAutoscaler,  ///< nobody adds nodes: its status is missing or old
  kCooldown,      ///< pods are younger than the autoscaler waits for
  kInProgress,    ///< nodes are on their way
  kUnknown,       ///< something could not be asked; never of Diagnose
};
/// "quota", "gated", "refused", "nothing_fits", "maximum", "cluster_limit", "back_off",
/// "not_ready", "expander", "no_autoscaler", "cooldown", "in_progress", "unknown".
std::string_view BlockerName(Blocker blocker);

/// A pod without a node.
struct PendingPod {
  std::string name_space;
  std::string name;
  WallTime created{};
  std::string reason;   ///< of PodScheduled: "Unschedulable", "SchedulingGated"; "" before that
  std::string message;  ///< likewise: "0/3 nodes are available: 3 Insufficient cpu."
  std::optional<Duration> scale_up_delay;  ///< its annotation for the Cluster Autoscaler
};

/// What somebody said of an object lately.
struct ClusterEvent {
  std::string reason;  ///< "NotTriggerScaleUp"
  std::string message;
  std::string name_space;  ///< of the object
  std::string kind;
  std::string name;
  WallTime last{};
};

/// One resource of a ResourceQuota, in thousandths of its unit.
struct QuotaUse {
  std::string name_space;
  std::string quota;
  std::string resource;  ///< "requests.cpu", "pods"
  std::int64_t used_millis = 0;
  std::int64_t hard_millis = 0;
};

/// An object that asks the autoscaler for room, and what that says of it.
struct RoomObject {
  struct Condition {
    std::string type;  ///< "ReadyForProvisioning"
    bool holds = false;
    std::string reason;
    std::string message;
  };
  std::string policy;
  std::string kind;  ///< "CapacityBuffer" or "ProvisioningRequest"
  std::string name;
  WallTime created{};
  std::vector<Condition> conditions;
};

/// What a cluster shows, as far as it could be asked.
struct ClusterView {
  WallTime now{};
  std::vector<PendingPod> pods;
  std::vector<ClusterEvent> events;
  std::vector<QuotaUse> quotas;
  std::vector<RoomObject> rooms;  ///< that ask for any room
  GroupFailures failures;         ///< node groups that the autoscaler failed with lately
  /// When the autoscaler last wrote its status; empty: there is none. Absent: it was not asked for.
  std::optional<std::optional<WallTime>> status_time;
};

/// What Stoker itself knows.
struct OwnView {
  bool expander = false;                ///< server.expander is on
  std::optional<WallTime> last_choice;  ///< when the expander was asked last
};

/// One reason, for people.
struct Finding {
  Blocker blocker = Blocker::kInProgress;
  std::string message;  ///< what, and the mend
};

/// Why the executors of `headroom` are not there: one finding for each blocker, in their order.
/// Empty when nothing speaks against them. Events count for 10 minutes.
std::vector<Finding> Diagnose(const ClusterView& view,
                              const Headroom& headroom,
                              std::span<const NodeShape> shapes,
                              const OwnView& own);

/// The reasons in the message of a NotTriggerScaleUp event, with the number of node groups each is
/// true of (0: it names none). Texts are cut to 200 characters.
struct NoScaleUpReason {
  int groups = 0;
  std::string text;
};
std::vector<NoScaleUpReason> NoScaleUpReasons(std::string_view message);

}  // namespace stoker::capacity
