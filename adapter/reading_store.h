#pragma once

#include <span>

#include "core/clock.h"
#include "core/signal.h"

namespace stoker::adapter {

// Windows are joined, not overwritten: what is known of a slot only ever grows, and in what order
// polls and siblings tell it does not matter. So replicas that have heard the same hold the same
// windows, what one of them could read none has lost, and two polls of one slot at slightly
// different moments never shrink anything. (A join semilattice: Shapiro et al., "Conflict-free
// Replicated Data Types", 2011.)

/// What two readings of one slot say together: a value beats an empty answer, which beats a fault;
/// of two values the greater, exact if either is. Commutative, associative and idempotent. Both
/// have the same time.
Reading JoinReadings(const Reading& a, const Reading& b);

/// The window with `readings` (in any order) joined in, trimmed to `lookback` before its newest.
/// The last value always stays, however old, because hold serves it, and so does the last empty
/// answer if that is later, because onEmpty: zero counts it as good. Readers keep the old window:
/// windows are immutable. Returns `window` itself when it holds all that already.
ReadingWindow MergeReadings(const ReadingWindow& window,
                            std::span<const Reading> readings,
                            Duration lookback);

/// The window once the wall clock was set back to `slot`: without what is in the future now. When
/// no good reading is left, the last ones that were become those of `slot`: setting a clock must
/// not cost what hold serves.
ReadingWindow RewindTo(const ReadingWindow& window, WallTime slot);

/// Whether the window holds a value, or an empty answer.
bool HasGoodReading(const ReadingWindow& window);

/// The start of the slot that `now` is in; slots are multiples of `interval` since the epoch, so
/// that replicas poll for the same moments.
WallTime SlotAt(WallTime now, Duration interval);

}  // namespace stoker::adapter
