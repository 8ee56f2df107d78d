#pragma once

#include <functional>

#include "core/clock.h"

namespace stoker {

/// Runs work now or later. All members are thread-safe. Work must not throw.
/// The real one (ThreadExecutor) has a pool and a timer; testing::FakeExecutor runs due work inside
/// FakeClock::Advance, in order of time and then of posting, on the caller's thread.
class Executor {
 public:
  using Work = std::function<void()>;
  virtual ~Executor() = default;
  /// Run `work` as soon as a worker is free.
  virtual void Post(Work work) = 0;
  /// Run `work` at `when` or as soon after as a worker is free.
  virtual void PostAt(MonoTime when, Work work) = 0;
};

}  // namespace stoker
