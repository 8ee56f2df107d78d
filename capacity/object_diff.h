#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace stoker::capacity {

/// What server-side apply of `desired` would change in `live`, a line for each field as
/// `spec.replicas: 3 -> 5`; fields that `desired` does not have are others' and do not count.
/// Equal amounts of resources are equal however they are written. Values are cut to 60 characters.
/// Empty when nothing would change.
std::vector<std::string> ObjectDiff(const nlohmann::json& desired, const nlohmann::json& live);

}  // namespace stoker::capacity
