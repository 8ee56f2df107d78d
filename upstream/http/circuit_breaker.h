#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>

#include "core/clock.h"
#include "core/result.h"

namespace stoker::http {

/// Spares an upstream that fails. Closed: every call passes. After `failures_to_open` failed calls
/// in a row it is open: calls fail at once with kUnavailable. After `open_time` it is half-open:
/// one call passes as the probe and the others wait for its outcome, each at most to its own
/// deadline; a success closes the breaker and lets them all pass, a failure opens it again and
/// fails them.
///
/// A poll on an upstream that is back must never fail because of the breaker, so open_time has to
/// end before the next slot does, whatever the polls' jitter: use half of the connection's interval
/// (OpenTimeFor). Thread-safe; `clock` outlives it.
class CircuitBreaker {
 public:
  struct Options {
    int failures_to_open = 3;
    Duration open_time = std::chrono::milliseconds(7500);
  };

  /// One admitted call. Dropped without an outcome it counts as neither, and the next caller
  /// probes.
  class Permit {
   public:
    Permit(Permit&& other) noexcept;
    Permit& operator=(Permit&&) = delete;
    ~Permit();
    /// The upstream answered, be it with a refusal.
    void Succeeded();
    /// No answer, or one that says that the upstream is in trouble; `why` is shown to people.
    void Failed(std::string why);

   private:
    friend class CircuitBreaker;
    Permit(CircuitBreaker& breaker, std::uint64_t epoch, bool probe)
        : breaker_(&breaker), epoch_(epoch), probe_(probe) {}
    CircuitBreaker* breaker_;  // null once there is an outcome
    std::uint64_t epoch_;
    bool probe_;
  };

  /// Called when it opens (with the last failure) and when it closes, from the thread that reported
  /// the outcome.
  using OnChange = std::function<void(bool open, const std::string& why)>;

  CircuitBreaker(Options options, const Clock& clock, OnChange on_change = nullptr)
      : options_(options), clock_(clock), on_change_(std::move(on_change)) {}

  /// Half the interval.
  static Duration OpenTimeFor(Duration interval) { return interval / 2; }

  /// Asks to make a call. kUnavailable while open or when the probe did not end by `deadline`,
  /// kCancelled at a stop.
  Result<Permit> Acquire(MonoTime deadline, const std::stop_token& stop);

  /// Callers that wait for a probe's outcome now.
  [[nodiscard]] int waiting() const;

 private:
  enum class State : std::uint8_t { kClosed, kOpen, kProbing };

  void Report(const Permit& permit, bool success, std::string why);
  void Abandon(const Permit& permit);
  tl::unexpected<Error> OpenError() const;

  const Options options_;
  const Clock& clock_;
  const OnChange on_change_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  State state_ = State::kClosed;
  std::uint64_t epoch_ = 0;  // counts changes of state; outcomes of calls from before are ignored
  int failures_ = 0;
  int waiting_ = 0;
  MonoTime next_try_{};
  std::string last_failure_;
};

}  // namespace stoker::http
