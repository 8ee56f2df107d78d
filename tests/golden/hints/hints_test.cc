// What `stoker hints` writes. The charts suite holds the manifests against the schemas of
// those who read them.

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "config/node.h"
#include "tests/golden/golden_file.h"
#include "tests/testing/process.h"

namespace stoker {
namespace {

struct Case {
  std::string file;
  std::vector<std::string> arguments;
  std::string config = "stoker.yaml";
  int exit_code = 0;
};

std::ostream& operator<<(std::ostream& out, const Case& test) { return out << test.file; }

class HintsOutput : public ::testing::TestWithParam<Case> {};

TEST_P(HintsOutput, IsTheFileInTheTree) {
  const char* binary = std::getenv("STOKER_BIN");
  ASSERT_NE(binary, nullptr) << "STOKER_BIN must name the stoker binary; scripts/test sets it";
  const std::string folder = "tests/golden/hints/";
  std::vector<std::string> arguments{binary, "hints", "--config", folder + GetParam().config};
  arguments.insert(arguments.end(), GetParam().arguments.begin(), GetParam().arguments.end());
  const testing::TempFolder run;
  auto process = testing::Process::Start(arguments, run.path() + "/out");
  ASSERT_TRUE(process);
  EXPECT_EQ((*process)->Wait(std::chrono::seconds(20)), GetParam().exit_code);
  const std::string output = (*process)->Output();
  golden::ExpectFile(folder + GetParam().file, output);
  if (GetParam().file.ends_with(".yaml")) {
    config::Diagnostics diagnostics;
    EXPECT_TRUE(config::ParseYamlStream(output, "hints", diagnostics)) << diagnostics.ToString();
  }
  if (GetParam().file.ends_with(".json")) {
    EXPECT_TRUE(nlohmann::json::accept(output));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Golden,
    HintsOutput,
    ::testing::Values(
        Case{"flags.yaml", {"--format", "cluster-autoscaler-flags"}},
        Case{"flags-plain.yaml", {"--format", "cluster-autoscaler-flags"}, "plain.yaml"},
        Case{"flags.json", {"--format", "cluster-autoscaler-flags", "--output", "json"}},
        Case{"helm.yaml", {"--format", "cluster-autoscaler-helm"}},
        Case{"helm-plain.yaml", {"--format", "cluster-autoscaler-helm"}, "plain.yaml"},
        Case{"buffer.yaml", {"--format", "capacity-buffer", "--executors", "8"}},
        Case{"buffer.json", {"--format", "capacity-buffer", "--output", "json"}},
        Case{"request.yaml",
             {"--format", "provisioning-request", "--executors", "12", "--policy", "nightly"}},
        Case{"placeholder.yaml", {"--format", "placeholder", "-n", "data"}},
        Case{"placeholder-secured.yaml", {"--format", "placeholder"}, "secured.yaml"},
        Case{"flags-secured.yaml", {"--format", "cluster-autoscaler-flags"}, "secured.yaml"},
        Case{"priority-secured.yaml", {"--format", "priority-expander"}, "secured.yaml"},
        Case{"annotations.conf", {"--format", "pod-annotations"}},
        Case{"priority.yaml", {"--format", "priority-expander"}},
        Case{"quota.yaml", {"--format", "quota"}},
        Case{"no-groups.txt", {"--format", "priority-expander"}, "plain.yaml", 2},
        Case{"no-buffer.txt", {"--format", "capacity-buffer"}, "plain.yaml", 2},
        Case{"other-mechanism.txt",
             {"--format", "capacity-buffer", "--policy", "connect"},
             "stoker.yaml",
             2},
        Case{"no-executor.txt", {"--format", "quota", "--policy", "plain"}, "plain.yaml", 2},
        Case{"explain-no-executor.txt", {"--explain"}, "no-capacity.yaml", 2},
        Case{"explain-unreachable.txt",
             {"--explain", "--kubeconfig", "tests/golden/hints/unreachable-kubeconfig.yaml"},
             "stoker.yaml",
             3},
        Case{"explain-exec.txt",
             {"--explain", "--kubeconfig", "tests/golden/hints/exec-kubeconfig.yaml"},
             "stoker.yaml",
             3},
        Case{"no-policy.txt", {"--format", "quota", "--policy", "etk"}, "stoker.yaml", 2}),
    [](const auto& test) {
      std::string name = test.param.file;
      for (char& c : name) {
        if (c == '-' || c == '.') c = '_';
      }
      return name;
    });

}  // namespace
}  // namespace stoker
