#include "rightsizing/shape.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace stoker::rightsizing {
namespace {

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
constexpr std::int64_t kEvictionBytes = 100 * kMebibyte;

/// Sum over consecutive bands of `amount`: (width, share reserved). The last band has no end.
template <std::size_t kBands>
std::int64_t Banded(std::int64_t amount,
                    const std::array<std::pair<std::int64_t, double>, kBands>& bands) {
  double reserved = 0;
  for (const auto& [width, share] : bands) {
    const std::int64_t part = std::min(amount, width);
    reserved += static_cast<double>(part) * share;
    amount -= part;
  }
  return std::llround(reserved);
}

std::int64_t ReservedCpu(const NodeShape& node) {
  constexpr std::int64_t kRest = std::int64_t{1} << 62;
  if (node.provider == Provider::kAzure) {
    constexpr std::array<std::pair<std::int64_t, std::int64_t>, 8> kAks{{{1000, 60},
                                                                         {2000, 100},
                                                                         {4000, 140},
                                                                         {8000, 180},
                                                                         {16000, 260},
                                                                         {32000, 420},
                                                                         {64000, 740},
                                                                         {kRest, 1060}}};
    return std::find_if(kAks.begin(),
                        kAks.end(),
                        [&](const auto& row) { return node.cpu_millis <= row.first; })
        ->second;
  }
  return Banded<4>(node.cpu_millis, {{{1000, 0.06}, {1000, 0.01}, {2000, 0.005}, {kRest, 0.0025}}});
}

/// What the hypervisor and the kernel keep of the memory as sold: a node reports the rest as its
/// capacity.
std::int64_t UnseenMemory(const NodeShape& node) {
  const bool karpenter = node.provider == Provider::kAws || node.provider == Provider::kAzure;
  return std::llround(static_cast<double>(node.memory_bytes) * (karpenter ? 0.075 : 0.03));
}

/// What the kubelet and the system are promised; without the eviction threshold.
std::int64_t ReservedMemory(const NodeShape& node) {
  constexpr std::int64_t kGibi = 1024 * kMebibyte;
  switch (node.provider) {
    case Provider::kAws:
      return (255 + 11 * node.max_pods) * kMebibyte;
    case Provider::kAzure:
      return std::min((20 * node.max_pods + 50) * kMebibyte, node.memory_bytes / 4);
    case Provider::kGcp:
    case Provider::kOther:
      break;
  }
  return Banded<5>(node.memory_bytes,
                   {{{4 * kGibi, 0.25},
                     {4 * kGibi, 0.20},
                     {8 * kGibi, 0.10},
                     {112 * kGibi, 0.06},
                     {std::int64_t{1} << 62, 0.02}}});
}

/// The kubelet evicts pods when less than 10% of the disk is free (evictionHard nodefs.available),
/// and 1 GiB is for the system. A stated disk stays stated, however small.
std::int64_t UsableDisk(const NodeShape& node) {
  if (node.ephemeral_bytes == 0) return 0;
  return std::max<std::int64_t>(node.ephemeral_bytes - node.ephemeral_bytes / 10 - 1024 * kMebibyte,
                                1);
}

}  // namespace

Resources Allocatable(const NodeShape& node, const DaemonSets& daemon_sets) {
  Resources left =
      node.measured.value_or(Resources{.cpu_millis = node.cpu_millis - ReservedCpu(node),
                                       .memory_bytes = node.memory_bytes - UnseenMemory(node) -
                                                       ReservedMemory(node) - kEvictionBytes,
                                       .ephemeral_bytes = UsableDisk(node)});
  left.cpu_millis = std::max<std::int64_t>(left.cpu_millis - daemon_sets.cpu_millis, 0);
  left.memory_bytes = std::max<std::int64_t>(left.memory_bytes - daemon_sets.memory_bytes, 0);
  return left;
}

}  // namespace stoker::rightsizing
