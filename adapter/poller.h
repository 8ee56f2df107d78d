#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/reading_exchange.h"
#include "core/clock.h"
#include "core/executor.h"
#include "core/log.h"
#include "core/signal.h"
#include "scalers/scaler.h"

namespace stoker::adapter {

/// Told of every poll, for metrics. Thread-safe. `result` is "ok", "empty" or "error".
class PollObserver {
 public:
  virtual ~PollObserver() = default;
  virtual void OnPoll(std::string_view connection,
                      std::string_view type,
                      std::string_view result,
                      Duration took) = 0;
};

/// What the newest poll of a source said besides its reading; for explanations only.
struct PollStatus {
  bool attempted = false;
  std::string error;  ///< empty when the newest poll succeeded
  std::vector<std::string> warnings;
  std::string detail;
  std::optional<WallTime> next_change;
  ScheduledChanges upcoming;
};

/// What one user of a source needs of it.
struct SourceNeeds {
  SignalTiming timing;
  Duration lookback{0};
  std::optional<double> enough;  ///< empty: an exact count
  std::string label;             ///< "policy etl, signal busy", for logs
  /// After each poll, and when a sibling replica's reading changed the window; on any thread, one
  /// call at a time; must not block.
  std::function<void()> on_reading;
};

/// Polls each distinct source once per interval, however many use it, on slots aligned to the wall
/// clock, and keeps its window of readings. The shortest interval asked for wins. Thread-safe.
///
/// A new source gets its past: before its first poll the window of a sibling replica, or, when none
/// has one of at least half of what its users look back on, with its first good reading what the
/// upstream can still tell.
///
/// Timers run on `timers`, polls on `pool`: a pool full of slow upstreams never delays a timer. The
/// destructor cancels; both executors must be stopped or drained before what callbacks refer to
/// dies.
class Poller {
 public:
  /// `exchange`: null when there are no siblings; must outlive the polls.
  Poller(const Clock& clock,
         Executor& timers,
         Executor& pool,
         PollObserver& observer,
         Logger& logger,
         ReadingExchange* exchange = nullptr);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// A user's hold on a source; polling ends when the last one goes. The destructor waits for an
  /// `on_reading` in progress on another thread.
  class Lease {
   public:
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    [[nodiscard]] ReadingWindow window() const;
    [[nodiscard]] PollStatus status() const;

   private:
    friend class Poller;
    struct State;
    explicit Lease(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
  };

  /// Start (or join) polling `definition`. A new source is polled at once for the slot we are in.
  /// `replace` rebuilds the source itself (its connection changed) and keeps its window.
  std::unique_ptr<Lease> Acquire(const scalers::SignalDefinition& definition,
                                 SourceNeeds needs,
                                 bool replace = false);

  // For the exchange; sources go by their SourceId.

  /// Joins what a sibling read into the window of a source, and tells its users if that is news.
  /// Readings from further in the future than an interval (a clock that is wrong) are left out, and
  /// so are sources that nobody here uses.
  void Merge(const std::string& id, std::span<const Reading> readings);
  /// Null when there is no such source, or no reading yet.
  [[nodiscard]] ReadingWindow window(const std::string& id) const;
  [[nodiscard]] std::vector<std::string> ids() const;

  /// Every source has been polled at least once, whatever came of it.
  [[nodiscard]] bool AllAttempted() const;
  [[nodiscard]] std::size_t source_count() const;

  /// Stop polling for good and cancel polls in flight.
  void Stop();

 private:
  struct Polled;
  struct Gate;
  struct Core;
  std::shared_ptr<Core> core_;
};

}  // namespace stoker::adapter
