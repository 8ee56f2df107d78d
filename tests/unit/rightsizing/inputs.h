#pragma once

#include <algorithm>
#include <cmath>
#include <random>

#include "rightsizing/memory.h"
#include "rightsizing/workload.h"

namespace stoker::rightsizing {

/// 4 cores, 8 GiB.
inline Preset Large() { return {.name = "large", .cores = 4, .heap_bytes = 8 * kGibibyte}; }
/// 2 cores, 4 GiB.
inline Preset Medium() { return {.name = "medium", .cores = 2, .heap_bytes = 4 * kGibibyte}; }

inline NodeShape M5Xlarge2() {
  return {.name = "m5.2xlarge",
          .provider = Provider::kAws,
          .cpu_millis = 8000,
          .memory_bytes = 32 * kGibibyte,
          .max_pods = 58,
          .price = Price{.on_demand_per_hour = 0.384,
                         .spot_per_hour = 0.15,
                         .region = "us-east-1",
                         .as_of = "2026-01-01"}};
}

/// Draws inputs from the whole space that Size() accepts, small and huge alike.
class Draw {
 public:
  explicit Draw(unsigned seed) : random_(seed) {}

  std::int64_t Whole(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  bool Chance(double share) { return std::bernoulli_distribution(share)(random_); }
  /// Every order of magnitude as likely as the next.
  std::int64_t Magnitude(std::int64_t low, std::int64_t high) {
    const double power = std::uniform_real_distribution<double>(
        std::log2(static_cast<double>(low)), std::log2(static_cast<double>(high)))(random_);
    return std::clamp(static_cast<std::int64_t>(std::exp2(power)), low, high);
  }

  rightsizing::NodeShape Node() {
    const std::int64_t cores = Magnitude(1, 192);
    rightsizing::NodeShape node{.name = "drawn",
                                .provider = static_cast<Provider>(Whole(0, 3)),
                                .cpu_millis = 1000 * cores,
                                .memory_bytes = cores * Whole(1, 16) * kGibibyte,
                                .max_pods = Whole(8, 250)};
    if (Chance(0.5)) node.ephemeral_bytes = Magnitude(kGibibyte, 8192 * kGibibyte);
    if (Chance(0.7)) {
      node.price = rightsizing::Price{.on_demand_per_hour = static_cast<double>(cores) * 0.05};
      if (Chance(0.5)) node.price->spot_per_hour = static_cast<double>(cores) * 0.02;
    }
    return node;
  }

  rightsizing::Input Input() {
    rightsizing::Input input;
    input.data_bytes = Magnitude(kMebibyte, std::int64_t{1} << 55);
    input.executor = {.name = "drawn",
                      .cores = static_cast<int>(Magnitude(1, 64)),
                      .heap_bytes = Magnitude(450 * kMebibyte, 512 * kGibibyte)};
    if (Chance(0.2)) input.executor.overhead_bytes = Magnitude(kMebibyte, 64 * kGibibyte);
    input.target_duration = Duration(Magnitude(1'000, 7LL * 24 * 3'600'000));
    input.kind = static_cast<WorkloadKind>(Whole(0, 4));
    input.pyspark = Chance(0.4);
    if (input.pyspark && Chance(0.3)) input.pyspark_bytes = Magnitude(kMebibyte, 64 * kGibibyte);
    if (Chance(0.2)) input.off_heap_bytes = Magnitude(kMebibyte, 64 * kGibibyte);
    if (Chance(0.3)) input.shuffle_ratio = static_cast<double>(Whole(0, 400)) / 100;
    if (Chance(0.3)) {
      input.throughput_bytes_per_core_second =
          static_cast<double>(Magnitude(kMebibyte / 10, 500 * kMebibyte));
    }
    if (Chance(0.2)) input.partition_bytes = Magnitude(kMebibyte, 2 * kGibibyte);
    if (Chance(0.2)) input.result_bytes = Magnitude(kMebibyte, 16 * kGibibyte);
    if (Chance(0.6)) input.cluster_cpu_millis = Magnitude(500, 50'000'000);
    if (Chance(0.5)) input.cluster_memory_bytes = Magnitude(1, 1 << 20) * kGibibyte;
    if (Chance(0.5)) {
      input.node = Node();
      if (Chance(0.5)) input.node_count = Magnitude(1, 20'000);
    }
    if (Chance(0.5)) input.reference_node = Node();
    input.spot = Chance(0.3);
    input.spark_version = {.major = static_cast<int>(Whole(3, 4)),
                           .minor = static_cast<int>(Whole(0, 5))};
    if (Chance(0.2)) {
      input.evidence = Evidence{.source = "3 runs",
                                .slow_task_seconds = static_cast<double>(Whole(0, 5000)),
                                .peak_heap_bytes = Magnitude(kMebibyte, 512 * kGibibyte),
                                .peak_task_bytes = Magnitude(kMebibyte, 64 * kGibibyte)};
    }
    return input;
  }

 private:
  std::mt19937 random_;
};

}  // namespace stoker::rightsizing
