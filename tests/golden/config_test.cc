// One *.bad.yaml per mistake, with its exact message at its end after `# expect: `. Run with
// STOKER_UPDATE_GOLDEN=1 to write the messages anew, then read the diff.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "adapter/compile.h"
#include "adapter/trigger.h"
#include "config/document.h"
#include "tests/testing/scaler_world.h"

namespace stoker::adapter {
namespace {

constexpr std::string_view kExpect = "# expect: ";

std::vector<std::string> BadFiles(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator("tests/golden/" + folder)) {
    if (entry.path().string().ends_with(".bad.yaml")) files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

struct Workshop : testing::ScalerWorld {
  Workshop() { scalers::RegisterBuiltinScalers(registry); }
  scalers::Registry registry;
};

/// Compares what came out with the file's own expectation, or writes that anew.
void Hold(const std::string& file, const std::string& got) {
  std::ifstream input(file);
  std::string line;
  std::string body;
  std::string expected;
  while (std::getline(input, line)) {
    if (line.starts_with(kExpect)) {
      expected += line.substr(kExpect.size()) + "\n";
    } else {
      body += line + "\n";
    }
  }
  input.close();
  ASSERT_FALSE(got.empty()) << file << " is accepted, but it holds a mistake";
  if (std::getenv("STOKER_UPDATE_GOLDEN") != nullptr) {
    std::ofstream output(file);
    output << body;
    std::istringstream lines(got);
    while (std::getline(lines, line)) output << kExpect << line << "\n";
    return;
  }
  EXPECT_EQ(got, expected) << file << ": run with STOKER_UPDATE_GOLDEN=1 if this is meant";
}

std::string Terminated(std::string text) {
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  return text;
}

/// The file's name as gtest takes it.
std::string CaseName(const ::testing::TestParamInfo<std::string>& test) {
  std::string name = std::filesystem::path(test.param).stem().stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class BadConfig : public ::testing::TestWithParam<std::string> {};

TEST_P(BadConfig, HasItsExactMessage) {
  Workshop workshop;
  std::ifstream input(GetParam());
  const std::string text((std::istreambuf_iterator<char>(input)), std::istreambuf_iterator<char>());
  config::Diagnostics diagnostics;
  const Result<config::Document> document =
      config::ParseDocument(text, "stoker.yaml", workshop.environment, diagnostics);
  if (document) {
    EXPECT_EQ(nullptr,
              CompileConfig(*document, workshop.registry, workshop.deps, nullptr, diagnostics));
  }
  Hold(GetParam(), Terminated(diagnostics.ToString()));
}

INSTANTIATE_TEST_SUITE_P(Golden, BadConfig, ::testing::ValuesIn(BadFiles("config")), CaseName);

/// `metadata` of a trigger in namespace team-a, against a configuration that allows inline objects.
class BadMetadata : public ::testing::TestWithParam<std::string> {};

TEST_P(BadMetadata, HasItsExactMessageAndShowsNoValue) {
  Workshop workshop;
  std::ifstream input(GetParam());
  const std::string text((std::istreambuf_iterator<char>(input)), std::istreambuf_iterator<char>());
  config::Diagnostics diagnostics;
  const Result<config::Document> document = config::ParseDocument(R"(
apiVersion: stoker/v1
server: {inline: {enabled: true, trust: network}}
connections:
  prometheus: {main: {url: "http://prometheus:9090"}}
  s3:
    lake: {region: us-east-1, buckets: [spark-jobs]}
    private: {region: eu-west-1, namespaces: [team-b]}
  spark: {apps: {driverUrl: "http://{application}-ui-svc.{namespace}.svc:4040"}}
policies:
  etl:
    replicas: {min: 1, max: 10}
    signals: {hours: {type: cron, timezone: UTC, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: 3}}
  private:
    namespaces: [team-b]
    signals: {hours: {type: cron, timezone: UTC, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: 3}}
)",
                                                                  "stoker.yaml",
                                                                  workshop.environment,
                                                                  diagnostics);
  ASSERT_TRUE(document) << diagnostics.ToString();
  const auto config =
      CompileConfig(*document, workshop.registry, workshop.deps, nullptr, diagnostics);
  ASSERT_NE(config, nullptr) << diagnostics.ToString();

  const Result<config::Node> root = config::ParseYaml(text, GetParam(), diagnostics);
  ASSERT_TRUE(root) << diagnostics.ToString();
  std::map<std::string, std::string> metadata;
  for (const config::Node::Entry& entry : root->entries()) {
    metadata[entry.key] = entry.value.scalar();
  }
  std::string got;
  const auto tell = [&got](const Error& error) {
    got = std::string(ErrorCodeName(error.code)) + ": " + error.message;
  };
  const Result<Trigger> trigger = ReadTrigger(metadata);
  if (!trigger) {
    tell(trigger.error());
  } else if (!trigger->is_inline()) {
    const Status use = CheckPolicyUse(*trigger, "team-a", *config);
    if (!use) tell(use.error());
  } else {
    const Result<CompiledPolicy> compiled =
        CompileInline(*trigger, "team-a", *config, workshop.registry, workshop.deps);
    if (!compiled) tell(compiled.error());
  }
  EXPECT_EQ(got.find("s3cr3t"), std::string::npos) << "a value of the metadata is shown";
  Hold(GetParam(), Terminated(got));
}

INSTANTIATE_TEST_SUITE_P(Golden, BadMetadata, ::testing::ValuesIn(BadFiles("metadata")), CaseName);

}  // namespace
}  // namespace stoker::adapter
