#include "adapter/poller.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <deque>
#include <iterator>
#include <limits>
#include <list>
#include <thread>
#include <unordered_map>
#include <utility>

#include "adapter/reading_store.h"
#include "core/guarded.h"
#include "core/units.h"

namespace stoker::adapter {
namespace {

/// The least and the greatest of values that come and go, of which most are equal.
template <class T>
class Counted {
 public:
  void Add(const T& value) { ++counts_[value]; }
  void Remove(const T& value) {
    const auto found = counts_.find(value);
    if (--found->second == 0) counts_.erase(found);
  }
  [[nodiscard]] bool empty() const { return counts_.empty(); }
  [[nodiscard]] const T& least() const { return counts_.begin()->first; }
  [[nodiscard]] const T& greatest() const { return counts_.rbegin()->first; }

 private:
  std::map<T, std::size_t> counts_;
};

/// What all users of a source need together, whatever their number. Asked only while there is one.
class SharedNeeds {
 public:
  void Add(const SourceNeeds& needs) {
    intervals_.Add(needs.timing.interval);
    timeouts_.Add(needs.timing.timeout);
    lookbacks_.Add(needs.lookback);
    enough_.Add(Bound(needs));
  }
  void Remove(const SourceNeeds& needs) {
    intervals_.Remove(needs.timing.interval);
    timeouts_.Remove(needs.timing.timeout);
    lookbacks_.Remove(needs.lookback);
    enough_.Remove(Bound(needs));
  }
  [[nodiscard]] Duration interval() const { return intervals_.least(); }
  [[nodiscard]] Duration timeout() const { return std::min(timeouts_.greatest(), interval()); }
  [[nodiscard]] Duration lookback() const { return lookbacks_.greatest(); }
  /// Infinity: an exact count.
  [[nodiscard]] double enough() const { return enough_.empty() ? 0 : enough_.greatest(); }

 private:
  static double Bound(const SourceNeeds& needs) { return needs.enough.value_or(kExact); }
  static constexpr double kExact = std::numeric_limits<double>::infinity();

  Counted<Duration> intervals_;
  Counted<Duration> timeouts_;
  Counted<Duration> lookbacks_;
  Counted<double> enough_;
};

}  // namespace

std::string SourceId(std::string_view source_key) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  EVP_Digest(source_key.data(), source_key.size(), digest.data(), &length, EVP_sha256(), nullptr);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string id;
  for (std::size_t i = 0; i < length; ++i) {
    id += kHex[digest[i] >> 4U];
    id += kHex[digest[i] & 0xFU];
  }
  return id;
}

/// Bounds the polls in flight on one connection; the others wait their turn in order.
struct Poller::Gate {
  int limit = 1;
  int in_flight = 0;
  std::deque<std::function<void()>> waiting;
};

/// One source. Guarded by Core::mutex unless said otherwise.
struct Poller::Polled {
  using Leases = std::list<std::shared_ptr<Lease::State>>;

  std::string id;
  std::string type;
  std::string connection;
  std::shared_ptr<scalers::Source> source;
  std::shared_ptr<Gate> gate;
  Leases leases;
  SharedNeeds needs;
  ReadingWindow window;
  PollStatus status;
  bool fetching = false;  ///< siblings are being asked for its window; the first poll waits
  bool in_flight = false;
  bool past_read = false;   ///< what was before our first poll is in the window, or cannot be had
  int past_failures = 0;    ///< in a row
  MonoTime ask_past_at{};   ///< not before
  bool poll_again = false;  ///< somebody needs more than the poll in flight was told
  bool up = true;           ///< for the line at each change of state
  std::uint64_t timer = 0;  ///< only the newest timer is heeded
  WallTime next_slot{};
};

struct Poller::Lease::State {
  std::weak_ptr<Core> core;
  std::shared_ptr<Polled> polled;
  SourceNeeds needs;
  Polled::Leases::iterator place;  ///< guarded by Core::mutex
  std::mutex calling;              ///< held while on_reading runs
  std::atomic<std::thread::id> caller;
  bool dropped = false;  ///< guarded by `calling`
};

struct Poller::Core : std::enable_shared_from_this<Core> {
  Core(const Clock& clock_in,
       Executor& timers_in,
       Executor& pool_in,
       PollObserver& observer_in,
       Logger& logger_in,
       ReadingExchange* exchange_in)
      : clock(clock_in),
        timers(timers_in),
        pool(pool_in),
        observer(observer_in),
        logger(logger_in),
        exchange(exchange_in) {}

  const Clock& clock;
  Executor& timers;
  Executor& pool;
  PollObserver& observer;
  Logger& logger;
  ReadingExchange* const exchange;

  mutable std::mutex mutex;
  std::unordered_map<std::string, std::shared_ptr<Polled>> sources;  ///< by id
  std::map<std::string, std::shared_ptr<Gate>> gates;
  std::stop_source stop;

  void Schedule(const std::shared_ptr<Polled>& polled);
  void OnTimer(const std::shared_ptr<Polled>& polled, std::uint64_t timer);
  void Begin(const std::shared_ptr<Polled>& polled, WallTime slot);
  void OnFetched(const std::shared_ptr<Polled>& polled);
  void Run(const std::shared_ptr<Polled>& polled, WallTime slot);
  void ReadPast(const std::shared_ptr<Polled>& polled, scalers::Source& source, WallTime slot);
  static bool KnowsItsPast(const Polled& polled, WallTime slot);
  void OnPast(Polled& polled, const Result<std::vector<Reading>>& past, WallTime first);
  void Merge(Polled& polled, std::span<const Reading> readings, bool rewind);
  void Finish(const std::shared_ptr<Polled>& polled,
              WallTime slot,
              Result<scalers::Observation> outcome,
              Duration took);
  static void Tell(const std::vector<std::shared_ptr<Lease::State>>& leases);
  void LogChange(Polled& polled, const std::string& error);
  void Drop(const std::shared_ptr<Lease::State>& state);
};

// Needs the lock. Plans the next aligned slot.
void Poller::Core::Schedule(const std::shared_ptr<Polled>& polled) {
  if (stop.stop_requested() || polled->leases.empty()) return;
  const WallTime now = clock.WallNow();
  const Duration interval = polled->needs.interval();
  polled->next_slot = SlotAt(now, interval) + interval;
  const std::uint64_t timer = ++polled->timer;
  timers.PostAt(clock.MonotonicNow() + (polled->next_slot - now),
                [self = weak_from_this(), weak = std::weak_ptr(polled), timer] {
                  const std::shared_ptr<Core> core = self.lock();
                  const std::shared_ptr<Polled> due = weak.lock();
                  if (core && due) core->OnTimer(due, timer);
                });
}

void Poller::Core::OnTimer(const std::shared_ptr<Polled>& polled, std::uint64_t timer) {
  const std::scoped_lock lock(mutex);
  if (timer != polled->timer || polled->leases.empty() || stop.stop_requested()) return;
  const WallTime now = clock.WallNow();
  const Duration interval = polled->needs.interval();
  // The wall clock may have been set while we waited; then this is some other slot.
  WallTime slot = polled->next_slot;
  if (now < slot - interval || now >= slot + interval) slot = SlotAt(now, interval);
  Schedule(polled);
  // Rounding to milliseconds wakes us a hair early, too. Then the same slot has just been planned
  // again; a reading from before it would not count yet when its users are told.
  if (now < slot) return;
  Begin(polled, slot);
}

// Needs the lock.
void Poller::Core::Begin(const std::shared_ptr<Polled>& polled, WallTime slot) {
  // When the last poll is late, its reading comes first.
  if (polled->in_flight || polled->fetching || stop.stop_requested()) return;
  polled->in_flight = true;
  auto work = [self = weak_from_this(), polled, slot] {
    if (const std::shared_ptr<Core> core = self.lock()) core->Run(polled, slot);
  };
  Gate& gate = *polled->gate;
  if (gate.in_flight >= gate.limit) {
    gate.waiting.push_back(std::move(work));
    return;
  }
  ++gate.in_flight;
  pool.Post(std::move(work));
}

void Poller::Core::OnFetched(const std::shared_ptr<Polled>& polled) {
  const std::scoped_lock lock(mutex);
  polled->fetching = false;
  if (polled->leases.empty()) return;
  Begin(polled, SlotAt(clock.WallNow(), polled->needs.interval()));
}

/// What a sibling gave before the first poll is a past, unless it is young itself.
bool Poller::Core::KnowsItsPast(const Polled& polled, WallTime slot) {
  return !polled.status.attempted && HasGoodReading(polled.window) &&
         polled.window->front().time <= slot - polled.needs.lookback() / 2;
}

void Poller::Core::Run(const std::shared_ptr<Polled>& polled, WallTime slot) {
  std::shared_ptr<scalers::Source> source;
  scalers::PollContext context;
  const MonoTime begin = clock.MonotonicNow();
  bool asks_past = false;
  {
    const std::scoped_lock lock(mutex);
    if (!polled->leases.empty()) {
      source = polled->source;
      const double enough = polled->needs.enough();
      context.slot = slot;
      context.deadline = begin + polled->needs.timeout();
      context.stop = stop.get_token();
      if (std::isfinite(enough)) context.enough = enough;
      if (KnowsItsPast(*polled, slot)) polled->past_read = true;
      asks_past = !polled->past_read && begin >= polled->ask_past_at;
    }
  }
  Result<scalers::Observation> outcome = Fail(ErrorCode::kCancelled, "no longer needed");
  if (source) outcome = Guarded([&] { return source->Poll(context); });
  const Duration took = clock.MonotonicNow() - begin;
  // Not before an upstream that was down at our start answers: until then it cannot tell.
  if (outcome && asks_past) ReadPast(polled, *source, slot);
  Finish(polled, slot, std::move(outcome), took);
}

// What stabilization and step look back on, where no sibling could tell. Without it the first
// target after a start could be smaller than the last one before.
void Poller::Core::ReadPast(const std::shared_ptr<Polled>& polled,
                            scalers::Source& source,
                            WallTime slot) {
  scalers::SlotSpan span;
  MonoTime deadline;
  {
    const std::scoped_lock lock(mutex);
    if (polled->leases.empty()) return;
    span.interval = polled->needs.interval();
    span.last = slot - span.interval;
    span.first = slot - polled->needs.lookback() / span.interval * span.interval;
    // The first one holds the first reading up. Where it was not enough, time is there.
    deadline = clock.MonotonicNow() + polled->needs.timeout() * (polled->past_failures > 0 ? 3 : 1);
  }
  if (span.first >= span.last) return;  // nobody looks back further than the newest reading
  const Result<std::vector<Reading>> past =
      Guarded([&] { return source.PastReadings(span, deadline, stop.get_token()); });
  const std::scoped_lock lock(mutex);
  if (!stop.stop_requested() && !polled->leases.empty()) OnPast(*polled, past, span.first);
}

// Needs the lock.
void Poller::Core::OnPast(Polled& polled,
                          const Result<std::vector<Reading>>& past,
                          WallTime first) {
  polled.past_read = past.has_value();
  if (past) {
    if (past->empty()) return;
    Merge(polled, *past, false);
    if (exchange != nullptr) exchange->Publish(polled.id, first);
    return;
  }
  if (polled.past_failures == 0) {
    logger.Warn(
        "the past of a signal cannot be read yet; until it can be, its stabilization, step and "
        "forecast know only what was read since the start",
        {{"signal", polled.leases.front()->needs.label},
         {"connection", polled.connection},
         {"error", past.error().message}});
  }
  const Duration pause = std::chrono::minutes(1) * (1 << std::min(polled.past_failures, 6));
  polled.ask_past_at = clock.MonotonicNow() + std::min<Duration>(pause, std::chrono::hours(1));
  ++polled.past_failures;
}

// Needs the lock. `rewind`: our own clock counts, and what is in its future goes.
void Poller::Core::Merge(Polled& polled, std::span<const Reading> readings, bool rewind) {
  if (rewind && polled.window &&
      polled.window->back().time > clock.WallNow() + polled.needs.interval()) {
    polled.window = RewindTo(polled.window, readings.front().time);
  }
  polled.window = MergeReadings(polled.window, readings, polled.needs.lookback());
}

void Poller::Core::Finish(const std::shared_ptr<Polled>& polled,
                          WallTime slot,
                          Result<scalers::Observation> outcome,
                          Duration took) {
  std::vector<std::shared_ptr<Lease::State>> leases;
  {
    const std::scoped_lock lock(mutex);
    polled->in_flight = false;
    Gate& gate = *polled->gate;
    --gate.in_flight;
    if (!gate.waiting.empty()) {
      ++gate.in_flight;
      pool.Post(std::move(gate.waiting.front()));
      gate.waiting.pop_front();
    }
    // A poll cut short by our own shutdown says nothing about the upstream.
    if (stop.stop_requested() || polled->leases.empty()) return;

    const Reading reading = scalers::ToReading(slot, outcome);
    PollStatus status;
    status.attempted = true;
    if (!outcome) {
      status.error = outcome.error().message;
    } else {
      status.warnings = std::move(outcome->warnings);
      status.detail = std::move(outcome->detail);
      status.next_change = outcome->next_change;
      status.upcoming = outcome->upcoming;
    }
    LogChange(*polled, status.error);
    Merge(*polled, {&reading, 1}, true);
    polled->status = std::move(status);
    leases.assign(polled->leases.begin(), polled->leases.end());
    if (exchange != nullptr) exchange->Publish(polled->id, slot);
    if (std::exchange(polled->poll_again, false)) Begin(polled, slot);
  }
  const char* result = "ok";
  if (!outcome) {
    result = "error";
  } else if (outcome->empty) {
    result = "empty";
  }
  observer.OnPoll(polled->connection, polled->type, result, took);
  Tell(leases);
}

void Poller::Core::Tell(const std::vector<std::shared_ptr<Lease::State>>& leases) {
  for (const std::shared_ptr<Lease::State>& lease : leases) {
    const std::scoped_lock calling(lease->calling);
    lease->caller = std::this_thread::get_id();
    if (!lease->dropped) lease->needs.on_reading();
    lease->caller = std::thread::id();
  }
}

// Needs the lock. One line when a source starts failing and one when it is back, not one per poll.
void Poller::Core::LogChange(Polled& polled, const std::string& error) {
  const bool up = error.empty();
  if (up == polled.up) return;
  polled.up = up;
  const std::string& label = polled.leases.front()->needs.label;
  if (up) {
    logger.Info("signal is back", {{"signal", label}, {"connection", polled.connection}});
    return;
  }
  const bool has_value =
      polled.window &&
      std::any_of(polled.window->begin(), polled.window->end(), [](const Reading& reading) {
        return reading.kind == Reading::Kind::kValue;
      });
  logger.Warn(has_value ? "signal cannot be read; its last good value is held"
                        : "signal cannot be read, and there is no earlier value to hold",
              {{"signal", label},
               {"connection", polled.connection},
               {"users", std::to_string(polled.leases.size())},
               {"error", error}});
}

void Poller::Core::Drop(const std::shared_ptr<Lease::State>& state) {
  if (state->caller == std::this_thread::get_id()) {
    state->dropped = true;  // dropped from inside its own callback, which holds the lock
  } else {
    const std::scoped_lock calling(state->calling);
    state->dropped = true;
  }
  const std::scoped_lock lock(mutex);
  Polled& polled = *state->polled;
  polled.leases.erase(state->place);
  polled.needs.Remove(state->needs);
  if (!polled.leases.empty()) return;
  const auto found = sources.find(polled.id);
  if (found != sources.end() && found->second.get() == &polled) sources.erase(found);
}

Poller::Poller(const Clock& clock,
               Executor& timers,
               Executor& pool,
               PollObserver& observer,
               Logger& logger,
               ReadingExchange* exchange)
    : core_(std::make_shared<Core>(clock, timers, pool, observer, logger, exchange)) {}

Poller::~Poller() { Stop(); }

void Poller::Stop() {
  core_->stop.request_stop();
  // What waits holds its source, which holds its gate: undone, they would keep each other for ever.
  std::vector<std::function<void()>> never;
  const std::scoped_lock lock(core_->mutex);
  for (const auto& [name, gate] : core_->gates) {
    std::move(gate->waiting.begin(), gate->waiting.end(), std::back_inserter(never));
    gate->waiting.clear();
  }
}

std::unique_ptr<Poller::Lease> Poller::Acquire(const scalers::SignalDefinition& definition,
                                               SourceNeeds needs,
                                               bool replace) {
  auto state = std::make_shared<Lease::State>();
  state->core = core_;
  state->needs = std::move(needs);
  const std::string id = SourceId(definition.source_key);

  const std::scoped_lock lock(core_->mutex);
  std::shared_ptr<Polled>& polled = core_->sources[id];
  const bool is_new = polled == nullptr;
  if (is_new) {
    polled = std::make_shared<Polled>();
    polled->id = id;
    polled->type = definition.type;
    polled->connection = definition.connection;
    // Sources without a connection touch only this process or its disk; a gate each would be one
    // too many.
    const std::string gate_name = definition.connection_type + '/' + definition.connection;
    std::shared_ptr<Gate>& gate = core_->gates[gate_name];
    if (!gate) gate = std::make_shared<Gate>();
    gate->limit = std::max(1, definition.max_concurrent);
    polled->gate = gate;
  }
  if (is_new || replace) {
    polled->source = definition.make_source();
    polled->gate->limit = std::max(1, definition.max_concurrent);
  }
  const double enough_before = polled->needs.enough();
  const Duration interval_before = is_new ? Duration{0} : polled->needs.interval();
  state->polled = polled;
  state->place = polled->leases.insert(polled->leases.end(), state);
  polled->needs.Add(state->needs);

  const bool counts_short = definition.countable && polled->needs.enough() > enough_before;
  if (is_new && core_->exchange != nullptr) {
    polled->fetching = true;
    core_->exchange->Fetch(id, [self = core_->weak_from_this(), weak = std::weak_ptr(polled)] {
      const std::shared_ptr<Core> core = self.lock();
      const std::shared_ptr<Polled> fetched = weak.lock();
      if (core && fetched) core->OnFetched(fetched);
    });
  }
  if (is_new || polled->needs.interval() != interval_before) core_->Schedule(polled);
  if (is_new || replace || counts_short) {
    if (polled->in_flight) {
      polled->poll_again = true;
    } else {
      core_->Begin(polled, SlotAt(core_->clock.WallNow(), polled->needs.interval()));
    }
  }
  return std::unique_ptr<Lease>(new Lease(std::move(state)));
}

void Poller::Merge(const std::string& id, std::span<const Reading> readings) {
  std::vector<std::shared_ptr<Lease::State>> leases;
  {
    const std::scoped_lock lock(core_->mutex);
    const auto found = core_->sources.find(id);
    if (found == core_->sources.end() || core_->stop.stop_requested()) return;
    Polled& polled = *found->second;
    const WallTime latest = core_->clock.WallNow() + polled.needs.interval();
    std::vector<Reading> believed;
    std::copy_if(readings.begin(),
                 readings.end(),
                 std::back_inserter(believed),
                 [&](const Reading& reading) { return reading.time <= latest; });
    const ReadingWindow before = polled.window;
    core_->Merge(polled, believed, false);
    if (polled.window == before) return;
    leases.assign(polled.leases.begin(), polled.leases.end());
  }
  Core::Tell(leases);
}

ReadingWindow Poller::window(const std::string& id) const {
  const std::scoped_lock lock(core_->mutex);
  const auto found = core_->sources.find(id);
  return found == core_->sources.end() ? nullptr : found->second->window;
}

std::vector<std::string> Poller::ids() const {
  std::vector<std::string> ids;
  const std::scoped_lock lock(core_->mutex);
  for (const auto& [id, polled] : core_->sources) ids.push_back(id);
  return ids;
}

bool Poller::AllAttempted() const {
  const std::scoped_lock lock(core_->mutex);
  return std::all_of(core_->sources.begin(), core_->sources.end(), [](const auto& entry) {
    return entry.second->status.attempted;
  });
}

std::size_t Poller::source_count() const {
  const std::scoped_lock lock(core_->mutex);
  return core_->sources.size();
}

Poller::Lease::~Lease() {
  if (const std::shared_ptr<Core> core = state_->core.lock()) core->Drop(state_);
}

ReadingWindow Poller::Lease::window() const {
  const std::shared_ptr<Core> core = state_->core.lock();
  if (!core) return nullptr;
  const std::scoped_lock lock(core->mutex);
  return state_->polled->window;
}

PollStatus Poller::Lease::status() const {
  const std::shared_ptr<Core> core = state_->core.lock();
  if (!core) return {};
  const std::scoped_lock lock(core->mutex);
  return state_->polled->status;
}

}  // namespace stoker::adapter
