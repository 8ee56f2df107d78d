#include "adapter/http/bearer_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fakes.h"

namespace stoker::adapter {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kFile[] = "/etc/stoker/tokens";

HttpListener Listener(const std::string& listen, const std::string& tokens_file = "") {
  HttpListener listener;
  listener.listen = listen;
  listener.tokens_file = tokens_file;
  return listener;
}

TEST(BearerAuth, WithoutAFileOnlyThisMachineMayRead) {
  const testing::FakeFileSystem files;
  for (const char* listen : {"127.0.0.1:8080", "localhost:8080", "[::1]:8080"}) {
    EXPECT_TRUE(BearerAuth(Listener(listen), files).Check("").has_value()) << listen;
  }
  for (const char* listen : {"0.0.0.0:8080", "[::]:8080", "10.0.0.1:8080"}) {
    const Status status = BearerAuth(Listener(listen), files).Check("Bearer x");
    ASSERT_FALSE(status.has_value()) << listen;
    EXPECT_EQ(status.error().code, ErrorCode::kUnauthenticated);
    EXPECT_THAT(status.error().message, HasSubstr("server.http.auth.tokensFile"));
  }
}

TEST(BearerAuth, OffIsForEverybody) {
  const testing::FakeFileSystem files;
  HttpListener listener = Listener("0.0.0.0:8080");
  listener.auth_off = true;
  EXPECT_TRUE(BearerAuth(listener, files).Check("").has_value());
}

TEST(BearerAuth, TheFilesTokensMayReadAndNoOthers) {
  testing::FakeFileSystem files;
  files.Write(kFile, "# platform team\ns3cret\n\n  padded \r\n#hidden\n");
  const BearerAuth auth(Listener("127.0.0.1:8080", kFile), files);
  for (const char* header :
       {"Bearer s3cret", "bearer s3cret", "BEARER s3cret", "Bearer   s3cret ", "Bearer padded"}) {
    EXPECT_TRUE(auth.Check(header).has_value()) << header;
  }
  for (const char* header : {"",
                             "Bearer",
                             "Bearer ",
                             "Bearer s3cre",
                             "Bearer s3cretx",
                             "Bearer S3CRET",
                             "s3cret",
                             "Basic s3cret",
                             "Bearer #hidden",
                             "Bearer # platform team",
                             "Bearer s3cret\npadded"}) {
    const Status status = auth.Check(header);
    ASSERT_FALSE(status.has_value()) << header;
    EXPECT_EQ(status.error().code, ErrorCode::kUnauthenticated);
    EXPECT_THAT(status.error().message, Not(HasSubstr("s3cret")));
  }
}

TEST(BearerAuth, AChangedFileCountsAtOnce) {
  testing::FakeFileSystem files;
  files.Write(kFile, "old\n");
  const BearerAuth auth(Listener("0.0.0.0:8080", kFile), files);
  ASSERT_TRUE(auth.Check("Bearer old").has_value());
  files.Write(kFile, "new\n");
  EXPECT_FALSE(auth.Check("Bearer old").has_value());
  EXPECT_TRUE(auth.Check("Bearer new").has_value());
}

TEST(BearerAuth, AnUnreadableFileLetsNobodyIn) {
  const testing::FakeFileSystem files;
  const Status status =
      BearerAuth(Listener("127.0.0.1:8080", kFile), files).Check("Bearer anything");
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
}

TEST(BearerAuth, AnEmptyFileLetsNobodyIn) {
  testing::FakeFileSystem files;
  files.Write(kFile, "\n# none yet\n");
  const BearerAuth auth(Listener("127.0.0.1:8080", kFile), files);
  EXPECT_FALSE(auth.Check("Bearer ").has_value());
  EXPECT_FALSE(auth.Check("").has_value());
}

}  // namespace
}  // namespace stoker::adapter
