#pragma once

#include <span>
#include <string_view>

namespace stoker::rightsizing {

/// A file of config/presets or config/prices as it was when the program was built.
struct BuiltinFile {
  std::string_view path;  ///< for messages, "config/prices/aws.yaml"
  std::string_view text;
};

std::span<const BuiltinFile> BuiltinPresets();
std::span<const BuiltinFile> BuiltinPrices();

}  // namespace stoker::rightsizing
