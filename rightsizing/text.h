#pragma once

#include <cstdint>
#include <string>

namespace stoker::rightsizing {

/// For people: "1 TiB", "4.4 GiB", "512 MiB", "10 B".
std::string SizeText(std::int64_t bytes);
/// Likewise of a rate: "12 MiB/s".
std::string RateText(double bytes_per_second);
/// To the second, "14m56s"; below ten seconds to the tenth, "8.5s"; above a day in hours.
std::string SecondsText(double seconds);
/// "1 executor", "3 executors".
std::string CountText(std::int64_t count, const std::string& one);
/// "2 cores", "1.5 cores".
std::string CoresText(std::int64_t cpu_millis);
/// At most `decimals` digits after the point, none that are zero.
std::string DecimalText(double value, int decimals);
/// "$1.25"; below a cent to the hundredth of one.
std::string DollarText(double dollars);

}  // namespace stoker::rightsizing
