#include "upstream/s3/counter.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "upstream/s3/key_range.h"

namespace stoker::s3 {
namespace {

/// What one count shares: the request, the budget of requests, and how a page is asked for.
class Lister {
 public:
  Lister(Client& client, const CountRequest& request, MonoTime deadline)
      : client_(client), request_(request), deadline_(deadline) {}

  Result<Page> List(const KeyRange& from, const std::stop_token& stop) {
    if (requests_.fetch_add(1) >= request_.max_requests) {
      return Fail(ErrorCode::kResourceExhausted,
                  "counting needs more than maxRequests (" + std::to_string(request_.max_requests) +
                      ") requests; raise it, or choose a narrower prefix");
    }
    ListRequest list{
        .bucket = request_.bucket, .prefix = request_.prefix, .delimiter = request_.delimiter};
    (from.token.empty() ? list.start_after : list.continuation_token) =
        from.token.empty() ? from.after : from.token;
    return client_.ListPage(list, deadline_, stop);
  }

  /// What the objects of a page up to `upto` add.
  [[nodiscard]] std::uint64_t Tally(const Page& page, const std::string& upto) const {
    std::uint64_t sum = 0;
    for (const Object& object : page.objects) {
      if (!upto.empty() && object.key > upto) break;
      if (request_.counts && !request_.counts(object)) continue;
      sum += request_.measure == Measure::kBytes ? object.size_bytes : 1;
    }
    return sum;
  }

  [[nodiscard]] int requests() const { return requests_; }
  [[nodiscard]] std::size_t prefix_size() const { return request_.prefix.size(); }

 private:
  Client& client_;
  const CountRequest& request_;
  const MonoTime deadline_;
  std::atomic<int> requests_ = 0;
};

/// The keys of a page lie in byte order, after `after`.
bool InOrder(const Page& page, const std::string& after) {
  const std::string* previous = &after;
  for (const Object& object : page.objects) {
    if (object.key <= *previous) return false;
    previous = &object.key;
  }
  return true;
}

/// The first and last thing a page shows, objects and rolled-up prefixes alike.
PageSpan Span(const Page& page) {
  PageSpan span;
  const auto include = [&span](const std::string& first, const std::string& last) {
    if (span.last.empty() || first < span.first) span.first = first;
    if (span.last.empty() || last > span.last) span.last = last;
  };
  if (!page.objects.empty()) include(page.objects.front().key, page.objects.back().key);
  if (!page.common_prefixes.empty()) {
    include(page.common_prefixes.front(), page.common_prefixes.back());
  }
  return span;
}

/// Page after page from `page` on, which has been tallied as `sum`.
Result<Count> CountInTurn(Lister& lister,
                          Page page,
                          std::uint64_t sum,
                          const std::optional<double>& enough,
                          const std::stop_token& stop) {
  while (page.truncated) {
    if (enough && static_cast<double>(sum) >= *enough) {
      return Count{static_cast<double>(sum), true, lister.requests()};
    }
    Result<Page> next = lister.List({.after = {}, .upto = {}, .token = page.next_token}, stop);
    if (!next) return Fail(next.error());
    page = std::move(*next);
    sum += lister.Tally(page, {});
  }
  return Count{static_cast<double>(sum), false, lister.requests()};
}

/// Threads that share the ranges still to be listed. A thread that has more to list cuts it up as
/// long as others have nothing to do.
class ParallelCount {
 public:
  enum class Outcome { kCounted, kFailed, kOutOfOrder };

  ParallelCount(Lister& lister, std::stop_token stop)
      : lister_(lister), link_(std::move(stop), Stopper{stop_}) {}

  /// Lists what is left after `page`, the first of the listing, which counts `sum`.
  Outcome Run(const Page& page, std::uint64_t sum, int parallelism) {
    sum_ = sum;
    workers_ = static_cast<std::size_t>(parallelism);
    waiting_ = workers_;
    KeyRange rest{.after = std::string(Span(page).last), .upto = {}, .token = page.next_token};
    Share(rest, Span(page));
    queue_.push_back(std::move(rest));
    {
      std::vector<std::jthread> threads;
      try {
        for (int i = 1; i < parallelism; ++i) threads.emplace_back([this] { Work(); });
      } catch (const std::system_error&) {
        // No more threads to be had: those there are do it.
      }
      Work();
    }
    if (error_) return Outcome::kFailed;
    return out_of_order_ ? Outcome::kOutOfOrder : Outcome::kCounted;
  }

  [[nodiscard]] std::uint64_t sum() const { return sum_; }
  [[nodiscard]] const Error& error() const { return *error_; }

 private:
  struct Stopper {
    std::stop_source source;
    void operator()() const { source.request_stop(); }
  };

  void Work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return done_ || !queue_.empty() || waiting_ == workers_; });
      if (done_ || queue_.empty()) break;
      KeyRange range = std::move(queue_.front());
      queue_.pop_front();
      --waiting_;
      lock.unlock();
      ListRange(std::move(range));
      lock.lock();
      ++waiting_;
    }
    done_ = true;
    changed_.notify_all();
  }

  void ListRange(KeyRange range) {
    for (;;) {
      const Result<Page> page = lister_.List(range, stop_.get_token());
      if (!page) return Finish(page.error());
      if (!InOrder(*page, range.after)) return Finish(std::nullopt);
      const PageSpan span = Span(*page);
      const bool more =
          page->truncated && (range.upto.empty() || span.last < std::string_view(range.upto));
      const std::uint64_t sum = lister_.Tally(*page, range.upto);
      const std::scoped_lock lock(mutex_);
      sum_ += sum;
      if (!more || done_) return;
      range.after = span.last.empty() ? range.after : std::string(span.last);
      range.token = page->next_token;
      if (!span.last.empty()) Share(range, span);
    }
  }

  /// Gives parts of `range` to threads that wait, and shortens it. With the lock held, or before
  /// there are threads.
  void Share(KeyRange& range, const PageSpan& span) {
    if (waiting_ <= queue_.size()) return;
    const std::vector<std::string> cuts =
        SplitPoints(range, span, lister_.prefix_size(), waiting_ - queue_.size());
    if (cuts.empty()) return;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      queue_.push_back(
          {.after = cuts[i], .upto = i + 1 < cuts.size() ? cuts[i + 1] : range.upto, .token = {}});
    }
    range.upto = cuts.front();
    changed_.notify_all();
  }

  /// Ends the count: with an error, or because the keys are out of order.
  void Finish(std::optional<Error> error) {
    const std::scoped_lock lock(mutex_);
    if (done_) return;
    done_ = true;
    out_of_order_ = !error;
    error_ = std::move(error);
    stop_.request_stop();
  }

  Lister& lister_;
  std::stop_source stop_;
  std::stop_callback<Stopper> link_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<KeyRange> queue_;
  std::size_t workers_ = 0;
  std::size_t waiting_ = 0;  ///< workers without a range
  std::uint64_t sum_ = 0;
  bool done_ = false;
  bool out_of_order_ = false;
  std::optional<Error> error_;
};

}  // namespace

Result<Count> CountObjects(Client& client,
                           const CountRequest& request,
                           MonoTime deadline,
                           const std::stop_token& stop,
                           int parallelism) {
  Lister lister(client, request, deadline);
  Result<Page> page = lister.List({}, stop);
  if (!page) return Fail(page.error());
  const std::uint64_t sum = lister.Tally(*page, {});
  const bool in_turn = !page->truncated || request.enough || parallelism < 2;
  if (!in_turn && InOrder(*page, {})) {
    ParallelCount parallel(lister, stop);
    switch (parallel.Run(*page, sum, parallelism)) {
      case ParallelCount::Outcome::kCounted:
        return Count{static_cast<double>(parallel.sum()), false, lister.requests()};
      case ParallelCount::Outcome::kFailed:
        return Fail(parallel.error());
      case ParallelCount::Outcome::kOutOfOrder:
        break;
    }
  }
  return CountInTurn(lister, std::move(*page), sum, request.enough, stop);
}

}  // namespace stoker::s3
