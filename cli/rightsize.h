#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "core/environment.h"

namespace stoker::cli {

/// `rightsize ARGUMENTS...`: the answer on `out`, everything else on `err`; with a mistake nothing
/// is on `out`. Returns an ExitCode and does not throw.
int Rightsize(std::vector<std::string> arguments,
              const FileSystem& files,
              std::ostream& out,
              std::ostream& err);

}  // namespace stoker::cli
