#include "rightsizing/packing.h"

#include <algorithm>

namespace stoker::rightsizing {
namespace {

Resources Times(const Resources& resources, std::int64_t count) {
  return {.cpu_millis = resources.cpu_millis * count,
          .memory_bytes = resources.memory_bytes * count,
          .ephemeral_bytes = resources.ephemeral_bytes * count};
}

/// What is left of `room`; ephemeral storage that the node does not state stays unstated.
Resources Minus(const Resources& room, const Resources& taken) {
  return {.cpu_millis = room.cpu_millis - taken.cpu_millis,
          .memory_bytes = room.memory_bytes - taken.memory_bytes,
          .ephemeral_bytes =
              room.ephemeral_bytes == 0 ? 0 : room.ephemeral_bytes - taken.ephemeral_bytes};
}

}  // namespace

Fit FitPods(const Resources& pod, const Resources& room, const Resources& taken) {
  Fit fit{.pods = kUnlimited};
  const auto limit = [&](std::int64_t asked, std::int64_t all, std::int64_t gone, Scarce scarce) {
    const std::int64_t pods = gone > all ? 0 : asked > 0 ? (all - gone) / asked : kUnlimited;
    if (pods < fit.pods) fit = {.pods = pods, .scarce = scarce};
  };
  limit(pod.cpu_millis, room.cpu_millis, taken.cpu_millis, Scarce::kCpu);
  limit(pod.memory_bytes, room.memory_bytes, taken.memory_bytes, Scarce::kMemory);
  if (room.ephemeral_bytes > 0) {
    limit(pod.ephemeral_bytes, room.ephemeral_bytes, taken.ephemeral_bytes, Scarce::kEphemeral);
  }
  return fit;
}

Packing Pack(const Resources& pod,
             std::int64_t pods,
             const Resources& allocatable,
             const Resources& first) {
  const Fit alone = FitPods(pod, allocatable);
  Packing packing{.per_node = alone.pods, .scarce = alone.scarce};
  if (alone.pods == 0 || FitPods(first, allocatable).pods == 0) {
    packing.per_node = 0;
    return packing;
  }
  packing.beside = FitPods(pod, allocatable, first).pods;
  packing.stranded_per_node = Minus(allocatable, Times(pod, alone.pods));
  const bool has_first = first != Resources{};
  const std::int64_t rest = std::max<std::int64_t>(pods - packing.beside, 0);
  packing.nodes = (has_first || pods > 0 ? 1 : 0) + rest / alone.pods + (rest % alone.pods > 0);
  packing.stranded = Minus(Minus(Times(allocatable, packing.nodes), Times(pod, pods)), first);
  return packing;
}

std::int64_t Capacity(const Resources& pod,
                      std::int64_t nodes,
                      const Resources& allocatable,
                      const Resources& first) {
  if (nodes <= 0 || FitPods(first, allocatable).pods == 0) return 0;
  const std::int64_t beside = FitPods(pod, allocatable, first).pods;
  const std::int64_t per_node = FitPods(pod, allocatable).pods;
  if (per_node > 0 && nodes - 1 > (kUnlimited - beside) / per_node) return kUnlimited;
  return beside + (nodes - 1) * per_node;
}

}  // namespace stoker::rightsizing
