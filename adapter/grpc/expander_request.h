#pragma once

#include <vector>

#include "capacity/expander.h"
#include "core/clock.h"
#include "core/result.h"
#include "expander.pb.h"

namespace stoker::adapter {

/// What the autoscaler asks about, from either form of its request (before 1.35 and from it on).
/// Pods or a node that cannot be read are not known; each distinct pod is read once, however many
/// options hold it. kDeadlineExceeded when it takes until `deadline`.
Result<std::vector<capacity::ExpanderOption>> ReadOptions(
    const grpcplugin::BestOptionsRequest& request, const Clock& clock, MonoTime deadline);

}  // namespace stoker::adapter
