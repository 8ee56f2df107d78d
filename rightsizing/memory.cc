#include "rightsizing/memory.h"

#include <algorithm>

namespace stoker::rightsizing {

std::int64_t RoundUpToMebibyte(std::int64_t bytes) {
  return (bytes / kMebibyte + (bytes % kMebibyte > 0 ? 1 : 0)) * kMebibyte;
}

std::int64_t OverheadBytes(std::int64_t heap_bytes, double factor) {
  const std::int64_t heap_mebibytes = heap_bytes / kMebibyte;
  const auto product = static_cast<std::int64_t>(static_cast<double>(heap_mebibytes) * factor);
  return std::max(product * kMebibyte, kMinOverheadBytes);
}

std::int64_t PodMemory::Total() const {
  return heap_bytes + overhead_bytes + off_heap_bytes + pyspark_bytes;
}

std::int64_t TaskMemoryBytes(std::int64_t heap_bytes, std::int64_t off_heap_bytes, int tasks) {
  const auto usable = static_cast<double>(std::max<std::int64_t>(heap_bytes - kReservedBytes, 0));
  const auto unified = static_cast<std::int64_t>(usable * kMemoryFraction) + off_heap_bytes;
  return unified / std::max(tasks, 1);
}

}  // namespace stoker::rightsizing
