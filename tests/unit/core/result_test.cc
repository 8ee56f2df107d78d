#include "core/result.h"

#include <string>

#include <gtest/gtest.h>

#include "core/http_transport.h"

namespace stoker {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return Fail(ErrorCode::kInvalidArgument, "odd");
  return value / 2;
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_EQ(Half(4).value(), 2);
  EXPECT_EQ(Half(3).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Half(3).error().message, "odd");
}

TEST(ErrorCodeName, IsTheNameOfTheHttpApi) {
  EXPECT_EQ(ErrorCodeName(ErrorCode::kInvalidArgument), "invalid_argument");
  EXPECT_EQ(ErrorCodeName(ErrorCode::kDeadlineExceeded), "deadline_exceeded");
  EXPECT_EQ(ErrorCodeName(ErrorCode::kInternal), "internal");
}

TEST(HttpResponse, FindsHeadersInAnyCase) {
  const HttpResponse response{200, {{"Retry-After", "3"}, {"retry-after", "4"}}, ""};
  EXPECT_EQ(response.Header("RETRY-AFTER"), "3");
  EXPECT_EQ(response.Header("Content-Type"), "");
}

}  // namespace
}  // namespace stoker
