#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace stoker::testing {

/// Two replicas of Stoker with a policy `etl` of one signal, an upstream each of them polls, and
/// what a test can do to them. Time is counted in slots, the policy's poll interval.
class ReplicaRig {
 public:
  virtual ~ReplicaRig() = default;

  struct Policy {
    double target_size = 1;
    int stabilization_slots = 0;
    bool manual = false;  ///< a second, manual signal named `ordered`, of target size 1
  };
  /// Starts both, or has both reload.
  virtual void Configure(const Policy& policy) = 0;
  /// What both upstreams say from now on.
  virtual void SetDemand(double value) = 0;
  /// Whether the upstream of one replica fails.
  virtual void SetFault(int replica, bool failing) = 0;
  /// Ends one and starts it anew; returns when it is ready.
  virtual void Restart(int replica) = 0;
  /// Sets the manual value at one of them.
  virtual void Order(int replica, double value) = 0;
  /// What KEDA would get; empty for an error.
  virtual std::optional<double> Ask(int replica) = 0;
  /// Lets a part of a slot pass.
  virtual void Wait() = 0;
  [[nodiscard]] virtual int waits_per_slot() const = 0;
};

/// What holds for replicas whatever they run on. Instantiated with a maker of rigs.
using MakeReplicaRig = std::function<std::unique_ptr<ReplicaRig>()>;

class ReplicaContract : public ::testing::TestWithParam<MakeReplicaRig> {
 protected:
  /// Asks both in turn until both say `value`, which must be within `slots`, and for two more slots
  /// in which they must not waver. No answer on the way may be below `floor`.
  void ExpectBoth(double value, double floor, int slots = 3);

  std::unique_ptr<ReplicaRig> rig_ = GetParam()();
};

}  // namespace stoker::testing
