#pragma once

#include <algorithm>
#include <mutex>
#include <vector>

#include "tests/testing/fakes.h"
#include "upstream/http/retry.h"

namespace stoker::testing {

/// Lets no time pass but on the FakeClock, and remembers how long it was asked to wait.
/// Thread-safe.
class FakeWaiter final : public http::Waiter {
 public:
  explicit FakeWaiter(FakeClock& clock) : clock_(clock) {}
  bool WaitUntil(MonoTime when, std::stop_token stop) override {
    if (stop.stop_requested()) return false;
    const Duration wait = std::max(when - clock_.MonotonicNow(), Duration(0));
    {
      const std::scoped_lock lock(mutex_);
      waits.push_back(wait);
    }
    clock_.Advance(wait);
    return true;
  }

  std::vector<Duration> waits;  ///< to be read when nobody waits

 private:
  std::mutex mutex_;
  FakeClock& clock_;
};

}  // namespace stoker::testing
