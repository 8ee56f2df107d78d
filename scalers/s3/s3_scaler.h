#pragma once

#include <memory>

#include "scalers/registry.h"
#include "upstream/http/retry.h"

namespace stoker::scalers {

/// Adds the signal type and the connection type `s3`: how many objects, or bytes, lie under a
/// prefix. Nothing there is 0, a bucket that does not exist a failure. `waiter` passes the time
/// between two attempts.
void RegisterS3(Registry& registry,
                std::shared_ptr<http::Waiter> waiter = std::make_shared<http::SystemWaiter>());

}  // namespace stoker::scalers
