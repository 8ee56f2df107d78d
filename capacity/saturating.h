#pragma once

#include <cstdint>
#include <limits>

// Arithmetic on amounts, which are never negative: what is too large stays the largest number.

namespace stoker::capacity {

inline constexpr std::int64_t kLargestAmount = std::numeric_limits<std::int64_t>::max();

constexpr std::int64_t Plus(std::int64_t a, std::int64_t b) {
  return a > kLargestAmount - b ? kLargestAmount : a + b;
}

constexpr std::int64_t Product(std::int64_t a, std::int64_t b) {
  return a > 0 && b > kLargestAmount / a ? kLargestAmount : a * b;
}

}  // namespace stoker::capacity
