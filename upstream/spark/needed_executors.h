#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace stoker::spark {

/// The resource profile of applications that define none.
inline constexpr int kDefaultProfile = 0;

/// Tasks that one executor of a resource profile runs at a time, at least 1.
using SlotsByProfile = std::map<int, int>;

/// A running attempt of a stage.
struct Stage {
  int profile = kDefaultProfile;
  std::int64_t tasks = 0;    ///< partitions to compute
  std::int64_t done = 0;     ///< partitions computed
  std::int64_t running = 0;  ///< attempts that run, speculative copies too
};

/// The executors that an application could use now, and why.
struct Need {
  double executors = 0;
  std::int64_t pending = 0;  ///< tasks that wait for a slot
  std::int64_t running = 0;
};

/// Spark's own formula (ExecutorAllocationManager.maxNumExecutorsNeededPerResourceProfile), the sum
/// over the profiles of ceil((pending + running) * ratio / slots). A task that failed or was killed
/// is pending again. Speculative copies count once they run: REST does not tell of those that wait.
/// Profiles that `slots` lacks count one task an executor.
Need NeededExecutors(const std::vector<Stage>& stages, const SlotsByProfile& slots, double ratio);

}  // namespace stoker::spark
