#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "cli/command.h"
#include "cli/version.h"
#include "core/text.h"

namespace {

/// "there is no command 'chekc'; did you mean 'check'?", or nothing when there is one.
std::string UnknownCommand(const CLI::App& app, std::string_view word) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  if (std::ranges::find(candidates, word) != candidates.end()) return "";
  const std::string_view nearest = stoker::NearestWord(word, candidates);
  return "there is no command '" + std::string(word) + "'" +
         (nearest.empty() ? "" : "; did you mean '" + std::string(nearest) + "'?");
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): what is outside the try only fails without memory.
int main(int argc, char** argv) {
  using namespace stoker::cli;
  Terminal terminal{.in = std::cin,
                    .out = std::cout,
                    .err = std::cerr,
                    .out_is_terminal = isatty(STDOUT_FILENO) != 0,
                    .err_is_terminal = isatty(STDERR_FILENO) != 0};
  CLI::App app(
      "Stoker keeps the right number of Spark executors burning: a KEDA external scaler that "
      "combines\n"
      "Prometheus queries, S3 prefixes and schedules into one explained target.",
      "stoker");
  app.set_version_flag("--version", std::string("stoker ") + kVersion);
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of all commands");
  app.footer(
      "Exit codes: 0 ok, 1 the answer is no or a check failed, 2 bad usage or input, 3 an upstream "
      "failed.");
  Run run;
  try {
    AddServeCommand(app, terminal, run);
    AddCheckCommand(app, terminal, run);
    AddExplainCommand(app, terminal, run);
    AddHintsCommand(app, terminal, run);
    AddQueryCommand(app, terminal, run);
    AddSchemaCommand(app, terminal, run);
    AddSimulateCommand(app, terminal, run);
    AddHealthCommand(app, terminal, run);
    const std::string_view word = argc > 1 ? argv[1] : "-";
    if (!word.starts_with('-')) {
      if (const std::string unknown = UnknownCommand(app, word); !unknown.empty()) {
        std::cerr << "stoker: " << unknown << "\nRun `stoker --help` for usage.\n";
        return kUsage;
      }
    }
    app.parse(argc, argv);
    return run();
  } catch (const CLI::Success& done) {  // --help, --version
    return app.exit(done, std::cout, std::cerr);
  } catch (const CLI::ParseError& error) {
    std::cerr << "stoker: " << error.what() << "\nRun `stoker --help` for usage.\n";
    return kUsage;
  } catch (const std::exception& error) {
    std::cerr << "stoker: internal error: " << error.what() << '\n';
    return kUsage;
  }
}
