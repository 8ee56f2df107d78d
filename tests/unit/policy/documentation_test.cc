// The worked example of docs/explanation/decision.md is computed here, from the policy that the
// page shows; the page must hold exactly what comes out.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "config/node.h"
#include "core/text.h"
#include "core/units.h"
#include "policy/decision.h"
#include "policy/policy.h"

namespace stoker::policy {
namespace {

using namespace std::chrono_literals;

constexpr const char* kPage = "docs/explanation/decision.md";

std::string ReadPage() {
  std::ifstream file(kPage);
  EXPECT_TRUE(file) << "run from the source tree";
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The policy in the page's first yaml block.
Policy PolicyOfPage(const std::string& page) {
  const std::string open = "```yaml\n";
  const std::size_t begin = page.find(open) + open.size();
  config::Diagnostics diagnostics;
  const auto root =
      config::ParseYaml(page.substr(begin, page.find("```", begin) - begin), kPage, diagnostics);
  EXPECT_TRUE(root) << diagnostics.ToString();
  const config::Node* node = root->Find("policies")->Find("etl");
  auto parsed = ParsePolicy("etl", *node, diagnostics);
  EXPECT_TRUE(parsed) << diagnostics.ToString();
  for (const NamedNode& named : parsed->signals) {
    PolicySignal signal;
    signal.name = named.name;
    signal.on_fault = parsed->policy.on_fault;
    signal.timing.interval = 1min;
    if (const config::Node* size = named.node.Find("targetSize")) {
      signal.demand.target_size = ParseNumber(size->scalar()).value();
    }
    parsed->policy.signals.push_back(signal);
  }
  return parsed->policy;
}

WallTime Clock(int hour, int minute, int second = 0) {
  return ParseTime("2026-01-05T00:00:00Z").value() + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + std::chrono::seconds(second);
}

/// A day, read every minute. The scheduled hours are 08:00 to 18:00.
std::vector<SignalInput> Day() {
  const WallTime failing_from = Clock(9, 6);
  const WallTime failing_until = Clock(9, 10);
  const WallTime broken_from = Clock(19, 0);
  std::vector<Reading> backlog;
  std::vector<Reading> hours;
  for (WallTime at = Clock(9, 0); at <= Clock(20, 0); at += 1min) {
    Reading reading{at, Reading::Kind::kValue, 0, false};
    hours.push_back(reading);
    hours.back().value = at < Clock(18, 0) ? 10 : 0;
    if (at < Clock(9, 5)) {
      reading.value = 60;
    } else if (at < failing_from) {
      reading.value = 95;
    } else if (at < Clock(17, 0)) {
      reading.value = 10;
    }
    if ((at >= failing_from && at < failing_until) || at >= broken_from) {
      reading.kind = Reading::Kind::kFault;
    }
    backlog.push_back(reading);
  }
  std::vector<SignalInput> inputs(2);
  inputs[0].window = std::make_shared<const std::vector<Reading>>(std::move(backlog));
  inputs[0].last_error = "connection refused";
  inputs[1].window = std::make_shared<const std::vector<Reading>>(std::move(hours));
  return inputs;
}

std::string Round(double value) { return FormatNumber(std::round(value * 100) / 100); }

std::string Row(const Policy& policy, const std::vector<SignalInput>& day, WallTime now) {
  const Decision decision = Decide(policy, day, now);
  const SignalDecision& backlog = decision.signals[0];
  const std::string time = FormatTime(now).substr(11, 5);
  const std::string read = backlog.up      ? FormatNumber(*backlog.value)
                           : backlog.value ? FormatNumber(*backlog.value) + " (held)"
                                           : "failing";
  const std::string hours = FormatNumber(*decision.signals[1].value);
  if (decision.error) {
    return "| " + time + " | " + read + " | " + hours + " | | | | | | UNAVAILABLE | fault |\n";
  }
  return "| " + time + " | " + read + " | " + hours + " | " + Round(decision.combined) + " | " +
         Round(decision.with_headroom) + " | " + Round(decision.clamped) + " | " +
         Round(decision.stabilized) + " | " + Round(decision.stepped) + " | " +
         std::to_string(decision.target_replicas) + " | " + std::string(BoundName(decision.bound)) +
         " |\n";
}

TEST(Documentation, WorkedExampleIsWhatHappens) {
  const std::string page = ReadPage();
  const Policy policy = PolicyOfPage(page);
  const std::vector<SignalInput> day = Day();
  std::string table =
      "| Time | backlog | hours | combined | headroom | min/max | stabilization | step | target | "
      "bound |\n|---|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& [hour, minute] : std::vector<std::pair<int, int>>{{9, 0},
                                                                     {9, 5},
                                                                     {9, 7},
                                                                     {9, 10},
                                                                     {9, 15},
                                                                     {9, 16},
                                                                     {17, 59},
                                                                     {18, 0},
                                                                     {18, 5},
                                                                     {18, 6},
                                                                     {18, 16},
                                                                     {18, 17},
                                                                     {19, 29},
                                                                     {19, 30}}) {
    table += Row(policy, day, Clock(hour, minute));
  }
  EXPECT_NE(page.find(table), std::string::npos) << "put this into " << kPage << ":\n" << table;

  std::string said;
  for (const WallTime now : {Clock(9, 5), Clock(9, 7), Clock(9, 15), Clock(18, 5), Clock(19, 30)}) {
    said +=
        FormatTime(now).substr(11, 5) + "  " + Summarize(policy, Decide(policy, day, now)) + "\n";
  }
  EXPECT_NE(page.find(said), std::string::npos) << "put this into " << kPage << ":\n" << said;
}

}  // namespace
}  // namespace stoker::policy
