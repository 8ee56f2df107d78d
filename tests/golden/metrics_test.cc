// Compares the metrics that Stoker really serves with tests/golden/metrics.txt, and that list with
// the table in docs/reference/metrics.md.

#include "adapter/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/text.h"
#include "tests/golden/golden_file.h"
#include "tests/testing/fakes.h"
#include "tests/unit/adapter/sample_decisions.h"

namespace stoker::adapter {
namespace {

constexpr char kPromtool[] = "/usr/bin/promtool";
/// Everything there is, each with at least one series.
std::string RenderAll() {
  const testing::FakeClock clock;
  const SampleDecisions world = SampleWorld();
  Metrics metrics(clock, "0.0.0");
  metrics.OnConfigReload(true);
  metrics.OnDecision("etl", policy::Bound::kNone);
  metrics.OnGrpcRequest("GetMetrics", "OK", std::chrono::milliseconds(1));
  metrics.OnPoll("lake", "s3", "ok", std::chrono::milliseconds(20));
  metrics.OnPeers(1, 0);
  metrics.OnExpanderChoice("spot");
  metrics.OnExpanderOption("chosen");
  metrics.OnCapacity({.wanted_nodes = {{"m5.2xlarge", 7}},
                      .buffer_replicas = {{"etl", 4}},
                      .up = {{"etl", true}}});
  metrics.OnUpstreamRequest("lake", 200);
  return metrics.Render(world, true);
}

struct Family {
  std::string type;
  std::string help;
  std::set<std::string> labels;
};

/// Label names of a sample line; values hold no '=' here.
std::set<std::string> LabelNames(std::string_view sample) {
  std::set<std::string> names;
  const std::size_t open = sample.find('{');
  if (open == std::string_view::npos) return names;
  for (const std::string_view pair :
       Split(sample.substr(open + 1, sample.rfind('}') - open - 1), ',')) {
    const std::string_view name = pair.substr(0, pair.find('='));
    if (name != "le") names.emplace(name);  // belongs to the type, not to the metric
  }
  return names;
}

std::map<std::string, Family> Families(const std::string& exposition) {
  std::map<std::string, Family> families;
  Family* current = nullptr;
  for (const std::string_view line : Split(exposition, '\n')) {
    if (line.empty()) continue;
    if (line.starts_with("# ")) {
      const bool help = line.starts_with("# HELP ");
      const std::string_view rest = line.substr(7);
      const std::size_t space = rest.find(' ');
      current = &families[std::string(rest.substr(0, space))];
      (help ? current->help : current->type) = std::string(rest.substr(space + 1));
    } else if (current != nullptr) {
      current->labels.merge(LabelNames(line));
    }
  }
  return families;
}

std::string Joined(const std::set<std::string>& names, const std::string& separator) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : separator) + name;
  return text;
}

/// One line each: name type {labels} help.
std::string List(const std::map<std::string, Family>& families) {
  std::string text;
  for (const auto& [name, family] : families) {
    text +=
        name + " " + family.type + " {" + Joined(family.labels, ",") + "} " + family.help + "\n";
  }
  return text;
}

std::string Table(const std::map<std::string, Family>& families) {
  std::string text = "| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n";
  for (const auto& [name, family] : families) {
    const std::string labels =
        family.labels.empty() ? "" : "`" + Joined(family.labels, "`, `") + "`";
    text += "| `" + name + "` | " + family.type + " | " + labels + " | " + family.help + " |\n";
  }
  return text;
}

TEST(MetricsGolden, TheListIsTheGoldenOne) {
  golden::ExpectFile("tests/golden/metrics.txt", List(Families(RenderAll())));
}

TEST(MetricsGolden, TheReferencePageShowsTheSameList) {
  golden::ExpectSection("docs/reference/metrics.md", "metrics", Table(Families(RenderAll())));
}

TEST(MetricsGolden, PromtoolFindsNothingToSay) {
  ASSERT_TRUE(std::ifstream(kPromtool).good())
      << "install promtool (Debian: apt-get install prometheus)";
  const std::string input = ::testing::TempDir() + "stoker_metrics_golden.prom";
  golden::WriteFile(input, RenderAll());
  const std::string command = std::string(kPromtool) + " check metrics < '" + input + "' 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string complaints;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    complaints += static_cast<char>(c);
  }
  EXPECT_EQ(pclose(pipe), 0) << complaints;
  EXPECT_EQ(complaints, "");
  std::remove(input.c_str());
}

}  // namespace
}  // namespace stoker::adapter
