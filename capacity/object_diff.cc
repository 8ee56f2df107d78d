#include "capacity/object_diff.h"

#include <string_view>

#include "capacity/quantity.h"

namespace stoker::capacity {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestValue = 60;

std::string Text(const json& value) {
  std::string text = value.is_string() ? value.get<std::string>()
                                       : value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > kLongestValue) text = text.substr(0, kLongestValue) + "...";
  return text;
}

std::string Below(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

/// Whether both are the same amount of a resource: the API server writes 1Ti for 1024Gi.
bool SameAmount(const json& desired, const json& live) {
  if (!desired.is_string() || !live.is_string()) return false;
  const auto amount = QuantityMillis(desired.get_ref<const std::string&>());
  return amount && amount == QuantityMillis(live.get_ref<const std::string&>());
}

bool HoldsAmounts(std::string_view key) {
  return key == "requests" || key == "limits" || key == "hard";
}

void Compare(const json& desired,
             const json& live,
             const std::string& path,
             std::vector<std::string>& lines) {
  if (desired.is_object() && live.is_object()) {
    const bool amounts = HoldsAmounts(std::string_view(path).substr(path.rfind('.') + 1));
    for (const auto& [key, value] : desired.items()) {
      const auto found = live.find(key);
      if (found == live.end()) {
        lines.push_back(Below(path, key) + ": none -> " + Text(value));
      } else if (!amounts || !SameAmount(value, *found)) {
        Compare(value, *found, Below(path, key), lines);
      }
    }
    return;
  }
  if (desired.is_array() && live.is_array() && desired.size() == live.size()) {
    for (std::size_t i = 0; i < desired.size(); ++i) {
      Compare(desired[i], live[i], path + "[" + std::to_string(i) + "]", lines);
    }
    return;
  }
  if (desired != live) lines.push_back(path + ": " + Text(live) + " -> " + Text(desired));
}

}  // namespace

std::vector<std::string> ObjectDiff(const json& desired, const json& live) {
  std::vector<std::string> lines;
  Compare(desired, live, "", lines);
  return lines;
}

}  // namespace stoker::capacity
