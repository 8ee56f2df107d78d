#include "upstream/s3/client.h"

#include <deque>

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
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const char kEmptyPage[] = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    world_.transport->set_handler([this](const HttpRequest&) -> Result<HttpResponse> {
      if (answers_.empty()) return HttpResponse{200, {}, kEmptyPage};
      const Result<HttpResponse> answer = answers_.front();
      answers_.pop_front();
      return answer;
    });
  }

  Client Make(ClientOptions options) {
    options.connection = "lake";
    if (options.region.empty()) options.region = "eu-west-1";
    return Client(options, {world_.clock, world_.random, waiter_, world_.transport, credentials_});
  }

  /// The error's message of one listing, "" when it succeeded.
  std::string List(Client& client, ListRequest request = {.bucket = "private-bucket"}) {
    const Result<Page> page = client.ListPage(
        request, world_.clock.MonotonicNow() + std::chrono::seconds(10), stop_.get_token());
    code_ = page ? ErrorCode::kInternal : page.error().code;
    return page ? "" : page.error().message;
  }
  std::string ListOnce() {
    Client client = Make({});
    return List(client);
  }

  std::string Url(ClientOptions options, ListRequest request) {
    Client client = Make(std::move(options));
    List(client, std::move(request));
    return world_.transport->requests().back().url;
  }

  /// The region that the last request was signed for.
  std::string SignedRegion() {
    const HttpRequest request = world_.transport->requests().back();
    for (const HttpHeader& header : request.headers) {
      if (header.name != "authorization") continue;
      const std::string& text = header.value;
      const std::size_t end = text.find("/s3/aws4_request");
      return text.substr(text.rfind('/', end - 1) + 1, end - text.rfind('/', end - 1) - 1);
    }
    return "";
  }

  FakeWorld world_;
  FakeWaiter waiter_{world_.clock};
  std::shared_ptr<FakeCredentials> credentials_ =
      std::make_shared<FakeCredentials>(aws::Credentials{"AKID", "s3cr3t", ""});
  std::deque<Result<HttpResponse>> answers_;
  std::stop_source stop_;
  ErrorCode code_ = ErrorCode::kInternal;
};

TEST_F(ClientTest, BuildsHostsFromTheRegion) {
  const std::string query = "?encoding-type=url&list-type=2&max-keys=1000";
  EXPECT_EQ(Url({}, {.bucket = "jobs"}), "https://jobs.s3.eu-west-1.amazonaws.com/" + query);
  EXPECT_EQ(Url({.region = "cn-north-1"}, {.bucket = "jobs"}),
            "https://jobs.s3.cn-north-1.amazonaws.com.cn/" + query);
  EXPECT_EQ(Url({.path_style = true}, {.bucket = "jobs"}),
            "https://s3.eu-west-1.amazonaws.com/jobs" + query);
  EXPECT_EQ(Url({}, {.bucket = "has.dots"}), "https://s3.eu-west-1.amazonaws.com/has.dots" + query);
  EXPECT_EQ(Url({}, {.bucket = "Old_Bucket"}),
            "https://s3.eu-west-1.amazonaws.com/Old_Bucket" + query);
  EXPECT_EQ(Url({.endpoint = "https://minio.example:9000/s3"}, {.bucket = "jobs"}),
            "https://jobs.minio.example:9000/s3/" + query);
  EXPECT_EQ(Url({.endpoint = "http://127.0.0.1:9000"}, {.bucket = "jobs"}),
            "http://127.0.0.1:9000/jobs" + query);
  EXPECT_EQ(Url({.endpoint = "http://minio:9000", .path_style = true}, {.bucket = "jobs"}),
            "http://minio:9000/jobs" + query);
}

TEST_F(ClientTest, EncodesWhatIsAskedFor) {
  EXPECT_EQ(Url({},
                {.bucket = "jobs",
                 .prefix = "in/a b&c=",
                 .delimiter = "/",
                 .start_after = "in/\xC3\xBC+",
                 .max_keys = 5}),
            "https://jobs.s3.eu-west-1.amazonaws.com/?encoding-type=url&list-type=2&max-keys=5"
            "&delimiter=%2F&prefix=in%2Fa%20b%26c%3D&start-after=in%2F%C3%BC%2B");
  EXPECT_THAT(Url({}, {.bucket = "jobs", .continuation_token = "a/b+c="}),
              HasSubstr("&continuation-token=a%2Fb%2Bc%3D"));
}

TEST_F(ClientTest, KnowsBucketNamesAndEndpoints) {
  for (const char* good : {"abc", "my-bucket.v2", "Old_Bucket"}) EXPECT_TRUE(IsBucketName(good));
  for (const char* bad : {"",
                          "ab",
                          "a/b",
                          "a..b",
                          ".abc",
                          "abc.",
                          "abc?x",
                          "abc@evil",
                          "a b",
                          "a%2Fb",
                          "\xC3\xBC\xC3\xBC"}) {
    EXPECT_FALSE(IsBucketName(bad)) << bad;
  }
  EXPECT_FALSE(IsBucketName(std::string(64, 'a')));
  EXPECT_TRUE(IsEndpoint("http://localhost:9000"));
  EXPECT_FALSE(IsEndpoint("localhost:9000"));
  EXPECT_FALSE(IsEndpoint("http://host/?x=1"));
}

TEST_F(ClientTest, FollowsARegionNamedInTheHeaderAndRemembersIt) {
  Client client = Make({});
  for (const int status : {301, 307, 400}) {
    const std::string bucket = "bucket-" + std::to_string(status);
    answers_ = {FakeS3::ErrorAnswer(
        status,
        "AuthorizationHeaderMalformed",
        {{"X-Amz-Bucket-Region", "ap-south-1"}, {"Location", "https://evil.example/"}})};
    EXPECT_EQ(List(client, {.bucket = bucket}), "");
    EXPECT_THAT(world_.transport->requests().back().url,
                HasSubstr("https://" + bucket + ".s3.ap-south-1.amazonaws.com/"));
    EXPECT_EQ(SignedRegion(), "ap-south-1");
  }
  const std::size_t before = world_.transport->requests().size();
  EXPECT_EQ(List(client, {.bucket = "bucket-301"}), "");
  EXPECT_EQ(world_.transport->requests().size(), before + 1) << "no second redirect";
  EXPECT_EQ(SignedRegion(), "ap-south-1");
  EXPECT_EQ(List(client, {.bucket = "another"}), "");
  EXPECT_EQ(SignedRegion(), "eu-west-1");
}

TEST_F(ClientTest, KeepsItsEndpointWhenTheRegionDiffers) {
  Client client = Make({.endpoint = "http://minio:9000", .path_style = true});
  answers_ = {
      FakeS3::ErrorAnswer(400, "AuthorizationHeaderMalformed", {{"x-amz-bucket-region", "home"}})};
  EXPECT_EQ(List(client), "");
  EXPECT_THAT(world_.transport->requests().back().url, HasSubstr("http://minio:9000/"));
  EXPECT_EQ(SignedRegion(), "home");
}

TEST_F(ClientTest, NeverFollowsABodyOrABadRegion) {
  for (const char* region : {"", "evil.example/", "eu-west-1"}) {
    answers_ = {
        HttpResponse{301,
                     {{"x-amz-bucket-region", region}, {"Location", "https://evil.example/"}},
                     "<Error><Code>PermanentRedirect</Code><Endpoint>evil.example</Endpoint>"
                     "<Region>evil</Region></Error>"}};
    EXPECT_THAT(ListOnce(), HasSubstr("set the connection's region")) << region;
  }
  for (const HttpRequest& request : world_.transport->requests()) {
    EXPECT_THAT(request.url, Not(HasSubstr("evil")));
  }
  // Two regions that name each other do not go round for ever.
  answers_ = {
      FakeS3::ErrorAnswer(301, "PermanentRedirect", {{"x-amz-bucket-region", "us-east-1"}}),
      FakeS3::ErrorAnswer(301, "PermanentRedirect", {{"x-amz-bucket-region", "eu-west-1"}})};
  EXPECT_THAT(ListOnce(), HasSubstr("another region"));
}

TEST_F(ClientTest, BacksOffWhenToldToSlowDown) {
  const auto slow_down = FakeS3::ErrorAnswer(503, "SlowDown");
  answers_ = {
      slow_down, Fail(ErrorCode::kUnavailable, "reset"), FakeS3::ErrorAnswer(500, "InternalError")};
  const MonoTime begin = world_.clock.MonotonicNow();
  EXPECT_EQ(ListOnce(), "");
  EXPECT_EQ(world_.transport->requests().size(), 4U);
  EXPECT_FALSE(world_.transport->requests()[0].tell_absence) << "an S3 that is gone is a fault";
  EXPECT_GT(world_.clock.MonotonicNow() - begin, std::chrono::milliseconds(150));

  answers_ = {slow_down, slow_down, slow_down, slow_down, slow_down};
  EXPECT_THAT(ListOnce(), HasSubstr("overloaded or broken (HTTP 503 SlowDown)"));
  EXPECT_EQ(code_, ErrorCode::kUnavailable);
  EXPECT_EQ(answers_.size(), 1U) << "four attempts are all";
}

TEST_F(ClientTest, SignsEachAttemptAnew) {
  answers_ = {FakeS3::ErrorAnswer(503, "SlowDown", {{"Retry-After", "2"}})};
  EXPECT_EQ(ListOnce(), "");
  const auto requests = world_.transport->requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_NE(requests[0].headers[0].value, requests[1].headers[0].value) << "x-amz-date";
}

TEST_F(ClientTest, DoesNotRetryPastTheDeadlineOrAfterAStop) {
  answers_ = {FakeS3::ErrorAnswer(503, "SlowDown", {{"Retry-After", "60"}})};
  EXPECT_THAT(ListOnce(), HasSubstr("SlowDown"));
  EXPECT_EQ(world_.transport->requests().size(), 1U);
  stop_.request_stop();
  EXPECT_EQ(ListOnce(), "stopped");
  EXPECT_EQ(code_, ErrorCode::kCancelled);
  EXPECT_EQ(world_.transport->requests().size(), 1U);
}

TEST_F(ClientTest, RenewsExpiredCredentialsOnce) {
  for (const char* code : {"ExpiredToken", "InvalidToken", "InvalidAccessKeyId"}) {
    credentials_ = std::make_shared<FakeCredentials>(aws::Credentials{"OLD", "s", "t1"});
    credentials_->set_next({"NEW", "s", "t2"});
    answers_ = {FakeS3::ErrorAnswer(400, code)};
    EXPECT_EQ(ListOnce(), "") << code;
    EXPECT_EQ(credentials_->invalidations(), 1);
  }
  answers_ = {FakeS3::ErrorAnswer(400, "ExpiredToken"), FakeS3::ErrorAnswer(400, "ExpiredToken")};
  EXPECT_THAT(ListOnce(), HasSubstr("nor a fresh one"));
  EXPECT_EQ(code_, ErrorCode::kUnauthenticated);
}

TEST_F(ClientTest, ErrorsSayTheMendAndNoSecretOrName) {
  const auto refuse = [this](int status, const std::string& code) {
    answers_ = {FakeS3::ErrorAnswer(status, code), FakeS3::ErrorAnswer(status, code)};
    const std::string message = ListOnce();
    answers_.clear();
    EXPECT_THAT(message,
                AllOf(HasSubstr("s3 connection lake: "),
                      Not(HasSubstr("private-bucket")),
                      Not(HasSubstr("s3cr3t")),
                      Not(HasSubstr("details"))));
    return message;
  };
  EXPECT_THAT(refuse(404, "NoSuchBucket"), HasSubstr("the bucket does not exist"));
  EXPECT_EQ(code_, ErrorCode::kNotFound);
  EXPECT_THAT(refuse(403, "AccessDenied"), HasSubstr("need s3:ListBucket on the bucket"));
  EXPECT_EQ(code_, ErrorCode::kPermissionDenied);
  EXPECT_THAT(refuse(403, "RequestTimeTooSkewed"), HasSubstr("clock"));
  EXPECT_THAT(refuse(403, "SignatureDoesNotMatch"), HasSubstr("check the secret access key"));
  EXPECT_EQ(code_, ErrorCode::kUnauthenticated);
  EXPECT_THAT(refuse(403, "InvalidAccessKeyId"), HasSubstr("does not know the access key"));
  EXPECT_EQ(code_, ErrorCode::kUnauthenticated);
  EXPECT_THAT(refuse(400, "InvalidArgument"), HasSubstr("refuses the request (HTTP 400 Invalid"));
  EXPECT_THAT(refuse(404, "NoSuchPage"), HasSubstr("check the connection's endpoint"));
  EXPECT_THAT(refuse(418, "not a word!"), HasSubstr("(HTTP 418)"));
}

TEST_F(ClientTest, AnUnsoundListingIsAFailure) {
  answers_ = {HttpResponse{200, {}, std::string(kEmptyPage).substr(0, 40)}};
  EXPECT_THAT(ListOnce(), HasSubstr("no sound listing"));
  EXPECT_EQ(code_, ErrorCode::kUnavailable);
  answers_ = {HttpResponse{204, {}, ""}};
  EXPECT_THAT(ListOnce(), HasSubstr("HTTP 204"));
}

}  // namespace
}  // namespace stoker::s3
