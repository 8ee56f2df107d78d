#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "upstream/aws/credential_sources.h"

namespace stoker::aws {
namespace {

constexpr Duration kRefreshBefore = std::chrono::minutes(5);
constexpr Duration kRetryAfter = std::chrono::seconds(10);

class CachingProvider final : public CredentialsProvider {
 public:
  CachingProvider(const Clock& clock,
                  Logger& logger,
                  Duration recheck,
                  std::function<Result<Fetched>(MonoTime)> fetch)
      : clock_(clock), logger_(logger), recheck_(recheck), fetch_(std::move(fetch)) {}

  Result<Credentials> Get(MonoTime deadline) override {
    std::unique_lock lock(mutex_);
    for (;;) {
      const WallTime now = clock_.WallNow();
      const bool usable = held_ && (!held_->expires || now < *held_->expires);
      if (usable && (refreshing_ || now < refresh_at_)) return held_->credentials;
      if (!refreshing_) return Refresh(lock, deadline, usable);

      const std::uint64_t seen = refreshes_;
      const Duration left = deadline - clock_.MonotonicNow();
      if (!refreshed_.wait_for(lock, left, [&] { return refreshes_ != seen; })) {
        return Fail(ErrorCode::kDeadlineExceeded, "AWS credentials did not arrive in time");
      }
      if (failure_) return Fail(*failure_);
    }
  }

  void Invalidate() override {
    const std::scoped_lock lock(mutex_);
    held_.reset();
  }

 private:
  /// Called and returns with the lock held; fetches without it.
  Result<Credentials> Refresh(std::unique_lock<std::mutex>& lock, MonoTime deadline, bool usable) {
    refreshing_ = true;
    lock.unlock();
    // With something to fall back on, leave the caller time for what it needs the credentials for.
    const MonoTime begin = clock_.MonotonicNow();
    if (usable && deadline > begin) deadline = begin + (deadline - begin) / 2;
    Result<Fetched> fetched = fetch_(deadline);
    lock.lock();
    refreshing_ = false;
    ++refreshes_;
    refreshed_.notify_all();

    const WallTime now = clock_.WallNow();
    if (fetched && fetched->expires && *fetched->expires <= now) {
      fetched = Fail(ErrorCode::kUnavailable,
                     "AWS credentials arrived already expired; check this machine's clock");
    }
    if (fetched) {
      if (failure_ && held_) logger_.Info("AWS credentials refreshed again");
      failure_.reset();
      held_ = std::move(*fetched);
      refresh_at_ = now + recheck_;
      if (held_->expires) {
        refresh_at_ = std::max(now + kRetryAfter, *held_->expires - kRefreshBefore);
      }
      return held_->credentials;
    }
    const bool first = !failure_;
    failure_ = fetched.error();
    if (!usable || !held_) return Fail(*failure_);  // held_ is gone when invalidated meanwhile
    refresh_at_ = now + kRetryAfter;
    if (first) {
      logger_.Warn(
          "AWS credentials cannot be refreshed; the present ones serve until they expire; "
          "mend the source named",
          {{"error", failure_->message}});
    }
    return held_->credentials;
  }

  const Clock& clock_;
  Logger& logger_;
  const Duration recheck_;
  const std::function<Result<Fetched>(MonoTime)> fetch_;
  std::mutex mutex_;
  std::condition_variable refreshed_;
  std::optional<Fetched> held_;
  WallTime refresh_at_{};
  bool refreshing_ = false;
  std::uint64_t refreshes_ = 0;
  std::optional<Error> failure_;  ///< of the last refresh
};

}  // namespace

std::shared_ptr<CredentialsProvider> MakeCachingProvider(
    const Clock& clock,
    Logger& logger,
    Duration recheck,
    std::function<Result<Fetched>(MonoTime deadline)> fetch) {
  return std::make_shared<CachingProvider>(clock, logger, recheck, std::move(fetch));
}

}  // namespace stoker::aws
