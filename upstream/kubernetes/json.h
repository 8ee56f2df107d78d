#pragma once

#include <nlohmann/json.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

#include "core/result.h"

namespace stoker::kubernetes {

// Reading objects without exceptions.

/// Parses one JSON value nested at most 100 levels; kInvalidArgument otherwise. Messages repeat
/// nothing of it.
Result<nlohmann::json> ParseJson(std::string_view text);

/// One line, with what is no UTF-8 replaced.
std::string ToText(const nlohmann::json& value);

/// The value under these keys; nullptr when there is none.
const nlohmann::json* Find(const nlohmann::json& object,
                           std::initializer_list<std::string_view> keys);

/// The text under these keys; "" when there is none, or it is no text.
std::string Text(const nlohmann::json& object, std::initializer_list<std::string_view> keys);

}  // namespace stoker::kubernetes
