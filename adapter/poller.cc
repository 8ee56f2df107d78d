#include "adapter/poller.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <iterator>
#include <thread>
#include <utility>

#include "adapter/reading_store.h"
#include "core/units.h"

namespace stoker::adapter {

/// Bounds the polls in flight on one connection; the others wait their turn in order.
struct Poller::Gate {
  int limit = 1;
  int in_flight = 0;
  std::deque<std::function<void()>> waiting;
};

struct Poller::Lease::State {
  std::weak_ptr<Core> core;
  std::shared_ptr<Polled> polled;
  SourceNeeds needs;
  std::mutex calling;  ///< held while on_reading runs
  std::atomic<std::thread::id> caller;
  bool dropped = false;  ///< guarded by `calling`
};

/// One source. Guarded by Core::mutex unless said otherwise.
struct Poller::Polled {
  std::string key;
  std::string type;
  std::string connection;
  std::shared_ptr<scalers::Source> source;
  std::shared_ptr<Gate> gate;
  std::vector<std::shared_ptr<Lease::State>> leases;
  ReadingWindow window;
  PollStatus status;
  bool in_flight = false;
  bool poll_again = false;  ///< somebody needs more than the poll in flight was told
  bool up = true;           ///< for the line at each change of state
  std::uint64_t timer = 0;  ///< only the newest timer is heeded
  WallTime next_slot{};

  [[nodiscard]] SignalTiming Timing() const {
    SignalTiming timing = leases.front()->needs.timing;
    for (const auto& lease : leases) {
      timing.interval = std::min(timing.interval, lease->needs.timing.interval);
      timing.timeout = std::max(timing.timeout, lease->needs.timing.timeout);
    }
    timing.timeout = std::min(timing.timeout, timing.interval);
    return timing;
  }
  [[nodiscard]] Duration Lookback() const {
    Duration lookback{0};
    for (const auto& lease : leases) lookback = std::max(lookback, lease->needs.lookback);
    return lookback;
  }
  [[nodiscard]] std::optional<double> Enough() const {
    double enough = 0;
    for (const auto& lease : leases) {
      if (!lease->needs.enough) return std::nullopt;
      enough = std::max(enough, *lease->needs.enough);
    }
    return enough;
  }
};

struct Poller::Core : std::enable_shared_from_this<Core> {
  Core(const Clock& clock_in,
       Executor& timers_in,
       Executor& pool_in,
       PollObserver& observer_in,
       Logger& logger_in)
      : clock(clock_in),
        timers(timers_in),
        pool(pool_in),
        observer(observer_in),
        logger(logger_in) {}

  const Clock& clock;
  Executor& timers;
  Executor& pool;
  PollObserver& observer;
  Logger& logger;

  mutable std::mutex mutex;
  std::map<std::string, std::shared_ptr<Polled>> sources;
  std::map<std::string, std::shared_ptr<Gate>> gates;
  std::stop_source stop;

  void Schedule(const std::shared_ptr<Polled>& polled);
  void OnTimer(const std::shared_ptr<Polled>& polled, std::uint64_t timer);
  void Begin(const std::shared_ptr<Polled>& polled, WallTime slot);
  void Run(const std::shared_ptr<Polled>& polled, WallTime slot);
  void Finish(const std::shared_ptr<Polled>& polled,
              WallTime slot,
              Result<scalers::Observation> outcome,
              Duration took);
  void LogChange(Polled& polled, const std::string& error);
  void Drop(const std::shared_ptr<Lease::State>& state);
};

// Needs the lock. Plans the next aligned slot.
void Poller::Core::Schedule(const std::shared_ptr<Polled>& polled) {
  if (stop.stop_requested() || polled->leases.empty()) return;
  const WallTime now = clock.WallNow();
  const Duration interval = polled->Timing().interval;
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
  const Duration interval = polled->Timing().interval;
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
  if (polled->in_flight || stop.stop_requested()) return;
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

void Poller::Core::Run(const std::shared_ptr<Polled>& polled, WallTime slot) {
  scalers::PollContext context;
  std::shared_ptr<scalers::Source> source;
  const MonoTime begin = clock.MonotonicNow();
  {
    const std::scoped_lock lock(mutex);
    source = polled->source;
    if (!polled->leases.empty()) {
      context.slot = slot;
      context.deadline = begin + polled->Timing().timeout;
      context.stop = stop.get_token();
      context.enough = polled->Enough();
    } else {
      source = nullptr;
    }
  }
  Result<scalers::Observation> outcome = Fail(ErrorCode::kCancelled, "no longer needed");
  if (source) outcome = source->Poll(context);
  Finish(polled, slot, std::move(outcome), clock.MonotonicNow() - begin);
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
    }
    LogChange(*polled, status.error);
    polled->window = AppendReading(polled->window, reading, polled->Lookback());
    polled->status = std::move(status);
    leases = polled->leases;
    if (std::exchange(polled->poll_again, false)) Begin(polled, slot);
  }
  const char* result = "ok";
  if (!outcome) {
    result = "error";
  } else if (outcome->empty) {
    result = "empty";
  }
  observer.OnPoll(polled->connection, polled->type, result, took);
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
  std::erase(polled.leases, state);
  if (!polled.leases.empty()) return;
  const auto found = sources.find(polled.key);
  if (found != sources.end() && found->second.get() == &polled) sources.erase(found);
}

Poller::Poller(
    const Clock& clock, Executor& timers, Executor& pool, PollObserver& observer, Logger& logger)
    : core_(std::make_shared<Core>(clock, timers, pool, observer, logger)) {}

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

  const std::scoped_lock lock(core_->mutex);
  std::shared_ptr<Polled>& polled = core_->sources[definition.source_key];
  const bool is_new = polled == nullptr;
  if (is_new) {
    polled = std::make_shared<Polled>();
    polled->key = definition.source_key;
    polled->type = definition.type;
    polled->connection = definition.connection;
    // Sources without a connection touch only this process or its disk; a gate each would be one
    // too many.
    const std::string gate_name = definition.type + '/' + definition.connection;
    std::shared_ptr<Gate>& gate = core_->gates[gate_name];
    if (!gate) gate = std::make_shared<Gate>();
    gate->limit = std::max(1, definition.max_concurrent);
    polled->gate = gate;
  }
  if (is_new || replace) {
    polled->source = definition.make_source();
    polled->gate->limit = std::max(1, definition.max_concurrent);
  }
  const std::optional<double> enough_before =
      polled->leases.empty() ? std::optional<double>(0) : polled->Enough();
  const Duration interval_before = polled->leases.empty() ? Duration{0} : polled->Timing().interval;
  state->polled = polled;
  polled->leases.push_back(state);

  const std::optional<double> enough = polled->Enough();
  const bool counts_short =
      definition.countable && enough_before && (!enough || *enough > *enough_before);
  if (is_new || polled->Timing().interval != interval_before) core_->Schedule(polled);
  if (is_new || replace || counts_short) {
    if (polled->in_flight) {
      polled->poll_again = true;
    } else {
      core_->Begin(polled, SlotAt(core_->clock.WallNow(), polled->Timing().interval));
    }
  }
  return std::unique_ptr<Lease>(new Lease(std::move(state)));
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
