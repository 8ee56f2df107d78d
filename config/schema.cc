#include <cmath>

#include <nlohmann/json.hpp>

#include "config/params.h"

namespace stoker::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDurationPattern = "^(0|([0-9]*\\.?[0-9]+(ms|s|m|h|d|w|y))+)$";
constexpr const char* kBytesPattern = "^[0-9]*\\.?[0-9]+([kKmMgGtTpP][iI]?[bB]?|[bB])$";
constexpr const char* kPercentPattern = "^[0-9]*\\.?[0-9]+%$";

Json ObjectSchema(const std::vector<ParamInfo>& infos);

Json Text(const char* pattern) { return {{"type", "string"}, {"pattern", pattern}}; }

/// Where a text is read, YAML's numbers and booleans are taken as they are written.
Json Scalar() { return {{"type", {"string", "number", "boolean"}}}; }

Json ValueSchema(const ParamInfo& info) {
  const Param& param = info.param;
  Json schema = Json::object();
  switch (info.type) {
    case ParamType::kString:
      if (!param.choices.empty()) {
        schema["enum"] = param.choices;
        break;
      }
      schema = Scalar();
      if (param.non_empty) schema["minLength"] = 1;
      break;
    case ParamType::kInteger:
    case ParamType::kNumber:
      schema["type"] = info.type == ParamType::kInteger ? "integer" : "number";
      if (std::isfinite(param.min)) {
        schema[param.above_min ? "exclusiveMinimum" : "minimum"] = param.min;
      }
      if (std::isfinite(param.max)) schema["maximum"] = param.max;
      break;
    case ParamType::kBool:
      schema["type"] = "boolean";
      break;
    case ParamType::kDuration:
      schema = Text(kDurationPattern);
      // 0 needs no unit.
      schema.update({{"type", {"string", "integer"}}, {"minimum", 0}, {"maximum", 0}});
      break;
    case ParamType::kBytes:
      schema = Text(kBytesPattern);
      break;
    case ParamType::kPercent:
      schema = Text(kPercentPattern);
      break;
    case ParamType::kStringList:
      schema = {{"type", "array"}, {"items", Scalar()}};
      if (!param.choices.empty()) schema["items"]["enum"] = param.choices;
      if (param.non_empty) schema["minItems"] = 1;
      break;
    case ParamType::kStringMap:
      schema = {{"type", "object"}, {"additionalProperties", Scalar()}};
      if (param.non_empty) schema["minProperties"] = 1;
      break;
    case ParamType::kObject:
      schema = ObjectSchema(info.children);
      break;
    case ParamType::kObjectMap:
      schema = {{"type", "object"}, {"additionalProperties", ObjectSchema(info.children)}};
      break;
    case ParamType::kCustom:
      // One of the words, or a map; where it declares neither, its reader decides.
      if (!param.choices.empty()) schema["anyOf"].push_back({{"enum", param.choices}});
      if (!info.children.empty()) schema["anyOf"].push_back(ObjectSchema(info.children));
      break;
  }
  return schema;
}

Json ObjectSchema(const std::vector<ParamInfo>& infos) {
  Json properties = Json::object();
  Json required = Json::array();
  Json any_of = Json::array();
  for (const ParamInfo& info : infos) {
    Json schema = ValueSchema(info);
    schema["description"] = info.param.help;
    if (!info.param.fallback.empty()) schema["default"] = info.param.fallback;
    if (!info.param.example.empty()) schema["examples"] = {info.param.example};
    properties[info.key] = schema;
    for (const std::string& alias : info.param.aliases) {
      schema["description"] = "The same as " + info.key + ".";
      properties[alias] = schema;
    }
    if (!info.param.required) continue;
    if (info.param.aliases.empty()) {
      required.push_back(info.key);
      continue;
    }
    Json spellings = {{{"required", {info.key}}}};
    for (const std::string& alias : info.param.aliases) {
      spellings.push_back({{"required", {alias}}});
    }
    any_of.push_back({{"anyOf", spellings}});
  }
  Json schema = {{"type", "object"}, {"additionalProperties", false}, {"properties", properties}};
  if (!required.empty()) schema["required"] = required;
  if (!any_of.empty()) schema["allOf"] = any_of;
  return schema;
}

const char* TypeName(const ParamInfo& info) {
  switch (info.type) {
    case ParamType::kString:
      return "text";
    case ParamType::kInteger:
      return "integer";
    case ParamType::kNumber:
      return "number";
    case ParamType::kBool:
      return "true or false";
    case ParamType::kDuration:
      return "duration";
    case ParamType::kBytes:
      return "size";
    case ParamType::kPercent:
      return "percentage";
    case ParamType::kStringList:
      return "list of text";
    case ParamType::kStringMap:
      return "map of text";
    case ParamType::kObject:
    case ParamType::kObjectMap:
      return "map";
    case ParamType::kCustom:
      return "see meaning";
  }
  return "";
}

/// In a cell, a bar ends the cell and a line break the row.
std::string Cell(const std::string& text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c == '\n' ? ' ' : c;
  }
  return cell;
}

void AppendRows(const std::vector<ParamInfo>& infos, const std::string& prefix, std::string& out) {
  for (const ParamInfo& info : infos) {
    const Param& param = info.param;
    std::string type = TypeName(info);
    if (!param.choices.empty()) {
      type.clear();
      for (const std::string& choice : param.choices) {
        type += (type.empty() ? "`" : ", `") + choice + "`";
      }
      if (!info.children.empty()) type += ", map";
    }
    std::string fallback = param.required ? "required" : "";
    if (!param.fallback.empty()) fallback = "`" + param.fallback + "`";
    std::string meaning = param.help;
    for (const std::string& alias : param.aliases) meaning += " Also `" + alias + "`.";
    if (!param.example.empty()) meaning += " Example: `" + param.example + "`.";
    const std::string key = prefix + info.key;
    out += "| `" + Cell(key) + "` | " + Cell(type) + " | " + Cell(fallback) + " | " +
           Cell(meaning) + " |\n";
    AppendRows(info.children, key + (info.type == ParamType::kObjectMap ? ".NAME." : "."), out);
  }
}

}  // namespace

std::string JsonSchema(const std::vector<ParamInfo>& infos) {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}};
  schema.update(ObjectSchema(infos));
  // Help texts are ours; should one ever not be UTF-8, it is shown, not thrown about.
  return schema.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string MarkdownTable(const std::vector<ParamInfo>& infos) {
  std::string table = "| Key | Type | Default | Meaning |\n|---|---|---|---|\n";
  AppendRows(infos, "", table);
  return table;
}

}  // namespace stoker::config
