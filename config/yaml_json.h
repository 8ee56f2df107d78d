#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace stoker::config {

/// One YAML document as JSON text with every scalar as a string, for those who may not read YAML
/// themselves (a kubeconfig, in upstream/kubernetes). kInvalidArgument as ParseYaml, with the
/// place.
Result<std::string> YamlToJson(std::string_view text, const std::string& source);

}  // namespace stoker::config
