#pragma once

#include <nlohmann/json_fwd.hpp>

#include <set>
#include <stop_token>
#include <string>

#include "capacity/diagnosis.h"
#include "core/clock.h"
#include "upstream/kubernetes/client.h"

namespace stoker::adapter {

/// What to look at.
struct ClusterQuestion {
  std::set<std::string> namespaces;  ///< where executors and headroom are
  std::set<std::string> buffers;     ///< those of them where a CapacityBuffer asks for room
  std::string status_namespace;      ///< of the autoscaler's status ConfigMap; "": do not look
  std::string status_config_map;
};

/// What a cluster shows.
struct ClusterAnswer {
  capacity::ClusterView view;
  std::vector<std::string> unknown;  ///< what could not be asked, and the mend
  bool answered = false;             ///< something could
};

/// An object of the API server's as Diagnose looks at it.
capacity::RoomObject ReadRoom(const nlohmann::json& object, const std::string& policy);

/// Asks for what capacity::Diagnose looks at: pods without a node, ResourceQuotas, and, where pods
/// or buffers wait, what the autoscaler said of them and of itself. Needs a Role with verb list on
/// pods, events and resourcequotas, and get on the status ConfigMap; goes on without what it may
/// not see.
ClusterAnswer ObserveCluster(kubernetes::Client& client,
                             const ClusterQuestion& question,
                             WallTime now,
                             MonoTime deadline,
                             const std::stop_token& stop);

}  // namespace stoker::adapter
