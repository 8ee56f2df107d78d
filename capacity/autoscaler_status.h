#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capacity/expander.h"
#include "core/clock.h"
#include "core/result.h"

namespace stoker::capacity {

/// What the Cluster Autoscaler tells of one node group.
struct GroupStatus {
  std::string name;  ///< the group's id, as in the expander's options
  bool healthy = true;
  bool backing_off = false;  ///< after a scale-up that failed; nothing is asked of it for a while
  std::string error_code;    ///< of that scale-up, "OutOfResource"; "" when it is not told
  std::int64_t never_came = 0;  ///< nodes that were asked for and did not register in time
};

/// The text of its ConfigMap `cluster-autoscaler-status`, key `status`.
struct AutoscalerStatus {
  std::optional<WallTime> time;  ///< when it was written
  std::vector<GroupStatus> groups;
};

/// Reads either form: YAML (Cluster Autoscaler 1.30 and later, clusterstate/api/types.go) or the
/// text for people before. kUnavailable when it is neither. Never throws.
Result<AutoscalerStatus> ParseAutoscalerStatus(std::string_view text);

/// Which groups failed lately, from one status after the other. Not thread-safe.
class GroupHealth {
 public:
  /// A status that was read at `now`; one without a time of its own counts as of now.
  void Update(const AutoscalerStatus& status, WallTime now);
  /// Those seen to fail within `avoid` before `now`.
  [[nodiscard]] GroupFailures Failures(WallTime now, Duration avoid) const;

 private:
  GroupFailures failures_;
};

}  // namespace stoker::capacity
