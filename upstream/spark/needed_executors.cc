#include "upstream/spark/needed_executors.h"

#include <algorithm>
#include <cmath>

namespace stoker::spark {

Need NeededExecutors(const std::vector<Stage>& stages, const SlotsByProfile& slots, double ratio) {
  Need need;
  std::map<int, std::int64_t> tasks;
  for (const Stage& stage : stages) {
    const std::int64_t pending =
        std::max<std::int64_t>(0, stage.tasks - stage.done - stage.running);
    need.pending += pending;
    need.running += stage.running;
    tasks[stage.profile] += pending + stage.running;
  }
  for (const auto& [profile, count] : tasks) {
    const auto found = slots.find(profile);
    const int per_executor = found == slots.end() ? 1 : found->second;
    need.executors += std::ceil(static_cast<double>(count) * ratio / per_executor);
  }
  return need;
}

}  // namespace stoker::spark
