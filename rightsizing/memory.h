#pragma once

#include <cstdint>

namespace stoker::rightsizing {

inline constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
inline constexpr std::int64_t kGibibyte = std::int64_t{1} << 30;

/// Spark's least overhead: spark.executor.minMemoryOverhead (4.0) and the constant before it.
inline constexpr std::int64_t kMinOverheadBytes = 384 * kMebibyte;
/// spark.{driver,executor}.memoryOverheadFactor, and what Spark on Kubernetes makes of it for
/// Python and R (NON_JVM_MEMORY_OVERHEAD_FACTOR).
inline constexpr double kJvmOverheadFactor = 0.10;
inline constexpr double kPythonOverheadFactor = 0.40;
/// spark.memory.fraction, and what is set aside before it applies (UnifiedMemoryManager's
/// RESERVED_SYSTEM_MEMORY_BYTES).
inline constexpr double kMemoryFraction = 0.6;
inline constexpr std::int64_t kReservedBytes = 300 * kMebibyte;
/// A JVM whose heap is this large or larger cannot compress object pointers.
inline constexpr std::int64_t kCompressedOopsBytes = 32 * kGibibyte;

/// Bytes rounded up to whole MiB: Spark counts container memory in MiB.
std::int64_t RoundUpToMebibyte(std::int64_t bytes);

/// max(factor x heap, 384 MiB) in whole MiB, the product cut off as Spark does
/// (ResourceProfile.calculateOverHeadMemory).
std::int64_t OverheadBytes(std::int64_t heap_bytes, double factor);

/// What one executor or driver asks of its node, each part in whole MiB.
struct PodMemory {
  std::int64_t heap_bytes = 0;      ///< spark.executor.memory
  std::int64_t overhead_bytes = 0;  ///< spark.executor.memoryOverhead
  std::int64_t off_heap_bytes = 0;  ///< spark.memory.offHeap.size; 0 = off
  std::int64_t pyspark_bytes = 0;   ///< spark.executor.pyspark.memory; 0 = not set
  /// Request and limit of the container, which Spark sets equal: the sum of the parts
  /// (ResourceProfile.getResourcesForClusterManager, BasicExecutorFeatureStep).
  [[nodiscard]] std::int64_t Total() const;
};

/// What each of `tasks` running at once may use for shuffles, sorts, joins and aggregations before
/// it spills: ((heap - 300 MiB) x 0.6 + off-heap) / tasks (Spark's tuning guide, "Memory Management
/// Overview"). Never negative.
std::int64_t TaskMemoryBytes(std::int64_t heap_bytes, std::int64_t off_heap_bytes, int tasks);

}  // namespace stoker::rightsizing
