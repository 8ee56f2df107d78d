#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace stoker::rightsizing {

/// An amount of what Kubernetes schedules by: of a pod, of a node, or left over.
struct Resources {
  std::int64_t cpu_millis = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t ephemeral_bytes = 0;  ///< local scratch disk; of a node, 0 = not known, not limiting
  friend bool operator==(const Resources&, const Resources&) = default;
};

/// Whose machine it is; decides what the kubelet reserves and how nodes are labelled.
enum class Provider : std::uint8_t { kAws, kGcp, kAzure, kOther };

/// What a node costs, in US dollars by the hour.
struct Price {
  double on_demand_per_hour = 0;
  std::optional<double> spot_per_hour;  ///< absent: not known, and then not invented
  bool spot_estimated = false;          ///< the price list's usual discount, not a price it gives
  std::string region;                   ///< "us-east-1"
  std::string as_of;                    ///< date of the price list, "2026-08-01"
};

/// A kind of node, such as one instance type of a cloud.
struct NodeShape {
  std::string name;  ///< "m5.2xlarge", or "8,32Gi" for one given by hand
  Provider provider = Provider::kOther;
  std::int64_t cpu_millis = 0;        ///< as sold, before reserves
  std::int64_t memory_bytes = 0;      ///< as sold, before reserves
  std::int64_t ephemeral_bytes = 0;   ///< local disk for scratch; 0 = not known, not limiting
  std::int64_t max_pods = 110;        ///< Kubernetes' default; EKS sets it by network interfaces
  std::optional<Price> price;         ///< absent: no cost is computed
  std::optional<Resources> measured;  ///< status.allocatable of a real node; goes before estimates
};

/// What the DaemonSets of a cluster (network, proxy, logs, metrics) request on every node.
struct DaemonSets {
  std::int64_t cpu_millis = 200;
  std::int64_t memory_bytes = std::int64_t{256} << 20;
};

/// What is left for Spark's pods on one node: capacity less the hypervisor's and the kubelet's
/// share, the eviction threshold and the DaemonSets; `measured`, where known, less the DaemonSets
/// only. Never negative. Estimates follow what the providers publish:
///
/// CPU (EKS, GKE, others): 6% of the first core, 1% of the next, 0.5% of the next two, 0.25% of the
/// rest. AKS: 60, 100, 140, 180, 260, 420, 740 millicores for up to 1, 2, 4, 8, 16, 32, 64 cores,
/// and 1060 beyond, as the table goes on.
/// Memory that a machine is sold with and its node does not report: 7.5% on AWS and Azure
/// (Karpenter's default on both, on the safe side), 3% on GKE and elsewhere (GKE's documentation
/// shows an e2-standard-4 with 13182 MiB allocatable: 2.7%).
/// Memory reserved: EKS 255 MiB + 11 MiB x max_pods; GKE and others 25% of the first 4 GiB, 20% of
/// the next 4, 10% of the next 8, 6% of the next 112, 2% of the rest; AKS (1.29 and later) 20 MiB x
/// max_pods + 50 MiB, at most 25%. Everywhere 100 MiB for the eviction threshold (kubelet's
/// default, evictionHard memory.available).
Resources Allocatable(const NodeShape& node, const DaemonSets& daemon_sets);

}  // namespace stoker::rightsizing
