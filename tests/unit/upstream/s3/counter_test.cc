#include "upstream/s3/counter.h"

#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_s3.h"
#include "tests/testing/fake_waiter.h"

namespace stoker::s3 {
namespace {

using stoker::testing::FakeCredentials;
using stoker::testing::FakeS3;
using stoker::testing::FakeWaiter;
using stoker::testing::FakeWorld;
using ::testing::HasSubstr;

const aws::Credentials kCredentials{"AKID", "secret", ""};

std::string Number(unsigned value, std::size_t width, unsigned base = 10) {
  std::string text;
  for (; text.size() < width || value > 0; value /= base) {
    text.insert(text.begin(), "0123456789abcdef"[value % base]);
  }
  return text;
}

class CounterTest : public ::testing::Test {
 protected:
  CounterTest() { world_.transport->set_handler(s3_.Handler()); }

  Result<Count> Counted(CountRequest request, int parallelism = 8) {
    request.bucket = "jobs";
    return CountObjects(client_,
                        request,
                        world_.clock.MonotonicNow() + std::chrono::seconds(10),
                        stop_.get_token(),
                        parallelism);
  }

  /// Puts `count` objects whose keys `name` makes, and expects an exact count of them in not many
  /// more requests than there are pages.
  template <class Name>
  void ExpectExact(unsigned count, int most_requests, Name name) {
    for (unsigned i = 0; i < count; ++i) s3_.Put("jobs", name(i), 2);
    const Result<Count> counted = Counted({.prefix = "in/"});
    ASSERT_TRUE(counted) << counted.error().message;
    EXPECT_EQ(counted->value, count);
    EXPECT_FALSE(counted->at_least);
    EXPECT_EQ(counted->requests, s3_.requests());
    EXPECT_LE(counted->requests, most_requests);
  }

  FakeWorld world_;
  FakeS3 s3_{kCredentials};
  FakeWaiter waiter_{world_.clock};
  std::stop_source stop_;
  Client client_{{.connection = "lake", .region = "us-east-1"},
                 {world_.clock,
                  world_.random,
                  waiter_,
                  world_.transport,
                  std::make_shared<FakeCredentials>(kCredentials)}};
};

TEST_F(CounterTest, CountsNumberedKeys) {
  ExpectExact(20'000, 40, [](unsigned i) { return "in/job-" + Number(i, 6) + ".json"; });
}

TEST_F(CounterTest, CountsHexKeys) {
  ExpectExact(20'000, 50, [](unsigned i) { return "in/" + Number(i * 2654435761U, 8, 16); });
}

TEST_F(CounterTest, CountsFoldersByDate) {
  ExpectExact(20'000, 50, [](unsigned i) {
    return "in/2026/" + Number(i % 12 + 1, 2) + "/" + Number(i / 12 % 28 + 1, 2) + "/part-" +
           Number(i, 5) + ".parquet";
  });
}

TEST_F(CounterTest, CountsKeysInOtherScripts) {
  ExpectExact(5'000, 30, [](unsigned i) {
    return "in/\xE3\x81\x82" + Number(i % 7, 1) + "-" + "\xC3\xBC" + Number(i, 1);
  });
}

TEST_F(CounterTest, CountsKeysThatArePrefixesOfEachOther) {
  ExpectExact(1'500, 20, [](unsigned i) {
    return "in/" + std::string(i % 700 + 1, i < 700 ? 'a' : 'b') + std::string(i / 1400, 'c');
  });
}

TEST_F(CounterTest, AFailedPartFailsTheCount) {
  for (unsigned i = 0; i < 9'000; ++i) s3_.Put("jobs", Number(i, 6));
  std::atomic<int> number = 0;
  world_.transport->set_handler([&](const HttpRequest& request) -> Result<HttpResponse> {
    if (++number == 5) return FakeS3::ErrorAnswer(403, "AccessDenied");
    return s3_.Handle(request);
  });
  const Result<Count> counted = Counted({});
  ASSERT_FALSE(counted);
  EXPECT_EQ(counted.error().code, ErrorCode::kPermissionDenied) << "the cause, not what it stopped";
}

TEST_F(CounterTest, AStopEndsTheCount) {
  for (unsigned i = 0; i < 9'000; ++i) s3_.Put("jobs", Number(i, 6));
  std::atomic<int> number = 0;
  world_.transport->set_handler([&](const HttpRequest& request) -> Result<HttpResponse> {
    if (++number == 3) stop_.request_stop();
    return s3_.Handle(request);
  });
  const Result<Count> counted = Counted({});
  ASSERT_FALSE(counted);
  EXPECT_EQ(counted.error().code, ErrorCode::kCancelled);
}

TEST_F(CounterTest, StaysWithinItsRequests) {
  for (unsigned i = 0; i < 3'000; ++i) s3_.Put("jobs", Number(i, 6));
  for (const int parallelism : {1, 8}) {
    const Result<Count> counted = Counted({.max_requests = 2}, parallelism);
    ASSERT_FALSE(counted);
    EXPECT_EQ(counted.error().code, ErrorCode::kResourceExhausted);
    EXPECT_THAT(counted.error().message, HasSubstr("maxRequests (2)"));
  }
  const Result<Count> enough = Counted({.enough = 1500, .max_requests = 2});
  ASSERT_TRUE(enough);
  EXPECT_EQ(enough->value, 2000);
  EXPECT_TRUE(enough->at_least);
}

TEST_F(CounterTest, BoundedCountsAskForNoMoreThanTheyNeed) {
  for (unsigned i = 0; i < 9'000; ++i) s3_.Put("jobs", Number(i, 6), 10);
  EXPECT_EQ(Counted({.enough = 1})->requests, 1);
  EXPECT_EQ(Counted({.enough = 3500})->requests, 4);
  const Result<Count> bytes = Counted({.measure = Measure::kBytes, .enough = 25'000});
  EXPECT_EQ(bytes->value, 30'000);
  EXPECT_TRUE(bytes->at_least);
}

TEST_F(CounterTest, KeysOutOfOrderAreCountedInTurn) {
  for (unsigned i = 0; i < 3'500; ++i) s3_.Put("jobs", Number(i, 6));
  s3_.set_reversed(true);
  const Result<Count> counted = Counted({});
  ASSERT_TRUE(counted) << counted.error().message;
  EXPECT_EQ(counted->value, 3'500);
  EXPECT_EQ(counted->requests, 4);
}

}  // namespace
}  // namespace stoker::s3
