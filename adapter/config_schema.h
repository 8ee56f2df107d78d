#pragma once

#include <string>

#include "scalers/registry.h"

namespace stoker::adapter {

/// JSON Schema (draft 2020-12) of a whole configuration file, for editors and other checkers, from
/// the tables that read it. What no schema can say (that a connection exists, that a cron
/// expression fires) is left to `stoker check`. Throws nothing; ends with a line break.
std::string ConfigSchema(const scalers::Registry& registry);

}  // namespace stoker::adapter
