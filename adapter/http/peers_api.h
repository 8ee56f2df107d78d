#pragma once

#include "adapter/http/api.h"
#include "adapter/peers.h"

namespace stoker::adapter {

/// Adds what sibling replicas post. `peers` outlives the API; null on a replica without siblings,
/// where both routes answer 404 and say how to mend it.
void AddPeerRoutes(Api& api, Peers* peers);

}  // namespace stoker::adapter
