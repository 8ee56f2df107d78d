#include "upstream/http/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Parts(const std::string& text) {
  const Result<Url> url = ParseUrl(text);
  return url ? url->scheme + " " + url->host + " " + url->port + " " + url->target
             : "error: " + url.error().message;
}

TEST(Url, SplitsItsParts) {
  EXPECT_EQ(Parts("http://a.example"), "http a.example 80 /");
  EXPECT_EQ(Parts("HTTPS://A.Example:8443/p/q?x=1&y=%20"), "https a.example 8443 /p/q?x=1&y=%20");
  EXPECT_EQ(Parts("https://a?x=1"), "https a 443 /?x=1");
  EXPECT_EQ(Parts("http://[::1]:9090/"), "http ::1 9090 /");
  EXPECT_EQ(Parts("http://[FE80::1]"), "http fe80::1 80 /");
  EXPECT_EQ(Parts("http://a:0080/x:y@z"), "http a 80 /x:y@z");
}

TEST(Url, RefusesWhatItCannotBeSureOf) {
  for (const std::string text : {"",
                                 "a.example",
                                 "ftp://a",
                                 "http://",
                                 "http:///x",
                                 "http://a:0",
                                 "http://a:65536",
                                 "http://a:x",
                                 "http://a:-1",
                                 "http://a:+1",
                                 "http://a:",
                                 "http://[::1",
                                 "http://[::1]x",
                                 "http://[]",
                                 "http://a b",
                                 "http://a/\r\nX: y",
                                 "http://a/#f",
                                 "http://\xc3\xa4/",
                                 "http://a%41/",
                                 "://a",
                                 "http:/a"}) {
    EXPECT_THAT(Parts(text), HasSubstr("error: ")) << text;
  }
}

TEST(Url, RefusesAUserWithoutRepeatingThePassword) {
  const Result<Url> url = ParseUrl("http://user:s3cret@a/");
  ASSERT_FALSE(url);
  EXPECT_EQ(url.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(url.error().message, Not(HasSubstr("s3cret")));
}

TEST(Url, AuthorityIsWhatTheHostHeaderSays) {
  EXPECT_EQ(ParseUrl("http://a:80/")->Authority(), "a");
  EXPECT_EQ(ParseUrl("https://a:80/")->Authority(), "a:80");
  EXPECT_EQ(ParseUrl("https://[::1]/")->Authority(), "[::1]");
  EXPECT_EQ(ParseUrl("http://[::1]:9090/")->Authority(), "[::1]:9090");
}

TEST(PercentEncode, KeepsOnlyUnreservedCharacters) {
  EXPECT_EQ(PercentEncode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(PercentEncode("a/b c+\xff\n"), "a%2Fb%20c%2B%FF%0A");
  EXPECT_EQ(PercentEncode("a/b", true), "a/b");
}

}  // namespace
}  // namespace stoker::http
