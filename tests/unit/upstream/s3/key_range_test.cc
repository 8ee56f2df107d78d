#include "upstream/s3/key_range.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace stoker::s3 {
namespace {

using Cuts = std::vector<std::string>;

KeyRange Rest(std::string after, std::string upto) {
  return {.after = std::move(after), .upto = std::move(upto), .token = {}};
}

TEST(KeyRange, CutsAnOpenRangeWhereClassesEnd) {
  const PageSpan page{"in/job-000000.json", "in/job-000999.json"};
  EXPECT_EQ(SplitPoints(Rest("in/job-000999.json", ""), page, 3, 7),
            (Cuts{"in/job-00:", "in/job-0:", "in/job-:", "in/job.", "in/jo{", "in/j{", "in/{"}));
}

TEST(KeyRange, CutsAClosedRangeBetweenTheCharactersLeft) {
  const PageSpan page{"job-010000", "job-010999"};
  EXPECT_EQ(SplitPoints(Rest("job-010999", "job-0:"), page, 0, 3),
            (Cuts{"job-03", "job-05", "job-07"}));
  EXPECT_EQ(SplitPoints(Rest("job-010999", "job-03"), page, 0, 7), (Cuts{"job-02"}));
}

TEST(KeyRange, GoesDeeperWhereNothingIsLeftAtAPlace) {
  const PageSpan page{"job-090000", "job-090999"};
  EXPECT_EQ(SplitPoints(Rest("job-090999", "job-0:"), page, 0, 7),
            (Cuts{"job-093", "job-096", "job-099"}));
}

TEST(KeyRange, LeavesAloneWhatAPageCovers) {
  EXPECT_EQ(SplitPoints(Rest("job-099999", "job-0:"), {"job-099000", "job-099999"}, 0, 7), Cuts{});
  EXPECT_EQ(SplitPoints(Rest("a", ""), {"a", "a"}, 1, 7), Cuts{});
}

TEST(KeyRange, CutsAreInOrderInsideTheRangeAndAscii) {
  const std::string odd[] = {"",
                             "0",
                             "9",
                             "a",
                             "z",
                             "Z/~",
                             "\x01x",
                             "\xC3\xBC",
                             "\xE2\x82\xAC/1",
                             "2026/11/20/x",
                             "~",
                             "a/b/c0f9"};
  for (const std::string& first : odd) {
    for (const std::string& last : odd) {
      if (last < first || last.empty()) continue;
      for (const std::string& upto : odd) {
        if (!upto.empty() && upto <= last) continue;
        const Cuts cuts = SplitPoints(Rest(last, upto), {first, last}, 0, 5);
        EXPECT_LE(cuts.size(), 5U);
        std::string previous = last;
        for (const std::string& cut : cuts) {
          EXPECT_GT(cut, previous) << first << " " << last << " " << upto;
          EXPECT_TRUE(upto.empty() || cut < upto);
          EXPECT_LT(static_cast<unsigned char>(cut.back()), 0x7F);
          previous = cut;
        }
      }
    }
  }
}

}  // namespace
}  // namespace stoker::s3
