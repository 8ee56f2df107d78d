#pragma once

#include <cstdint>
#include <limits>

#include "rightsizing/shape.h"

namespace stoker::rightsizing {

/// Which resource runs out first on a node.
enum class Scarce : std::uint8_t { kNone, kCpu, kMemory, kEphemeral };

/// As many as there are of something without a limit.
inline constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

/// How many pods of one size fit into `room` of which `taken` is gone, and what stops the next. A
/// resource that the pod does not ask for never stops it, nor does ephemeral storage that `room`
/// does not state. 0 when `taken` itself is more than the room; kUnlimited when nothing stops it.
struct Fit {
  std::int64_t pods = 0;
  Scarce scarce = Scarce::kNone;
};
Fit FitPods(const Resources& pod, const Resources& room, const Resources& taken = {});

/// Equal pods on equal nodes.
struct Packing {
  std::int64_t per_node = 0;  ///< pods on a node that holds nothing else
  std::int64_t beside = 0;    ///< pods on the one node that holds `first` too
  std::int64_t nodes = 0;
  Scarce scarce = Scarce::kNone;  ///< what stops one more pod on a node
  Resources stranded_per_node;    ///< left on a node with `per_node` pods: no pod can use it
  Resources stranded;             ///< left on all nodes together
};

/// Places `pods` equal pods and, before them, one other pod (`first`, the driver; all zero when
/// there is none) on as few equal nodes as hold them. Exact, since the pods are equal: what fits on
/// a node is the minimum over the resources of floor(allocatable / request), which is how the
/// scheduler and the Cluster Autoscaler's simulation count. `nodes` is 0 with `per_node` 0 when one
/// pod does not fit an empty node, or `first` does not.
Packing Pack(const Resources& pod,
             std::int64_t pods,
             const Resources& allocatable,
             const Resources& first = {});

/// How many pods fit on `nodes` equal nodes that also hold `first`. 0 when `first` does not fit.
std::int64_t Capacity(const Resources& pod,
                      std::int64_t nodes,
                      const Resources& allocatable,
                      const Resources& first = {});

}  // namespace stoker::rightsizing
