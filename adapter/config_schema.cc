#include "adapter/config_schema.h"

#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "adapter/server_config.h"
#include "capacity/capacity_config.h"
#include "config/params.h"
#include "policy/policy.h"

namespace stoker::adapter {
namespace {

using Json = nlohmann::ordered_json;

/// The schema of a map with these keys, to be part of another.
Json MapOf(const std::vector<config::ParamInfo>& infos) {
  Json schema = Json::parse(config::JsonSchema(infos));
  schema.erase("$schema");
  return schema;
}

/// A map from names to `value`.
Json Named(Json value, const std::string& description) {
  return {
      {"type", "object"}, {"description", description}, {"additionalProperties", std::move(value)}};
}

Json Reference(const std::string& definition) { return {{"$ref", "#/$defs/" + definition}}; }

Json Connections(const scalers::Registry& registry) {
  Json types = Json::object();
  for (const scalers::ConnectionType& type : registry.connection_types()) {
    types[type.name] = Named(MapOf(type.params), type.summary);
  }
  return {{"type", "object"},
          {"description", "Upstreams with their credentials, by type and name."},
          {"additionalProperties", false},
          {"properties", std::move(types)}};
}

/// The keys that a signal takes depend on its type.
Json Signal(const scalers::Registry& registry) {
  Json names = Json::array();
  Json cases = Json::array();
  for (const scalers::SignalType& type : registry.signal_types()) {
    names.push_back(type.name);
    cases.push_back(
        {{"if", {{"properties", {{"type", {{"const", type.name}}}}}, {"required", {"type"}}}},
         {"then", Reference("signal_" + type.name)}});
  }
  return {
      {"type", "object"},
      {"required", {"type"}},
      {"properties", {{"type", {{"enum", std::move(names)}, {"description", "Where it reads."}}}}},
      {"allOf", std::move(cases)}};
}

Json Definitions(const scalers::Registry& registry) {
  Json policy = MapOf(policy::PolicyParams());
  policy["properties"]["signals"] = {{"type", "object"},
                                     {"description", "The signals by name."},
                                     {"minProperties", 1},
                                     {"propertyNames", {{"pattern", "^[a-z][a-z0-9_]*$"}}},
                                     {"additionalProperties", Reference("signal")}};
  for (const char* count : {"running", "pending"}) {
    policy["properties"]["capacity"]["properties"][count] = Reference("signal");
  }
  Json definitions = {{"policy", std::move(policy)}, {"signal", Signal(registry)}};
  for (const scalers::SignalType& type : registry.signal_types()) {
    std::vector<config::ParamInfo> keys{
        {"type", config::ParamType::kString, {.help = type.summary, .choices = {type.name}}, {}}};
    const auto add = [&keys](const std::vector<config::ParamInfo>& more) {
      keys.insert(keys.end(), more.begin(), more.end());
    };
    add(scalers::CommonSignalParams());
    add(type.params);
    definitions["signal_" + type.name] = MapOf(keys);
  }
  return definitions;
}

Json Capacity() {
  Json capacity = MapOf(capacity::CapacityParams());
  capacity["description"] = "Which nodes there are, and how to choose among them.";
  Json& shapes = capacity["properties"]["nodeShapes"];
  shapes["type"] = "array";
  shapes["items"] = {{"anyOf", {{{"type", "string"}}, MapOf(capacity::NodeShapeParams())}}};
  return capacity;
}

}  // namespace

std::string ConfigSchema(const scalers::Registry& registry) {
  Json server = MapOf(ServerParams());
  server["description"] = "Listeners, siblings and what callers may do.";
  const Json schema = {
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"title", "Stoker's configuration"},
      {"type", "object"},
      {"required", {"apiVersion"}},
      {"additionalProperties", false},
      {"properties",
       {{"apiVersion", {{"const", "stoker/v1"}}},
        {"server", std::move(server)},
        {"connections", Connections(registry)},
        {"policies", Named(Reference("policy"), "Named signals and how to combine them.")},
        {"history", {{"type", "object"}}},
        {"capacity", Capacity()}}},
      {"$defs", Definitions(registry)}};
  return schema.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace stoker::adapter
