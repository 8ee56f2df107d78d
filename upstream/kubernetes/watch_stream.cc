#include "upstream/kubernetes/watch_stream.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"
#include "upstream/kubernetes/json.h"

namespace stoker::kubernetes {
namespace {

constexpr std::array<std::pair<std::string_view, WatchEvent::Type>, 5> kTypes{{
    {"ADDED", WatchEvent::Type::kAdded},
    {"MODIFIED", WatchEvent::Type::kModified},
    {"DELETED", WatchEvent::Type::kDeleted},
    {"BOOKMARK", WatchEvent::Type::kBookmark},
    {"ERROR", WatchEvent::Type::kError},
}};

}  // namespace

std::string WatchEvent::resource_version() const {
  return Text(object, {"metadata", "resourceVersion"});
}

Result<std::vector<WatchEvent>> WatchStream::Feed(std::string_view piece) {
  std::vector<WatchEvent> events;
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    if (line_.size() + part.size() > max_event_bytes_) {
      return Fail(ErrorCode::kResourceExhausted, "a watched object is longer than allowed");
    }
    line_ += part;
    if (end == std::string_view::npos) break;
    piece.remove_prefix(end + 1);
    const std::string line = std::exchange(line_, {});
    if (Trim(line).empty()) continue;
    Result<nlohmann::json> value = ParseJson(line);
    const nlohmann::json* const object = value ? Find(*value, {"object"}) : nullptr;
    if (object == nullptr || !object->is_object()) {
      return Fail(ErrorCode::kUnavailable, "the answer is not the API server's watch");
    }
    const std::string name = Text(*value, {"type"});
    const auto* const type = std::ranges::find(kTypes, name, &decltype(kTypes)::value_type::first);
    if (type != kTypes.end()) events.push_back({type->second, std::move((*value)["object"])});
  }
  return events;
}

}  // namespace stoker::kubernetes
