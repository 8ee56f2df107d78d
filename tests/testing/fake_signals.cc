#include "tests/testing/fake_signals.h"

namespace stoker::testing {
namespace {

class FakeSource final : public scalers::Source {
 public:
  FakeSource(FakeUpstream& upstream, std::string name)
      : upstream_(upstream), name_(std::move(name)) {}
  Result<scalers::Observation> Poll(const scalers::PollContext& context) override {
    return upstream_.Poll(name_, context);
  }

 private:
  FakeUpstream& upstream_;
  std::string name_;
};

struct FakeParams {
  std::string source;
  double target_size = 1;
  double activation = 0;
};

const config::ParamTable<FakeParams>& FakeTable() {
  static const auto kTable =
      config::ParamTable<FakeParams>()
          .Add("source", &FakeParams::source, {.help = "Whose answer.", .required = true})
          .Add("targetSize",
               &FakeParams::target_size,
               {.help = "Value per replica.", .min = 0, .above_min = true})
          .Add("activationTargetSize", &FakeParams::activation, {.help = "Activation."});
  return kTable;
}

}  // namespace

scalers::Registry MakeFakeRegistry(FakeUpstream& upstream) {
  scalers::Registry registry;
  scalers::SignalType type;
  type.name = "fake";
  type.summary = "For tests.";
  type.status = "stable";
  type.params = FakeTable().infos();
  type.parse = [&upstream](const config::Node& node,
                           const scalers::SignalContext&,
                           scalers::SignalDefinition& definition,
                           config::Diagnostics& diagnostics) {
    FakeParams params;
    if (!FakeTable().Read(node, params, diagnostics)) return;
    definition.source_key = "fake\n" + params.source;
    definition.demand.target_size = params.target_size;
    definition.demand.activation = params.activation;
    definition.countable = true;
    definition.make_source = [&upstream, name = params.source] {
      return std::make_unique<FakeSource>(upstream, name);
    };
  };
  registry.Add(std::move(type));
  return registry;
}

}  // namespace stoker::testing
