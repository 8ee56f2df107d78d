// Every form in which `rightsize` answers is a file here; those in YAML and JSON are also read
// back.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/command.h"
#include "cli/rightsize.h"
#include "config/node.h"
#include "core/text.h"
#include "core/units.h"
#include "tests/golden/golden_file.h"

namespace stoker {
namespace {

constexpr const char* kFolder = "tests/golden/rightsizing/";

struct Answer {
  int exit_code = 0;
  std::string out;
  std::string err;
};

/// Runs `rightsize` with arguments as typed (no quotes), and with prices that stay.
Answer Ask(const std::string& line) {
  std::vector<std::string> arguments;
  for (const std::string_view word : Split(line, ' ')) arguments.emplace_back(word);
  if (line != "--help") {
    arguments.insert(arguments.end(), {"--price-file", std::string(kFolder) + "prices.yaml"});
  }
  const SystemFileSystem files;
  std::ostringstream out;
  std::ostringstream err;
  const int exit_code = cli::Rightsize(std::move(arguments), files, out, err);
  return {.exit_code = exit_code, .out = out.str(), .err = err.str()};
}

struct Case {
  std::string file;
  std::string line;
};

void PrintTo(const Case& answer, std::ostream* out) { *out << answer.file; }

class Rightsize : public ::testing::TestWithParam<Case> {};

TEST_P(Rightsize, AnswersAsTheFileSays) {
  const Answer answer = Ask(GetParam().line);
  EXPECT_EQ(answer.exit_code, cli::kOk);
  EXPECT_EQ(answer.err, "");
  golden::ExpectFile(kFolder + GetParam().file, answer.out);
  if (GetParam().file.ends_with(".yaml")) {
    config::Diagnostics diagnostics;
    EXPECT_TRUE(config::ParseYaml(answer.out, "answer", diagnostics)) << diagnostics.ToString();
  }
  if (GetParam().file.ends_with(".json")) {
    EXPECT_TRUE(nlohmann::json::accept(answer.out));
  }
}

constexpr const char* kSpot =
    "--data-size 1TB --executor-preset large --node-type m5.2xlarge --spot";

INSTANTIATE_TEST_SUITE_P(
    Golden,
    Rightsize,
    ::testing::Values(
        Case{"help.txt", "--help"},
        Case{"report.txt", "--data-size 1TB"},
        Case{"report-cluster.txt",
             "--data-size 100TB --executor-preset large --cluster-cores 500 --cluster-memory 2000"},
        Case{"report-spot-explained.txt", std::string(kSpot) + " --explain"},
        Case{"report-evidence.txt",
             "--data-size 2TB --executor-preset large --pyspark --off-heap 1g --evidence "
             "tests/golden/rightsizing/evidence.json"},
        Case{"report-advice.txt",
             "--data-size 2TB --executor-cores 16 --executor-memory 40g --executor-memory-overhead "
             "256m --conf spark.shuffle.service.enabled=true --conf spark.memory.fraction=0.8"},
        Case{"report-streaming.txt",
             "--data-size 6GB --workload streaming --target-duration 1m --spark-version 3.5"},
        Case{"summary.txt", "--data-size 1GB --output text"},
        Case{"answer.json", "--data-size 1TB --output json"},
        Case{"answer.yaml", std::string(kSpot) + " --explain --output yaml"},
        Case{"compare-presets.txt", "--data-size 1TB --compare small,medium,large,xlarge"},
        Case{"compare-nodes.txt",
             "--data-size 1TB --executor-preset xlarge --spot --compare "
             "m5.large,m5.2xlarge,r5.4xlarge"},
        Case{"compare.json", "--data-size 1TB --compare small,m5.2xlarge --output json"},
        Case{"helm-values.yaml", "--data-size 5TB --executor-preset medium --helm-values"},
        Case{"helm-values-spot.yaml", std::string(kSpot) + " --format helm-values"},
        Case{"spark-submit.sh", "--data-size 1TB --pyspark --format spark-submit"},
        Case{"spark-defaults.conf", std::string(kSpot) + " --format spark-defaults"},
        Case{"spark-application.yaml", std::string(kSpot) + " --format spark-application"},
        Case{"spark-application-python.yaml",
             "--data-size 500GB --pyspark-memory 2g --workload streaming --format "
             "spark-application"},
        Case{"spark-connect.sh", "--data-size 1TB --spark-version 3.5 --format spark-connect"}),
    [](const auto& param_info) {
      std::string name = param_info.param.file;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
      return name;
    });

struct TableRow {
  const char* data;
  const char* preset;
  const char* target;
  const char* cluster;  ///< as options
};

TEST(SizingPage, TableIsWhatIsComputed) {
  std::string table =
      "| Data | Preset | Target | Cluster | Executors | Cores | Pods' memory | Duration | Bound by "
      "|\n"
      "|---|---|---|---|---|---|---|---|---|\n";
  for (const TableRow& row : {TableRow{"100MB", "medium", "15m", ""},
                              TableRow{"1GB", "small", "15m", ""},
                              TableRow{"1GB", "medium", "15m", ""},
                              TableRow{"50GB", "medium", "15m", ""},
                              TableRow{"1TB", "medium", "15m", ""},
                              TableRow{"1TB", "large", "15m", ""},
                              TableRow{"1TB", "large", "1h", ""},
                              TableRow{"10TB", "large", "15m", ""},
                              TableRow{"10TB", "large", "15m", "500 cores, 2000 GiB"},
                              TableRow{"100TB", "large", "15m", "500 cores, 2000 GiB"},
                              TableRow{"100TB", "xlarge", "2h", "2000 cores, 8000 GiB"}}) {
    std::string line = std::string("--data-size ") + row.data + " --executor-preset " + row.preset +
                       " --target-duration " + row.target + " --output json";
    const std::string cluster = row.cluster;
    if (!cluster.empty()) {
      line += " --cluster-cores " + cluster.substr(0, cluster.find(' ')) + " --cluster-memory " +
              cluster.substr(cluster.find(", ") + 2, cluster.rfind(' ') - cluster.find(", ") - 2);
    }
    const Answer answer = Ask(line);
    ASSERT_EQ(answer.exit_code, cli::kOk) << answer.err;
    const nlohmann::json json = nlohmann::json::parse(answer.out);
    const auto gibibytes = json.at("total_memory_mb").get<std::int64_t>() / 1024;
    const auto seconds = json.at("predicted_duration_ms").get<std::int64_t>() / 1000;
    table += std::string("| ") + row.data + " | " + row.preset + " | " + row.target + " | " +
             cluster + " | " + json.at("num_executors").dump() + " | " +
             json.at("total_cores").dump() + " | " + std::to_string(gibibytes) + " GiB | " +
             FormatDuration(std::chrono::seconds(seconds)) + " | `" +
             json.at("binding_constraint").get<std::string>() + "` |\n";
  }
  golden::ExpectSection("docs/explanation/sizing.md", "sizing-table", table);
}

TEST(RightsizeMistake, IsOneLineWithTheMendAndNothingElse) {
  std::string text;
  for (const std::string line :
       {"",
        "--data-size 0",
        "--data-size 0GB",
        "--data-size -5GB",
        "--data-size 100",
        "--data-size NaN",
        "--data-size ten",
        "--data-size 9999999P",
        "--data-size 2P --throughput 1k",
        "--data-size 1TB --executor-preset huge",
        "--data-size 1TB --executor-cores 0",
        "--data-size 1TB --executor-memory 100m",
        "--data-size 1TB --cluster-cores 1",
        "--data-size 1TB --cluster-cores 0",
        "--data-size 1TB --cluster-memory 2",
        "--data-size 1TB --cluster-memory -2",
        "--data-size 1TB --node-type m5.2xlrge",
        "--data-size 1TB --node 8",
        "--data-size 1TB --node 2,4Gi --executor-preset large",
        "--data-size 1TB --node 8,32Gi --node-type m5.2xlarge",
        "--data-size 1TB --nodes 3",
        "--data-size 1TB --target-duration 15",
        "--data-size 1TB --target-duration 0s",
        "--data-size 1TB --workload batch",
        "--data-size 1TB --shuffle-ratio nan",
        "--data-size 1TB --shuffle-ratio -1",
        "--data-size 1TB --throughput 12",
        "--data-size 1TB --spark-version 2.4",
        "--data-size 1TB --spark-version 3.3 --format spark-connect",
        "--data-size 1TB --conf spark.executor.memory=9g",
        "--data-size 1TB --conf nonsense",
        "--data-size 1TB --output xml",
        "--data-size 1TB --format toml",
        "--data-size 1TB --output json --helm-values",
        "--data-size 1TB --compare small,nothing-like-it --format helm-values",
        "--data-size 1TB --compare nothing-like-it",
        "--data-size 1TB --evidence /nowhere.json",
        "--data-size 1TB --bogus",
        "1TB"}) {
    const Answer answer = Ask(line);
    EXPECT_EQ(answer.exit_code, cli::kUsage) << line;
    EXPECT_EQ(answer.out, "") << line;
    EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
    text += "$ rightsize " + line + "\n" + answer.err;
  }
  golden::ExpectFile(std::string(kFolder) + "mistakes.txt", text);
}

}  // namespace
}  // namespace stoker
