#pragma once

#include "scalers/registry.h"

namespace stoker::scalers {

/// Adds signal type `cron`: desiredReplicas while a window is open, 0 while none is. Knows no
/// upstream, cannot fail and is never empty; its value at a slot depends on the slot alone.
void RegisterCron(Registry& registry);

}  // namespace stoker::scalers
