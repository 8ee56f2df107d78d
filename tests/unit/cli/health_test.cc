#include "cli/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "tests/testing/fakes.h"

namespace stoker::cli {
namespace {

class HealthTest : public ::testing::Test {
 protected:
  int Ask(const HealthOptions& options, Result<HttpResponse> answer) {
    transport_.set_handler([this, answer](const HttpRequest& request) {
      url_ = request.url;
      return answer;
    });
    return Health(options, transport_, clock_, terminal_);
  }

  testing::FakeTransport transport_{nullptr};
  testing::FakeClock clock_;
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream err_;
  Terminal terminal_{.in = in_, .out = out_, .err = err_};
  std::string url_;
};

TEST_F(HealthTest, AsksWhetherTheServerIsReady) {
  EXPECT_EQ(Ask({}, HttpResponse{200, {}, "ok\n"}), kOk);
  EXPECT_EQ(url_, "http://127.0.0.1:8081/readyz");
  EXPECT_EQ(out_.str(), "ok\n");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(HealthTest, OrWhetherItRunsAtAll) {
  EXPECT_EQ(Ask({.server = "http://10.0.0.7:8081/", .live = true}, HttpResponse{200, {}, "ok"}),
            kOk);
  EXPECT_EQ(url_, "http://10.0.0.7:8081/healthz");
}

TEST_F(HealthTest, NotReadyIsANoWithItsReason) {
  EXPECT_EQ(Ask({}, HttpResponse{503, {}, "first polls are not done\n"}), kNo);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(err_.str(), "stoker health: the server answered 503: first polls are not done\n");
}

TEST_F(HealthTest, NoAnswerIsAnUpstreamFailure) {
  EXPECT_EQ(Ask({}, Fail(ErrorCode::kUnavailable, "connection refused")), kUpstream);
  EXPECT_EQ(err_.str(), "stoker health: connection refused\n");
}

TEST_F(HealthTest, ABadAddressIsBadUsage) {
  EXPECT_EQ(Ask({.server = "nonsense"}, Fail(ErrorCode::kInvalidArgument, "no URL")), kUsage);
  EXPECT_EQ(err_.str(), "stoker health: --server: no URL\n");
}

}  // namespace
}  // namespace stoker::cli
