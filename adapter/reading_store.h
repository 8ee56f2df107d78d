#pragma once

#include "core/clock.h"
#include "core/signal.h"

namespace stoker::adapter {

/// The window after one more reading, trimmed to `lookback` before it. The last good reading always
/// stays, however old, because hold serves it. A reading for a slot already there replaces it; one
/// for an earlier slot means that the wall clock was set back, and drops what is now in the future.
/// Readers keep the old window: windows are immutable.
ReadingWindow AppendReading(const ReadingWindow& window, const Reading& reading, Duration lookback);

/// The start of the slot that `now` is in; slots are multiples of `interval` since the epoch, so
/// that replicas poll for the same moments.
WallTime SlotAt(WallTime now, Duration interval);

}  // namespace stoker::adapter
