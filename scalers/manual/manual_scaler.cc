#include "scalers/manual/manual_scaler.h"

#include <algorithm>
#include <utility>

namespace stoker::scalers {
namespace {

constexpr char kType[] = "manual";

struct SignalKeys {
  std::string name;
  double target_size = 1;
  double activation = 0;
  std::optional<Duration> ttl;
};

/// As it stands in the address under which it is set.
bool IsName(std::string_view name) {
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 100 && alnum(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return alnum(c) || c == '-' || c == '_'; });
}

const config::ParamTable<SignalKeys>& SignalTable() {
  static const auto kTable =
      config::ParamTable<SignalKeys>()
          .AddCustom(
              "name",
              {.help = "The name it is set under: `PUT /api/v1/manual/NAME`. Signals with the same "
                       "name read the same value.",
               .required = true,
               .example = "nightly-batch"},
              [](const config::Node& node, SignalKeys& out, config::Diagnostics& diagnostics) {
                if (!config::ReadValue(node, {.help = ""}, out.name, diagnostics)) return;
                if (IsName(out.name)) return;
                diagnostics.Add(node, "expected a name of lower-case letters, digits, - and _");
              },
              config::ParamType::kString)
          .Add("targetSize",
               &SignalKeys::target_size,
               {.help = "How much of the value one replica is for.",
                .required = true,
                .min = 0,
                .above_min = true,
                .example = "5"})
          .Add("activationTargetSize",
               &SignalKeys::activation,
               {.help = "The signal lifts the target above 0 only while the value is greater.",
                .fallback = "0",
                .min = 0})
          .Add("ttl",
               &SignalKeys::ttl,
               {.help = "The value is gone (empty) when it was set longer ago than this. Default: "
                        "it stays.",
                .min = 0,
                .above_min = true,
                .example = "10m"});
  return kTable;
}

class ManualSource final : public Source {
 public:
  ManualSource(const PushedValues& values, SignalKeys keys)
      : values_(values), keys_(std::move(keys)) {}

  Result<Observation> Poll(const PollContext& context) override {
    return Look(values_.Get(keys_.name), context.slot);
  }

  /// Since the value was set; what was before is not kept.
  Result<std::vector<Reading>> PastReadings(const SlotSpan& span,
                                            MonoTime /*deadline*/,
                                            const std::stop_token& /*stop*/) override {
    std::vector<Reading> readings;
    const std::optional<PushedValue> held = values_.Get(keys_.name);
    for (WallTime slot = span.first; held && slot <= span.last; slot += span.interval) {
      if (slot >= held->time) readings.push_back(ToReading(slot, Look(held, slot)));
    }
    return readings;
  }

 private:
  [[nodiscard]] Observation Look(const std::optional<PushedValue>& held, WallTime slot) const {
    Observation observation;
    if (!held) {
      observation.empty = true;
      observation.detail = "never set";
    } else if (keys_.ttl && slot - held->time > *keys_.ttl) {
      observation.empty = true;
      observation.detail = "set longer ago than its ttl";
    } else {
      observation.value = held->value;
    }
    return observation;
  }

  const PushedValues& values_;
  const SignalKeys keys_;
};

void ParseSignal(const config::Node& node,
                 const SignalContext& context,
                 SignalDefinition& definition,
                 config::Diagnostics& diagnostics) {
  SignalKeys keys;
  if (!SignalTable().Read(node, keys, diagnostics)) return;
  definition.pushed_name = keys.name;
  definition.demand.target_size = keys.target_size;
  definition.demand.activation = keys.activation;
  definition.source_key = std::string(kType) + "\n" + keys.name + "\n" +
                          (keys.ttl ? std::to_string(keys.ttl->count()) : "");
  // Looked at in memory, and so that what is set acts at once.
  definition.timing = {.interval = std::chrono::seconds(1),
                       .timeout = std::chrono::seconds(1),
                       .max_age = std::chrono::seconds(30)};
  definition.make_source = [&values = context.deps.pushed, keys] {
    return std::make_unique<ManualSource>(values, keys);
  };
}

}  // namespace

void RegisterManual(Registry& registry) {
  registry.Add(SignalType{.name = kType,
                          .summary = "A value that people or programs set over HTTP. Needs "
                                     "`server.manual.enabled: true`.",
                          .status = "stable",
                          .allowed_inline = false,
                          .params = SignalTable().infos(),
                          .parse = ParseSignal});
}

}  // namespace stoker::scalers
