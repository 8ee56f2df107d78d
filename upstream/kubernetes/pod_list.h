#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace stoker::kubernetes {

/// What Stoker looks at in a v1 Pod. What the API leaves out is empty here.
struct Pod {
  std::string name;
  std::string name_space;
  std::map<std::string, std::string> labels;
  std::string phase;                      ///< Pending, Running, Succeeded, Failed or Unknown
  std::string ip;                         ///< "" until it has one
  std::map<std::string, int> ports;       ///< containers' ports that have a name
  std::optional<WallTime> deletion_time;  ///< set: it is on its way out
};

/// One page of a list.
struct PodPage {
  std::vector<Pod> pods;
  std::string next;  ///< the `continue` of the next page; "" on the last
};

/// Reads a v1 PodList. kUnavailable when it is none; messages repeat nothing of it. Never throws.
Result<PodPage> ParsePodList(std::string_view json);

}  // namespace stoker::kubernetes
