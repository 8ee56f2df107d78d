#pragma once

#include "scalers/registry.h"

namespace stoker::scalers {

/// Adds signal type `directory`: how many files, or bytes, lie in a local folder, not below it.
/// Hidden files (.name) do not count. Stands in for s3 on a laptop; never inline, since it reads
/// this machine.
void RegisterDirectory(Registry& registry);

}  // namespace stoker::scalers
