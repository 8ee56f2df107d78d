#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "policy/decision.h"
#include "policy/policy.h"

namespace stoker::adapter {

/// What KEDA asks about: a ScaledObject's (or ScaledJob's) trigger. State is keyed by all of it.
struct ObjectRef {
  std::string name_space;
  std::string name;
  std::map<std::string, std::string> metadata;
  bool peer_authenticated = false;  ///< the caller showed a client certificate that we verified
  friend bool operator==(const ObjectRef&, const ObjectRef&) = default;
};

struct MetricSpec {
  std::string name;
  double target = 1;
};

struct MetricAnswer {
  std::string name;
  double value = 0;  ///< finite, >= 0
};

using DecisionPtr = std::shared_ptr<const policy::Decision>;

/// One scaled object, policy or signal as HTTP and metrics show it.
struct ObjectView {
  std::string name_space;
  std::string name;
  std::string policy;  ///< the policy's name, or the inline metric name
  bool is_inline = false;
  bool headroom = false;  ///< it asks for the policy's headroom (HeadroomDecision)
  WallTime last_asked{};
  std::shared_ptr<const policy::Policy> definition;
  DecisionPtr decision;  ///< null before the first
};

struct PolicyView {
  std::string name;
  bool retired = false;  ///< gone from the configuration, answerable for its hold time
  std::shared_ptr<const policy::Policy> definition;
  DecisionPtr decision;
};

struct SignalView {
  std::string policy;
  std::string signal;
  std::string type;
  std::string connection;
  std::string pushed_name{};  ///< of a manual signal: the name it is set under
};

/// The one interface between what decides and who answers (gRPC, HTTP, metrics). Thread-safe.
/// Nothing in it waits for an upstream.
class Decisions {
 public:
  virtual ~Decisions() = default;

  /// The specs of a trigger, from its metadata alone: fails only with kInvalidArgument. What is
  /// unknown or not allowed still has its spec, and Decide tells.
  virtual Result<std::vector<MetricSpec>> Specs(const ObjectRef& object) = 0;

  /// The decision for an object, registering it if it is new. kNotFound (unknown policy),
  /// kInvalidArgument, kPermissionDenied, kResourceExhausted, or kUnavailable (no reading yet, or
  /// the decision's own error). Never waits.
  virtual Result<DecisionPtr> Decide(const ObjectRef& object) = 0;

  /// Like Decide, but when the only trouble is that the first readings are not there yet, calls
  /// back once they are, or with kUnavailable at `deadline`. Calls back exactly once, maybe before
  /// returning.
  virtual void DecideSoon(const ObjectRef& object,
                          MonoTime deadline,
                          std::function<void(Result<DecisionPtr>)> done) = 0;

  /// The value for one metric of the object (`s0-` prefixes already stripped; "" is the first one),
  /// read from the decision that DecideSoon gives, when and as that calls back. kNotFound for a
  /// name that Specs does not have.
  virtual void ValueSoon(const ObjectRef& object,
                         std::string_view metric,
                         MonoTime deadline,
                         std::function<void(Result<MetricAnswer>)> done) = 0;

  /// Calls `changed` after each new decision for the object (possibly equal to the last), on an
  /// executor thread, until the returned handle is destroyed; the destructor waits for a call in
  /// progress. Errors as Decide, except kUnavailable and kNotFound, which a later decision may
  /// heal.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  virtual Result<std::unique_ptr<Subscription>> Subscribe(
      const ObjectRef& object, std::function<void(const DecisionPtr&)> changed) = 0;

  [[nodiscard]] virtual std::vector<ObjectView> Objects() const = 0;
  [[nodiscard]] virtual std::vector<PolicyView> Policies() const = 0;
  [[nodiscard]] virtual std::vector<SignalView> Signals() const = 0;
};

}  // namespace stoker::adapter
