#include "capacity/choice_log.h"

#include <algorithm>
#include <utility>

namespace stoker::capacity {

void ChoiceLog::Add(ChoiceRecord record) {
  std::vector<Verdict>& verdicts = record.choice.verdicts;
  if (verdicts.size() > kVerdicts) {
    std::ranges::stable_partition(verdicts, [](const Verdict& verdict) { return verdict.chosen; });
    verdicts.resize(kVerdicts);
  }
  const std::scoped_lock lock(mutex_);
  records_.push_front(std::move(record));
  if (records_.size() > kRecords) records_.pop_back();
}

std::vector<ChoiceRecord> ChoiceLog::Recent() const {
  const std::scoped_lock lock(mutex_);
  return {records_.begin(), records_.end()};
}

}  // namespace stoker::capacity
