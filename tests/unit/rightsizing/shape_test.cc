#include "rightsizing/shape.h"

#include <gtest/gtest.h>

namespace stoker::rightsizing {
namespace {

constexpr std::int64_t kMebi = std::int64_t{1} << 20;
constexpr std::int64_t kGibi = std::int64_t{1} << 30;
constexpr DaemonSets kNone{.cpu_millis = 0, .memory_bytes = 0};

TEST(Allocatable, OnEksFollowsCoresAndPods) {
  const NodeShape m5_xlarge{.name = "m5.xlarge",
                            .provider = Provider::kAws,
                            .cpu_millis = 4000,
                            .memory_bytes = 16 * kGibi,
                            .max_pods = 58};
  const Resources left = Allocatable(m5_xlarge, kNone);
  EXPECT_EQ(left.cpu_millis, 3920);  // 60 + 10 + 10 reserved
  EXPECT_EQ(left.memory_bytes / kMebi, 16384 - 1229 - (255 + 11 * 58) - 100);
}

TEST(Allocatable, OnGkeFollowsBands) {
  const NodeShape n2{.provider = Provider::kGcp, .cpu_millis = 8000, .memory_bytes = 32 * kGibi};
  const Resources left = Allocatable(n2, kNone);
  EXPECT_EQ(left.cpu_millis, 7910);
  // 1 + 0.8 + 0.8 + 0.96 GiB, and the eviction threshold.
  EXPECT_NEAR(static_cast<double>(left.memory_bytes) / static_cast<double>(kMebi),
              32768 - 3.56 * 1024 - 100,
              1);
}

TEST(Allocatable, OnAksFollowsItsTable) {
  const NodeShape d8{
      .provider = Provider::kAzure, .cpu_millis = 8000, .memory_bytes = 32 * kGibi, .max_pods = 30};
  const Resources left = Allocatable(d8, kNone);
  EXPECT_EQ(left.cpu_millis, 7820);
  EXPECT_EQ(left.memory_bytes / kMebi, 32768 - 650 - 100);
}

TEST(Allocatable, WhatANodeReportsGoesBeforeEstimates) {
  const NodeShape node{.cpu_millis = 8000,
                       .memory_bytes = 32 * kGibi,
                       .measured = Resources{.cpu_millis = 7900, .memory_bytes = 30 * kGibi}};
  const Resources left = Allocatable(node, {.cpu_millis = 400, .memory_bytes = kGibi});
  EXPECT_EQ(left.cpu_millis, 7500);
  EXPECT_EQ(left.memory_bytes, 29 * kGibi);
  EXPECT_EQ(left.ephemeral_bytes, 0);
}

TEST(Allocatable, IsNeverNegative) {
  const NodeShape tiny{.cpu_millis = 100, .memory_bytes = 64 * kMebi, .ephemeral_bytes = kMebi};
  const Resources left = Allocatable(tiny, {});
  EXPECT_EQ(left.cpu_millis, 0);
  EXPECT_EQ(left.memory_bytes, 0);
  EXPECT_EQ(left.ephemeral_bytes, 1);  // stated, so that it limits
}

}  // namespace
}  // namespace stoker::rightsizing
