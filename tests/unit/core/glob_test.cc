#include "core/glob.h"

#include <string>

#include <gtest/gtest.h>

namespace stoker {
namespace {

TEST(Glob, MatchesTheWholeText) {
  EXPECT_TRUE(GlobMatch("", ""));
  EXPECT_FALSE(GlobMatch("", "a"));
  EXPECT_TRUE(GlobMatch("job.json", "job.json"));
  EXPECT_FALSE(GlobMatch("job", "job.json"));
  EXPECT_FALSE(GlobMatch("job.json", "job"));
}

TEST(Glob, StarStaysInItsFolder) {
  EXPECT_TRUE(GlobMatch("*.json", "a.json"));
  EXPECT_TRUE(GlobMatch("*.json", ".json"));
  EXPECT_TRUE(GlobMatch("a*b*c", "aXbbYc"));
  EXPECT_FALSE(GlobMatch("*.json", "a/b.json"));
  EXPECT_TRUE(GlobMatch("*/*.json", "a/b.json"));
  EXPECT_FALSE(GlobMatch("a?b", "a/b"));
}

TEST(Glob, DoubleStarCrossesFolders) {
  EXPECT_TRUE(GlobMatch("**.json", "a/b/c.json"));
  EXPECT_TRUE(GlobMatch("a/**/x", "a/b/c/x"));
  EXPECT_FALSE(GlobMatch("a/**/x", "a/b/c/y"));
}

TEST(Glob, SetsAndEscapes) {
  EXPECT_TRUE(GlobMatch("part-[0-9].gz", "part-7.gz"));
  EXPECT_FALSE(GlobMatch("part-[0-9].gz", "part-x.gz"));
  EXPECT_TRUE(GlobMatch("[!.]*", "a"));
  EXPECT_FALSE(GlobMatch("[!.]*", ".a"));
  EXPECT_TRUE(GlobMatch("[]x]", "]"));
  EXPECT_TRUE(GlobMatch("[a-]", "-"));
  EXPECT_FALSE(GlobMatch("[!a]", "/"));
  EXPECT_TRUE(GlobMatch("[open", "[open"));
  EXPECT_TRUE(GlobMatch("\\*\\?", "*?"));
  EXPECT_FALSE(GlobMatch("\\*", "a"));
  EXPECT_TRUE(GlobMatch("\xC3\xBC*",
                        "\xC3\xBC"
                        "ber"));
  EXPECT_TRUE(GlobMatch("a\\", "a\\"));
}

TEST(Glob, HostilePatternsStayCheap) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a**";
  EXPECT_FALSE(GlobMatch(pattern + "b", std::string(2000, 'a')));
}

}  // namespace
}  // namespace stoker
