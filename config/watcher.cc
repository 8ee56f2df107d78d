#include "config/watcher.h"

#include <mutex>
#include <optional>
#include <utility>

#include "config/document.h"

namespace stoker::config {

struct Watcher::State : std::enable_shared_from_this<Watcher::State> {
  State(std::vector<std::string> paths_in,
        const FileSystem& files_in,
        const Clock& clock_in,
        Executor& executor_in,
        Duration period_in,
        std::function<void()> on_change_in)
      : paths(std::move(paths_in)),
        files(files_in),
        clock(clock_in),
        executor(executor_in),
        period(period_in),
        on_change(std::move(on_change_in)) {}

  /// Everything that LoadDocument would read, in one text: configurations are small, and unlike a
  /// hash this never takes two for one. Empty when something cannot be read now.
  [[nodiscard]] std::optional<std::string> Snapshot() const {
    const Result<std::vector<std::string>> names = ListConfigFiles(paths, files);
    if (!names) return std::nullopt;
    std::string all;
    for (const std::string& name : *names) {
      const Result<std::string> text = files.Read(name);
      if (!text) return std::nullopt;
      all += name + '\0' + std::to_string(text->size()) + '\0' + *text;
    }
    return all;
  }

  void Look() {
    const std::scoped_lock lock(mutex);
    if (stopped) return;
    std::optional<std::string> now = Snapshot();
    if (!now || now == reported) {
      candidate.reset();
    } else if (now == candidate) {
      reported = std::exchange(candidate, std::nullopt);
      on_change();
    } else {
      candidate = std::move(now);
    }
    Schedule();
  }

  void Schedule() {
    executor.PostAt(clock.MonotonicNow() + period, [self = shared_from_this()] { self->Look(); });
  }

  const std::vector<std::string> paths;
  const FileSystem& files;
  const Clock& clock;
  Executor& executor;
  const Duration period;
  const std::function<void()> on_change;

  // Held through a look, so that the destructor waits for one under way.
  std::mutex mutex;
  bool stopped = false;
  std::optional<std::string> reported;   ///< what on_change was last called for, or found at first
  std::optional<std::string> candidate;  ///< seen once; reported when seen again
};

Watcher::Watcher(std::vector<std::string> paths,
                 const FileSystem& files,
                 const Clock& clock,
                 Executor& executor,
                 Duration period,
                 std::function<void()> on_change)
    : state_(std::make_shared<State>(
          std::move(paths), files, clock, executor, period, std::move(on_change))) {
  const std::scoped_lock lock(state_->mutex);
  state_->reported = state_->Snapshot();
  state_->Schedule();
}

Watcher::~Watcher() {
  const std::scoped_lock lock(state_->mutex);
  state_->stopped = true;
}

}  // namespace stoker::config
