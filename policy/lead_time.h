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
/// too few. A rise that is not met yet is one of them, with its age until `now`, at most an hour,
/// once that is longer than what they come to without it.
///
/// No sample is a rise that was taken back before, one to no more than such a one within ten
/// minutes (its nodes may have come), one that running executors met already, one that a schedule
/// brought (room was made for it ahead, so it tells nothing of nodes), and one in whose course the
/// running executors or the wanted ones could not be read.
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
