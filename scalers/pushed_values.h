#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/clock.h"

namespace stoker::scalers {

/// A value that somebody set, and when.
struct PushedValue {
  double value = 0;  ///< finite
  WallTime time{};   ///< of the replica that took it; the same in all that it was forwarded to

  friend bool operator==(const PushedValue&, const PushedValue&) = default;
};

/// The values of manual signals by their names: set over HTTP or by a sibling replica, read by
/// polls. The later time wins, and of equal times the greater value, so that replicas agree
/// whatever the order in which they hear of them. Thread-safe.
class PushedValues {
 public:
  /// Whether `value` won against what was there.
  bool Set(const std::string& name, const PushedValue& value);
  [[nodiscard]] std::optional<PushedValue> Get(const std::string& name) const;
  [[nodiscard]] std::map<std::string, PushedValue> All() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, PushedValue> values_;
};

}  // namespace stoker::scalers
