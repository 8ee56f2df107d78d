#pragma once

#include "scalers/registry.h"

namespace stoker::scalers {

/// Adds signal type `manual`: the value that somebody set under a name (PushedValues). Empty until
/// one was set, and again after its `ttl`; never faulty. Never inline: whoever may write a
/// ScaledObject could read what others set.
void RegisterManual(Registry& registry);

}  // namespace stoker::scalers
