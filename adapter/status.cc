#include "adapter/status.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace stoker::adapter {
namespace {

constexpr std::array kTable{
    StatusRow{ErrorCode::kInvalidArgument, 3, "INVALID_ARGUMENT", 400},
    StatusRow{ErrorCode::kNotFound, 5, "NOT_FOUND", 404},
    StatusRow{ErrorCode::kPermissionDenied, 7, "PERMISSION_DENIED", 403},
    StatusRow{ErrorCode::kUnauthenticated, 16, "UNAUTHENTICATED", 401},
    StatusRow{ErrorCode::kResourceExhausted, 8, "RESOURCE_EXHAUSTED", 429},
    StatusRow{ErrorCode::kUnavailable, 14, "UNAVAILABLE", 503},
    StatusRow{ErrorCode::kDeadlineExceeded, 4, "DEADLINE_EXCEEDED", 504},
    // 503 and not 499: to an HTTP client, a server that is going away is one to try again
    // elsewhere.
    StatusRow{ErrorCode::kCancelled, 1, "CANCELLED", 503},
    StatusRow{ErrorCode::kInternal, 13, "INTERNAL", 500},
};

constexpr std::array<std::string_view, 17> kGrpcNames{"OK",
                                                      "CANCELLED",
                                                      "UNKNOWN",
                                                      "INVALID_ARGUMENT",
                                                      "DEADLINE_EXCEEDED",
                                                      "NOT_FOUND",
                                                      "ALREADY_EXISTS",
                                                      "PERMISSION_DENIED",
                                                      "RESOURCE_EXHAUSTED",
                                                      "FAILED_PRECONDITION",
                                                      "ABORTED",
                                                      "OUT_OF_RANGE",
                                                      "UNIMPLEMENTED",
                                                      "INTERNAL",
                                                      "UNAVAILABLE",
                                                      "DATA_LOSS",
                                                      "UNAUTHENTICATED"};

}  // namespace

std::span<const StatusRow> StatusTable() { return kTable; }

const StatusRow& StatusOf(ErrorCode code) {
  const auto* row = std::find_if(
      kTable.begin(), kTable.end(), [code](const StatusRow& entry) { return entry.code == code; });
  return row != kTable.end() ? *row : kTable.back();
}

std::string_view GrpcCodeName(int grpc) {
  if (grpc < 0 || static_cast<std::size_t>(grpc) >= kGrpcNames.size()) return "UNKNOWN";
  return kGrpcNames.at(static_cast<std::size_t>(grpc));
}

}  // namespace stoker::adapter
