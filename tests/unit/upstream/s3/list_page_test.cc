#include "upstream/s3/list_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fakes.h"

namespace stoker::s3 {
namespace {

using ::testing::HasSubstr;

const std::string kPage = R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>jobs</Name><Prefix>in/</Prefix><Delimiter>/</Delimiter><EncodingType>url</EncodingType>
  <NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>
  <KeyCount>3</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated>
  <Contents><Key>in/a+b%2B%C3%BC</Key><LastModified>2026-01-05T00:00:01.500Z</LastModified>
    <ETag>"x"</ETag><Size>434234</Size><StorageClass>STANDARD</StorageClass></Contents>
  <Contents><Key>in/z</Key><LastModified>2026-01-05T00:00:00Z</LastModified><Size>0</Size></Contents>
  <CommonPrefixes><Prefix>in/done%2F</Prefix></CommonPrefixes>
</ListBucketResult>)";

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ListPage, ReadsObjectsAndPrefixes) {
  const Result<Page> page = ParseListPage(kPage);
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->objects.size(), 2U);
  EXPECT_EQ(page->objects[0].key, "in/a b+\xC3\xBC");
  EXPECT_EQ(page->objects[0].size_bytes, 434234U);
  EXPECT_EQ(page->objects[0].last_modified,
            stoker::testing::At("2026-01-05T00:00:01Z") + std::chrono::milliseconds(500));
  EXPECT_EQ(page->objects[1].size_bytes, 0U);
  EXPECT_EQ(page->common_prefixes, std::vector<std::string>{"in/done/"});
  EXPECT_TRUE(page->truncated);
  EXPECT_EQ(page->next_token, "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=");
}

TEST(ListPage, DecodesOnlyWhatIsEncoded) {
  const Result<Page> page = ParseListPage(Replace(kPage, "<EncodingType>url</EncodingType>", ""));
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->objects[0].key, "in/a+b%2B%C3%BC");
}

TEST(ListPage, AnEmptyBucketIsAnEmptyPage) {
  const Result<Page> page = ParseListPage(
      "<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated>"
      "</ListBucketResult>");
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_TRUE(page->objects.empty());
  EXPECT_FALSE(page->truncated);
}

TEST(ListPage, CutShortAnywhereIsAnErrorNotAShorterList) {
  for (std::size_t size = 0; size < kPage.size(); ++size) {
    EXPECT_FALSE(ParseListPage(kPage.substr(0, size))) << size;
  }
}

TEST(ListPage, RefusesWhatIsNotSound) {
  const auto expect = [](const std::string& xml, const std::string& why) {
    const Result<Page> page = ParseListPage(xml);
    ASSERT_FALSE(page) << why;
    EXPECT_EQ(page.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(page.error().message, HasSubstr(why));
  };
  expect("", "does not parse");
  expect("<html><body>login</body></html>", "no ListBucketResult");
  expect(Replace(kPage, "<IsTruncated>true", "<IsTruncated>maybe"), "no IsTruncated");
  expect(Replace(kPage, "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=", ""),
         "no NextContinuationToken");
  expect(Replace(kPage, "<Key>in/z</Key>", ""), "without a readable Key");
  expect(Replace(kPage, "%2B", "%2"), "without a readable Key");
  expect(Replace(kPage, "%2B", "%xy"), "without a readable Key");
  expect(Replace(kPage, "<Size>0</Size>", "<Size>many</Size>"), "without a Size");
  expect(Replace(kPage, "<Size>0</Size>", "<Size>-1</Size>"), "without a Size");
  expect(Replace(kPage, "<Size>0</Size>", ""), "without a Size");
  expect(Replace(kPage, "2026-01-05T00:00:00Z", "yesterday"), "without a LastModified");
  expect(Replace(kPage, "in/done%2F", ""), "common prefix");
}

TEST(ListPage, ReadsErrorCodes) {
  EXPECT_EQ(ParseErrorCode("<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>"),
            "SlowDown");
  EXPECT_EQ(ParseErrorCode("<Error><Code>my bucket: x</Code></Error>"), "");
  EXPECT_EQ(ParseErrorCode("<Error><Code>" + std::string(65, 'x') + "</Code></Error>"), "");
  EXPECT_EQ(ParseErrorCode("<Error><Code>Slow"), "");
  EXPECT_EQ(ParseErrorCode("Bad Gateway"), "");
}

}  // namespace
}  // namespace stoker::s3
