#include "rightsizing/evidence.h"

#include <gtest/gtest.h>

#include "rightsizing/memory.h"

namespace stoker::rightsizing {
namespace {

TEST(ParseEvidence, ReadsWhatWasMeasured) {
  const Result<Evidence> evidence = ParseEvidence(
      R"({"evidence_source": "12 runs", "throughput_bytes_per_core_second": 1e7,
          "task_duration_ms_p95": 21000, "shuffle_ratio": 0.5, "peak_executor_memory_mb": 5120,
          "peak_task_memory_mb": 900, "num_executors": 7, "similar_jobs": []})",
      "evidence.json");
  ASSERT_TRUE(evidence.has_value()) << evidence.error().message;
  EXPECT_EQ(evidence->source, "12 runs");
  EXPECT_EQ(evidence->throughput_bytes_per_core_second, 1e7);
  EXPECT_EQ(evidence->slow_task_seconds, 21);
  EXPECT_EQ(evidence->shuffle_ratio, 0.5);
  EXPECT_EQ(evidence->peak_heap_bytes, 5120 * kMebibyte);
  EXPECT_EQ(evidence->peak_task_bytes, 900 * kMebibyte);
}

TEST(ParseEvidence, WhatIsLeftOutOrNullStaysUnknown) {
  const Result<Evidence> evidence =
      ParseEvidence(R"({"shuffle_ratio": 2, "peak_task_memory_mb": null})", "evidence.json");
  ASSERT_TRUE(evidence.has_value());
  EXPECT_EQ(evidence->source, "measured");
  EXPECT_FALSE(evidence->throughput_bytes_per_core_second.has_value());
  EXPECT_FALSE(evidence->peak_task_bytes.has_value());
}

TEST(ParseEvidence, NamesTheFileAndTheKeyOfAMistake) {
  const auto why = [](std::string_view text) {
    const Result<Evidence> evidence = ParseEvidence(text, "e.json");
    return evidence ? "" : evidence.error().message;
  };
  EXPECT_EQ(why("nonsense"), "e.json: expected one JSON object with what was measured");
  EXPECT_EQ(why("[]"), "e.json: expected one JSON object with what was measured");
  EXPECT_EQ(why("{}"),
            "e.json: nothing measured in it: give throughput_bytes_per_core_second or another");
  EXPECT_EQ(why(R"({"shuffle_ratio": "2"})"), "e.json: shuffle_ratio: expected a number");
  EXPECT_EQ(why(R"({"shuffle_ratio": -2})"),
            "e.json: shuffle_ratio: expected a number between 0 and 1e12");
  EXPECT_EQ(why(R"({"evidence_source": 3})"), "e.json: evidence_source: expected text");
}

TEST(ParseEvidence, ControlCharactersDoNotReachATerminal) {
  const Result<Evidence> evidence =
      ParseEvidence(R"({"evidence_source": "a\u001b[31mb\nc", "shuffle_ratio": 1})", "e.json");
  ASSERT_TRUE(evidence.has_value());
  EXPECT_EQ(evidence->source, "a[31mbc");
}

}  // namespace
}  // namespace stoker::rightsizing
