#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/environment.h"
#include "core/executor.h"

namespace stoker::config {

/// Notices that configuration files changed, by content (a ConfigMap swaps symbolic links; times
/// and inodes lie). Looks every `period`, and reports a change once two looks in a row agree, so
/// that a half-written file is not read. What cannot be read counts as unchanged. `on_change` must
/// not destroy the watcher. Owned by the adapter; `on_change` runs on the executor, never twice at
/// a time, and not after the destructor returned.
class Watcher {
 public:
  Watcher(std::vector<std::string> paths,
          const FileSystem& files,
          const Clock& clock,
          Executor& executor,
          Duration period,
          std::function<void()> on_change);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace stoker::config
