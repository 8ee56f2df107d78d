#pragma once

#include <functional>
#include <optional>
#include <stop_token>

#include "core/clock.h"
#include "core/environment.h"
#include "core/http_transport.h"

namespace stoker::http {

/// Lets time pass between two attempts. Thread-safe.
class Waiter {
 public:
  virtual ~Waiter() = default;
  /// Returns true at `when`, false as soon as a stop is requested.
  virtual bool WaitUntil(MonoTime when, std::stop_token stop) = 0;
};

/// Waits in real time.
class SystemWaiter final : public Waiter {
 public:
  bool WaitUntil(MonoTime when, std::stop_token stop) override;
};

struct RetryOptions {
  int max_attempts = 3;  ///< the first one included
  Duration base = std::chrono::milliseconds(100);
  Duration cap = std::chrono::seconds(2);
};

/// Decides what is tried again, and when: no answer (kUnavailable, kNotFound), 429, 502, 503 and
/// 504, as long as attempts are left and the next one would begin before the deadline. Waits half
/// of min(cap, base * 2^n) plus a random part of the other half, or what Retry-After asks for (in
/// seconds; its date form is ignored) when that is longer. An attempt that used up the deadline is
/// not repeated. Thread-safe when `random` and `waiter` are; `clock`, `random` and `waiter` outlive
/// it.
class Retrier {
 public:
  Retrier(RetryOptions options, const Clock& clock, Random& random, Waiter& waiter)
      : options_(options), clock_(clock), random_(random), waiter_(waiter) {}

  /// When to try again after `attempts` (>= 1) attempts, the last of which ended with `outcome`;
  /// empty: not at all.
  [[nodiscard]] std::optional<MonoTime> NextAttempt(int attempts,
                                                    const Result<HttpResponse>& outcome,
                                                    MonoTime deadline) const;

  /// Sends what `make_request` makes (anew for each attempt, since a signature holds the time)
  /// until an outcome stands, and returns that. kCancelled when stopped while waiting.
  Result<HttpResponse> Send(HttpTransport& transport,
                            const std::function<Result<HttpRequest>()>& make_request) const;

 private:
  const RetryOptions options_;
  const Clock& clock_;
  Random& random_;
  Waiter& waiter_;
};

}  // namespace stoker::http
