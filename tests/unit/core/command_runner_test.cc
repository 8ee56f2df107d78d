#include "core/command_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

struct CommandRunnerTest : ::testing::Test {
  SystemClock clock;
  SystemEnvironment environment;
  SystemCommandRunner runner{clock, environment};

  Result<std::string> Run(const Command& command,
                          Duration limit = seconds(20),
                          const std::stop_token& stop = {}) {
    return runner.Run(command, clock.MonotonicNow() + limit, stop);
  }
};

TEST_F(CommandRunnerTest, GivesWhatTheProgramWrites) {
  const auto output = Run({"printf", {"%s|", "a b", "$HOME", "*"}});
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(*output, "a b|$HOME|*|");
  EXPECT_EQ(Run({"cat"}).value_or("?"), "");  // its stdin is empty
}

TEST_F(CommandRunnerTest, AddsToOurEnvironment) {
  const auto output = Run({"sh", {"-c", "echo $GIVEN-${PATH:+path}"}, {{"GIVEN", "x y"}}});
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(*output, "x y-path\n");
}

TEST_F(CommandRunnerTest, TellsFailuresApart) {
  const auto missing = Run({"no-such-program-anywhere", {"secret"}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().message, "no-such-program-anywhere: No such file or directory");
  const auto failed = Run({"sh", {"-c", "echo secret; exit 3"}});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(failed.error().message, "sh: it ended with exit code 3");
  EXPECT_THAT(Run({"sh", {"-c", "kill -9 $$"}}).error().message, HasSubstr("a signal ended it"));
  EXPECT_EQ(Run({"yes"}).error().code, ErrorCode::kResourceExhausted);
}

TEST_F(CommandRunnerTest, ADeadlineOrAStopKillsItWithItsChildren) {
  const Command endless{"sh", {"-c", "cat /dev/zero > /dev/null & wait"}};
  const MonoTime before = clock.MonotonicNow();
  EXPECT_EQ(Run(endless, milliseconds(100)).error().code, ErrorCode::kDeadlineExceeded);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(Run(endless, seconds(20), stop.get_token()).error().code, ErrorCode::kCancelled);
  EXPECT_LT(clock.MonotonicNow() - before, seconds(10));
}

TEST_F(CommandRunnerTest, AChildThatLivesOnDoesNotHoldItUp) {
  const MonoTime before = clock.MonotonicNow();
  const auto output = Run({"sh", {"-c", "sleep 8 & echo out"}});
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(*output, "out\n");
  EXPECT_LT(clock.MonotonicNow() - before, seconds(6));
}

}  // namespace
}  // namespace stoker
