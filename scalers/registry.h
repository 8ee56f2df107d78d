#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "scalers/scaler.h"

namespace stoker::scalers {

/// The signal and connection types there are. An instance, not static registration: main builds one
/// with RegisterBuiltinScalers, tests build one that holds a fake. Immutable after set-up.
class Registry {
 public:
  void Add(SignalType type);
  void Add(ConnectionType type);
  [[nodiscard]] const std::vector<SignalType>& signal_types() const { return signal_types_; }
  [[nodiscard]] const std::vector<ConnectionType>& connection_types() const {
    return connection_types_;
  }

  /// Reads `connections:` (type -> name -> settings). Mistakes become diagnostics; the rest is
  /// built.
  ConnectionSet ParseConnections(const config::Node& connections,
                                 const ScalerDeps& deps,
                                 config::Diagnostics& diagnostics) const;

  /// Reads one signal: `type`, the common keys, then the type's own. Empty when a diagnostic was
  /// added.
  std::optional<SignalDefinition> ParseSignal(const config::Node& node,
                                              const SignalContext& context,
                                              config::Diagnostics& diagnostics) const;

 private:
  std::vector<SignalType> signal_types_;
  std::vector<ConnectionType> connection_types_;
};

/// The keys every signal takes, for docs and schema.
const std::vector<config::ParamInfo>& CommonSignalParams();

/// All types that ship with Stoker, in alphabetical order.
void RegisterBuiltinScalers(Registry& registry);

}  // namespace stoker::scalers
