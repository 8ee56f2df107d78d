#include "adapter/status.h"

#include <set>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

namespace stoker::adapter {
namespace {

// A switch without default: a new enumerator does not compile until it is added here.
bool Known(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal:
      return true;
  }
  return false;
}

TEST(Status, TableHasEveryErrorCodeOnce) {
  std::set<ErrorCode> seen;
  int enumerators = 0;
  for (int i = 0; i < 256; ++i) {
    const auto code = static_cast<ErrorCode>(i);
    if (!Known(code)) continue;
    ++enumerators;
    EXPECT_EQ(StatusOf(code).code, code) << ErrorCodeName(code) << " has no row";
  }
  for (const StatusRow& row : StatusTable()) EXPECT_TRUE(seen.insert(row.code).second);
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(enumerators));
}

TEST(Status, GrpcNumbersAreOneToOneAndNamedAsGrpcNamesThem) {
  std::set<int> numbers;
  for (const StatusRow& row : StatusTable()) {
    EXPECT_TRUE(numbers.insert(row.grpc).second) << row.grpc_name << " is used twice";
    EXPECT_EQ(GrpcCodeName(row.grpc), row.grpc_name);
    EXPECT_GE(row.http, 400);
    EXPECT_LT(row.http, 600);
  }
  EXPECT_EQ(StatusOf(ErrorCode::kUnavailable).grpc, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(StatusOf(ErrorCode::kInvalidArgument).grpc, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(StatusOf(ErrorCode::kNotFound).grpc, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(StatusOf(ErrorCode::kPermissionDenied).grpc, grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(StatusOf(ErrorCode::kResourceExhausted).grpc, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(StatusOf(ErrorCode::kUnauthenticated).grpc, grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(StatusOf(ErrorCode::kDeadlineExceeded).grpc, grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(StatusOf(ErrorCode::kCancelled).grpc, grpc::StatusCode::CANCELLED);
  EXPECT_EQ(StatusOf(ErrorCode::kInternal).grpc, grpc::StatusCode::INTERNAL);
}

TEST(Status, NamesNumbersThatAreNotOurs) {
  EXPECT_EQ(GrpcCodeName(0), "OK");
  EXPECT_EQ(GrpcCodeName(12), "UNIMPLEMENTED");
  EXPECT_EQ(GrpcCodeName(17), "UNKNOWN");
  EXPECT_EQ(GrpcCodeName(-1), "UNKNOWN");
}

}  // namespace
}  // namespace stoker::adapter
