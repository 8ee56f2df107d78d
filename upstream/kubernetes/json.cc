#include "upstream/kubernetes/json.h"

namespace stoker::kubernetes {

using nlohmann::json;

namespace {
constexpr int kMaxDepth = 100;  // writing and comparing recurse
}  // namespace

Result<json> ParseJson(std::string_view text) {
  bool too_deep = false;
  const auto check = [&too_deep](int depth, json::parse_event_t /*event*/, const json& /*value*/) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  json value = json::parse(text, check, /*allow_exceptions=*/false);
  if (too_deep || value.is_discarded()) {
    return Fail(ErrorCode::kInvalidArgument, too_deep ? "nested too deeply" : "no JSON");
  }
  return value;
}

std::string ToText(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

const json* Find(const json& object, std::initializer_list<std::string_view> keys) {
  const json* value = &object;
  for (const std::string_view key : keys) {
    if (!value->is_object()) return nullptr;
    const auto found = value->find(key);
    if (found == value->end()) return nullptr;
    value = &*found;
  }
  return value;
}

std::string Text(const json& object, std::initializer_list<std::string_view> keys) {
  const json* const value = Find(object, keys);
  const auto* const text = value == nullptr ? nullptr : value->get_ptr<const std::string*>();
  return text == nullptr ? std::string() : *text;
}

}  // namespace stoker::kubernetes
