#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"
#include "scalers/cron/time_zone.h"

namespace stoker::scalers {

/// A cron expression in a time zone: when it fires. An immutable value; thread-safe; total.
///
/// Five fields, as KEDA's cron scaler reads them: minute (0-59), hour (0-23), day of month (1-31),
/// month (1-12 or JAN-DEC), day of week (0-6 from Sunday or SUN-SAT). Each is a list of `*` (or
/// `?`), `N`, `N-M`, and any of them with `/STEP`; `N/STEP` runs to the end. When neither day field
/// is a `*` it is enough that one of them matches. A prefix `TZ=Zone ` or `CRON_TZ=Zone ` overrules
/// the zone.
///
/// Changes of the clocks: a local time that is skipped fires at the moment the clocks go forward,
/// one that occurs twice fires the first time only. An expression whose hour field covers every
/// hour asks for no hour in particular, so it fires in every hour that really happens instead.
class Schedule {
 public:
  /// kInvalidArgument names the field and the mend, never the text.
  static Result<Schedule> Parse(std::string_view expression, const TimeZone& zone);

  struct Fire {
    WallTime at{};
    WallTime order{};                ///< TimeZone::Moment::order
    std::chrono::local_days date{};  ///< the local date it was written for

    /// Whether this comes before `other`, also when both were moved to one change of the clocks.
    [[nodiscard]] bool Before(const Fire& other) const {
      return at != other.at ? at < other.at : order < other.order;
    }
  };

  /// The first fire strictly after `time`; empty when there is none in that year and the next five.
  [[nodiscard]] std::optional<Fire> Next(WallTime time) const;

  /// The last fire after `fire`, or itself, that is not behind `limit` (at `limit` only when
  /// `inclusive`). `fire` must be one of this schedule and meet the condition.
  [[nodiscard]] Fire Last(const Fire& fire, const Fire& limit, bool inclusive) const;

  /// The first fire written for local date `date` or a later one.
  [[nodiscard]] std::optional<Fire> NextFrom(std::chrono::local_days date) const;

  /// Equal in what they mean, however they are written.
  friend bool operator==(const Schedule&, const Schedule&) = default;

 private:
  enum Field : std::size_t { kMinute, kHour, kDay, kMonth, kWeekday };
  using Bits = std::array<std::uint64_t, 5>;
  static constexpr std::uint64_t kStar = std::uint64_t{1} << 63U;

  Schedule(const Bits& bits, const TimeZone& zone) : bits_(bits), zone_(zone) {}
  static Result<std::uint64_t> ParseField(std::string_view text, Field field);
  static Result<std::uint64_t> ParseRange(std::string_view text, Field field);

  [[nodiscard]] bool Has(Field field, unsigned value) const {
    return (bits_[field] >> value & 1U) != 0;
  }
  [[nodiscard]] bool MatchesDay(std::chrono::local_days day) const;
  [[nodiscard]] std::optional<std::chrono::minutes> NextInDay(std::chrono::minutes from) const;
  [[nodiscard]] std::optional<LocalTime> NextLocal(LocalTime from) const;
  [[nodiscard]] std::optional<Fire> NextElapsed(WallTime time) const;

  Bits bits_;  ///< bit N: value N; kStar: the field is a `*`
  TimeZone zone_;
};

}  // namespace stoker::scalers
