#include "upstream/http/retry.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "core/text.h"
#include "core/units.h"

namespace stoker::http {
namespace {

bool IsTransient(const Result<HttpResponse>& outcome) {
  if (!outcome) {
    const ErrorCode code = outcome.error().code;  // kNotFound: who is absent now may come
    return code == ErrorCode::kUnavailable || code == ErrorCode::kNotFound;
  }
  const int status = outcome->status;
  return status == 429 || (status >= 502 && status <= 504);
}

Duration RetryAfter(const Result<HttpResponse>& outcome) {
  if (!outcome) return Duration::zero();
  const Result<std::int64_t> seconds = ParseInteger(Trim(outcome->Header("Retry-After")));
  // An hour is beyond any deadline of ours, and keeps the arithmetic safe.
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds.value_or(0), 0, 3600));
}

}  // namespace

bool SystemWaiter::WaitUntil(MonoTime when, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_until(lock, stop, when, [] { return false; });
  return !stop.stop_requested();
}

std::optional<MonoTime> Retrier::NextAttempt(int attempts,
                                             const Result<HttpResponse>& outcome,
                                             MonoTime deadline) const {
  if (attempts >= options_.max_attempts || !IsTransient(outcome)) return std::nullopt;
  const int doublings = std::min(attempts - 1, 20);
  const Duration longest = std::min(options_.cap, options_.base * (1 << doublings));
  const auto half = static_cast<double>(longest.count()) / 2;
  const Duration backoff(static_cast<Duration::rep>(half + half * random_.Uniform()));
  const MonoTime when = clock_.MonotonicNow() + std::max(backoff, RetryAfter(outcome));
  return when < deadline ? std::optional(when) : std::nullopt;
}

Result<HttpResponse> Retrier::Send(HttpTransport& transport,
                                   const std::function<Result<HttpRequest>()>& make_request) const {
  for (int attempt = 1;; ++attempt) {
    const Result<HttpRequest> request = make_request();
    if (!request) return Fail(request.error());
    Result<HttpResponse> outcome = transport.Send(*request);
    const std::optional<MonoTime> next = NextAttempt(attempt, outcome, request->deadline);
    if (!next) return outcome;
    if (!waiter_.WaitUntil(*next, request->stop)) {
      return Fail(ErrorCode::kCancelled, "stopped before the next attempt");
    }
  }
}

}  // namespace stoker::http
