#pragma once

#include <memory>

#include "core/executor.h"

namespace stoker {

/// A fixed pool of threads and one timer. Destruction stops taking work, drops what has not begun
/// and joins the workers, so work in flight must be bounded by its own deadline.
class ThreadExecutor final : public Executor {
 public:
  /// `threads` >= 1.
  explicit ThreadExecutor(int threads);
  ~ThreadExecutor() override;
  ThreadExecutor(const ThreadExecutor&) = delete;
  ThreadExecutor& operator=(const ThreadExecutor&) = delete;

  void Post(Work work) override;
  void PostAt(MonoTime when, Work work) override;
  /// Drop what has not begun and wait for what has. Idempotent; later posts are dropped.
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoker
