#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "scalers/registry.h"
#include "tests/testing/scaler_world.h"

namespace stoker::testing {

/// A fixture that reads connections and signals as a configuration does. The test fills the
/// registry.
class SignalTest : public ::testing::Test {
 protected:
  /// Makes this map, type -> name -> settings, the connections, and gives back the complaints.
  std::string ParseConnections(const std::string& yaml) {
    diagnostics_ = {};
    const auto node = config::ParseYaml(yaml, "a.yaml", diagnostics_);
    if (node) connections_ = registry_.ParseConnections(*node, world_.deps, diagnostics_);
    return diagnostics_.ToString();
  }
  std::optional<scalers::SignalDefinition> ParseSignal(const config::Node& node,
                                                       const std::string& name_space = "",
                                                       bool inline_object = false) {
    diagnostics_ = {};
    auto signal = registry_.ParseSignal(
        node, {connections_, name_space, inline_object, world_.deps}, diagnostics_);
    EXPECT_EQ(signal.has_value(), diagnostics_.empty()) << diagnostics_.ToString();
    return signal;
  }
  std::optional<scalers::SignalDefinition> ParseSignal(const std::string& yaml,
                                                       const std::string& name_space = "",
                                                       bool inline_object = false) {
    diagnostics_ = {};
    const auto node = config::ParseYaml(yaml, "a.yaml", diagnostics_);
    return node ? ParseSignal(*node, name_space, inline_object) : std::nullopt;
  }

  ScalerWorld world_;
  scalers::Registry registry_;
  scalers::ConnectionSet connections_;
  config::Diagnostics diagnostics_;  ///< of the last parse
};

}  // namespace stoker::testing
