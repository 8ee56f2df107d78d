// What `stoker simulate` prints for one day of a made-up backlog: 40 to 190 of it, an hour in which
// polls fail, and half an hour in which the upstream has nothing to say.

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/golden/golden_file.h"
#include "tests/testing/process.h"

namespace stoker {
namespace {

struct Case {
  std::string file;
  std::vector<std::string> arguments;
  int exit_code = 0;
};

std::ostream& operator<<(std::ostream& out, const Case& test) { return out << test.file; }

class SimulationOutput : public ::testing::TestWithParam<Case> {};

TEST_P(SimulationOutput, IsTheFileInTheTree) {
  const char* binary = std::getenv("STOKER_BIN");
  ASSERT_NE(binary, nullptr) << "STOKER_BIN must name the stoker binary; scripts/test sets it";
  const std::string folder = "tests/golden/simulation/";
  std::vector<std::string> arguments{binary, "simulate", "-c", folder + "stoker.yaml"};
  arguments.insert(arguments.end(), GetParam().arguments.begin(), GetParam().arguments.end());
  const testing::TempFolder run;
  auto process = testing::Process::Start(arguments, run.path() + "/out");
  ASSERT_TRUE(process);
  EXPECT_EQ((*process)->Wait(std::chrono::seconds(20)), GetParam().exit_code);
  golden::ExpectFile(folder + GetParam().file, (*process)->Output());
}

const std::vector<std::string> kCsv = {"--csv", "tests/golden/simulation/day.csv"};

std::vector<std::string> With(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), kCsv.begin(), kCsv.end());
  return arguments;
}

INSTANTIATE_TEST_SUITE_P(
    Golden,
    SimulationOutput,
    ::testing::Values(
        Case{"table.txt", With({})},
        Case{"plot.txt", With({"--plot", "--timeline", "none"})},
        Case{"plot-ascii.txt", With({"--plot", "--ascii", "--width", "60", "--timeline", "none"})},
        Case{"steps.txt", With({"--timeline", "all", "--step", "2h", "--startup", "5m"})},
        Case{"changes.json", With({"--policy", "steady", "--output", "json"})},
        Case{"steps.json",
             With({"--policy", "steady", "--output", "json", "--timeline", "all", "--step", "6h"})},
        Case{"cut.txt", With({"--from", "2026-01-05T12:00:00Z", "--to", "2026-01-05T14:00:00Z"})},
        Case{"row-age.txt", With({"--row-age", "2m", "--timeline", "none"})},
        Case{"no-policy.txt", With({"--policy", "stedy"}), 2},
        Case{"no-range.txt", {}, 2},
        Case{"no-column.txt", {"--csv", "tests/golden/simulation/other.csv"}, 2},
        Case{"backwards.txt", With({"--to", "2026-01-04T00:00:00Z"}), 2},
        Case{"bad-time.txt", With({"--from", "yesterday"}), 2}),
    [](const auto& param) {
      std::string name = param.param.file.substr(0, param.param.file.find('.')) +
                         (param.param.file.ends_with("json") ? "_json" : "");
      for (char& c : name) c = c == '-' ? '_' : c;
      return name;
    });

}  // namespace
}  // namespace stoker
