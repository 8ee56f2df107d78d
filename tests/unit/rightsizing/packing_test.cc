#include "rightsizing/packing.h"

#include <gtest/gtest.h>

#include <random>

namespace stoker::rightsizing {
namespace {

constexpr std::int64_t kGibi = std::int64_t{1} << 30;

TEST(FitPods, TheScarcestResourceDecides) {
  const Resources room{
      .cpu_millis = 7710, .memory_bytes = 28 * kGibi, .ephemeral_bytes = 80 * kGibi};
  const Fit by_cpu = FitPods({.cpu_millis = 4000, .memory_bytes = 9 * kGibi}, room);
  EXPECT_EQ(by_cpu.pods, 1);
  EXPECT_EQ(by_cpu.scarce, Scarce::kCpu);
  const Fit by_memory = FitPods({.cpu_millis = 1000, .memory_bytes = 9 * kGibi}, room);
  EXPECT_EQ(by_memory.pods, 3);
  EXPECT_EQ(by_memory.scarce, Scarce::kMemory);
  const Fit by_disk =
      FitPods({.cpu_millis = 1000, .memory_bytes = kGibi, .ephemeral_bytes = 50 * kGibi}, room);
  EXPECT_EQ(by_disk.pods, 1);
  EXPECT_EQ(by_disk.scarce, Scarce::kEphemeral);
}

TEST(FitPods, ADiskThatIsNotStatedDoesNotLimit) {
  const Resources pod{.cpu_millis = 1000, .memory_bytes = kGibi, .ephemeral_bytes = 50 * kGibi};
  EXPECT_EQ(FitPods(pod, {.cpu_millis = 4000, .memory_bytes = 8 * kGibi}).pods, 4);
  // One that is used up does.
  EXPECT_EQ(FitPods(pod,
                    {.cpu_millis = 4000, .memory_bytes = 8 * kGibi, .ephemeral_bytes = 60 * kGibi},
                    {.ephemeral_bytes = 60 * kGibi})
                .pods,
            0);
}

TEST(Pack, FindsTheNodesAndWhatIsStranded) {
  const Resources node{.cpu_millis = 7710, .memory_bytes = 28 * kGibi};
  const Resources executor{.cpu_millis = 2000, .memory_bytes = 5 * kGibi};
  const Packing packing = Pack(executor, 10, node);
  EXPECT_EQ(packing.per_node, 3);
  EXPECT_EQ(packing.nodes, 4);
  EXPECT_EQ(packing.scarce, Scarce::kCpu);
  EXPECT_EQ(packing.stranded_per_node.cpu_millis, 1710);
  EXPECT_EQ(packing.stranded_per_node.memory_bytes, 13 * kGibi);
  EXPECT_EQ(packing.stranded.cpu_millis, 4 * 7710 - 10 * 2000);
}

TEST(Pack, TheDriverTakesItsPlaceFirst) {
  const Resources node{.cpu_millis = 7710, .memory_bytes = 28 * kGibi};
  const Resources executor{.cpu_millis = 2000, .memory_bytes = 5 * kGibi};
  const Resources driver{.cpu_millis = 2000, .memory_bytes = 3 * kGibi};
  EXPECT_EQ(Pack(executor, 9, node, driver).nodes, 4);
  EXPECT_EQ(Pack(executor, 8, node, driver).nodes, 3);
  EXPECT_EQ(Pack(executor, 8, node, driver).beside, 2);
  EXPECT_EQ(Pack(executor, 0, node, driver).nodes, 1);
}

TEST(Pack, SaysWhenSomethingFitsNoNode) {
  const Resources node{.cpu_millis = 3720, .memory_bytes = 13 * kGibi};
  const Packing executor = Pack({.cpu_millis = 4000, .memory_bytes = kGibi}, 3, node);
  EXPECT_EQ(executor.per_node, 0);
  EXPECT_EQ(executor.nodes, 0);
  EXPECT_EQ(executor.scarce, Scarce::kCpu);
  const Packing driver = Pack({.cpu_millis = 1000, .memory_bytes = kGibi},
                              3,
                              node,
                              {.cpu_millis = 1000, .memory_bytes = 14 * kGibi});
  EXPECT_EQ(driver.nodes, 0);
}

/// Against placing the pods one by one on the first node with room, which for equal pods is best.
TEST(Pack, AgreesWithPlacingPodsOneByOne) {
  std::mt19937 random(7);
  const auto draw = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  for (int round = 0; round < 2000; ++round) {
    const Resources node{.cpu_millis = draw(1000, 16000),
                         .memory_bytes = draw(2, 64),
                         .ephemeral_bytes = draw(0, 99)};
    const Resources pod{
        .cpu_millis = draw(1, 4000), .memory_bytes = draw(1, 16), .ephemeral_bytes = draw(0, 20)};
    const Resources first{.cpu_millis = draw(1, 4000), .memory_bytes = draw(1, 16)};
    const std::int64_t pods = draw(1, 60);
    const Packing packing = Pack(pod, pods, node, first);
    if (packing.nodes == 0) continue;
    std::int64_t nodes = 1;
    Resources used = first;
    for (std::int64_t placed = 0; placed < pods;) {
      if (FitPods(pod, node, used).pods > 0) {
        used.cpu_millis += pod.cpu_millis;
        used.memory_bytes += pod.memory_bytes;
        used.ephemeral_bytes += pod.ephemeral_bytes;
        ++placed;
      } else {
        ++nodes;
        used = {};
      }
    }
    ASSERT_EQ(packing.nodes, nodes) << "round " << round;
    ASSERT_GE(Capacity(pod, nodes, node, first), pods) << "round " << round;
    ASSERT_LT(Capacity(pod, nodes - 1, node, first), pods) << "round " << round;
  }
}

TEST(Capacity, GrowsWithoutOverflow) {
  EXPECT_EQ(Capacity({.cpu_millis = 1}, kUnlimited, {.cpu_millis = 8000}), kUnlimited);
  EXPECT_EQ(Capacity({.cpu_millis = 1000}, 0, {.cpu_millis = 8000}), 0);
}

}  // namespace
}  // namespace stoker::rightsizing
