#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "adapter/compile.h"
#include "adapter/decisions.h"
#include "adapter/poller.h"
#include "core/clock.h"

namespace stoker::adapter {

/// One policy (as configured, or narrowed, or inline) bound to its polled sources, and its newest
/// decision. Shared by all objects that ask for the same thing. Thread-safe; nothing here waits for
/// an upstream or calls back with a lock of the engine held.
class Evaluation : public std::enable_shared_from_this<Evaluation> {
 public:
  /// Told of each new decision that a reading brought, with the one before (null at first).
  using OnDecision =
      std::function<void(const policy::Policy&, const DecisionPtr& before, const DecisionPtr& now)>;

  Evaluation(CompiledPolicy compiled, const Clock& clock, OnDecision on_decision);

  /// Begin polling; apart from construction because polls call back into a shared_ptr.
  /// `replace_sources`: connections changed, so rebuild the sources and keep their windows.
  void Start(Poller& poller, bool replace_sources);

  /// Makes forecasts and the lead time of windows that are there at the start, as after a reload,
  /// and decides by them. Takes milliseconds: not with a lock of the engine held.
  void CatchUp();

  [[nodiscard]] const std::shared_ptr<const policy::Policy>& policy() const {
    return compiled_.policy;
  }
  [[nodiscard]] const CompiledPolicy& compiled() const { return compiled_; }

  /// The decision for now, from memory.
  DecisionPtr Current();

  /// The newest decision without making one; null before the first.
  [[nodiscard]] DecisionPtr Latest() const;

  /// Every signal, and every history of one, has been polled at least once.
  [[nodiscard]] bool Attempted() const;

  /// Calls `listener` after each new decision, until the pointer it came in is released.
  using Listener = std::function<void(const DecisionPtr&)>;
  void Listen(std::weak_ptr<Listener> listener);

 private:
  /// A forecast and what it was made from.
  struct Foreseen {
    ReadingWindow history;
    Duration horizon{0};
    std::shared_ptr<const forecast::Forecast> forecast;
  };

  void OnReading();
  std::unique_ptr<Poller::Lease> Acquire(Poller& poller,
                                         const policy::PolicySignal& signal,
                                         const scalers::SignalDefinition& definition,
                                         Duration lookback,
                                         std::optional<double> enough,
                                         bool replace_source);
  void MakeForecasts();
  void MakeDueForecasts();
  // These need mutex_.
  [[nodiscard]] bool Foresees(std::size_t signal) const;
  [[nodiscard]] bool KnowsItsLeadTime() const;
  [[nodiscard]] bool KnowsWhatIsComing() const;
  [[nodiscard]] policy::SignalInput Input(const Poller::Lease& lease,
                                          const policy::PolicySignal& signal,
                                          std::optional<double> enough) const;
  [[nodiscard]] std::vector<policy::SignalInput> Inputs() const;
  void FindLeadTime(WallTime now);
  DecisionPtr Decide(WallTime now);  // needs mutex_

  const CompiledPolicy compiled_;
  const Clock& clock_;
  const OnDecision on_decision_;
  std::vector<std::unique_ptr<Poller::Lease>> leases_;  // set once by Start, likewise those below
  std::unique_ptr<Poller::Lease> running_;              // of capacity
  std::unique_ptr<Poller::Lease> pending_;
  std::vector<std::unique_ptr<Poller::Lease>> histories_;  // as leases_; null: not forecast
  WallTime started_{};
  std::atomic<bool> forecasts_due_{false};
  std::mutex forecasting_;  // held while forecasts are made, which takes too long for mutex_
  mutable std::mutex mutex_;
  policy::LeadTime lead_time_;
  WallTime lead_time_claimed_{};    ///< minute that somebody measures it of, or has
  bool lead_time_known_ = false;    ///< since it was measured first
  std::vector<Foreseen> foreseen_;  // as histories_
  DecisionPtr latest_;
  DecisionPtr reported_;  // to on_decision_; a question may have moved latest_ on since
  std::vector<std::weak_ptr<Listener>> listeners_;
};

}  // namespace stoker::adapter
