#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/environment.h"
#include "core/result.h"

namespace stoker::rightsizing {

/// Hands a file, or every *.yaml and *.yml of a folder in name order, to `add`: its text, and its
/// path for messages. Ends with the first that cannot be read or added.
Status AddFiles(const std::string& path,
                const FileSystem& files,
                const std::function<Status(std::string_view text, const std::string& source)>& add);

}  // namespace stoker::rightsizing
