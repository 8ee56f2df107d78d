#include <ostream>

#include "adapter/config_schema.h"
#include "cli/command.h"

namespace stoker::cli {

void AddSchemaCommand(CLI::App& app, Terminal& terminal, Run& run) {
  CLI::App* command = app.add_subcommand(
      "schema", "Print the JSON Schema of configurations, for editors and other checkers");
  command->footer(
      "An editor that speaks YAML's language server completes keys and underlines mistakes in a\n"
      "file that begins with\n"
      "  # yaml-language-server: $schema=stoker.schema.json\n"
      "What no schema can say, `stoker check` does: that a connection exists, that a schedule\n"
      "fires.\n\n"
      "Example:\n"
      "  stoker schema > stoker.schema.json");
  command->callback([&terminal, &run] {
    run = [&terminal] {
      scalers::Registry registry;
      scalers::RegisterBuiltinScalers(registry);
      terminal.out << adapter::ConfigSchema(registry);
      return kOk;
    };
  });
}

}  // namespace stoker::cli
