#include "upstream/http/circuit_breaker.h"

#include <algorithm>
#include <utility>

#include "core/units.h"

namespace stoker::http {

CircuitBreaker::Permit::Permit(Permit&& other) noexcept
    : breaker_(std::exchange(other.breaker_, nullptr)),
      epoch_(other.epoch_),
      probe_(other.probe_) {}

CircuitBreaker::Permit::~Permit() {
  if (breaker_ != nullptr) breaker_->Abandon(*this);
}

void CircuitBreaker::Permit::Succeeded() {
  if (CircuitBreaker* const breaker = std::exchange(breaker_, nullptr)) {
    breaker->Report(*this, true, {});
  }
}

void CircuitBreaker::Permit::Failed(std::string why) {
  if (CircuitBreaker* const breaker = std::exchange(breaker_, nullptr)) {
    breaker->Report(*this, false, std::move(why));
  }
}

Result<CircuitBreaker::Permit> CircuitBreaker::Acquire(MonoTime deadline,
                                                       const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (state_ == State::kClosed) return Permit(*this, epoch_, false);
    const MonoTime now = clock_.MonotonicNow();
    if (state_ == State::kOpen) {
      if (now < next_try_) return OpenError();
      state_ = State::kProbing;
      return Permit(*this, ++epoch_, true);
    }
    const std::uint64_t epoch = epoch_;
    ++waiting_;
    constexpr Duration kDay = std::chrono::hours(24);
    const bool ended = changed_.wait_for(
        lock, stop, std::min(deadline - now, kDay), [&] { return epoch_ != epoch; });
    --waiting_;
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped");
    if (!ended) return OpenError();
  }
}

void CircuitBreaker::Report(const Permit& permit, bool success, std::string why) {
  std::string failure;
  {
    const std::scoped_lock lock(mutex_);
    if (permit.epoch_ != epoch_) return;
    if (success) {
      failures_ = 0;
      if (state_ == State::kClosed) return;
      state_ = State::kClosed;
    } else {
      ++failures_;
      last_failure_ = std::move(why);
      if (!permit.probe_ && failures_ < options_.failures_to_open) return;
      state_ = State::kOpen;
      next_try_ = clock_.MonotonicNow() + options_.open_time;
    }
    ++epoch_;
    changed_.notify_all();
    failure = last_failure_;
  }
  const bool still_open = !success && permit.probe_;
  if (on_change_ && !still_open) on_change_(!success, success ? std::string() : failure);
}

void CircuitBreaker::Abandon(const Permit& permit) {
  const std::scoped_lock lock(mutex_);
  if (!permit.probe_ || permit.epoch_ != epoch_) return;
  state_ = State::kOpen;  // next_try_ has passed: the next caller probes
  ++epoch_;
  changed_.notify_all();
}

tl::unexpected<Error> CircuitBreaker::OpenError() const {
  const MonoTime now = clock_.MonotonicNow();
  std::string text = "circuit open after " + std::to_string(failures_) + " failures, next try ";
  text += next_try_ > now ? "in " + FormatDuration(next_try_ - now) : "under way";
  return Fail(ErrorCode::kUnavailable, text + "; last failure: " + last_failure_);
}

int CircuitBreaker::waiting() const {
  const std::scoped_lock lock(mutex_);
  return waiting_;
}

}  // namespace stoker::http
