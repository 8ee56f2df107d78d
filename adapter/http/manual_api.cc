#include "adapter/http/manual_api.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "adapter/http/json.h"
#include "adapter/http/page.h"
#include "adapter/trigger.h"
#include "core/text.h"
#include "core/units.h"

namespace stoker::adapter {
namespace {

/// The policies that read each name.
using Readers = std::map<std::string, std::vector<std::string>>;

Readers ReadersByName(const Decisions& decisions) {
  Readers readers;
  for (const SignalView& signal : decisions.Signals()) {
    if (signal.pushed_name.empty()) continue;
    std::vector<std::string>& policies = readers[signal.pushed_name];
    if (policies.empty() || policies.back() != signal.policy) policies.push_back(signal.policy);
  }
  return readers;
}

/// What is in force; value and time are null when none was set.
Json ValueJson(const std::string& name, const std::optional<scalers::PushedValue>& held) {
  return {{"signal", name},
          {"value", held ? Json(held->value) : Json(nullptr)},
          {"time", held ? Json(FormatTime(held->time)) : Json(nullptr)}};
}

Result<double> ReadValueOf(const std::string& body, std::string& field) {
  const Result<Json> json = ParseObject(body);
  if (!json) return Fail(json.error());
  for (const auto& [key, value] : json->items()) {
    field = key;
    if (key != "value") {
      return Fail(ErrorCode::kInvalidArgument, "the body has one key, value: {\"value\": 12}");
    }
    if (!value.is_number() || !(value.get<double>() >= 0) || std::isinf(value.get<double>())) {
      break;
    }
    return value.get<double>();
  }
  field = "value";
  return Fail(ErrorCode::kInvalidArgument, "value must be a number of 0 or more: {\"value\": 12}");
}

}  // namespace

void ManualApi::AddRoutes(Api& api) {
  using enum ApiRoute::Access;
  api.Add({"GET", "/api/v1/manual", kToken, [this](const ApiCall& call) { return List(call); }});
  api.Add({"GET", "/api/v1/manual/{signal}", kToken, [this](const ApiCall& call) {
             return Get(call);
           }});
  api.Add({"PUT", "/api/v1/manual/{signal}", kToken, [this](const ApiCall& call) {
             return Put(call);
           }});
}

void ManualApi::AddKedaE2eRoutes(Api& api) {
  const auto ok = [](const ApiCall& /*call*/) { return Ok({{"status", "ok"}}); };
  api.Add({"GET", "/ready", ApiRoute::Access::kOpen, ok});
  for (const std::string_view method : {"GET", "POST"}) {
    for (const std::string_view path : {"/api/value/{n}", "/api/floatvalue/{x}"}) {
      api.Add({method, path, ApiRoute::Access::kOpen, [this](const ApiCall& call) {
                 return SetKedaE2e(call);
               }});
    }
  }
}

scalers::PushedValue ManualApi::Set(const std::string& name, double value) {
  const std::optional<scalers::PushedValue> held = deps_.values.Get(name);
  scalers::PushedValue set{value, deps_.clock.WallNow()};
  // Who sees a value and sets another one means the other, even if the first came from a replica
  // whose clock is ahead, or within the same millisecond.
  if (held) set.time = std::max(set.time, held->time + std::chrono::milliseconds(1));
  if (!deps_.values.Set(name, set)) return deps_.values.Get(name).value_or(set);
  if (!held || held->value != value) {
    deps_.logger.Info("manual signal set", {{"signal", name}, {"value", FormatNumber(value)}});
  }
  if (deps_.on_pushed) deps_.on_pushed(name, set);
  return set;
}

Status ManualApi::CheckName(const std::string& name) const {
  const Readers readers = ReadersByName(deps_.decisions);
  if (readers.contains(name)) return {};
  if (readers.empty()) {
    return Fail(
        ErrorCode::kNotFound,
        "no policy has a manual signal; give one {type: manual, name: NAME, targetSize: N}, "
        "and set server.manual.enabled: true");
  }
  std::vector<std::string_view> names;
  for (const auto& [known, policies] : readers) names.push_back(known);
  const std::string_view nearest = NearestWord(name, names);
  return Fail(ErrorCode::kNotFound,
              nearest.empty()
                  ? "no manual signal of that name; GET /api/v1/manual lists them"
                  : "no manual signal of that name; did you mean '" + std::string(nearest) + "'?");
}

HttpReply ManualApi::List(const ApiCall& call) const {
  const Readers readers = ReadersByName(deps_.decisions);
  std::map<std::string, const Readers::value_type*> views;
  for (const auto& reader : readers) views.emplace(reader.first, &reader);
  return Page<Readers::value_type>(
      call.request.query, views, [this](const Readers::value_type& reader) {
        Json json = ValueJson(reader.first, deps_.values.Get(reader.first));
        json["policies"] = reader.second;
        return json;
      });
}

HttpReply ManualApi::Get(const ApiCall& call) const {
  const std::string& name = call.captures[0];
  if (const Status known = CheckName(name); !known) return ErrorReply(known.error());
  return Ok(ValueJson(name, deps_.values.Get(name)));
}

HttpReply ManualApi::Put(const ApiCall& call) {
  const std::string& name = call.captures[0];
  if (const Status known = CheckName(name); !known) return ErrorReply(known.error());
  std::string field;
  const Result<double> value = ReadValueOf(call.request.body.value_or(""), field);
  if (!value) return ErrorReply(value.error(), field);
  return Ok(ValueJson(name, Set(name, *value)));
}

HttpReply ManualApi::SetKedaE2e(const ApiCall& call) {
  const Result<double> value = ParseNumber(call.captures[0]);
  if (!value || *value < 0) {
    return ErrorReply(
        Error{ErrorCode::kInvalidArgument, "the address must end with a number of 0 or more"});
  }
  return Ok(ValueJson(kKedaE2eMetric, Set(kKedaE2eMetric, *value)));
}

}  // namespace stoker::adapter
