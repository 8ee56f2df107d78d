#include "adapter/peer_messages.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace stoker::adapter {
namespace {

using Json = nlohmann::json;  // not ordered_json, which takes n² for n keys
using Kind = Reading::Kind;

constexpr std::size_t kMaxIds = 10'000;
constexpr std::size_t kMaxName = 1024;
constexpr std::int64_t kEndOfTime = 253'402'300'799'999;  // 9999-12-31, in ms

Json ReadingJson(const Reading& reading) {
  Json json = Json::array({reading.time.time_since_epoch().count()});
  switch (reading.kind) {
    case Kind::kValue:
      json.push_back(reading.value);
      if (reading.at_least) json.push_back("at_least");
      break;
    case Kind::kEmpty:
      json.push_back("empty");
      break;
    case Kind::kFault:
      json.push_back("fault");
      break;
  }
  return json;
}

std::optional<WallTime> ReadTime(const Json& json) {
  if (!json.is_number_integer()) return std::nullopt;
  const auto count = json.get<std::int64_t>();
  if (count < 0 || count > kEndOfTime) return std::nullopt;
  return WallTime(Duration(count));
}

std::optional<double> ReadNumber(const Json& json) {
  if (!json.is_number()) return std::nullopt;
  const auto number = json.get<double>();
  if (!std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<std::string> ReadText(const Json& json, std::size_t max) {
  if (!json.is_string()) return std::nullopt;
  auto text = json.get<std::string>();
  if (text.empty() || text.size() > max) return std::nullopt;
  return text;
}

std::optional<Reading> ReadReading(const Json& json) {
  if (!json.is_array() || json.size() < 2 || json.size() > 3) return std::nullopt;
  Reading reading;
  const std::optional<WallTime> time = ReadTime(json[0]);
  if (!time) return std::nullopt;
  reading.time = *time;
  if (json[1] == "empty" || json[1] == "fault") {
    reading.kind = json[1] == "empty" ? Kind::kEmpty : Kind::kFault;
    return reading;
  }
  const std::optional<double> value = ReadNumber(json[1]);
  if (!value) return std::nullopt;
  reading.kind = Kind::kValue;
  reading.value = *value;
  reading.at_least = json.size() == 3 && json[2] == "at_least";
  return reading;
}

std::optional<SourceReadings> ReadSource(const Json& json) {
  if (!json.is_object() || !json.contains("id") || !json.contains("readings")) return std::nullopt;
  std::optional<std::string> id = ReadText(json["id"], kMaxName);
  const Json& readings = json["readings"];
  if (!id || !readings.is_array()) return std::nullopt;
  SourceReadings source{std::move(*id), {}};
  source.readings.reserve(readings.size());
  for (const Json& item : readings) {
    const std::optional<Reading> reading = ReadReading(item);
    if (!reading) return std::nullopt;
    source.readings.push_back(*reading);
  }
  return source;
}

std::optional<NamedValue> ReadNamedValue(const Json& json) {
  if (!json.is_object() || !json.contains("name") || !json.contains("value") ||
      !json.contains("time_ms")) {
    return std::nullopt;
  }
  std::optional<std::string> name = ReadText(json["name"], kMaxName);
  const std::optional<double> value = ReadNumber(json["value"]);
  const std::optional<WallTime> time = ReadTime(json["time_ms"]);
  if (!name || !value || !time) return std::nullopt;
  return NamedValue{std::move(*name), {*value, *time}};
}

/// The list `key` of `json`, each item read by `read`; false when one does not fit. Absent: none.
template <class T, class Read>
bool ReadList(const Json& json, const char* key, Read read, std::vector<T>& out) {
  if (!json.contains(key)) return true;
  const Json& list = json[key];
  if (!list.is_array()) return false;
  out.reserve(list.size());
  for (const Json& item : list) {
    std::optional<T> value = read(item);
    if (!value) return false;
    out.push_back(std::move(*value));
  }
  return true;
}

}  // namespace

std::size_t EncodedSize(const SourceReadings& source) {
  return source.id.size() + kEncodedReading * (source.readings.size() + 1);
}

std::size_t EncodedSize(const NamedValue& value) {
  constexpr std::size_t kEscaped = 6;
  constexpr std::size_t kAround = 80;
  return kEscaped * value.name.size() + kAround;
}

std::string EncodePeerMessage(const PeerMessage& message) {
  Json json{{"instance", message.instance}};
  if (!message.sources.empty()) {
    Json& sources = json["sources"] = Json::array();
    for (const SourceReadings& source : message.sources) {
      Json readings = Json::array();
      for (const Reading& reading : source.readings) readings.push_back(ReadingJson(reading));
      sources.push_back({{"id", source.id}, {"readings", std::move(readings)}});
    }
  }
  if (!message.values.empty()) {
    Json& values = json["values"] = Json::array();
    for (const NamedValue& value : message.values) {
      values.push_back({{"name", value.name},
                        {"value", value.value.value},
                        {"time_ms", value.value.time.time_since_epoch().count()}});
    }
  }
  if (!message.ids.empty()) json["ids"] = message.ids;
  if (message.answered > 0) json["answered"] = message.answered;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<PeerMessage> DecodePeerMessage(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  PeerMessage message;
  const auto refuse = [] {
    return Fail(ErrorCode::kInvalidArgument,
                "not a message between replicas of this version; upgrade all of them");
  };
  if (!json.is_object() || !json.contains("instance")) return refuse();
  std::optional<std::string> instance = ReadText(json["instance"], kMaxName);
  if (!instance) return refuse();
  message.instance = std::move(*instance);
  const auto read_id = [](const Json& item) { return ReadText(item, kMaxName); };
  if (!ReadList(json, "sources", ReadSource, message.sources) ||
      !ReadList(json, "values", ReadNamedValue, message.values) ||
      !ReadList(json, "ids", read_id, message.ids) || message.ids.size() > kMaxIds) {
    return refuse();
  }
  if (json.contains("answered")) {
    if (!json["answered"].is_number_unsigned()) return refuse();
    message.answered = json["answered"].get<std::size_t>();
  }
  return message;
}

}  // namespace stoker::adapter
