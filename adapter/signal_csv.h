#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/signal.h"
#include "scalers/scaler.h"

namespace stoker::adapter {

/// Values of signals over time, by the names of their columns: rows as readings at the time of
/// their row, oldest first, as many in every column.
using SignalColumns = std::map<std::string, std::vector<Reading>>;

/// Reads comma-separated values with a header `time,NAME,...`. A time is RFC 3339 or seconds since
/// 1970; times rise. A cell is a number, nothing (the upstream had nothing to say: an empty
/// reading), or `fault` (the poll failed; `NaN` too). Cells may stand in double quotes, without
/// commas inside. kInvalidArgument names `source` and the line.
Result<SignalColumns> ParseSignalCsv(std::string_view text, const std::string& source);

/// What polls of the slots in `span` would have found where `rows` tell: the last row at or before
/// a slot, and a fault when that is over `row_age` old. Slots before the first row are left out.
std::vector<Reading> ReadingsAt(const std::vector<Reading>& rows,
                                const scalers::SlotSpan& span,
                                Duration row_age);

}  // namespace stoker::adapter
