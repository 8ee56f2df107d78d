#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "upstream/s3/client.h"
#include "upstream/s3/counter.h"

namespace stoker::testing {

/// An S3 that a test fills and asks. Instantiate the suite below with a function that makes one.
class S3Backend {
 public:
  virtual ~S3Backend() = default;
  virtual void CreateBucket(const std::string& bucket) = 0;
  /// `size_bytes` > 0.
  virtual void Put(const std::string& bucket, const std::string& key, std::size_t size_bytes) = 0;
  /// With sound credentials.
  virtual s3::Client& client() = 0;
  /// With `access_key_id` ("" for the sound one) and a secret that is not the server's.
  virtual std::unique_ptr<s3::Client> ClientWithWrongSecret(const std::string& access_key_id) = 0;
  virtual MonoTime Deadline() = 0;
};

/// What every S3 must do for us, and what we must make of it.
class S3Contract : public ::testing::TestWithParam<std::function<std::unique_ptr<S3Backend>()>> {
 protected:
  void SetUp() override {
    backend_ = GetParam()();
    backend_->CreateBucket("jobs");
  }

  Result<s3::Page> List(s3::ListRequest request) {
    if (request.bucket.empty()) request.bucket = "jobs";
    return backend_->client().ListPage(request, backend_->Deadline(), {});
  }

  /// All keys, page by page.
  std::vector<std::string> Keys(s3::ListRequest request) {
    std::vector<std::string> keys;
    for (;;) {
      const Result<s3::Page> page = List(request);
      if (!page) {
        ADD_FAILURE() << page.error().message;
        return keys;
      }
      EXPECT_LE(page->objects.size(), static_cast<std::size_t>(request.max_keys));
      for (const s3::Object& object : page->objects) keys.push_back(object.key);
      if (!page->truncated) return keys;
      request.start_after.clear();
      request.continuation_token = page->next_token;
    }
  }

  /// The count, or the error's message.
  std::string Count(s3::CountRequest request, int parallelism = 8) {
    request.bucket = "jobs";
    const Result<s3::Count> count =
        s3::CountObjects(backend_->client(), request, backend_->Deadline(), {}, parallelism);
    if (!count) return count.error().message;
    return (count->at_least ? ">=" : "") + std::to_string(static_cast<long>(count->value));
  }

  void PutNumbered(const std::string& prefix, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string number = std::to_string(i);
      backend_->Put("jobs", prefix + std::string(6 - number.size(), '0') + number, 3);
    }
  }

  std::unique_ptr<S3Backend> backend_;
};

TEST_P(S3Contract, ListsKeysInByteOrderPageByPage) {
  for (const char* key : {"b", "B", "a-1", "a", "a.1", "a1", "c"}) backend_->Put("jobs", key, 1);
  const std::vector<std::string> all{"B", "a", "a-1", "a.1", "a1", "b", "c"};
  EXPECT_EQ(Keys({}), all);
  EXPECT_EQ(Keys({.max_keys = 2}), all);
  EXPECT_EQ(Keys({.max_keys = 7}), all);
}

TEST_P(S3Contract, StartsAfterAKeyWhetherItExistsOrNot) {
  for (const char* key : {"p/1", "p/3", "p/5", "q"}) backend_->Put("jobs", key, 1);
  using Keys_ = std::vector<std::string>;
  EXPECT_EQ(Keys({.prefix = "p/", .start_after = "p/3"}), (Keys_{"p/5"}));
  EXPECT_EQ(Keys({.prefix = "p/", .start_after = "p/2"}), (Keys_{"p/3", "p/5"}));
  EXPECT_EQ(Keys({.prefix = "p/", .start_after = "p/5"}), Keys_{});
  EXPECT_EQ(Keys({.prefix = "p/", .start_after = "p0"}), Keys_{});
  EXPECT_EQ(Keys({.prefix = "none/"}), Keys_{});
}

TEST_P(S3Contract, RollsUpBehindADelimiter) {
  for (const char* key : {"in/a", "in/b", "in/done/x", "in/done/y", "in/zoo/z"}) {
    backend_->Put("jobs", key, 1);
  }
  const Result<s3::Page> page = List({.prefix = "in/", .delimiter = "/"});
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->objects.size(), 2U);
  EXPECT_EQ(page->objects[1].key, "in/b");
  EXPECT_EQ(page->common_prefixes, (std::vector<std::string>{"in/done/", "in/zoo/"}));
  EXPECT_FALSE(page->truncated);
}

TEST_P(S3Contract, OddKeysSurvive) {
  const std::vector<std::string> odd{
      "a b", "a&b<c>", "a+b", "a%41", "quo\"te'", "\xC3\xBC-\xE2\x82\xAC"};
  for (const std::string& key : odd) backend_->Put("jobs", "odd/" + key, 1);
  std::vector<std::string> keys = Keys({.prefix = "odd/"});
  ASSERT_EQ(keys.size(), odd.size());
  for (const std::string& key : odd) EXPECT_THAT(keys, ::testing::Contains("odd/" + key));
  EXPECT_EQ(Keys({.prefix = "odd/a+"}), std::vector<std::string>{"odd/a+b"});
  EXPECT_EQ(Keys({.prefix = "odd/a "}), std::vector<std::string>{"odd/a b"});
  EXPECT_EQ(Keys({.prefix = "odd/a%"}), std::vector<std::string>{"odd/a%41"});
}

TEST_P(S3Contract, TellsSizes) {
  backend_->Put("jobs", "big", 12345);
  const Result<s3::Page> page = List({.prefix = "big"});
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->objects.at(0).size_bytes, 12345U);
}

TEST_P(S3Contract, AMissingBucketIsNotFound) {
  const Result<s3::Page> page = List({.bucket = "no-such-bucket"});
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, ErrorCode::kNotFound) << page.error().message;
  EXPECT_THAT(page.error().message, ::testing::HasSubstr("the bucket does not exist"));
  EXPECT_THAT(page.error().message, ::testing::Not(::testing::HasSubstr("no-such-bucket")));
}

TEST_P(S3Contract, WrongKeysAreRefused) {
  const s3::ListRequest request{.bucket = "jobs"};
  const Result<s3::Page> wrong_secret =
      backend_->ClientWithWrongSecret("")->ListPage(request, backend_->Deadline(), {});
  ASSERT_FALSE(wrong_secret);
  EXPECT_EQ(wrong_secret.error().code, ErrorCode::kUnauthenticated) << wrong_secret.error().message;
  EXPECT_THAT(wrong_secret.error().message, ::testing::HasSubstr("check the secret access key"));
  // How a server says that it does not know a key is its own affair.
  EXPECT_FALSE(
      backend_->ClientWithWrongSecret("AKIDNOBODY")->ListPage(request, backend_->Deadline(), {}));
}

TEST_P(S3Contract, CountsAll) {
  PutNumbered("jobs-", 2500);
  backend_->Put("jobs", "other", 1);
  EXPECT_EQ(Count({.prefix = "jobs-"}), "2500");
  EXPECT_EQ(Count({.prefix = "jobs-"}, 1), "2500");
  EXPECT_EQ(Count({.prefix = "jobs-", .measure = s3::Measure::kBytes}), "7500");
  EXPECT_EQ(Count({}), "2501");
  EXPECT_EQ(Count({.prefix = "none"}), "0");
  EXPECT_EQ(Count({.prefix = "jobs-",
                   .counts = [](const s3::Object& object) { return object.key.ends_with("7"); }}),
            "250");
}

TEST_P(S3Contract, CountingStopsWhenItIsEnough) {
  PutNumbered("jobs-", 2500);
  EXPECT_EQ(Count({.prefix = "jobs-", .enough = 10}), ">=1000");
  EXPECT_EQ(Count({.prefix = "jobs-", .enough = 2000}), ">=2000");
  EXPECT_EQ(Count({.prefix = "jobs-", .enough = 2001}), "2500");
  EXPECT_EQ(Count({.prefix = "jobs-", .enough = 9999}), "2500");
}

TEST_P(S3Contract, CountsOnlyTheTopLevelWithADelimiter) {
  PutNumbered("in/", 1100);
  PutNumbered("in/done/", 1100);
  EXPECT_EQ(Count({.prefix = "in/", .delimiter = "/"}), "1100");
  EXPECT_EQ(Count({.prefix = "in/"}), "2200");
}

}  // namespace stoker::testing
