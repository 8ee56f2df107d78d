// docs/reference/config.md is generated from the same tables that parse the configuration, and the
// help texts of the commands are files, so that a change of either shows in review.

#include <gtest/gtest.h>

#include <cstdlib>

#include "adapter/server_config.h"
#include "policy/policy.h"
#include "scalers/registry.h"
#include "tests/golden/golden_file.h"
#include "tests/testing/process.h"

namespace stoker {
namespace {

std::string ConfigReference() {
  scalers::Registry registry;
  scalers::RegisterBuiltinScalers(registry);
  std::string page = R"(# Configuration

Generated from the tables that read it; `stoker check` names the file, line and key of every mistake.

A file starts with `apiVersion: stoker/v1`. Several files, or a folder of `*.yaml`, are merged: each policy and each key is given once. Any
scalar can be overridden by an environment variable: `STOKER_SERVER__GRPC__LISTEN=0.0.0.0:7000` sets `server.grpc.listen`. Sizes are
binary (`1GiB` = `1GB` = `1g`), durations need their unit (`15s`, `5m`, `1h30m`).

Files are looked at five times a second and on SIGHUP. A configuration with a mistake is refused whole and the one before stays in force.
Listeners, TLS files and `http.auth` take effect at the next start; everything else at once.

## server

)";
  page += config::MarkdownTable(adapter::ServerParams());
  page +=
      "\n## connections\n\n`connections.TYPE.NAME`. A connection is an upstream with its "
      "credentials; signals name it.\n";
  for (const scalers::ConnectionType& type : registry.connection_types()) {
    page +=
        "\n### " + type.name + "\n\n" + type.summary + "\n\n" + config::MarkdownTable(type.params);
  }
  page +=
      "\n## policies\n\n`policies.NAME`. [How a number comes about](../explanation/decision.md) "
      "says what they do.\n\n";
  page += config::MarkdownTable(policy::PolicyParams());
  page += "\n## signals\n\n`policies.NAME.signals.NAME`. Every signal takes `type` and\n\n";
  page += config::MarkdownTable(scalers::CommonSignalParams());
  for (const scalers::SignalType& type : registry.signal_types()) {
    page += "\n### " + type.name + "\n\n" + type.summary + "\n\n";
    if (!type.allowed_inline) page += "Never allowed in trigger metadata.\n\n";
    page += config::MarkdownTable(type.params);
  }
  return page;
}

TEST(Reference, ConfigurationPageIsWhatTheTablesSay) {
  golden::ExpectFile("docs/reference/config.md", ConfigReference());
}

class Help : public ::testing::TestWithParam<std::string> {};

/// Runs the binary and gives back what it printed.
std::string RunStoker(std::vector<std::string> arguments, int exit_code) {
  const char* binary = std::getenv("STOKER_BIN");
  if (binary == nullptr) {
    ADD_FAILURE() << "STOKER_BIN must name the stoker binary; scripts/test sets it";
    return "";
  }
  arguments.insert(arguments.begin(), binary);
  const testing::TempFolder folder;
  auto process = testing::Process::Start(arguments, folder.path() + "/out");
  if (!process) return process.error().message;
  EXPECT_EQ((*process)->Wait(std::chrono::seconds(20)), exit_code);
  return (*process)->Output();
}

TEST_P(Help, IsTheFileInTheTree) {
  std::vector<std::string> arguments{"--help"};
  if (GetParam() != "stoker") arguments.insert(arguments.begin(), GetParam());
  golden::ExpectFile("tests/golden/help/" + GetParam() + ".txt", RunStoker(arguments, 0));
}

TEST(CommandLine, UnknownCommandsAreNamedWithTheNearest) {
  EXPECT_EQ(RunStoker({"simulte"}, 2),
            "stoker: there is no command 'simulte'; did you mean 'simulate'?\n"
            "Run `stoker --help` for usage.\n");
  EXPECT_EQ(RunStoker({"frobnicate", "--help"}, 2),
            "stoker: there is no command 'frobnicate'\nRun `stoker --help` for usage.\n");
}

INSTANTIATE_TEST_SUITE_P(
    Golden, Help, ::testing::Values("stoker", "serve", "check", "explain", "query", "simulate"));

}  // namespace
}  // namespace stoker
