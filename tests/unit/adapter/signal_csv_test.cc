#include "adapter/signal_csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fakes.h"

namespace stoker::adapter {
namespace {

using std::chrono::minutes;
using testing::At;
using ::testing::ElementsAre;
using Kind = Reading::Kind;

TEST(SignalCsv, ReadsRows) {
  const auto columns = ParseSignalCsv(
      "\xef\xbb\xbf"
      "time,backlog, \"etl.busy\"\r\n"
      "\n"
      "2026-01-05T00:00:00Z,1.5,\r\n"
      "1767571260,fault, 2 \n"
      "\"2026-01-05T01:02:00+01:00\",NaN,\"-3\"",
      "a.csv");
  ASSERT_TRUE(columns) << columns.error().message;
  ASSERT_EQ(columns->size(), 2);
  EXPECT_THAT(columns->at("backlog"),
              ElementsAre(Reading{At("2026-01-05T00:00:00Z"), Kind::kValue, 1.5},
                          Reading{At("2026-01-05T00:01:00Z"), Kind::kFault},
                          Reading{At("2026-01-05T00:02:00Z"), Kind::kFault}));
  EXPECT_THAT(columns->at("etl.busy"),
              ElementsAre(Reading{At("2026-01-05T00:00:00Z"), Kind::kEmpty},
                          Reading{At("2026-01-05T00:01:00Z"), Kind::kValue, 2},
                          Reading{At("2026-01-05T00:02:00Z"), Kind::kValue, -3}));
}

TEST(SignalCsv, NamesTheLineAndTheMend) {
  const auto error = [](const std::string& text) {
    const auto columns = ParseSignalCsv(text, "a.csv");
    return columns ? "no error" : columns.error().message;
  };
  constexpr char kHeader[] =
      ": expected a header such as `time,backlog`; name the columns after the signals";
  EXPECT_EQ(error(""),
            "a.csv:1: no rows; expected a header such as `time,backlog` and rows under it");
  EXPECT_EQ(error("time\n1"), std::string("a.csv:1") + kHeader);
  EXPECT_EQ(error("\nwhen,backlog\n"), std::string("a.csv:2") + kHeader);
  EXPECT_EQ(error("time,a,\n"), "a.csv:1: a column has no name");
  EXPECT_EQ(error("time,a,b,a\n"), "a.csv:1: column 'a' is there twice; remove one");
  EXPECT_EQ(error("time,a\n1,2,3\n"), "a.csv:2: 3 cells where the header has 2");
  EXPECT_EQ(error("time,a\ntoday,2\n"),
            "a.csv:2: expected a time as 2026-01-05T08:00:00Z or in seconds since 1970");
  EXPECT_EQ(error("time,a\n1e300,2\n"),
            "a.csv:2: expected a time as 2026-01-05T08:00:00Z or in seconds since 1970");
  EXPECT_EQ(error("time,a\n5,2\n5,3\n"),
            "a.csv:3: its time is not after that of the row before; sort the rows");
  EXPECT_EQ(error("time,a\n5,many\n"),
            "a.csv:2: column 'a': expected a number, nothing, or `fault`");
}

TEST(SignalCsv, ASlotTakesTheLastRowUnlessItIsTooOld) {
  const std::vector<Reading> rows = {{At("2026-01-05T00:00:30Z"), Kind::kValue, 1},
                                     {At("2026-01-05T00:01:00Z"), Kind::kEmpty},
                                     {At("2026-01-05T00:01:10Z"), Kind::kValue, 2}};
  const WallTime first = At("2026-01-05T00:00:00Z");
  EXPECT_THAT(ReadingsAt(rows, {first, first + minutes(5), minutes(1)}, minutes(2)),
              ElementsAre(Reading{At("2026-01-05T00:01:00Z"), Kind::kEmpty},
                          Reading{At("2026-01-05T00:02:00Z"), Kind::kValue, 2},
                          Reading{At("2026-01-05T00:03:00Z"), Kind::kValue, 2},
                          Reading{At("2026-01-05T00:04:00Z"), Kind::kFault},
                          Reading{At("2026-01-05T00:05:00Z"), Kind::kFault}));
}

}  // namespace
}  // namespace stoker::adapter
