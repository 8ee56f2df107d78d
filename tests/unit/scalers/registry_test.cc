#include "scalers/registry.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scalers/connection_params.h"
#include "tests/testing/signal_test.h"

namespace stoker::scalers {
namespace {

using config::Diagnostics;
using config::Node;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

/// A connection type `depot` and two signal types on it, one of them not allowed inline.
struct DepotSettings {
  ConnectionSettings common;
  std::string address;
};

class Depot final : public Connection {
 public:
  Depot(std::string name, DepotSettings settings)
      : Connection("depot", std::move(name), std::move(settings.common)),
        address_(std::move(settings.address)) {}
  [[nodiscard]] bool MatchesAddress(std::string_view address) const override {
    return address == address_;
  }

 private:
  std::string address_;
};

const config::ParamTable<DepotSettings>& DepotTable() {
  static const auto kTable =
      config::ParamTable<DepotSettings>()
          .Add("address", &DepotSettings::address, {.help = "Where.", .required = true})
          .Include(&DepotSettings::common, ConnectionSettingsTable());
  return kTable;
}

struct CrateSettings {
  std::string connection;
  std::string label;
  double size = 1;
};

const config::ParamTable<CrateSettings>& CrateTable() {
  static const auto kTable =
      config::ParamTable<CrateSettings>()
          .Add("connection", &CrateSettings::connection, {.help = "Which depot."})
          .Add("label",
               &CrateSettings::label,
               {.help = "Which crates.", .required = true, .aliases = {"labelName"}})
          .Add("targetSize", &CrateSettings::size, {.help = "Crates a replica.", .min = 0});
  return kTable;
}

void ParseCrates(const Node& node,
                 const SignalContext& context,
                 SignalDefinition& definition,
                 Diagnostics& diagnostics) {
  CrateSettings settings;
  if (!CrateTable().Read(node, settings, diagnostics)) return;
  const auto depot = context.connections.Find("depot", settings.connection, context.name_space);
  if (!depot) {
    diagnostics.Add(node, depot.error().message);
    return;
  }
  definition.connection = (*depot)->name();
  definition.timing = (*depot)->settings().timing;
  definition.demand.target_size = settings.size;
  definition.source_key = "crates/" + settings.label;
}

class RegistryTest : public testing::SignalTest {
 protected:
  RegistryTest() {
    registry_.Add(
        ConnectionType{.name = "depot",
                       .summary = "A depot.",
                       .params = DepotTable().infos(),
                       .create = [](const std::string& name,
                                    const Node& node,
                                    const ScalerDeps&,
                                    Diagnostics& diagnostics) -> std::shared_ptr<Connection> {
                         DepotSettings settings;
                         if (!DepotTable().Read(node, settings, diagnostics)) return nullptr;
                         return std::make_shared<Depot>(name, std::move(settings));
                       }});
    for (const char* name : {"crates", "secrets"}) {
      registry_.Add(SignalType{.name = name,
                               .summary = "Crates.",
                               .status = "stable",
                               .allowed_inline = std::string(name) != "secrets",
                               .connection_type = "depot",
                               .params = CrateTable().infos(),
                               .parse = ParseCrates});
    }
    ParseConnections("depot: {main: {address: a}}");
  }

  SignalDefinition Signal(const std::string& keys) {
    const auto definition = ParseSignal("type: crates\nlabel: l\n" + keys);
    EXPECT_TRUE(definition) << diagnostics_.ToString();
    return definition.value_or(SignalDefinition{});
  }
  std::string SignalMistakes(const std::string& yaml, bool inline_object = false) {
    EXPECT_FALSE(ParseSignal(yaml, "", inline_object));
    return diagnostics_.ToString();
  }
  std::string MetadataMistakes(std::map<std::string, std::string> metadata) {
    EXPECT_FALSE(ParseSignal(Node::FromMetadata(metadata), "team", true));
    return diagnostics_.ToString();
  }
};

TEST_F(RegistryTest, BuildsConnectionsWithTheirCommonKeys) {
  ParseConnections(
      "depot:\n  main: {address: a}\n"
      "  b-2: {address: b, interval: 1m, timeout: 5s, maxAge: 3m, maxConcurrent: 2, "
      "namespaces: [team]}\n");
  EXPECT_TRUE(diagnostics_.empty()) << diagnostics_.ToString();
  ASSERT_EQ(connections_.all().size(), 2U);
  EXPECT_EQ(connections_.all()[0]->settings().timing.interval, seconds(15));
  const ConnectionSettings& settings = connections_.all()[1]->settings();
  EXPECT_EQ(connections_.all()[1]->type(), "depot");
  EXPECT_EQ(settings.timing.interval, minutes(1));
  EXPECT_EQ(settings.timing.timeout, seconds(5));
  EXPECT_EQ(settings.timing.max_age, minutes(3));
  EXPECT_EQ(settings.max_concurrent, 2);
  EXPECT_TRUE(connections_.all()[1]->AllowsNamespace("team"));
  EXPECT_FALSE(connections_.all()[1]->AllowsNamespace("other"));
  EXPECT_TRUE(connections_.all()[1]->AllowsNamespace(""));
  EXPECT_TRUE(connections_.all()[0]->AllowsNamespace("other"));
}

TEST_F(RegistryTest, BuildsWhatIsRightAndReportsTheRest) {
  ParseConnections(
      "depto: {x: {}}\ndepot:\n  Main: {address: a}\n  good: {address: a}\n  bad: {adress: a}\n"
      "  slow: {address: a, interval: 2s}\n  fast: {address: a, interval: 10ms}\n");
  EXPECT_EQ(
      diagnostics_.ToString(),
      "a.yaml:1:1: unknown connection type 'depto'; did you mean 'depot'?\n"
      "a.yaml:3:3: depot: 'Main' is no name for a connection; use lower case letters, digits, "
      "- and _, a letter first, at most 63\n"
      "a.yaml:5:9: depot.bad: unknown key 'adress'; did you mean 'address'?\n"
      "a.yaml:5:8: depot.bad: missing required key 'address'\n"
      "a.yaml:6:9: depot.slow: timeout is longer than interval (3s over 2s); lower timeout or "
      "raise interval\n"
      "a.yaml:7:32: depot.fast.interval: must be at least 1s, got '10ms'");
  EXPECT_THAT(ParseConnections("depot: {a: ~}"), HasSubstr("missing required key 'address'"));
  EXPECT_THAT(ParseConnections("depot: [a]"),
              HasSubstr("depot: expected a map of names to connections, got a list"));
  EXPECT_EQ(ParseConnections(""), "");
}

TEST_F(RegistryTest, TakesTimingFromTheConnection) {
  ParseConnections("depot: {main: {address: a, interval: 30s, timeout: 9s, maxAge: 4m}}");
  const SignalDefinition signal = Signal("targetSize: 5\n");
  EXPECT_EQ(signal.type, "crates");
  EXPECT_EQ(signal.connection, "main");
  EXPECT_EQ(signal.timing.interval, seconds(30));
  EXPECT_EQ(signal.timing.timeout, seconds(9));
  EXPECT_EQ(signal.timing.max_age, minutes(4));
  EXPECT_DOUBLE_EQ(signal.demand.target_size, 5);
  EXPECT_EQ(signal.demand.per, DemandRule::Per::kReplica);
  EXPECT_EQ(signal.on_empty, OnEmpty::kHold);
  EXPECT_FALSE(signal.on_fault.has_value());
}

TEST_F(RegistryTest, PutsCommonKeysOnTop) {
  const SignalDefinition signal = Signal(
      "interval: 20s\ntimeout: 2s\nmaxAge: 1m\nper: executor\nonEmpty: zero\n"
      "onFault: {hold: 5m, then: {replicas: 4}}\n");
  EXPECT_EQ(signal.timing.interval, seconds(20));
  EXPECT_EQ(signal.timing.timeout, seconds(2));
  EXPECT_EQ(signal.timing.max_age, minutes(1));
  EXPECT_EQ(signal.demand.per, DemandRule::Per::kExecutor);
  EXPECT_EQ(signal.on_empty, OnEmpty::kZero);
  ASSERT_TRUE(signal.on_fault.has_value());
  EXPECT_EQ(signal.on_fault->hold, minutes(5));
  EXPECT_EQ(signal.on_fault->then, FaultPolicy::Then::kReplicas);
  EXPECT_EQ(signal.on_fault->replicas, 4);
}

TEST_F(RegistryTest, FitsTheOtherTimingToAnIntervalOfItsOwn) {
  const SignalDefinition fast = Signal("interval: 1s\n");
  EXPECT_EQ(fast.timing.timeout, seconds(1));
  EXPECT_EQ(fast.timing.max_age, minutes(2));
  const SignalDefinition slow = Signal("interval: 5m\n");
  EXPECT_EQ(slow.timing.timeout, seconds(3));
  EXPECT_EQ(slow.timing.max_age, minutes(10));
}

TEST_F(RegistryTest, KnowsKedasSpellingOfOnEmpty) {
  EXPECT_EQ(Signal("ignoreNullValues: true\n").on_empty, OnEmpty::kZero);
  EXPECT_EQ(Signal("ignoreNullValues: false\n").on_empty, OnEmpty::kError);
  EXPECT_EQ(SignalMistakes("{type: crates, label: l, onEmpty: hold, ignoreNullValues: true}"),
            "a.yaml:1:1: 'onEmpty' and 'ignoreNullValues' are both given; keep one");
}

TEST_F(RegistryTest, RefusesTimingThatCannotWork) {
  EXPECT_EQ(SignalMistakes("{type: crates, label: l, interval: 5s, timeout: 6s}"),
            "a.yaml:1:1: timeout is longer than interval (6s over 5s); lower timeout or raise "
            "interval");
  EXPECT_THAT(SignalMistakes("{type: crates, label: l, maxAge: 5s}"),
              HasSubstr("maxAge is shorter than interval"));
  EXPECT_THAT(SignalMistakes("{type: crates, label: l, interval: 999ms}"),
              HasSubstr("interval: must be at least 1s, got '999ms'"));
}

TEST_F(RegistryTest, WantsAKnownType) {
  EXPECT_EQ(SignalMistakes("{label: l}"),
            "a.yaml:1:1: missing required key 'type'; one of crates, secrets");
  EXPECT_EQ(
      SignalMistakes("{type: crate, label: l}"),
      "a.yaml:1:8: type: expected one of crates, secrets, got 'crate'; did you mean 'crates'?");
  EXPECT_EQ(SignalMistakes("[a]"),
            "a.yaml:1:1: expected a map with 'type' and the signal's keys, got a list");
}

TEST_F(RegistryTest, RefusesTypesThatMayNotBeInline) {
  EXPECT_EQ(
      SignalMistakes("{type: secrets, label: l}", true),
      "a.yaml:1:8: type: signals of type secrets are not allowed inline; put it in a policy of "
      "the configuration");
  EXPECT_TRUE(ParseSignal("{type: secrets, label: l}"));
}

TEST_F(RegistryTest, SuggestsOwnAndCommonKeys) {
  EXPECT_EQ(
      SignalMistakes("{type: crates, label: l, intervall: 5s, lable: x, zzzzzzzzz: 1}"),
      "a.yaml:1:26: unknown key 'intervall'; did you mean 'interval'?\n"
      "a.yaml:1:41: unknown key 'lable'; did you mean 'label'?\n"
      "a.yaml:1:51: unknown key 'zzzzzzzzz'; known keys: type, interval, timeout, maxAge, per, "
      "onEmpty, ignoreNullValues, onFault, onFaultHold, onFaultThen, connection, label, "
      "targetSize");
}

TEST_F(RegistryTest, ReadsTriggerMetadata) {
  const auto signal = ParseSignal(Node::FromMetadata({{"type", "crates"},
                                                      {"labelNameFromEnv", "l"},
                                                      {"intervalFromEnv", "30s"},
                                                      {"onFaultHold", "5m"},
                                                      {"onFaultThen", "ignore"},
                                                      {"ignoreNullValues", "T"}}),
                                  "team",
                                  true);
  ASSERT_TRUE(signal) << diagnostics_.ToString();
  EXPECT_EQ(signal->timing.interval, seconds(30));
  EXPECT_EQ(signal->on_fault->hold, minutes(5));
  EXPECT_EQ(signal->on_fault->then, FaultPolicy::Then::kIgnore);
  EXPECT_EQ(signal->on_empty, OnEmpty::kZero);
}

TEST_F(RegistryTest, ShowsNoMetadataValue) {
  EXPECT_EQ(MetadataMistakes({{"type", "s3cret"}}),
            "metadata: type: expected one of crates, secrets");
  EXPECT_EQ(MetadataMistakes({{"type", "crates"}, {"label", "l"}, {"connection", "mian"}}),
            "metadata: there is no such depot connection; did you mean 'main'?");
  const std::string mistakes = MetadataMistakes({{"type", "crates"},
                                                 {"label", "l"},
                                                 {"interval", "7s"},
                                                 {"timeout", "9s"},
                                                 {"per", "s3cret"},
                                                 {"onFaultThen", "s3cret"},
                                                 {"targetSize", "s3cret"}});
  EXPECT_THAT(mistakes, Not(HasSubstr("s3cret")));
  EXPECT_EQ(
      MetadataMistakes({{"type", "crates"}, {"label", "l"}, {"interval", "7s"}, {"timeout", "9s"}}),
      "metadata: timeout is longer than interval; lower timeout or raise interval");
}

TEST_F(RegistryTest, HasNoKeyTwice) {
  for (const SignalType& type : registry_.signal_types()) {
    for (const config::ParamInfo& info : type.params) {
      EXPECT_EQ(config::FindParam(CommonSignalParams(), info.key, false), nullptr) << info.key;
    }
  }
}

TEST_F(RegistryTest, FindsConnectionsThatTheNamespaceMayUse) {
  ParseConnections(
      "depot:\n  main: {address: a, namespaces: [team]}\n  spare: {address: a}\n"
      "  third: {address: c, namespaces: ['*']}\n");
  EXPECT_EQ(connections_.Find("depot", "main", "team").value()->name(), "main");
  EXPECT_EQ(connections_.Find("depot", "main", "").value()->name(), "main");
  EXPECT_EQ(connections_.Find("depot", "third", "anyone").value()->name(), "third");
  EXPECT_EQ(connections_.Find("depot", "main", "other").error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(connections_.Find("depot", "mian", "team").error().code, ErrorCode::kNotFound);
  EXPECT_THAT(connections_.Find("depot", "mian", "team").error().message, HasSubstr("'main'"));
  // Who may not use a connection does not learn its name either.
  EXPECT_THAT(connections_.Find("depot", "mian", "other").error().message, Not(HasSubstr("main")));
  EXPECT_THAT(connections_.Find("depot", "", "team").error().message, HasSubstr("several"));
  EXPECT_THAT(connections_.Find("mine", "", "team").error().message,
              HasSubstr("add one under connections.mine"));
  EXPECT_EQ(connections_.FindByAddress("depot", "a", "team").value()->name(), "main");
  EXPECT_EQ(connections_.FindByAddress("depot", "a", "other").value()->name(), "spare");
  EXPECT_EQ(connections_.FindByAddress("depot", "x", "team").error().code, ErrorCode::kNotFound);
}

TEST_F(RegistryTest, AnEmptyNameMeansTheOnlyConnection) {
  EXPECT_EQ(connections_.Find("depot", "", "team").value()->name(), "main");
}

}  // namespace
}  // namespace stoker::scalers
