#include "scalers/directory/directory_scaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/signal_test.h"

namespace stoker::scalers {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

class DirectoryScalerTest : public testing::SignalTest {
 protected:
  DirectoryScalerTest() { RegisterDirectory(registry_); }

  std::optional<SignalDefinition> Signal(const std::string& yaml) {
    return ParseSignal("{type: directory, " + yaml + "}");
  }
  Result<Observation> Poll(const std::string& more) {
    const auto signal = Signal("path: /spool, " + more);
    if (!signal) return Fail(ErrorCode::kInvalidArgument, diagnostics_.ToString());
    return signal->make_source()->Poll({.slot = world_.clock.WallNow()});
  }
  double Value(const std::string& more) {
    const auto observation = Poll(more);
    if (!observation) ADD_FAILURE() << observation.error().message;
    return observation ? observation->value : -1;
  }
};

TEST_F(DirectoryScalerTest, CountsFilesEvenEmptyOnes) {
  const WallTime now = world_.clock.WallNow();
  world_.files.AddFolder("/spool");
  EXPECT_EQ(Value("targetSize: 1"), 0);
  world_.files.Write("/spool/job1", "", now);
  world_.files.Write("/spool/job2.json", "12345", now - minutes(2));
  world_.files.Write("/spool/.hidden", "x", now);
  world_.files.Write("/spool/done/job0", "x", now);
  EXPECT_EQ(Value("targetSize: 1"), 2);
  EXPECT_EQ(Value("targetSize: 1, skipEmptyObjects: true"), 1);
  EXPECT_EQ(Value("targetSize: 1, suffix: .json"), 1);
  EXPECT_EQ(Value("targetSize: 1, glob: 'job?'"), 1);
  EXPECT_EQ(Value("targetSize: 1, minAge: 1m"), 1);
  EXPECT_EQ(Value("targetSize: 1KiB, measure: bytes"), 5);
}

TEST_F(DirectoryScalerTest, AMissingFolderIsAFaultWithTheMend) {
  const auto observation = Poll("targetSize: 1");
  ASSERT_FALSE(observation);
  EXPECT_EQ(observation.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(observation.error().message, HasSubstr("mkdir -p /spool"));
  world_.files.FailOn("/spool", {ErrorCode::kPermissionDenied, "/spool: permission denied"});
  EXPECT_EQ(Poll("targetSize: 1").error().code, ErrorCode::kPermissionDenied);
}

TEST_F(DirectoryScalerTest, IsLookedAtEverySecond) {
  const auto signal = Signal("path: /spool, targetSize: 2, activationTargetSize: 1");
  ASSERT_TRUE(signal) << diagnostics_.ToString();
  EXPECT_EQ(signal->timing.interval, seconds(1));
  EXPECT_EQ(signal->timing.timeout, seconds(1));
  EXPECT_EQ(signal->timing.max_age, seconds(30));
  EXPECT_EQ(signal->demand.target_size, 2);
  EXPECT_EQ(signal->demand.activation, 1);
  EXPECT_EQ(signal->connection, "");
}

TEST_F(DirectoryScalerTest, IsNotForMetadata) {
  EXPECT_FALSE(registry_.signal_types().at(0).allowed_inline);
  EXPECT_FALSE(Signal("targetSize: 1"));
  EXPECT_THAT(diagnostics_.ToString(), HasSubstr("'path'"));
}

}  // namespace
}  // namespace stoker::scalers
