#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"

namespace stoker {

// One parser for every size, CPU amount and duration that people write; failures are
// kInvalidArgument, name the mend and do not repeat the text (it may be a metadata value).

/// Bytes: K M G T P alone or with B, iB or Kubernetes' i, any case, decimals, all binary as Spark
/// reads them
/// (org.apache.spark.network.util.JavaUtils#byteStringAs): 1g = 1 GiB, 50GB = 53,687,091,200.
/// A bare number is an error that asks for the unit; "0" too. Negative or over 2^63-1: error.
Result<std::int64_t> ParseBytes(std::string_view text);

/// CPU in millicores: "4", "1500m", "0.5".
Result<std::int64_t> ParseCpuMillis(std::string_view text);

/// Durations as Prometheus and Go write them: "15s", "1h30m", "250ms", "1.5h", "2d", "1w", "0s"; a
/// bare "0" is allowed, any other bare number asks for the unit. Never negative.
Result<Duration> ParseDuration(std::string_view text);

/// "25%" or "0.25" style fractions: returns 0.25. Only "N%" is accepted; a bare number asks for
/// "%".
Result<double> ParsePercent(std::string_view text);

/// Whole text as a finite decimal number, in the C locale.
Result<double> ParseNumber(std::string_view text);

/// Whole text as a decimal integer.
Result<std::int64_t> ParseInteger(std::string_view text);

/// Go's strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False.
Result<bool> ParseBool(std::string_view text);

/// "1h30m", "15s", "250ms", "0s": shortest exact form, largest units first (d is not used).
std::string FormatDuration(Duration duration);

/// For Spark keys: "4g" where whole, else "4608m", rounded up to the MiB.
std::string FormatSparkBytes(std::int64_t bytes);

/// For Kubernetes keys: "4Gi" where whole, else "4608Mi", rounded up to the MiB.
std::string FormatKubernetesBytes(std::int64_t bytes);

/// For Kubernetes keys: "4" where whole, else "1500m".
std::string FormatCpuMillis(std::int64_t millis);

/// RFC 3339 in UTC with milliseconds dropped when zero: "2026-03-08T06:59:59Z".
std::string FormatTime(WallTime time);

/// RFC 3339 with "Z" or an offset. kInvalidArgument otherwise.
Result<WallTime> ParseTime(std::string_view text);

}  // namespace stoker
