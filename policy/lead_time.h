#pragma once

#include <span>

#include "core/clock.h"
#include "policy/decision.h"
#include "policy/policy.h"

namespace stoker::policy {

/// How far back rises are looked at, and the fewest that make a measure.
inline constexpr Duration kLeadTimeWindow = std::chrono::hours(6);
inline constexpr int kFewestLeadTimes = 5;

/// Whether the lead time of `policy` is to be measured; `running` tells when executors came.
bool MeasuresLeadTime(const Policy& policy);

/// How far back readings of the policy's signals and of `running` must be kept for that, with what
/// scaleDown looks back on; zero where it is not measured.
Duration LeadTimeLookback(const Policy& policy);

/// The lead time at `now`: what is configured, else measured: for each rise of what the policy
/// orders (in executors, as scaleDown leaves it) in the last six hours, the time until so many
/// executors ran; of those the 90th percentile (nearest rank), and what is assumed while they are
/// too few.
///
/// Of some rises no more is known than that they waited for some time: of one that is not met yet;
/// of one that was met while running or wanted executors could not be read; and of one to no more
/// than what was taken back within ten minutes before, whose nodes may have come for it. They are
/// samples, too, with that time, at most an hour, where it is longer than what the others come to.
///
/// No sample is a rise that was taken back before it was met, one that running executors met
/// already, and one that a schedule brought (room was made for it ahead, so it tells nothing of
/// nodes).
///
/// What forecasts ask for is left out: how far ahead they look may follow this measure, which would
/// then follow itself. Room that they made ahead makes it shorter all the same.
///
/// A pure function of the windows: replicas that hold the same measure the same.
LeadTime FindLeadTime(const Policy& policy,
                      std::span<const SignalInput> inputs,
                      const SignalInput& running,
                      WallTime now);

}  // namespace stoker::policy
