#include "core/units.h"

#include <clocale>
#include <limits>
#include <locale>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text.h"

namespace stoker {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kGiB = 1LL << 30;

TEST(ParseBytes, ReadsEveryUnitAsBinaryInAnyCase) {
  for (const char* text : {"1g",
                           "1G",
                           "1gb",
                           "1GB",
                           "1GiB",
                           "1gib",
                           "1Gi",
                           "1024Mi",
                           "1024m",
                           "1048576K",
                           "1.0g",
                           "1073741824b"}) {
    EXPECT_EQ(ParseBytes(text).value_or(-1), kGiB) << text;
  }
  EXPECT_EQ(ParseBytes("50GB").value_or(-1), 53'687'091'200);
  EXPECT_EQ(ParseBytes("1t").value_or(-1), kGiB * 1024);
  EXPECT_EQ(ParseBytes("1p").value_or(-1), kGiB * 1024 * 1024);
  EXPECT_EQ(ParseBytes("1.5k").value_or(-1), 1536);
  EXPECT_EQ(ParseBytes("0m").value_or(-1), 0);
}

TEST(ParseBytes, StaysExactUpToTheLargestSize) {
  EXPECT_EQ(ParseBytes("9223372036854775807b").value_or(-1),
            std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(ParseBytes("8191p").value_or(-1), 8191 * (1LL << 50));
  for (const char* text : {"9223372036854775808b", "8192p", "8192.0p", "99999999999999999999g"}) {
    EXPECT_FALSE(ParseBytes(text)) << text;
  }
}

TEST(ParseBytes, AsksForTheUnit) {
  for (const char* text : {"0", "4", "1024"}) {
    ASSERT_FALSE(ParseBytes(text)) << text;
    EXPECT_THAT(ParseBytes(text).error().message, HasSubstr("needs a unit")) << text;
    EXPECT_EQ(ParseBytes(text).error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(ParseBytes, RefusesOtherText) {
  for (const char* text : {"",
                           "g",
                           "-1g",
                           "+1g",
                           "1x",
                           "1gg",
                           "1 g",
                           " 1g",
                           "1g ",
                           "1.2.3g",
                           ".",
                           ".g",
                           "1e3m",
                           "0x1g",
                           "1,5g",
                           "nan",
                           "inf"}) {
    ASSERT_FALSE(ParseBytes(text)) << text;
    EXPECT_THAT(ParseBytes(text).error().message, HasSubstr("such as 4g")) << text;
  }
}

TEST(ParseCpuMillis, ReadsCoresAndMillicores) {
  EXPECT_EQ(ParseCpuMillis("4").value_or(-1), 4000);
  EXPECT_EQ(ParseCpuMillis("1500m").value_or(-1), 1500);
  EXPECT_EQ(ParseCpuMillis("0.5").value_or(-1), 500);
  EXPECT_EQ(ParseCpuMillis("1.1").value_or(-1), 1100);
  EXPECT_EQ(ParseCpuMillis("0.0001").value_or(-1), 1);
  EXPECT_EQ(ParseCpuMillis("0").value_or(-1), 0);
  for (const char* text : {"", "-1", "1c", "m", "1 m", "1e3", "4g", "99999999999999999"}) {
    EXPECT_FALSE(ParseCpuMillis(text)) << text;
  }
}

TEST(ParseDuration, ReadsPrometheusAndGoForms) {
  EXPECT_EQ(ParseDuration("15s").value(), seconds(15));
  EXPECT_EQ(ParseDuration("1h30m").value(), minutes(90));
  EXPECT_EQ(ParseDuration("250ms").value(), Duration(250));
  EXPECT_EQ(ParseDuration("1.5h").value(), minutes(90));
  EXPECT_EQ(ParseDuration("2d").value(), hours(48));
  EXPECT_EQ(ParseDuration("1w").value(), hours(168));
  EXPECT_EQ(ParseDuration("1m30s500ms").value(), Duration(90'500));
  EXPECT_EQ(ParseDuration("0s").value(), Duration(0));
  EXPECT_EQ(ParseDuration("0").value(), Duration(0));
}

TEST(ParseDuration, AsksForTheUnit) {
  for (const char* text : {"15", "1.5", "1h30"}) {
    ASSERT_FALSE(ParseDuration(text)) << text;
    EXPECT_THAT(ParseDuration(text).error().message, HasSubstr("needs a unit")) << text;
  }
}

TEST(ParseDuration, RefusesOtherText) {
  for (const char* text : {"",
                           "s",
                           "15x",
                           "15S",
                           "-5s",
                           "+5s",
                           "1h 30m",
                           " 1s",
                           "1.2.3s",
                           "5us",
                           "1e3s",
                           "0.1ms",
                           "200y",
                           "inf",
                           "nan",
                           "abc"}) {
    ASSERT_FALSE(ParseDuration(text)) << text;
    EXPECT_EQ(ParseDuration(text).error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_THAT(ParseDuration("-5s").error().message, HasSubstr("negative"));
  EXPECT_EQ(ParseDuration("secret").error().message, "expected a duration such as 15s");
}

TEST(ParsePercent, NeedsTheSign) {
  EXPECT_DOUBLE_EQ(ParsePercent("25%").value(), 0.25);
  EXPECT_DOUBLE_EQ(ParsePercent("0%").value(), 0);
  EXPECT_DOUBLE_EQ(ParsePercent("12.5%").value(), 0.125);
  ASSERT_FALSE(ParsePercent("0.25"));
  EXPECT_EQ(ParsePercent("0.25").error().message, "a percentage needs its sign, such as 25%");
  for (const char* text : {"", "%", "x%", "25 %", "25%%", "nan%"}) {
    EXPECT_FALSE(ParsePercent(text)) << text;
  }
}

TEST(ParseNumber, ReadsDecimalsOnly) {
  EXPECT_DOUBLE_EQ(ParseNumber("2.5").value(), 2.5);
  EXPECT_DOUBLE_EQ(ParseNumber("-1e3").value(), -1000);
  EXPECT_DOUBLE_EQ(ParseNumber("+4").value(), 4);
  EXPECT_DOUBLE_EQ(ParseNumber(".5").value(), 0.5);
  for (const char* text : {"",
                           "+",
                           "+-1",
                           "++1",
                           "nan",
                           "NaN",
                           "inf",
                           "-Inf",
                           "infinity",
                           "0x10",
                           "1,5",
                           "1 ",
                           " 1",
                           "1_000",
                           "ten",
                           "1e999"}) {
    EXPECT_FALSE(ParseNumber(text)) << text;
  }
}

TEST(ParseInteger, ReadsWholeNumbersOnly) {
  EXPECT_EQ(ParseInteger("42").value(), 42);
  EXPECT_EQ(ParseInteger("-7").value(), -7);
  EXPECT_EQ(ParseInteger("+7").value(), 7);
  EXPECT_EQ(ParseInteger("08").value(), 8);
  for (const char* text : {"", "+", "+-7", "1.0", "1e3", "0x10", "9223372036854775808", " 1"}) {
    EXPECT_FALSE(ParseInteger(text)) << text;
  }
  EXPECT_THAT(ParseInteger("9223372036854775808").error().message, HasSubstr("out of range"));
}

TEST(ParseBool, TakesGosSpellings) {
  for (const char* text : {"1", "t", "T", "TRUE", "true", "True"}) {
    EXPECT_TRUE(ParseBool(text).value()) << text;
  }
  for (const char* text : {"0", "f", "F", "FALSE", "false", "False"}) {
    EXPECT_FALSE(ParseBool(text).value()) << text;
  }
  for (const char* text : {"", "yes", "no", "on", "tRUE", "2", " true"}) {
    EXPECT_FALSE(ParseBool(text).has_value()) << text;
  }
}

TEST(FormatDuration, UsesTheShortestExactForm) {
  EXPECT_EQ(FormatDuration(seconds(15)), "15s");
  EXPECT_EQ(FormatDuration(minutes(90)), "1h30m");
  EXPECT_EQ(FormatDuration(hours(48)), "48h");
  EXPECT_EQ(FormatDuration(Duration(250)), "250ms");
  EXPECT_EQ(FormatDuration(Duration(1500)), "1s500ms");
  EXPECT_EQ(FormatDuration(Duration(0)), "0s");
  EXPECT_EQ(FormatDuration(seconds(-90)), "-1m30s");
}

TEST(FormatDuration, ReadsBack) {
  for (const std::int64_t millis : {1LL, 999LL, 1'000LL, 61'001LL, 86'400'000LL, 3'599'999LL}) {
    EXPECT_EQ(ParseDuration(FormatDuration(Duration(millis))).value(), Duration(millis));
  }
}

TEST(FormatBytes, RoundsUpToTheMebibyte) {
  EXPECT_EQ(FormatSparkBytes(4 * kGiB), "4g");
  EXPECT_EQ(FormatSparkBytes(4608LL << 20), "4608m");
  EXPECT_EQ(FormatSparkBytes(1), "1m");
  EXPECT_EQ(FormatSparkBytes(kGiB - 1), "1g");
  EXPECT_EQ(FormatKubernetesBytes(4 * kGiB), "4Gi");
  EXPECT_EQ(FormatKubernetesBytes((4608LL << 20) - 5), "4608Mi");
}

TEST(FormatCpuMillis, PrefersCores) {
  EXPECT_EQ(FormatCpuMillis(4000), "4");
  EXPECT_EQ(FormatCpuMillis(1500), "1500m");
  EXPECT_EQ(FormatCpuMillis(0), "0");
}

TEST(ParseTime, ReadsUtcOffsetsAndFractions) {
  EXPECT_EQ(ParseTime("1970-01-01T00:00:00Z").value(), WallTime{});
  EXPECT_EQ(ParseTime("2026-03-08T06:59:59Z").value().time_since_epoch(), seconds(1'772'953'199));
  EXPECT_EQ(ParseTime("2026-03-08T01:59:59-05:00").value(), WallTime(seconds(1'772'953'199)));
  EXPECT_EQ(ParseTime("2026-03-08T12:29:59+05:30").value(), WallTime(seconds(1'772'953'199)));
  EXPECT_EQ(ParseTime("1970-01-01T00:00:00.25Z").value().time_since_epoch(), Duration(250));
  EXPECT_EQ(ParseTime("1970-01-01T00:00:00.1239999Z").value().time_since_epoch(), Duration(123));
  EXPECT_TRUE(ParseTime("2024-02-29T00:00:00z"));
}

TEST(ParseTime, RefusesOtherText) {
  for (const char* text : {"",
                           "2026-03-08",
                           "2026-03-08T06:59:59",
                           "2026-03-08 06:59:59Z",
                           "2026-02-29T00:00:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-01-01T24:00:00Z",
                           "2026-01-01T00:60:00Z",
                           "2026-01-01T00:00:60Z",
                           "2026-01-01T00:00:00.Z",
                           "2026-01-01T00:00:00Zx",
                           "2026-01-01T00:00:00+5:00",
                           "26-01-01T00:00:00Z"}) {
    ASSERT_FALSE(ParseTime(text)) << text;
    EXPECT_EQ(ParseTime(text).error().message, "expected a time such as 2026-03-08T06:59:59Z");
  }
}

TEST(FormatTime, DropsZeroMilliseconds) {
  EXPECT_EQ(FormatTime(WallTime{}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime(WallTime{Duration(5)}), "1970-01-01T00:00:00.005Z");
  EXPECT_EQ(FormatTime(WallTime{Duration(-1)}), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(FormatTime(ParseTime("2026-03-08T01:59:59.5-05:00").value()),
            "2026-03-08T06:59:59.500Z");
}

/// A decimal comma for C++ streams; the C locale is switched too where the system has one.
struct DecimalComma : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

class CommaLocale : public ::testing::Test {
 protected:
  void SetUp() override {
    previous_ = std::locale::global(std::locale(std::locale::classic(), new DecimalComma));
    previous_c_ = std::setlocale(LC_ALL, nullptr);
    for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"}) {
      if (std::setlocale(LC_ALL, name) != nullptr) break;
    }
  }
  void TearDown() override {
    std::locale::global(previous_);
    std::setlocale(LC_ALL, previous_c_.c_str());
  }

 private:
  std::locale previous_;
  std::string previous_c_;
};

TEST_F(CommaLocale, ChangesNothing) {
  EXPECT_DOUBLE_EQ(ParseNumber("1234.5").value(), 1234.5);
  EXPECT_FALSE(ParseNumber("1234,5"));
  EXPECT_EQ(ParseBytes("1.5k").value(), 1536);
  EXPECT_EQ(ParseCpuMillis("0.5").value(), 500);
  EXPECT_EQ(ParseDuration("1.5h").value(), minutes(90));
  EXPECT_DOUBLE_EQ(ParsePercent("12.5%").value(), 0.125);
  EXPECT_EQ(FormatNumber(1234567.5), "1234567.5");
  EXPECT_EQ(FormatSparkBytes(4096LL * kGiB + 1), "4194305m");
  EXPECT_EQ(FormatDuration(seconds(3'600'000)), "1000h");
  EXPECT_THAT(FormatTime(WallTime{Duration(1'234'567)}), Not(HasSubstr(",")));
}

}  // namespace
}  // namespace stoker
