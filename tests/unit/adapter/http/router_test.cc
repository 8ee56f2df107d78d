#include "adapter/http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/testing/fakes.h"

namespace stoker::adapter {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

HttpReply Text(std::string body) {
  HttpReply reply;
  reply.body = std::move(body);
  return reply;
}

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    router_.Add({"GET", "/thing/{name}", ApiRoute::Access::kOpen, [](const ApiCall& call) {
                   return Text("read " + call.captures[0]);
                 }});
    router_.Add({"PUT", "/thing/{name}", ApiRoute::Access::kToken, [](const ApiCall& call) {
                   return Text("wrote " + call.captures[0] + " " + *call.request.body);
                 }});
    router_.Add({"POST", "/do", ApiRoute::Access::kToken, [](const ApiCall& /*call*/) {
                   return Text("done");
                 }});
    files_.Write("/tokens", "secret\n");
  }
  static HttpListener Listener() {
    HttpListener listener;
    listener.listen = "0.0.0.0:8080";
    listener.tokens_file = "/tokens";
    return listener;
  }
  [[nodiscard]] HttpReply Send(const std::string& method,
                               const std::string& path,
                               std::optional<std::string> body = "",
                               const std::string& token = "secret") const {
    ApiRequest request;
    request.method = method;
    request.path = path;
    request.body = std::move(body);
    request.authorization = "Bearer " + token;
    return router_.Handle(request);
  }

  testing::FakeFileSystem files_;
  BearerAuth auth_{Listener(), files_};
  Router router_{auth_};
};

TEST_F(RouterTest, AMethodHasItsOwnRoute) {
  EXPECT_EQ(Send("GET", "/thing/a").body, "read a");
  EXPECT_EQ(Send("HEAD", "/thing/a").body, "read a");
  EXPECT_EQ(Send("PUT", "/thing/b", "{}").body, "wrote b {}");
  EXPECT_THAT(
      router_.Operations(),
      ElementsAre(Pair("GET", "/thing/{name}"), Pair("PUT", "/thing/{name}"), Pair("POST", "/do")));
}

TEST_F(RouterTest, AnotherMethodIsToldWhichThereAre) {
  const HttpReply both = Send("DELETE", "/thing/a");
  EXPECT_EQ(both.status, 405);
  ASSERT_EQ(both.headers.size(), 1U);
  EXPECT_EQ(both.headers[0].name, "Allow");
  EXPECT_EQ(both.headers[0].value, "GET, HEAD, PUT");
  EXPECT_THAT(both.body, HasSubstr("this route takes GET, HEAD, PUT"));
  const HttpReply one = Send("GET", "/do");
  EXPECT_EQ(one.status, 405);
  EXPECT_EQ(one.headers[0].value, "POST");
}

TEST_F(RouterTest, APathNobodyHasIsNotFound) {
  EXPECT_EQ(Send("PUT", "/thing/").status, 404);
  EXPECT_EQ(Send("PUT", "/thing/a/b").status, 404);
  EXPECT_EQ(Send("PUT", "/").status, 404);
}

TEST_F(RouterTest, AWriteWithoutATokenIsNotServed) {
  const HttpReply reply = Send("PUT", "/thing/a", "{}", "guess");
  EXPECT_EQ(reply.status, 401);
  ASSERT_EQ(reply.headers.size(), 1U);
  EXPECT_EQ(reply.headers[0].name, "WWW-Authenticate");
  EXPECT_EQ(Send("GET", "/thing/a", "", "guess").status, 200);
}

TEST_F(RouterTest, ABodyThatIsNoJsonIsRefusedWithItsMend) {
  const HttpReply reply = Send("PUT", "/thing/a", std::nullopt);
  EXPECT_EQ(reply.status, 415);
  EXPECT_THAT(reply.body, HasSubstr("unsupported_media_type"));
  EXPECT_THAT(reply.body, HasSubstr("Content-Type: application/json"));
  EXPECT_EQ(Send("PUT", "/thing/a", std::nullopt, "guess").status, 401);
}

}  // namespace
}  // namespace stoker::adapter
