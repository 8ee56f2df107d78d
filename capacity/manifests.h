#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "capacity/capacity_config.h"
#include "core/clock.h"
#include "core/result.h"
#include "policy/policy.h"
#include "rightsizing/shape.h"

namespace stoker::capacity {

using Json = nlohmann::ordered_json;

/// What an operator can apply, paste or pass on so that nodes are there when executors come.
enum class HintFormat : std::uint8_t {
  kClusterAutoscalerFlags,  ///< arguments of the Cluster Autoscaler's container, a YAML list
  kClusterAutoscalerHelm,   ///< values of its Helm chart
  kCapacityBuffer,          ///< CapacityBuffers (autoscaling.x-k8s.io/v1beta1) with PodTemplates
  kProvisioningRequest,     ///< ProvisioningRequests (autoscaling.x-k8s.io/v1) with PodTemplates
  kPlaceholder,             ///< Deployments of pause pods with their PriorityClass and ScaledObject
  kPodAnnotations,          ///< settings of Spark, a spark-defaults.conf
  kPriorityExpander,        ///< the ConfigMap of the autoscaler's priority expander
  kQuota,                   ///< ResourceQuotas, and CapacityQuotas (autoscaling.x-k8s.io/v1beta1)
};

/// "capacity-buffer", ...; empty when there is no such format.
std::optional<HintFormat> HintFormatByName(std::string_view name);
std::vector<std::string> HintFormatNames();

/// One policy's headroom as the cluster is told of it.
struct Headroom {
  std::string policy;
  policy::Mechanism mechanism = policy::Mechanism::kNone;
  std::string name_space;           ///< of the objects
  std::string name;                 ///< of the objects, or what it starts with
  rightsizing::Resources requests;  ///< of one executor's pod
  std::map<std::string, std::string> node_selector;
  std::vector<policy::Toleration> tolerations;
  std::int64_t executors = 0;           ///< to make room for now
  std::int64_t max_executors = 0;       ///< to make room for at most
  std::int64_t most_wanted = 0;         ///< executors that the policy can ever ask for
  std::optional<Duration> lead_time{};  ///< where it is set, not measured
};

/// The headroom of `policy`, still of 0 executors. kInvalidArgument when the policy has no
/// `capacity`, or none that says what an executor requests, or a preset that is not known.
Result<Headroom> MakeHeadroom(const policy::Policy& policy,
                              const CapacityConfig& config,
                              const std::string& own_namespace);

// Objects as the API server takes them; none has a field that another controller fills.

/// The v1 PodTemplate `NAME` of one executor.
Json PodTemplate(const Headroom& headroom);
/// A CapacityBuffer of `executors`, never more than `max_executors`.
Json CapacityBuffer(const Headroom& headroom);
/// A ProvisioningRequest of all `executors` (at least 1) at once, `NAME-EXECUTORS`: its spec cannot
/// change, so every size is an object of its own.
Json ProvisioningRequest(const Headroom& headroom);

/// The labels by which the objects of one policy are found.
std::map<std::string, std::string> HeadroomLabels(const Headroom& headroom);

/// A glob over node group ids (core/glob.h) as the regular expression (RE2) that matches the same.
std::string GroupRegex(std::string_view glob);

/// What KEDA has to show Stoker's port 6000, and to see of it.
enum class ScalerTls : std::uint8_t { kOff, kServer, kMutual };

/// Everything that hints depend on.
struct HintInput {
  CapacityConfig config;
  std::vector<Headroom> headrooms;  ///< one for each policy asked about
  bool expander = false;            ///< server.expander is on
  std::string expander_address = "stoker-expander.stoker.svc:6001";
  std::string scaler_address = "stoker.stoker.svc:6000";
  ScalerTls scaler_tls = ScalerTls::kOff;
};

/// A hint as text to apply or paste, with comments, and as one JSON document without them.
struct Hint {
  std::string text;
  Json json;
};

/// kInvalidArgument, with the mend, when the configuration asks for no such thing.
Result<Hint> MakeHint(const HintInput& input, HintFormat format);

/// Node shapes from the cheapest per executor on; those without a price last, spot before on
/// demand; those that hold none of the executors are left out. With several policies by the mean of
/// what an executor costs there over what it costs on their cheapest.
struct RankedShape {
  const NodeShape* shape = nullptr;
  std::optional<double> relative_cost;  ///< 1 for the cheapest everywhere; empty: no price
};
std::vector<RankedShape> RankShapes(std::span<const NodeShape> shapes,
                                    std::span<const Headroom> headrooms);

/// Executors that an empty node of that shape holds.
std::int64_t ExecutorsPerNode(const NodeShape& shape, const rightsizing::Resources& requests);

}  // namespace stoker::capacity
