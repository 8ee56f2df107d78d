#pragma once

#include <memory>

#include "scalers/registry.h"
#include "upstream/http/retry.h"

namespace stoker::scalers {

/// `type: pods`: how many pods of a namespace a label selector matches, as the API server tells.
/// For the executors that run and wait (a policy's `capacity`). Pods that have finished or are
/// being deleted do not count. Never inline: it reads with Stoker's own rights.
void RegisterPods(Registry& registry,
                  std::shared_ptr<http::Waiter> waiter = std::make_shared<http::SystemWaiter>());

}  // namespace stoker::scalers
