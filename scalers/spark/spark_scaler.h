#pragma once

#include <memory>

#include "scalers/registry.h"
#include "upstream/http/retry.h"

namespace stoker::scalers {

/// Adds the signal type and the connection type `spark`: the executors that running applications
/// need. Drivers are asked themselves, found by a URL or among the namespace's pods, or a
/// Prometheus that scrapes them; an application that is gone is an empty reading. `waiter` passes
/// the time between two attempts.
void RegisterSpark(Registry& registry,
                   std::shared_ptr<http::Waiter> waiter = std::make_shared<http::SystemWaiter>());

}  // namespace stoker::scalers
