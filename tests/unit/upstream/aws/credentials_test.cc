#include "upstream/aws/credentials.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/units.h"
#include "tests/testing/fakes.h"

namespace stoker::aws {
namespace {

using ::stoker::testing::FakeWorld;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kSecret = "s3cr3t-never-shown";

HttpResponse Ok(std::string body) { return {200, {}, std::move(body)}; }

std::string Json(const std::string& id, const std::string& expiration) {
  return R"({"Code":"Success","AccessKeyId":")" + id + R"(","SecretAccessKey":")" + kSecret +
         R"(","Token":"session","Expiration":")" + expiration + R"("})";
}

class CredentialsTest : public ::testing::Test {
 protected:
  CredentialsTest() {
    world_.transport->set_handler([this](const HttpRequest& request) -> Result<HttpResponse> {
      requests_.push_back(request);
      return answer_(request);
    });
  }

  CredentialsDeps Deps() {
    return {world_.clock, world_.environment, world_.files, world_.transport, world_.logger};
  }
  std::shared_ptr<CredentialsProvider> Chain() { return DefaultCredentials(Deps(), "eu-west-1"); }
  MonoTime Deadline() { return world_.clock.MonotonicNow() + std::chrono::seconds(3); }

  /// What the chain gives, as "id/token" or the error's message, which must not leak.
  std::string Get(CredentialsProvider& provider) {
    const Result<Credentials> got = provider.Get(Deadline());
    if (!got) {
      EXPECT_THAT(got.error().message, Not(HasSubstr(kSecret)));
      return got.error().message;
    }
    EXPECT_EQ(got->secret_access_key, kSecret);
    return got->access_key_id + "/" + got->session_token;
  }
  std::string GetOnce() { return Get(*Chain()); }

  void SetEnvironmentKeys() {
    world_.environment.Set("AWS_ACCESS_KEY_ID", "AKENV");
    world_.environment.Set("AWS_SECRET_ACCESS_KEY", kSecret);
  }
  void SetWebIdentity() {
    world_.environment.Set("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/token");
    world_.environment.Set("AWS_ROLE_ARN", "arn:aws:iam::1:role/stoker");
    world_.files.Write("/var/token", "jwt+token\n");
  }
  void SetContainer(const std::string& uri) {
    world_.environment.Set("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri);
  }

  FakeWorld world_;
  std::function<Result<HttpResponse>(const HttpRequest&)> answer_ =
      [](const HttpRequest&) -> Result<HttpResponse> {
    return Fail(ErrorCode::kUnavailable, "169.254.169.254:80: cannot connect");
  };
  std::vector<HttpRequest> requests_;
};

TEST_F(CredentialsTest, EnvironmentComesFirst) {
  SetEnvironmentKeys();
  SetWebIdentity();
  EXPECT_EQ(GetOnce(), "AKENV/");
  world_.environment.Set("AWS_SESSION_TOKEN", "t");
  EXPECT_EQ(GetOnce(), "AKENV/t");
  EXPECT_TRUE(requests_.empty());
}

TEST_F(CredentialsTest, HalfAnEnvironmentIsAnError) {
  world_.environment.Set("AWS_SECRET_ACCESS_KEY", kSecret);
  EXPECT_THAT(GetOnce(), HasSubstr("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set"));
}

const char kSts[] =
    R"(<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>system:serviceaccount:stoker:stoker</SubjectFromWebIdentityToken>
    <Credentials>
      <SessionToken>session</SessionToken>
      <SecretAccessKey>s3cr3t-never-shown</SecretAccessKey>
      <Expiration>2026-01-05T01:00:00Z</Expiration>
      <AccessKeyId>ASIAWEB</AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>)";

TEST_F(CredentialsTest, WebIdentityAsksTheRegionsSts) {
  SetWebIdentity();
  answer_ = [](const HttpRequest&) { return Ok(kSts); };
  EXPECT_EQ(GetOnce(), "ASIAWEB/session");
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_EQ(requests_[0].method, "POST");
  EXPECT_EQ(requests_[0].url, "https://sts.eu-west-1.amazonaws.com/");
  EXPECT_EQ(requests_[0].body,
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
            "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fstoker&RoleSessionName=stoker"
            "&WebIdentityToken=jwt%2Btoken");
  EXPECT_EQ(requests_[0].deadline, Deadline());
}

TEST_F(CredentialsTest, WebIdentityFailuresSayTheMend) {
  SetWebIdentity();
  const auto refuse = [this](int status, const std::string& code) {
    answer_ = [=](const HttpRequest&) -> Result<HttpResponse> {
      return HttpResponse{status,
                          {},
                          "<ErrorResponse><Error><Code>" + code + "</Code><Message>" + kSecret +
                              "</Message></Error></ErrorResponse>"};
    };
    return GetOnce();
  };
  EXPECT_THAT(refuse(400, "ExpiredTokenException"), HasSubstr("token has expired"));
  EXPECT_THAT(refuse(400, "InvalidIdentityToken"), HasSubstr("OIDC provider"));
  EXPECT_THAT(refuse(403, "AccessDenied"), HasSubstr("trust policy"));
  EXPECT_THAT(refuse(500, "Oops"), HasSubstr("HTTP 500"));
  answer_ = [](const HttpRequest&) { return Ok("<html>proxy login</html>"); };
  EXPECT_THAT(GetOnce(), HasSubstr("holds no credentials"));
  answer_ = [](const HttpRequest&) { return Ok(std::string(kSts).substr(0, sizeof(kSts) - 60)); };
  EXPECT_THAT(GetOnce(), HasSubstr("holds no credentials"));
  world_.files.Remove("/var/token");
  EXPECT_THAT(GetOnce(), AllOf(HasSubstr("web identity"), HasSubstr("/var/token")));
  world_.environment.Set("AWS_ROLE_ARN", "");
  EXPECT_THAT(GetOnce(), HasSubstr("AWS_ROLE_ARN is not; set it"));
}

TEST_F(CredentialsTest, ProfileMergesBothFiles) {
  world_.environment.Set("HOME", "/home/u");
  world_.files.Write("/home/u/.aws/credentials",
                     "# comment\n[other]\naws_access_key_id = WRONG\n"
                     "[default]\r\naws_access_key_id = AKFILE # mine\r\n"
                     "aws_secret_access_key=" +
                         kSecret + "\r\n");
  world_.files.Write("/home/u/.aws/config",
                     "[default]\nregion = eu-west-1\naws_access_key_id = SHADOWED\n"
                     "s3 =\n  aws_access_key_id = NESTED\n"
                     "[profile work]\naws_access_key_id = AKWORK\naws_secret_access_key = " +
                         kSecret + "\naws_session_token = t\n");
  EXPECT_EQ(GetOnce(), "AKFILE/");
  world_.environment.Set("AWS_PROFILE", "work");
  EXPECT_EQ(GetOnce(), "AKWORK/t");
  world_.environment.Set("AWS_PROFILE", "gone");
  EXPECT_THAT(GetOnce(), HasSubstr("AWS_PROFILE names a profile that neither"));
}

TEST_F(CredentialsTest, ProfileRefusesWhatItCannotDo) {
  world_.environment.Set("AWS_CONFIG_FILE", "/etc/aws");
  for (const char* key : {"credential_process", "role_arn", "sso_session"}) {
    world_.files.Write("/etc/aws", std::string("[default]\n") + key + " = anything\n");
    EXPECT_THAT(
        GetOnce(),
        AllOf(HasSubstr(std::string(key) + " is not supported"), Not(HasSubstr("anything"))));
  }
  world_.files.Write("/etc/aws", "[default]\naws_access_key_id = AK\n");
  EXPECT_THAT(GetOnce(), HasSubstr("needs both"));
  world_.files.Remove("/etc/aws");
  EXPECT_THAT(GetOnce(), HasSubstr("/etc/aws")) << "a file named on purpose must be there";
}

TEST_F(CredentialsTest, ProfileWithoutKeysIsPassedOver) {
  world_.environment.Set("HOME", "/home/u");
  world_.files.Write("/home/u/.aws/config", "[default]\nregion = eu-west-1\n");
  SetContainer("http://127.0.0.1:1/x");
  answer_ = [](const HttpRequest&) { return Ok(Json("AKPOD", "2026-01-05T01:00:00Z")); };
  EXPECT_EQ(GetOnce(), "AKPOD/session");
}

TEST_F(CredentialsTest, ContainerSendsTheTokenOfThePodIdentityAgent) {
  SetContainer("http://169.254.170.23/v1/credentials");
  world_.environment.Set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "old way");
  world_.environment.Set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/var/eks-token");
  world_.files.Write("/var/eks-token", "jwt\n");
  answer_ = [](const HttpRequest&) { return Ok(Json("AKPOD", "2026-01-05T01:00:00Z")); };
  EXPECT_EQ(GetOnce(), "AKPOD/session");
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_EQ(requests_[0].url, "http://169.254.170.23/v1/credentials");
  ASSERT_EQ(requests_[0].headers.size(), 1U);
  EXPECT_EQ(requests_[0].headers[0].value, "jwt");
}

TEST_F(CredentialsTest, ContainerTakesEcsRelativeUri) {
  world_.environment.Set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/abc");
  answer_ = [](const HttpRequest&) { return Ok(Json("AKECS", "2026-01-05T01:00:00Z")); };
  EXPECT_EQ(GetOnce(), "AKECS/session");
  EXPECT_EQ(requests_[0].url, "http://169.254.170.2/v2/credentials/abc");
  world_.environment.Set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil.example/");
  EXPECT_THAT(GetOnce(), HasSubstr("must start with /"));
}

TEST_F(CredentialsTest, ContainerAsksOnlyLoopbackAndLinkLocal) {
  world_.environment.Set("AWS_CONTAINER_AUTHORIZATION_TOKEN", kSecret);
  for (const char* good : {"http://127.0.0.1:80/",
                           "http://127.9.9.9/",
                           "http://[::1]:5/a",
                           "http://[fd00:ec2::23]/v1",
                           "http://169.254.170.2/x"}) {
    SetContainer(good);
    answer_ = [](const HttpRequest&) { return Ok(Json("AK", "2026-01-05T01:00:00Z")); };
    EXPECT_EQ(GetOnce(), "AK/session") << good;
  }
  requests_.clear();
  for (const char* bad : {"http://example.com/",
                          "https://127.0.0.1/",
                          "http://127.0.0.1.evil.example/",
                          "http://169.254.169.254/",
                          "http://169.254.170.2@evil.example/",
                          "http://localhost/",
                          "http://[fd00:ec2::24]/",
                          "http://10.0.0.1/",
                          "http://127.0.0/",
                          "file:///etc/passwd",
                          "x"}) {
    SetContainer(bad);
    EXPECT_THAT(GetOnce(), HasSubstr("may only be http:// to a loopback address")) << bad;
  }
  EXPECT_TRUE(requests_.empty());
}

TEST_F(CredentialsTest, ContainerFailuresAreTheError) {
  SetContainer("http://127.0.0.1/x");
  answer_ = [](const HttpRequest&) -> Result<HttpResponse> {
    return HttpResponse{403, {}, kSecret};
  };
  EXPECT_THAT(GetOnce(), AllOf(HasSubstr("container endpoint"), HasSubstr("HTTP 403")));
  for (const std::string& body : {std::string("not json"),
                                  std::string("[]"),
                                  std::string(R"({"AccessKeyId":5})"),
                                  Json("A", "yesterday"),
                                  std::string(R"({"Code":"AssumeRoleUnauthorizedAccess"})")}) {
    answer_ = [&](const HttpRequest&) { return Ok(body); };
    EXPECT_THAT(GetOnce(), HasSubstr("container endpoint")) << body;
  }
  answer_ = [](const HttpRequest&) { return Ok(Json("A", "2026-01-04T23:59:59Z")); };
  EXPECT_THAT(GetOnce(), HasSubstr("already expired"));
}

TEST_F(CredentialsTest, InstanceMetadataProvesItselfFirst) {
  answer_ = [](const HttpRequest& request) -> Result<HttpResponse> {
    if (request.method == "PUT") {
      EXPECT_EQ(request.url, "http://169.254.169.254/latest/api/token");
      return Ok("imds-token");
    }
    EXPECT_EQ(request.headers.at(0).name, "X-aws-ec2-metadata-token");
    EXPECT_EQ(request.headers.at(0).value, "imds-token");
    if (request.url.ends_with("/security-credentials/")) return Ok("node-role\nsecond");
    EXPECT_TRUE(request.url.ends_with("/security-credentials/node-role"));
    return Ok(Json("AKEC2", "2026-01-05T06:00:00Z"));
  };
  EXPECT_EQ(GetOnce(), "AKEC2/session");
  EXPECT_EQ(requests_.size(), 3U);
  for (const HttpRequest& request : requests_) {
    EXPECT_EQ(request.deadline, world_.clock.MonotonicNow() + std::chrono::seconds(1));
  }
}

TEST_F(CredentialsTest, NothingConfiguredSaysWhatToDo) {
  EXPECT_THAT(GetOnce(),
              AllOf(HasSubstr("instance metadata: nobody answers"), HasSubstr("set AWS_")));
  world_.environment.Set("AWS_EC2_METADATA_DISABLED", "TRUE");
  requests_.clear();
  EXPECT_THAT(GetOnce(), HasSubstr("no AWS credentials found"));
  EXPECT_TRUE(requests_.empty());
}

TEST_F(CredentialsTest, InstanceEndpointStaysLinkLocal) {
  answer_ = [](const HttpRequest&) -> Result<HttpResponse> { return HttpResponse{404, {}, ""}; };
  world_.environment.Set("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1338/");
  EXPECT_THAT(GetOnce(), HasSubstr("no token"));
  EXPECT_EQ(requests_[0].url, "http://127.0.0.1:1338/latest/api/token");
  requests_.clear();
  for (const char* bad : {"http://example.com",
                          "https://169.254.169.254",
                          "http://169.254.x.evil",
                          "http://127.evil.example"}) {
    world_.environment.Set("AWS_EC2_METADATA_SERVICE_ENDPOINT", bad);
    EXPECT_THAT(GetOnce(), HasSubstr("link-local")) << bad;
  }
  EXPECT_TRUE(requests_.empty());
}

TEST_F(CredentialsTest, KeepsCredentialsUntilFiveMinutesBeforeTheyExpire) {
  SetContainer("http://127.0.0.1/x");
  int fetches = 0;
  answer_ = [&](const HttpRequest&) {
    ++fetches;
    return Ok(Json("AK" + std::to_string(fetches),
                   FormatTime(world_.clock.WallNow() + std::chrono::hours(1))));
  };
  const auto chain = Chain();
  EXPECT_EQ(Get(*chain), "AK1/session");
  world_.clock.Advance(std::chrono::minutes(54));
  EXPECT_EQ(Get(*chain), "AK1/session");
  world_.clock.Advance(std::chrono::minutes(1));
  EXPECT_EQ(Get(*chain), "AK2/session");
  EXPECT_EQ(fetches, 2);
}

TEST_F(CredentialsTest, ServesTheOldOnesWhileRefreshingFails) {
  SetContainer("http://127.0.0.1/x");
  const auto good = [this](const HttpRequest&) {
    return Ok(Json("AK", FormatTime(world_.clock.WallNow() + std::chrono::hours(1))));
  };
  answer_ = good;
  const auto chain = Chain();
  EXPECT_EQ(Get(*chain), "AK/session");
  world_.clock.Advance(std::chrono::minutes(56));
  answer_ = [](const HttpRequest&) -> Result<HttpResponse> {
    return Fail(ErrorCode::kUnavailable, "down");
  };
  requests_.clear();
  EXPECT_EQ(Get(*chain), "AK/session");
  EXPECT_EQ(Get(*chain), "AK/session");
  EXPECT_EQ(requests_.size(), 1U) << "not again at once";
  EXPECT_LT(requests_[0].deadline, Deadline()) << "leaves time for the request itself";
  world_.clock.Advance(std::chrono::seconds(10));
  EXPECT_EQ(Get(*chain), "AK/session");
  EXPECT_EQ(requests_.size(), 2U);
  EXPECT_EQ(world_.logger.lines().size(), 1U) << world_.logger.text();

  world_.clock.Advance(std::chrono::minutes(5));
  EXPECT_THAT(Get(*chain), HasSubstr("down")) << "expired ones are not served";
  answer_ = good;
  EXPECT_EQ(Get(*chain), "AK/session");
}

TEST_F(CredentialsTest, InvalidateFetchesAnew) {
  SetContainer("http://127.0.0.1/x");
  int fetches = 0;
  answer_ = [&](const HttpRequest&) {
    return Ok(Json("AK" + std::to_string(++fetches), "2026-01-05T06:00:00Z"));
  };
  const auto chain = Chain();
  EXPECT_EQ(Get(*chain), "AK1/session");
  chain->Invalidate();
  EXPECT_EQ(Get(*chain), "AK2/session");
}

TEST_F(CredentialsTest, OneRefreshesWhileTheOthersWait) {
  SetContainer("http://127.0.0.1/x");
  std::atomic<int> fetches = 0;
  world_.transport->set_handler([&](const HttpRequest&) -> Result<HttpResponse> {
    ++fetches;
    std::this_thread::yield();
    return Ok(Json("AK", "2026-01-05T06:00:00Z"));
  });
  const auto chain = Chain();
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] { good += chain->Get(Deadline()).has_value() ? 1 : 0; });
    }
  }
  EXPECT_EQ(good, 8);
  EXPECT_EQ(fetches, 1);
}

TEST_F(CredentialsTest, FilesAreReadAgain) {
  world_.files.Write("/id", " AK1\n");
  world_.files.Write("/secret", kSecret + "\n");
  const auto provider = FileCredentials(Deps(), "/id", "/secret");
  EXPECT_EQ(Get(*provider), "AK1/");
  world_.files.Write("/id", "AK2");
  EXPECT_EQ(Get(*provider), "AK1/");
  world_.clock.Advance(std::chrono::seconds(10));
  EXPECT_EQ(Get(*provider), "AK2/");
  world_.files.Write("/id", "AK3");
  provider->Invalidate();
  EXPECT_EQ(Get(*provider), "AK3/");
  world_.files.Write("/id", "\n");
  provider->Invalidate();
  EXPECT_THAT(Get(*provider), HasSubstr("/id is empty"));
}

}  // namespace
}  // namespace stoker::aws
