#pragma once

#include <vector>

#include "core/clock.h"
#include "policy/policy.h"
#include "policy/wanted.h"

// Internal to policy/.

namespace stoker::policy {

/// How far before a moment wanted numbers must be added to a History to tell what it makes of them
/// then.
Duration HistoryReach(const Policy& policy);

/// What policy.scale_down makes of the wanted number. Follows it forward in time.
class History {
 public:
  explicit History(const Policy& policy);

  /// The wanted number was `raw` in [begin, end), which is not empty and after all that was added
  /// before. Where there was no decision there is nothing to keep, and nothing to add.
  void Add(double raw, WallTime begin, WallTime end);

  struct Target {
    double stabilized = 0;
    double stepped = 0;
    WallTime valid_until = kNever;  ///< as far as history goes
  };
  /// At the last instant that was added.
  [[nodiscard]] Target Newest() const;

 private:
  /// A number that held until `end`.
  struct Span {
    double value;
    WallTime end;
  };

  ScaleDownStep step_;
  Duration stabilization_;
  Duration step_reach_;
  std::vector<Span> peaks_;  ///< falling values; from first_ on still in the window
  std::size_t first_ = 0;
  std::vector<Span> stabilized_;  ///< falling values; the last one holds now
};

}  // namespace stoker::policy
