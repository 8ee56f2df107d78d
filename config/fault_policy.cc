#include "config/fault_policy.h"

#include <string>

namespace stoker::config {
namespace {

const Param kReplicas{.help = "Replicas to ask for.", .required = true, .min = 0};

const ParamTable<FaultPolicy>& Table() {
  static const auto kTable =
      ParamTable<FaultPolicy>()
          .Add("hold",
               &FaultPolicy::hold,
               {.help = "How long the last good reading serves.", .fallback = "30m", .min = 0})
          .AddCustom("then",
                     {.help = "What follows: `fail` (UNAVAILABLE, so that KEDA's fallback acts), "
                              "`ignore` (the signal takes no part; may shrink the target) or "
                              "`{replicas: N}`.",
                      .fallback = "fail",
                      .choices = {"fail", "ignore"}},
                     [](const Node& node, FaultPolicy& out, Diagnostics& diagnostics) {
                       ReadFaultThen(node, out, diagnostics);
                     });
  return kTable;
}

/// Of `then`, where it is a map.
const ParamTable<FaultPolicy>& SubstituteTable() {
  static const auto kTable =
      ParamTable<FaultPolicy>().Add("replicas", &FaultPolicy::replicas, kReplicas);
  return kTable;
}

}  // namespace

bool ReadFaultPolicy(const Node& node, FaultPolicy& out, Diagnostics& diagnostics) {
  return Table().Read(node, out, diagnostics);
}

bool ReadFaultThen(const Node& node, FaultPolicy& out, Diagnostics& diagnostics) {
  if (node.IsMap()) {
    if (!SubstituteTable().Read(node, out, diagnostics)) return false;
    out.then = FaultPolicy::Then::kReplicas;
    return true;
  }
  if (node.IsScalar() && node.scalar() == "fail") {
    out.then = FaultPolicy::Then::kFail;
    return true;
  }
  if (node.IsScalar() && node.scalar() == "ignore") {
    out.then = FaultPolicy::Then::kIgnore;
    return true;
  }
  if (!node.from_metadata()) {
    return Refuse(node, "expected fail, ignore or {replicas: N}", diagnostics);
  }
  Diagnostics unused;
  if (!ReadValue(node, kReplicas, out.replicas, unused)) {
    return Refuse(node, "expected fail, ignore or a number of replicas", diagnostics);
  }
  out.then = FaultPolicy::Then::kReplicas;
  return true;
}

const std::vector<ParamInfo>& FaultPolicyParams() {
  static const auto kInfos = [] {
    std::vector<ParamInfo> infos = Table().infos();
    for (ParamInfo& info : infos) {
      if (info.key == "then") info.children = SubstituteTable().infos();
    }
    return infos;
  }();
  return kInfos;
}

}  // namespace stoker::config
