#pragma once

#include <grpcpp/server_builder.h>

#include "core/clock.h"

namespace stoker::adapter {

/// Everything about our gRPC server that is not the address: limits, ages, keepalive, health and
/// reflection. Apart, so that the benchmark's empty server is built the same way.
void ApplyServerOptions(Duration max_connection_age, grpc::ServerBuilder& builder);

}  // namespace stoker::adapter
