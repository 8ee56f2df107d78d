#pragma once

#include <vector>

#include "tests/testing/fakes.h"
#include "upstream/http/retry.h"

namespace stoker::testing {

/// Lets no time pass but on the FakeClock, and remembers how long it was asked to wait.
class FakeWaiter final : public http::Waiter {
 public:
  explicit FakeWaiter(FakeClock& clock) : clock_(clock) {}
  bool WaitUntil(MonoTime when, std::stop_token stop) override {
    if (stop.stop_requested()) return false;
    waits.push_back(when - clock_.MonotonicNow());
    clock_.Advance(waits.back());
    return true;
  }

  std::vector<Duration> waits;

 private:
  FakeClock& clock_;
};

}  // namespace stoker::testing
