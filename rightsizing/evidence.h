#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "rightsizing/workload.h"

namespace stoker::rightsizing {

/// Reads what was measured, one JSON object:
///
///   {"evidence_source": "12 runs of nightly-etl", "throughput_bytes_per_core_second": 14680064,
///    "task_duration_ms_p95": 21000, "shuffle_ratio": 0.8, "peak_executor_memory_mb": 5120,
///    "peak_task_memory_mb": 900}
///
/// Each key may be left out or null; others are ignored, so that a whole recommendation can be
/// given. kInvalidArgument names `source` and the key: no object, no number where one belongs, a
/// value that is not positive, or nothing measured at all.
Result<Evidence> ParseEvidence(std::string_view text, const std::string& source);

}  // namespace stoker::rightsizing
