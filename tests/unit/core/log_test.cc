#include "core/log.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker {
namespace {

using ::testing::MatchesRegex;

std::string Logged(LogFormat format, LogLevel minimum, void (*write)(Logger&)) {
  ::testing::internal::CaptureStderr();
  {
    const std::unique_ptr<Logger> logger = MakeStderrLogger(format, minimum);
    write(*logger);
  }
  return ::testing::internal::GetCapturedStderr();
}

TEST(StderrLogger, WritesOneTextLineAnEntry) {
  const std::string text = Logged(LogFormat::kText, LogLevel::kInfo, [](Logger& logger) {
    logger.Info("polls work again", {{"connection", "main"}, {"error", "a \"b\"\nc"}, {"e", ""}});
  });
  EXPECT_THAT(text,
              MatchesRegex("[0-9T:.-]+Z info +polls work again connection=main "
                           "error=\"a \\\\\"b\\\\\"\\\\nc\" e=\"\"\n"));
}

TEST(StderrLogger, WritesOneJsonObjectAnEntry) {
  const std::string text = Logged(LogFormat::kJson, LogLevel::kInfo, [](Logger& logger) {
    logger.Warn("a \"b\"", {{"key", "\x01\\"}});
  });
  EXPECT_THAT(text,
              MatchesRegex("\\{\"time\":\"[0-9T:.-]+Z\",\"level\":\"warn(ing)?\","
                           "\"message\":\"a \\\\\"b\\\\\"\","
                           "\"key\":\"\\\\u0001\\\\\\\\\"\\}\n"));
}

TEST(StderrLogger, LeavesOutWhatIsBelowTheLevel) {
  EXPECT_EQ(Logged(LogFormat::kText, LogLevel::kWarn, [](Logger& logger) { logger.Info("x"); }),
            "");
  EXPECT_NE(Logged(LogFormat::kText, LogLevel::kWarn, [](Logger& logger) { logger.Error("x"); }),
            "");
}

}  // namespace
}  // namespace stoker
