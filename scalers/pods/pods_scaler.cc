#include "scalers/pods/pods_scaler.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "config/yaml_json.h"
#include "upstream/kubernetes/client.h"

namespace stoker::scalers {
namespace {

constexpr char kType[] = "pods";

enum class Phase : std::uint8_t { kRunning, kPending, kAny };

struct SignalKeys {
  std::string name_space;
  std::string label_selector;
  Phase phase = Phase::kRunning;
  double target_size = 1;
  double activation = 0;
};

const config::ParamTable<SignalKeys>& SignalTable() {
  static const auto kTable =
      config::ParamTable<SignalKeys>()
          .Add("namespace",
               &SignalKeys::name_space,
               {.help = "Where the pods are. Needs a Role there with verb list on pods.",
                .required = true,
                .non_empty = true,
                .example = "spark"})
          .Add("labelSelector",
               &SignalKeys::label_selector,
               {.help = "Which pods count.",
                .required = true,
                .non_empty = true,
                .example = "spark-role=executor"})
          .AddChoice(
              "phase",
              &SignalKeys::phase,
              {{"running", Phase::kRunning}, {"pending", Phase::kPending}, {"any", Phase::kAny}},
              {.help = "Pods in this phase; `any` is all that have not finished.",
               .fallback = "running"})
          .Add("targetSize",
               &SignalKeys::target_size,
               {.help = "How many pods one replica is for.",
                .fallback = "1",
                .min = 0,
                .above_min = true})
          .Add("activationTargetSize",
               &SignalKeys::activation,
               {.help = "The signal lifts the target above 0 only while there are more pods.",
                .fallback = "0",
                .min = 0});
  return kTable;
}

/// So that the API server sends no pod that does not count.
const char* FieldSelector(Phase phase) {
  switch (phase) {
    case Phase::kRunning:
      return "status.phase=Running";
    case Phase::kPending:
      return "status.phase=Pending";
    case Phase::kAny:
      break;
  }
  return "status.phase!=Succeeded,status.phase!=Failed";
}

class PodsSource final : public Source {
 public:
  PodsSource(Result<std::unique_ptr<kubernetes::Client>> client, SignalKeys keys)
      : client_(std::move(client)), keys_(std::move(keys)) {}

  Result<Observation> Poll(const PollContext& context) override {
    if (!client_) return Fail(client_.error());
    const Result<std::vector<kubernetes::Pod>> pods =
        (*client_)->ListPods(keys_.name_space,
                             {.labels = keys_.label_selector, .fields = FieldSelector(keys_.phase)},
                             context.deadline,
                             context.stop);
    if (!pods) return Fail(pods.error());
    const auto count = std::count_if(
        pods->begin(), pods->end(), [](const kubernetes::Pod& pod) { return !pod.deletion_time; });
    Observation observation;
    observation.value = static_cast<double>(count);
    return observation;
  }

 private:
  /// An error where there is no cluster, which is no mistake of the configuration.
  const Result<std::unique_ptr<kubernetes::Client>> client_;
  const SignalKeys keys_;
};

void ParseSignal(const config::Node& node,
                 const SignalContext& context,
                 const std::shared_ptr<http::Waiter>& waiter,
                 SignalDefinition& definition,
                 config::Diagnostics& diagnostics) {
  SignalKeys keys;
  if (!SignalTable().Read(node, keys, diagnostics)) return;
  definition.demand.target_size = keys.target_size;
  definition.demand.activation = keys.activation;
  definition.source_key = std::string(kType) + "\n" + keys.name_space + "\n" + keys.label_selector +
                          "\n" + std::to_string(static_cast<int>(keys.phase));
  definition.timing = {.interval = std::chrono::seconds(15),
                       .timeout = std::chrono::seconds(5),
                       .max_age = std::chrono::minutes(2)};
  definition.make_source = [&deps = context.deps, waiter, keys] {
    return std::make_unique<PodsSource>(kubernetes::Client::Load({.yaml = config::YamlToJson},
                                                                 {deps.clock,
                                                                  deps.random,
                                                                  deps.environment,
                                                                  deps.files,
                                                                  deps.transports,
                                                                  deps.observer,
                                                                  waiter}),
                                        keys);
  };
}

}  // namespace

void RegisterPods(Registry& registry, std::shared_ptr<http::Waiter> waiter) {
  registry.Add(SignalType{
      .name = kType,
      .summary = "How many pods of a namespace match a label selector, as Kubernetes tells.",
      .status = "alpha",
      .allowed_inline = false,
      .params = SignalTable().infos(),
      .parse = [waiter = std::move(waiter)](const config::Node& node,
                                            const SignalContext& context,
                                            SignalDefinition& definition,
                                            config::Diagnostics& diagnostics) {
        ParseSignal(node, context, waiter, definition, diagnostics);
      }});
}

}  // namespace stoker::scalers
