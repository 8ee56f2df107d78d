#include "rightsizing/memory.h"

#include <gtest/gtest.h>

namespace stoker::rightsizing {
namespace {

TEST(Overhead, IsAtLeastSparksMinimum) {
  EXPECT_EQ(OverheadBytes(kGibibyte, kJvmOverheadFactor), 384 * kMebibyte);
  EXPECT_EQ(OverheadBytes(kGibibyte, kPythonOverheadFactor), 409 * kMebibyte);
}

TEST(Overhead, CutsTheProductOffAsSparkDoes) {
  EXPECT_EQ(OverheadBytes(4 * kGibibyte, kJvmOverheadFactor), 409 * kMebibyte);  // 409.6
  EXPECT_EQ(OverheadBytes(8 * kGibibyte, kJvmOverheadFactor), 819 * kMebibyte);  // 819.2
}

TEST(PodMemory, IsTheSumOfItsParts) {
  const PodMemory memory{.heap_bytes = 4 * kGibibyte,
                         .overhead_bytes = 409 * kMebibyte,
                         .off_heap_bytes = kGibibyte,
                         .pyspark_bytes = 2 * kGibibyte};
  EXPECT_EQ(memory.Total(), (4096 + 409 + 1024 + 2048) * kMebibyte);
}

TEST(TaskMemory, FollowsTheTuningGuide) {
  // The presets' values: (heap - 300 MiB) x 0.6 / cores.
  EXPECT_EQ(TaskMemoryBytes(kGibibyte, 0, 1) / kMebibyte, 434);
  EXPECT_EQ(TaskMemoryBytes(4 * kGibibyte, 0, 2) / kMebibyte, 1138);
  EXPECT_EQ(TaskMemoryBytes(8 * kGibibyte, 0, 4) / kMebibyte, 1183);
  EXPECT_EQ(TaskMemoryBytes(16 * kGibibyte, 0, 8) / kMebibyte, 1206);
}

TEST(TaskMemory, CountsOffHeapAndNeverGoesBelowZero) {
  EXPECT_EQ(TaskMemoryBytes(kReservedBytes, kGibibyte, 2), kGibibyte / 2);
  EXPECT_EQ(TaskMemoryBytes(100 * kMebibyte, 0, 2), 0);
}

TEST(RoundUpToMebibyte, RoundsUp) {
  EXPECT_EQ(RoundUpToMebibyte(1), kMebibyte);
  EXPECT_EQ(RoundUpToMebibyte(kMebibyte), kMebibyte);
  EXPECT_EQ(RoundUpToMebibyte(kMebibyte + 1), 2 * kMebibyte);
}

}  // namespace
}  // namespace stoker::rightsizing
