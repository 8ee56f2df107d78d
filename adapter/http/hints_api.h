#pragma once

#include "adapter/capacity_controller.h"
#include "adapter/decisions.h"
#include "adapter/http/api.h"
#include "capacity/choice_log.h"

namespace stoker::adapter {

/// What the cluster is told, and what it makes of it: adds GET /api/v1/hints. References outlive
/// the API; `controller` is null until there is one.
void AddHintsRoute(Api& api,
                   const Decisions& decisions,
                   const CapacityController* controller,
                   const capacity::ChoiceLog& choices);

}  // namespace stoker::adapter
