#include "rightsizing/data_files.h"

#include <vector>

#include "config/document.h"

namespace stoker::rightsizing {

Status AddFiles(
    const std::string& path,
    const FileSystem& files,
    const std::function<Status(std::string_view text, const std::string& source)>& add) {
  const Result<std::vector<std::string>> names = config::ListConfigFiles({path}, files);
  if (!names) return Fail(names.error());
  for (const std::string& name : *names) {
    const Result<std::string> text = files.Read(name);
    if (!text) return Fail(text.error());
    if (Status added = add(*text, name); !added) return added;
  }
  return {};
}

}  // namespace stoker::rightsizing
