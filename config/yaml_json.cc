#include "config/yaml_json.h"

#include <nlohmann/json.hpp>

#include "config/node.h"

namespace stoker::config {
namespace {

nlohmann::json ToJson(const Node& node) {
  switch (node.kind()) {
    case Node::Kind::kNull:
      return nullptr;
    case Node::Kind::kScalar:
      return node.scalar();
    case Node::Kind::kList: {
      auto list = nlohmann::json::array();
      for (const Node& item : node.items()) list.push_back(ToJson(item));
      return list;
    }
    case Node::Kind::kMap: {
      auto map = nlohmann::json::object();
      for (const Node::Entry& entry : node.entries()) map[entry.key] = ToJson(entry.value);
      return map;
    }
  }
  return nullptr;
}

}  // namespace

Result<std::string> YamlToJson(std::string_view text, const std::string& source) {
  Diagnostics diagnostics;
  const Result<Node> node = ParseYaml(text, source, diagnostics);
  if (!node) return Fail(node.error());
  return ToJson(*node).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace stoker::config
