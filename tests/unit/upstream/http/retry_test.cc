#include "upstream/http/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_waiter.h"
#include "tests/testing/fakes.h"

namespace stoker::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

Result<HttpResponse> Status(int status, std::vector<HttpHeader> headers = {}) {
  return HttpResponse{.status = status, .headers = std::move(headers)};
}
Result<HttpResponse> Failed(ErrorCode code) { return Fail(code, "no"); }

struct Retries : ::testing::Test {
  testing::FakeClock clock;
  testing::FakeRandom random{0.5};
  testing::FakeWaiter waiter{clock};
  MonoTime deadline = clock.MonotonicNow() + seconds(10);

  Retrier Make(RetryOptions options = {}) { return Retrier(options, clock, random, waiter); }
  bool Retried(const Result<HttpResponse>& outcome) {
    return Make().NextAttempt(1, outcome, deadline).has_value();
  }
};

TEST_F(Retries, OnlyWhatMayPass) {
  for (const int status : {429, 502, 503, 504}) EXPECT_TRUE(Retried(Status(status))) << status;
  for (const int status : {200, 204, 301, 400, 401, 403, 404, 422, 500, 501}) {
    EXPECT_FALSE(Retried(Status(status))) << status;
  }
  EXPECT_TRUE(Retried(Failed(ErrorCode::kUnavailable)));
  EXPECT_TRUE(Retried(Failed(ErrorCode::kNotFound)));
  for (const ErrorCode code : {ErrorCode::kInvalidArgument,
                               ErrorCode::kDeadlineExceeded,
                               ErrorCode::kResourceExhausted,
                               ErrorCode::kCancelled,
                               ErrorCode::kInternal,
                               ErrorCode::kPermissionDenied}) {
    EXPECT_FALSE(Retried(Failed(code)));
  }
}

TEST_F(Retries, BacksOffExponentiallyWithJitterUpToTheCap) {
  const RetryOptions options{.max_attempts = 100, .base = milliseconds(100), .cap = seconds(1)};
  const auto wait = [&](int attempts, double uniform) {
    testing::FakeRandom fixed(uniform);
    return *Retrier(options, clock, fixed, waiter).NextAttempt(attempts, Status(503), deadline) -
           clock.MonotonicNow();
  };
  EXPECT_EQ(wait(1, 0), milliseconds(50));
  EXPECT_EQ(wait(1, 0.5), milliseconds(75));
  EXPECT_EQ(wait(2, 0), milliseconds(100));
  EXPECT_EQ(wait(3, 0), milliseconds(200));
  EXPECT_EQ(wait(5, 0), milliseconds(500));
  EXPECT_EQ(wait(99, 0), milliseconds(500));
  EXPECT_LT(wait(99, 0.999), seconds(1));
}

TEST_F(Retries, HonourRetryAfterInSeconds) {
  const auto wait = [&](const std::string& text) {
    return *Make().NextAttempt(1, Status(429, {{"Retry-After", text}}), deadline) -
           clock.MonotonicNow();
  };
  EXPECT_EQ(wait("4"), seconds(4));
  EXPECT_EQ(wait("0"), milliseconds(75));
  EXPECT_EQ(wait("-4"), milliseconds(75));
  EXPECT_EQ(wait("Wed, 21 Oct 2026 07:28:00 GMT"), milliseconds(75));
}

TEST_F(Retries, DoNotBeginAtOrAfterTheDeadline) {
  EXPECT_FALSE(Make().NextAttempt(1, Status(503, {{"Retry-After", "10"}}), deadline));
  EXPECT_FALSE(Make().NextAttempt(1, Status(503, {{"Retry-After", "99999999999999"}}), deadline));
  EXPECT_FALSE(Make().NextAttempt(1, Status(503), clock.MonotonicNow() + milliseconds(75)));
  EXPECT_TRUE(Make().NextAttempt(1, Status(503), clock.MonotonicNow() + milliseconds(76)));
}

TEST_F(Retries, EndWithTheLastOutcome) {
  int attempts = 0;
  testing::FakeTransport transport([&](const HttpRequest&) { return Status(500 + ++attempts); });
  const auto make = [&]() -> Result<HttpRequest> { return HttpRequest{.deadline = deadline}; };
  // 501 is not repeated; 502 and 503 are.
  EXPECT_EQ(Make().Send(transport, make)->status, 501);
  EXPECT_EQ(Make({.max_attempts = 2}).Send(transport, make)->status, 503);
  EXPECT_EQ(Make().Send(transport, make)->status, 505);
  EXPECT_THAT(waiter.waits, ElementsAre(milliseconds(75), milliseconds(75)));
}

TEST_F(Retries, MakeEachRequestAnewAndStopWhenThatFails) {
  testing::FakeTransport transport([](const HttpRequest&) { return Status(503); });
  int made = 0;
  const auto response = Make().Send(transport, [&]() -> Result<HttpRequest> {
    if (++made == 3) return Fail(ErrorCode::kUnauthenticated, "no key");
    return HttpRequest{.url = std::to_string(made), .deadline = deadline};
  });
  EXPECT_EQ(response.error().message, "no key");
  ASSERT_EQ(transport.requests().size(), 2U);
  EXPECT_EQ(transport.requests()[1].url, "2");
}

TEST_F(Retries, AStopEndsTheWait) {
  std::stop_source stop;
  testing::FakeTransport transport([&](const HttpRequest&) {
    stop.request_stop();
    return Status(503);
  });
  const auto response = Make().Send(transport, [&]() -> Result<HttpRequest> {
    return HttpRequest{.deadline = deadline, .stop = stop.get_token()};
  });
  EXPECT_EQ(response.error().code, ErrorCode::kCancelled);
}

TEST(SystemWaiter, ReturnsAtOnceWhenTheTimeHasPassedOrAStopCame) {
  SystemWaiter waiter;
  const MonoTime now = SystemClock().MonotonicNow();
  EXPECT_TRUE(waiter.WaitUntil(now - seconds(1), {}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(waiter.WaitUntil(now + std::chrono::hours(1), stop.get_token()));
}

}  // namespace
}  // namespace stoker::http
