#include "capacity/choice_log.h"

#include <gtest/gtest.h>

#include <string>

namespace stoker::capacity {
namespace {

TEST(ChoiceLog, KeepsTheNewestFew) {
  ChoiceLog log;
  for (std::size_t i = 0; i < ChoiceLog::kRecords + 5; ++i) {
    log.Add({.options = static_cast<std::int64_t>(i), .choice = {}});
  }
  const auto recent = log.Recent();
  ASSERT_EQ(recent.size(), ChoiceLog::kRecords);
  EXPECT_EQ(recent.front().options, static_cast<std::int64_t>(ChoiceLog::kRecords + 4));
  EXPECT_EQ(recent.back().options, 5);
}

TEST(ChoiceLog, OfManyVerdictsKeepsTheChosen) {
  ChoiceRecord record{.options = 1000, .choice = {}};
  for (int i = 0; i < 1000; ++i) {
    record.choice.verdicts.push_back({.group = std::to_string(i), .chosen = i == 900});
  }
  ChoiceLog log;
  log.Add(record);
  const auto verdicts = log.Recent().front().choice.verdicts;
  ASSERT_EQ(verdicts.size(), ChoiceLog::kVerdicts);
  EXPECT_EQ(verdicts[0].group, "900");
  EXPECT_EQ(verdicts[1].group, "0");
}

}  // namespace
}  // namespace stoker::capacity
