#pragma once

#include <chrono>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"

namespace date {
class time_zone;
}

namespace stoker::scalers {

/// What a clock on the wall shows, in whole seconds. It names no moment until a TimeZone says where
/// the wall is.
using LocalTime = std::chrono::local_seconds;

/// A zone of the system's IANA time zone database. A cheap, immutable value; thread-safe. The one
/// place that knows the library behind it, whose exceptions end here.
///
/// The database as installed lists its changes of the clocks up to 2037; later ones are not known.
class TimeZone {
 public:
  /// `name` as "America/New_York" or "UTC", case matters. kInvalidArgument when there is none of
  /// that name, kUnavailable when the database is not installed; messages do not repeat the name.
  static Result<TimeZone> Find(std::string_view name);

  /// A stretch of time without a change of the clocks.
  struct Span {
    std::chrono::seconds offset{};  ///< local time minus UTC
    WallTime end{};  ///< when the clocks change next; thousands of years ahead for never
  };
  [[nodiscard]] Span SpanAt(WallTime time) const;

  /// The moment a local time stands for.
  struct Moment {
    WallTime at{};
    /// `at`, but for a skipped local time: that time as if the new offset had been in force
    /// already. It orders the skipped ones, which are all the same moment, among themselves.
    WallTime order{};
  };
  /// A local time that occurs twice means its first occurrence; one that is skipped means the
  /// moment the clocks go forward. Never runs backwards: a later local time is never an earlier
  /// moment.
  [[nodiscard]] Moment ToMoment(LocalTime local) const;

  friend bool operator==(const TimeZone&, const TimeZone&) = default;

 private:
  explicit TimeZone(const date::time_zone* zone) : zone_(zone) {}
  const date::time_zone* zone_;
};

}  // namespace stoker::scalers
