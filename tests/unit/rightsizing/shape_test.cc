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
              32768 * 0.97 - 3.56 * 1024 - 100,
              1);
}

// What the providers' own pages print for a node. An estimate above it would leave pods Pending.
TEST(Allocatable, IsAtMostWhatIsPublishedAndClose) {
  const auto expect = [](const NodeShape& node, std::int64_t cpu_millis, std::int64_t memory_mebi) {
    const Resources left = Allocatable(node, kNone);
    EXPECT_EQ(left.cpu_millis, cpu_millis) << node.name;
    EXPECT_LE(left.memory_bytes / kMebi, memory_mebi) << node.name;
    EXPECT_GE(left.memory_bytes / kMebi, memory_mebi * 99 / 100) << node.name;
  };
  // kubectl get node in "About GKE node sizes": cpu 3920m, memory 13498416Ki.
  expect({.name = "e2-standard-4",
          .provider = Provider::kGcp,
          .cpu_millis = 4000,
          .memory_bytes = 16 * kGibi},
         3920,
         13498416 / 1024);
  // Karpenter's reference of instance types.
  expect({.name = "m5.large",
          .provider = Provider::kAws,
          .cpu_millis = 2000,
          .memory_bytes = 8 * kGibi,
          .max_pods = 29},
         1930,
         6903);
}

TEST(Allocatable, OnAksFollowsItsTable) {
  const NodeShape d8{
      .provider = Provider::kAzure, .cpu_millis = 8000, .memory_bytes = 32 * kGibi, .max_pods = 30};
  const Resources left = Allocatable(d8, kNone);
  EXPECT_EQ(left.cpu_millis, 7820);
  EXPECT_EQ(left.memory_bytes / kMebi, 32768 - 2458 - 650 - 100);
  // Few cores with much memory to lose to pods: never more than a quarter.
  const NodeShape d2{
      .provider = Provider::kAzure, .cpu_millis = 2000, .memory_bytes = 8 * kGibi, .max_pods = 250};
  EXPECT_EQ(Allocatable(d2, kNone).memory_bytes / kMebi, 8192 - 615 - 2048 - 100);
  const NodeShape d96{
      .provider = Provider::kAzure, .cpu_millis = 96000, .memory_bytes = 384 * kGibi};
  EXPECT_EQ(Allocatable(d96, kNone).cpu_millis, 94940);
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
