#include "adapter/simulation.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "adapter/reading_store.h"
#include "policy/forecast/forecast.h"

namespace stoker::adapter {
namespace {

/// Demand is computed in binary; a hair is no shortage.
constexpr double kRounding = 1e-9;

double Hours(Duration duration) {
  return std::chrono::duration<double, std::ratio<3600>>(duration).count();
}

/// The replicas of a scale target: wanted ones start up, then run.
class Workload {
 public:
  Workload(int running, Duration startup) : running_(running), startup_(startup) {}

  /// From `now` on `target` replicas are wanted.
  void Want(int target, WallTime now) {
    Settle(now);
    int more = target - running_;
    for (const Batch& batch : starting_) more -= batch.replicas;
    if (more > 0) starting_.push_back({now + startup_, more});
    for (int less = -more; less > 0;) {
      if (starting_.empty()) {
        running_ -= less;
        break;
      }
      Batch& newest = starting_.back();
      const int cancelled = std::min(less, newest.replicas);
      newest.replicas -= cancelled;
      less -= cancelled;
      if (newest.replicas == 0) starting_.pop_back();
    }
    Settle(now);
  }

  void Settle(WallTime now) {
    while (!starting_.empty() && starting_.front().ready <= now) {
      running_ += starting_.front().replicas;
      starting_.pop_front();
    }
  }

  [[nodiscard]] int running() const { return running_; }
  /// When more will run.
  [[nodiscard]] WallTime next() const {
    return starting_.empty() ? WallTime::max() : starting_.front().ready;
  }

 private:
  struct Batch {
    WallTime ready;
    int replicas;
  };
  int running_;
  Duration startup_;
  std::deque<Batch> starting_;  ///< in the order they will be ready
};

/// Makes one signal's forecasts anew with each step of its history, as the service does.
class Foresight {
 public:
  Foresight(const policy::Policy& policy,
            std::size_t signal,
            std::span<const Reading> history,
            Duration startup)
      : settings_(*policy.forecast),
        of_(policy.signals[signal]),
        signal_(signal),
        history_(history),
        horizon_(settings_.horizon.value_or(startup)) {}

  void MoveTo(WallTime now, std::shared_ptr<const forecast::Forecast>& forecast) {
    const std::size_t before = end_;
    while (end_ < history_.size() && history_[end_].time <= now) ++end_;
    if (end_ == before) return;
    while (history_[begin_].time <= history_[end_ - 1].time - settings_.window) ++begin_;
    forecast = std::make_shared<const forecast::Forecast>(forecast::MakeForecast(
        history_.subspan(begin_, end_ - begin_), of_.on_empty, of_.Serves(), settings_, horizon_));
  }

  [[nodiscard]] std::size_t signal() const { return signal_; }
  /// When the history goes on.
  [[nodiscard]] WallTime next() const {
    return end_ < history_.size() ? history_[end_].time : WallTime::max();
  }

 private:
  const forecast::Settings& settings_;
  const policy::PolicySignal& of_;
  std::size_t signal_;
  std::span<const Reading> history_;
  Duration horizon_;
  std::size_t begin_ = 0;  ///< of the window
  std::size_t end_ = 0;    ///< readings before it have happened
};

class Run {
 public:
  Run(const policy::Policy& policy, const SimulationOptions& options)
      : policy_(policy), options_(options) {}

  /// `decision` holds in [begin, end).
  void Add(const policy::Decision& decision, WallTime begin, WallTime end) {
    const bool available = !decision.error;
    SimulatedSpan span;
    span.available = available;
    span.held = available && decision.held;
    span.target =
        available ? decision.target_replicas : (started_ ? target_ : policy_.replicas.min);
    span.demand = available ? decision.reactive : demand_;
    if (!started_) workload_.emplace(span.target, options_.startup);
    if (!started_ || span.target != target_ || available != available_) {
      simulation_.changes.push_back({begin,
                                     started_ ? std::optional<int>(target_) : std::nullopt,
                                     span.target,
                                     available,
                                     policy::Summarize(policy_, decision)});
    }
    if (started_ && span.target > target_) ++simulation_.figures.increases;
    if (started_ && span.target < target_) ++simulation_.figures.decreases;
    started_ = true;
    target_ = span.target;
    demand_ = span.demand;
    available_ = available;

    workload_->Want(span.target, begin);
    while (begin < end) {
      workload_->Settle(begin);
      span.begin = begin;
      span.end = std::min(end, workload_->next());
      span.running = workload_->running();
      Append(span);
      begin = span.end;
    }
  }

  Simulation Finish() {
    SimulationFigures& figures = simulation_.figures;
    const double executors = policy_.replicas.executors_per_replica;
    figures.hours = Hours(options_.to - options_.from);
    for (const SimulatedSpan& span : simulation_.spans) {
      const Duration took = span.end - span.begin;
      const double hours = Hours(took);
      const double short_by = span.demand - span.running;
      figures.executor_hours += span.target * executors * hours;
      figures.demanded_executor_hours += span.demand * executors * hours;
      if (short_by > kRounding) {
        figures.waiting_executor_hours += short_by * executors * hours;
        figures.short_share += hours;
      }
      figures.peak_replicas = std::max(figures.peak_replicas, span.target);
      if (span.target == policy_.replicas.min) figures.at_min_share += hours;
      if (span.target == policy_.replicas.max) figures.at_max_share += hours;
      if (span.held) figures.held += took;
      if (!span.available) figures.unavailable += took;
    }
    for (double* share : {&figures.short_share, &figures.at_min_share, &figures.at_max_share}) {
      *share = figures.hours > 0 ? *share / figures.hours : 0;
    }
    return std::move(simulation_);
  }

 private:
  void Append(const SimulatedSpan& span) {
    if (!simulation_.spans.empty()) {
      SimulatedSpan& last = simulation_.spans.back();
      if (last.target == span.target && last.running == span.running &&
          last.demand == span.demand && last.available == span.available &&
          last.held == span.held) {
        last.end = span.end;
        return;
      }
    }
    simulation_.spans.push_back(span);
  }

  const policy::Policy& policy_;
  const SimulationOptions& options_;
  Simulation simulation_;
  std::optional<Workload> workload_;
  bool started_ = false;
  int target_ = 0;
  double demand_ = 0;
  bool available_ = true;
};

}  // namespace

Simulation Simulate(const policy::Policy& policy,
                    std::span<const std::vector<Reading>> readings,
                    const SimulationOptions& options,
                    std::span<const std::vector<Reading>> histories) {
  const Duration lookback = policy::Lookback(policy);
  std::vector<policy::SignalInput> inputs(policy.signals.size());
  std::vector<std::size_t> next(inputs.size(), 0);
  std::vector<Foresight> foresights;
  for (std::size_t i = 0; i < inputs.size() && i < histories.size(); ++i) {
    if (!policy::IsForecast(policy, i)) continue;
    foresights.emplace_back(policy, i, histories[i], options.startup);
  }
  Run run(policy, options);
  for (WallTime now = options.from; now < options.to;) {
    WallTime until = options.to;
    for (std::size_t i = 0; i < inputs.size() && i < readings.size(); ++i) {
      const std::vector<Reading>& all = readings[i];
      const std::size_t first = next[i];
      while (next[i] < all.size() && all[next[i]].time <= now) ++next[i];
      if (next[i] > first) {
        inputs[i].window = MergeReadings(
            inputs[i].window, std::span(all).subspan(first, next[i] - first), lookback);
      }
      if (next[i] < all.size()) until = std::min(until, all[next[i]].time);
    }
    for (Foresight& foresight : foresights) {
      foresight.MoveTo(now, inputs[foresight.signal()].forecast);
      until = std::min(until, foresight.next());
    }
    const policy::Decision decision = policy::Decide(policy, inputs, now);
    until = std::clamp(decision.valid_until, now + Duration(1), until);
    run.Add(decision, now, until);
    now = until;
  }
  return run.Finish();
}

Duration SimulationHistory(const policy::Policy& policy) {
  Duration history = policy::Lookback(policy);
  for (const policy::PolicySignal& signal : policy.signals) {
    history = std::max(history, signal.Serves());
  }
  return history;
}

}  // namespace stoker::adapter
