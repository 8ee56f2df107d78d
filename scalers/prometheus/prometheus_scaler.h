#pragma once

#include <memory>

#include "scalers/registry.h"
#include "upstream/http/retry.h"

namespace stoker::scalers {

/// Adds the signal type and the connection type `prometheus`: the value of an instant query, asked
/// at the poll's slot so that replicas see the same. No series, and NaN or Inf, are an empty
/// reading; several series are a mistake unless `onSeveral` says what to make of them. `waiter`
/// passes the time between two attempts.
void RegisterPrometheus(
    Registry& registry,
    std::shared_ptr<http::Waiter> waiter = std::make_shared<http::SystemWaiter>());

}  // namespace stoker::scalers
