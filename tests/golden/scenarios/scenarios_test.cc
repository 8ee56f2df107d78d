// Runs the *.test files beside this one: a policy, what its signals read over virtual time, and
// what is decided when. STOKER_UPDATE_GOLDEN=1 rewrites the decisions.
//
//   # Anything after a # at the start of a line is a comment.
//   policy
//     signals: {backlog: {type: given, targetSize: 5}}    # as in the configuration
//   every 1m                     # readings come at 0m, 1m, 2m, ...
//   backlog 60x3 95 fault empty - 250+    # three times 60, ..., no poll at all, at least 250
//   at 4m BOUND SUMMARY
//
// Signals of type `given` take targetSize, activationTargetSize and all common keys.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "config/node.h"
#include "config/params.h"
#include "core/text.h"
#include "core/units.h"
#include "policy/decision.h"
#include "policy/policy.h"
#include "scalers/registry.h"
#include "tests/testing/scaler_world.h"

namespace stoker::policy {
namespace {

constexpr const char* kFolder = "tests/golden/scenarios";
constexpr const char* kMend = "if this is what you want, run again with STOKER_UPDATE_GOLDEN=1";

bool Updating() { return std::getenv("STOKER_UPDATE_GOLDEN") != nullptr; }

scalers::Registry GivenSignals() {
  static const auto kTable =
      config::ParamTable<DemandRule>()
          .Add("targetSize", &DemandRule::target_size, {.help = "Value per replica."})
          .Add("activationTargetSize", &DemandRule::activation, {.help = "Active above it."});
  scalers::SignalType given;
  given.name = "given";
  given.params = kTable.infos();
  given.parse = [](const config::Node& node,
                   const scalers::SignalContext&,
                   scalers::SignalDefinition& definition,
                   config::Diagnostics& diagnostics) {
    kTable.Read(node, definition.demand, diagnostics);
  };
  scalers::Registry registry;
  registry.Add(std::move(given));
  return registry;
}

Policy ParseScenarioPolicy(const std::string& yaml, const std::string& file) {
  const testing::ScalerWorld world;
  const scalers::ConnectionSet connections;
  const scalers::SignalContext context{
      .connections = connections, .name_space = {}, .deps = world.deps};
  const scalers::Registry registry = GivenSignals();
  config::Diagnostics diagnostics;
  const auto node = config::ParseYaml(yaml, file, diagnostics);
  if (!node) return {};
  auto parsed = ParsePolicy("scenario", *node, diagnostics);
  if (parsed) {
    for (const NamedNode& named : parsed->signals) {
      const auto definition = registry.ParseSignal(named.node, context, diagnostics);
      if (!definition) continue;
      PolicySignal signal;
      signal.name = named.name;
      signal.type = definition->type;
      signal.timing = definition->timing;
      signal.demand = definition->demand;
      signal.on_empty = definition->on_empty;
      signal.on_fault = definition->on_fault.value_or(parsed->policy.on_fault);
      parsed->policy.signals.push_back(signal);
    }
    CheckPolicy(parsed->policy, *node, diagnostics);
  }
  EXPECT_TRUE(diagnostics.empty()) << diagnostics.ToString();
  return parsed ? parsed->policy : Policy{};
}

class Scenario {
 public:
  explicit Scenario(std::string file) : file_(std::move(file)) {}

  /// The file as it should be.
  std::string Run(std::istream& in) {
    std::string out;
    std::string yaml;
    bool in_policy = false;
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string first;
      words >> first;
      if (in_policy && (line.empty() || line[0] == ' ')) {
        yaml += line + "\n";
      } else if (first == "policy") {
        in_policy = true;
      } else if (!first.empty() && first[0] != '#') {
        if (in_policy) policy_ = ParseScenarioPolicy(yaml, file_);
        in_policy = false;
        if (first == "every") {
          words >> first;
          step_ = ParseDuration(first).value();
        } else if (first == "at") {
          std::string at;
          words >> at;
          line = "at " + at + " " + Decided(ParseDuration(at).value());
        } else {
          AddReadings(first, words);
        }
      }
      out += line + "\n";
    }
    EXPECT_GT(decisions_, 0) << file_ << " asks for no decision";
    return out;
  }

 private:
  void AddReadings(const std::string& signal, std::istringstream& words) {
    const auto known = std::find_if(
        policy_.signals.begin(), policy_.signals.end(), [&](const PolicySignal& candidate) {
          return candidate.name == signal;
        });
    if (known == policy_.signals.end()) {
      ADD_FAILURE() << file_ << ": no signal '" << signal << "'";
      return;
    }
    std::vector<Reading>& readings = readings_[signal];
    int& steps = steps_[signal];
    for (std::string word; words >> word;) {
      std::int64_t times = 1;
      if (const std::size_t x = word.find('x'); x != std::string::npos) {
        times = ParseInteger(word.substr(x + 1)).value();
        word.resize(x);
      }
      Reading reading;
      if (word == "empty") {
        reading.kind = Reading::Kind::kEmpty;
      } else if (word != "fault" && word != "-") {
        reading.kind = Reading::Kind::kValue;
        reading.at_least = word.back() == '+';
        if (reading.at_least) word.pop_back();
        reading.value = ParseNumber(word).value();
      }
      for (; times > 0; --times, ++steps) {
        reading.time = start_ + step_ * steps;
        if (word != "-") readings.push_back(reading);
      }
    }
  }

  std::string Decided(Duration at) {
    ++decisions_;
    const WallTime now = start_ + at;
    std::vector<SignalInput> inputs;
    for (const PolicySignal& signal : policy_.signals) {
      SignalInput input;
      input.window = std::make_shared<const std::vector<Reading>>(readings_[signal.name]);
      for (const Reading& reading : *input.window) {
        if (reading.time > now) break;
        input.last_error = reading.kind == Reading::Kind::kFault ? "connection refused" : "";
      }
      inputs.push_back(std::move(input));
    }
    const Decision decision = Decide(policy_, inputs, now);
    return std::string(BoundName(decision.bound)) + " " + Summarize(policy_, decision);
  }

  std::string file_;
  Policy policy_;
  WallTime start_ = testing::At("2026-01-05T00:00:00Z");
  Duration step_ = std::chrono::minutes(1);
  std::map<std::string, std::vector<Reading>> readings_;
  std::map<std::string, int> steps_;
  int decisions_ = 0;
};

std::vector<std::string> ScenarioFiles() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".test") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(Scenarios, DecideAsWritten) {
  const std::vector<std::string> files = ScenarioFiles();
  ASSERT_FALSE(files.empty());
  for (const std::string& file : files) {
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    const std::string actual = Scenario(file).Run(text);
    if (Updating()) {
      std::ofstream(file) << actual;
    } else {
      EXPECT_EQ(text.str(), actual) << file << ": " << kMend;
    }
  }
}

}  // namespace
}  // namespace stoker::policy
