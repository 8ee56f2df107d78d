#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scalers/registry.h"
#include "tests/testing/signal_test.h"
#include "upstream/http/retry.h"

namespace stoker::testing {

/// A state of the upstream, by name.
struct Upstream {
  std::string name;
  std::function<void(FakeWorld&)> set;
};

/// What the contract must know of a signal type to hold it to its promises.
struct ScalerFixture {
  using Keys = std::map<std::string, std::string>;

  std::string type;
  std::function<void(scalers::Registry&, std::shared_ptr<http::Waiter>)> add;
  std::string connections;  ///< YAML of `connections:`; "" when the type has none
  Keys signal;              ///< a complete signal, without `type`; what metadata would hold
  std::vector<std::string> required;  ///< keys of `signal` that must be given
  std::vector<Keys> same;             ///< other settings that ask the upstream the same
  std::vector<Keys> different;        ///< settings that ask something else
  std::vector<std::string> secrets;   ///< what `healthy` puts where credentials are
  bool has_upstream = true;           ///< talks through FakeWorld::transport
  bool tells_past = false;            ///< PastReadings gives every slot

  double value = 0;  ///< what `healthy` makes it read
  std::function<void(FakeWorld&)> healthy;
  std::vector<Upstream> faults;   ///< a poll must fail
  std::vector<Upstream> empties;  ///< a poll must be empty
  std::vector<Upstream> odd;      ///< strange answers: anything but a wrong number
};

std::ostream& operator<<(std::ostream& out, const ScalerFixture* fixture);

/// The promises of scalers/scaler.h, the same for every type. Instantiate with its fixtures.
class ScalerContract : public SignalTest,
                       public ::testing::WithParamInterface<const ScalerFixture*> {
 protected:
  ScalerContract();

  [[nodiscard]] const ScalerFixture& fixture() const { return *GetParam(); }
  /// The fixture's signal with some keys changed, as the config file or as metadata has it.
  std::optional<scalers::SignalDefinition> Parse(const ScalerFixture::Keys& changes = {});
  std::optional<scalers::SignalDefinition> ParseWithout(const std::string& key);
  std::optional<scalers::SignalDefinition> ParseMetadata(const ScalerFixture::Keys& keys);
  std::optional<scalers::SignalDefinition> ParseNode(const config::Node& node, bool inline_object);
  std::unique_ptr<scalers::Source> MakeSource();
  /// Polls for the present slot with the signal's own timeout.
  Result<scalers::Observation> Poll(scalers::Source& source, std::stop_token stop = {});
  /// Past readings of ten slots up to the present one, with the same timeout.
  Result<std::vector<Reading>> Past(scalers::Source& source, const std::stop_token& stop = {});
  /// Fails the test when a secret shows in `text` or in the log.
  void ExpectNoSecret(const std::string& text);

  Duration timeout_{std::chrono::seconds(3)};
};

}  // namespace stoker::testing
