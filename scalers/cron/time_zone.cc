#include "scalers/cron/time_zone.h"

#include <date/tz.h>

#include <exception>
#include <string>

namespace stoker::scalers {
Result<TimeZone> TimeZone::Find(std::string_view name) {
  try {
    static_cast<void>(date::get_tzdb());
  } catch (const std::exception&) {
    return Fail(ErrorCode::kUnavailable,
                "the time zone database cannot be read; install the tzdata package");
  }
  try {
    const date::time_zone* zone = date::locate_zone(std::string(name));
    // Zones are read on first use; have a broken file complain now rather than in a poll.
    static_cast<void>(zone->get_info(date::sys_seconds{}));
    return TimeZone(zone);
  } catch (const std::exception&) {
    return Fail(ErrorCode::kInvalidArgument,
                "unknown time zone; use an IANA name such as America/New_York or UTC");
  }
}

TimeZone::Span TimeZone::SpanAt(WallTime time) const {
  const date::sys_info info = zone_->get_info(std::chrono::floor<std::chrono::seconds>(time));
  return {info.offset, info.end};
}

TimeZone::Moment TimeZone::ToMoment(LocalTime local) const {
  const date::local_info info = zone_->get_info(date::local_seconds(local.time_since_epoch()));
  const std::chrono::sys_seconds as_utc{local.time_since_epoch()};
  if (info.result == date::local_info::nonexistent) {
    return {info.second.begin, as_utc - info.second.offset};
  }
  const WallTime at = as_utc - info.first.offset;
  return {at, at};
}

}  // namespace stoker::scalers
