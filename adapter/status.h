#pragma once

#include <span>
#include <string_view>

#include "core/result.h"

namespace stoker::adapter {

/// How one kind of failure looks to the callers of our two protocols.
struct StatusRow {
  ErrorCode code;
  int grpc;                    ///< google.rpc.Code
  std::string_view grpc_name;  ///< "UNAVAILABLE"
  int http;
};

/// The table: every ErrorCode exactly once.
std::span<const StatusRow> StatusTable();

/// The row of `code`.
const StatusRow& StatusOf(ErrorCode code);

/// Name of any gRPC status number ("OK", "ABORTED"), for metrics and messages; "UNKNOWN" outside
/// 0-16.
std::string_view GrpcCodeName(int grpc);

}  // namespace stoker::adapter
