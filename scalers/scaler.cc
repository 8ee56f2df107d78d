#include "scalers/scaler.h"

#include <algorithm>

#include "core/text.h"

namespace stoker::scalers {

Reading ToReading(WallTime slot, const Result<Observation>& outcome) {
  Reading reading;
  reading.time = slot;
  if (!outcome) return reading;
  reading.kind = outcome->empty ? Reading::Kind::kEmpty : Reading::Kind::kValue;
  reading.value = outcome->empty ? 0 : outcome->value;
  reading.at_least = outcome->at_least;
  return reading;
}

bool Connection::AllowsNamespace(std::string_view name_space) const {
  const std::vector<std::string>& allowed = settings_.namespaces;
  return name_space.empty() || allowed.empty() ||
         std::any_of(allowed.begin(), allowed.end(), [&](const std::string& name) {
           return name == "*" || name == name_space;
         });
}

void ConnectionSet::Add(std::shared_ptr<Connection> connection) {
  connections_.push_back(std::move(connection));
}

Result<std::shared_ptr<Connection>> ConnectionSet::Find(std::string_view type,
                                                        std::string_view name,
                                                        std::string_view name_space) const {
  const std::string kind(type);
  std::vector<std::shared_ptr<Connection>> of_type;
  std::vector<std::string_view> allowed_names;
  for (const std::shared_ptr<Connection>& connection : connections_) {
    if (connection->type() != type) continue;
    of_type.push_back(connection);
    if (connection->AllowsNamespace(name_space)) allowed_names.push_back(connection->name());
  }
  if (of_type.empty()) {
    return Fail(ErrorCode::kNotFound,
                "there is no " + kind + " connection; add one under connections." + kind);
  }
  if (name.empty()) {
    if (of_type.size() > 1) {
      return Fail(ErrorCode::kNotFound,
                  "there are several " + kind + " connections; name one with 'connection'");
    }
    name = of_type.front()->name();
  }
  for (std::shared_ptr<Connection>& connection : of_type) {
    if (connection->name() != name) continue;
    if (!connection->AllowsNamespace(name_space)) {
      return Fail(ErrorCode::kPermissionDenied,
                  "the " + kind +
                      " connection is not open to this namespace; its 'namespaces' say "
                      "who may use it");
    }
    return std::move(connection);
  }
  // The name asked for may be a metadata value; names of the configuration are not.
  std::string message = "there is no such " + kind + " connection";
  if (const std::string_view nearest = NearestWord(name, allowed_names); !nearest.empty()) {
    message += "; did you mean '" + std::string(nearest) + "'?";
  } else if (!allowed_names.empty()) {
    std::string list;
    for (const std::string_view known : allowed_names) {
      list.append(list.empty() ? "" : ", ").append(known);
    }
    message += "; there are: " + list;
  }
  return Fail(ErrorCode::kNotFound, message);
}

Result<std::shared_ptr<Connection>> ConnectionSet::FindByAddress(
    std::string_view type, std::string_view address, std::string_view name_space) const {
  for (const std::shared_ptr<Connection>& connection : connections_) {
    if (connection->type() == type && connection->AllowsNamespace(name_space) &&
        connection->MatchesAddress(address)) {
      return connection;
    }
  }
  return Fail(ErrorCode::kNotFound,
              "no " + std::string(type) +
                  " connection that this namespace may use has that address; "
                  "name one with 'connection'");
}

std::shared_ptr<Connection> FindConnection(std::string_view type,
                                           std::string_view name,
                                           std::string_view address_key,
                                           std::string_view address,
                                           const config::Node& node,
                                           const SignalContext& context,
                                           config::Diagnostics& diagnostics) {
  if (!name.empty() && !address.empty()) {
    diagnostics.Add(node,
                    "'connection' and '" + std::string(address_key) + "' are both given; keep one");
    return nullptr;
  }
  const Result<std::shared_ptr<Connection>> found =
      address.empty() ? context.connections.Find(type, name, context.name_space)
                      : context.connections.FindByAddress(type, address, context.name_space);
  if (found) return *found;
  diagnostics.Add(node, found.error().message, found.error().code);
  return nullptr;
}

}  // namespace stoker::scalers
