// docs/reference/config.md and stoker.schema.json are generated from the same tables that parse the
// configuration, cli.md from the help texts of the commands, so that a change of either shows in
// review. scripts/update-reference writes them anew.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "adapter/server_config.h"
#include "capacity/capacity_config.h"
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

Generated from the tables that read it; `stoker check` names the file, line and key of every mistake, and editors read the same from
[stoker.schema.json](stoker.schema.json) ([how](../README.md#editors)).

A file starts with `apiVersion: stoker/v1`. Several files, or a folder of `*.yaml`, are merged: each policy and each key is given once. Any
scalar can be overridden by an environment variable: `STOKER_SERVER__GRPC__LISTEN=0.0.0.0:7000` sets `server.grpc.listen`. Sizes are
binary (`1GiB` = `1GB` = `1g`), durations need their unit (`15s`, `5m`, `1h30m`).

Files are looked at five times a second and on SIGHUP. A configuration with a mistake is refused whole and the one before stays in force.
Connections, policies and `capacity` change at once, and of `server` so do `inline` and `manual.enabled`; the rest of it takes effect at the next
start, and the log says so. What is in files of certificates, keys and tokens is read again as it changes.

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
  page +=
      "\n## capacity\n\n[Nodes before executors](../explanation/capacity.md) says what they "
      "do.\n\n";
  page += config::MarkdownTable(capacity::CapacityParams());
  page += "\n`capacity.nodeShapes` takes names of the price lists, or maps of\n\n";
  page += config::MarkdownTable(capacity::NodeShapeParams());
  return page;
}

TEST(Reference, ConfigurationPageIsWhatTheTablesSay) {
  golden::ExpectFile("docs/reference/config.md", ConfigReference());
}

TEST(Reference, EverySignalHasAPageWithItsParameters) {
  scalers::Registry registry;
  scalers::RegisterBuiltinScalers(registry);
  for (const scalers::SignalType& type : registry.signal_types()) {
    golden::ExpectSection("docs/reference/signals/" + type.name + ".md",
                          "parameters",
                          config::MarkdownTable(type.params));
  }
}

/// Runs the binary and gives back what it printed.
std::string RunProgram(const std::string& name, std::vector<std::string> arguments, int exit_code) {
  const char* stoker = std::getenv("STOKER_BIN");
  if (stoker == nullptr) {
    ADD_FAILURE() << "STOKER_BIN must name the stoker binary; scripts/test sets it";
    return "";
  }
  arguments.insert(arguments.begin(),
                   (std::filesystem::path(stoker).parent_path() / name).string());
  const testing::TempFolder folder;
  auto process = testing::Process::Start(arguments, folder.path() + "/out");
  if (!process) return process.error().message;
  EXPECT_EQ((*process)->Wait(std::chrono::seconds(20)), exit_code);
  return (*process)->Output();
}

std::string RunStoker(std::vector<std::string> arguments, int exit_code) {
  return RunProgram("stoker", std::move(arguments), exit_code);
}

/// The commands that `stoker --help` lists.
std::vector<std::string> Subcommands(const std::string& help) {
  std::vector<std::string> names;
  std::istringstream lines(help.substr(help.find("Subcommands:\n")));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line) && line.starts_with("  ")) {
    if (line[2] != ' ') names.push_back(line.substr(2, line.find(' ', 2) - 2));
  }
  return names;
}

TEST(Reference, CommandLinePageIsWhatTheProgramsSay) {
  const std::string stoker = RunStoker({"--help"}, 0);
  std::string page = R"(# Command line

Two programs: `stoker`, the service and what goes with it, and `rightsize`, which sizes executors and needs no service. This page is what
they say of themselves.

Data goes to standard output, remarks to standard error. `--output json` is for programs: JSON alone, with keys that stay.

## stoker

)";
  const auto block = [](const std::string& text) { return "```text\n" + text + "```\n"; };
  page += block(stoker);
  const std::vector<std::string> commands = Subcommands(stoker);
  EXPECT_GE(commands.size(), 5U);
  for (const std::string& command : commands) {
    page += "\n## stoker " + command + "\n\n" + block(RunStoker({command, "--help"}, 0));
  }
  page += "\n## rightsize\n\n" + block(RunProgram("rightsize", {"--help"}, 0));
  golden::ExpectFile("docs/reference/cli.md", page);
}

TEST(Reference, SchemaIsWhatTheTablesSay) {
  golden::ExpectFile("docs/reference/stoker.schema.json", RunStoker({"schema"}, 0));
}

TEST(CommandLine, UnknownCommandsAreNamedWithTheNearest) {
  EXPECT_EQ(RunStoker({"simulte"}, 2),
            "stoker: there is no command 'simulte'; did you mean 'simulate'?\n"
            "Run `stoker --help` for usage.\n");
  EXPECT_EQ(RunStoker({"frobnicate", "--help"}, 2),
            "stoker: there is no command 'frobnicate'\nRun `stoker --help` for usage.\n");
}

}  // namespace
}  // namespace stoker
