#include "core/text.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker {
namespace {

using ::testing::ElementsAre;

TEST(Split, KeepsEmptyParts) {
  EXPECT_THAT(Split("a,,b", ','), ElementsAre("a", "", "b"));
  EXPECT_THAT(Split("", ','), ElementsAre(""));
  EXPECT_THAT(Split(",", ','), ElementsAre("", ""));
}

TEST(Trim, TakesOffSpaceAtBothEnds) {
  EXPECT_EQ(Trim(" \ta b\n"), "a b");
  EXPECT_EQ(Trim(" \n"), "");
  EXPECT_EQ(Trim(""), "");
}

TEST(Case, IsAsciiOnly) {
  EXPECT_EQ(ToLower("AbZ\xC4"), "abz\xC4");
  EXPECT_TRUE(EqualsIgnoreCase("Retry-After", "retry-after"));
  EXPECT_FALSE(EqualsIgnoreCase("a", "ab"));
}

TEST(NearestWord, FindsTyposAndNothingElse) {
  constexpr std::array<std::string_view, 4> kKeys{"threshold", "query", "targetSize", "bucket"};
  EXPECT_EQ(NearestWord("trehsold", kKeys), "threshold");
  EXPECT_EQ(NearestWord("targetsize", kKeys), "targetSize");
  EXPECT_EQ(NearestWord("bukcet", kKeys), "bucket");
  EXPECT_EQ(NearestWord("x", kKeys), "");
  EXPECT_EQ(NearestWord("target", kKeys), "targetSize");
  EXPECT_EQ(NearestWord("tar", kKeys), "");
  EXPECT_EQ(NearestWord("schedule", kKeys), "");
  EXPECT_EQ(NearestWord("query", {}), "");
  constexpr std::array<std::string_view, 1> kShort{"s3"};
  EXPECT_EQ(NearestWord("x", kShort), "");
  EXPECT_EQ(NearestWord("S4", kShort), "s3");
}

TEST(FormatNumber, IsTheShortestThatReadsBack) {
  EXPECT_EQ(FormatNumber(10), "10");
  EXPECT_EQ(FormatNumber(0.1), "0.1");
  EXPECT_EQ(FormatNumber(-2.5), "-2.5");
  EXPECT_EQ(FormatNumber(1e21), "1e+21");
}

}  // namespace
}  // namespace stoker
