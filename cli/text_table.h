#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stoker::cli {

/// Rows under each other, columns aligned on the left, two blanks between them, `indent` before the
/// first, no blanks at the end of a line.
std::string TextTable(const std::vector<std::vector<std::string>>& rows, std::string_view indent);

}  // namespace stoker::cli
