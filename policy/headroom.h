#pragma once

#include <span>

#include "policy/decision.h"
#include "policy/policy.h"
#include "policy/wanted.h"

// Internal to policy/.

namespace stoker::policy {

/// Sets decision.headroom and brings valid_until forward to where it may be another. `cursors` and
/// `contributions` are those of decision.time; policy.capacity is set.
///
/// Wanted ahead is the most that the policy wants at any moment until now + lead, as far as
/// schedules and forecasts tell and everything else stays; never less than the target of now.
///
/// A fault never makes it smaller: a last good reading serves as for any signal, then it is an
/// error. Pods move from pending to running, so while one of the two is held, the other counts for
/// at most what it was at that time (0 where that is not known), else they would count twice.
void AddHeadroom(const Policy& policy,
                 std::span<const SignalInput> inputs,
                 std::span<const Cursor> cursors,
                 std::span<const Contribution> contributions,
                 const CapacityInput& input,
                 Decision& decision);

}  // namespace stoker::policy
