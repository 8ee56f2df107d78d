#include "adapter/http/hints_api.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "adapter/http/json.h"
#include "adapter/http/page.h"
#include "core/units.h"

namespace stoker::adapter {
namespace {

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// null for what is not known.
template <class T>
Json Known(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json HeadroomJson(const policy::Decision* decision) {
  const policy::Headroom* headroom =
      decision != nullptr && decision->headroom ? &*decision->headroom : nullptr;
  const bool known = headroom != nullptr;
  const bool decided = known && !decision->error;
  Json json;
  json["wanted_executors"] = decided ? Json(headroom->wanted_now) : Json();
  json["wanted_ahead_executors"] = decided ? Json(headroom->wanted_ahead) : Json();
  json["running_executors"] = known ? Known(headroom->running) : Json();
  json["pending_executors"] = known ? Known(headroom->pending) : Json();
  json["lead_seconds"] = known ? Json(Seconds(headroom->lead.value)) : Json();
  json["lead_measured"] = known ? Json(headroom->lead.measured()) : Json();
  json["headroom_executors"] = known && !headroom->error ? Json(headroom->executors) : Json();
  json["capped"] = known ? Json(headroom->capped) : Json();
  return json;
}

Json ItemJson(const PolicyView& view, const CapacityStatus* status) {
  const policy::Headroom* headroom =
      view.decision && view.decision->headroom ? &*view.decision->headroom : nullptr;
  const policy::Capacity& capacity = *view.definition->capacity;
  Json json{
      {"policy", view.name},
      {"mechanism", policy::MechanismName(capacity.mechanism.value_or(policy::Mechanism::kNone))}};
  json.update(HeadroomJson(view.decision.get()));
  std::string error = status != nullptr ? status->error : "";
  if (error.empty() && headroom != nullptr && headroom->error) error = headroom->error->message;
  json["object"] = status != nullptr && !status->object.empty() ? Json(status->object) : Json();
  json["object_executors"] = status != nullptr ? Known(status->there) : Json();
  json["written"] =
      status != nullptr && status->written ? Json(FormatTime(*status->written)) : Json();
  json["diff"] = status != nullptr ? Json(status->diff) : Json::array();
  json["error"] = error.empty() ? Json() : Json(error);
  json["missing"] = Json::array();
  if (status == nullptr) return json;
  for (const capacity::Finding& finding : status->missing) {
    json["missing"].push_back(
        {{"reason", capacity::BlockerName(finding.blocker)}, {"message", finding.message}});
  }
  return json;
}

Json ChoiceJson(const capacity::ChoiceRecord& record) {
  Json groups = Json::array();
  for (const capacity::Verdict& verdict : record.choice.verdicts) {
    groups.push_back({{"node_group", verdict.group},
                      {"chosen", verdict.chosen},
                      {"rule", capacity::RuleName(verdict.rule)},
                      {"spot", verdict.spot},
                      {"cost_usd_per_pod_hour", Known(verdict.cost_per_pod)},
                      {"why", verdict.why}});
  }
  return {{"time", FormatTime(record.time)},
          {"duration_ms", record.took.count()},
          {"options", record.options},
          {"node_groups", std::move(groups)}};
}

HttpReply Hints(const ApiCall& call,
                const Decisions& decisions,
                const CapacityController* controller,
                const capacity::ChoiceLog& choices) {
  std::string field;
  const Result<PageRequest> page = ReadPageRequest(call.request.query, field);
  if (!page) return ErrorReply(page.error(), field);
  std::vector<PolicyView> views = decisions.Policies();
  std::erase_if(views, [&](const PolicyView& view) {
    return view.retired || !view.definition || !view.definition->capacity ||
           view.name <= page->after;
  });
  std::sort(views.begin(), views.end(), [](const PolicyView& a, const PolicyView& b) {
    return a.name < b.name;
  });
  const std::vector<CapacityStatus> statuses =
      controller != nullptr ? controller->Statuses() : std::vector<CapacityStatus>{};
  Json answer{{"items", Json::array()}};
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (i == page->limit) {
      answer["next"] = NextPage(views[i - 1].name);
      break;
    }
    const auto status =
        std::find_if(statuses.begin(), statuses.end(), [&](const CapacityStatus& one) {
          return one.policy == views[i].name;
        });
    answer["items"].push_back(ItemJson(views[i], status == statuses.end() ? nullptr : &*status));
  }
  Json& made = answer["expander"]["choices"] = Json::array();
  for (const capacity::ChoiceRecord& record : choices.Recent()) made.push_back(ChoiceJson(record));
  return Ok(answer);
}

}  // namespace

void AddHintsRoute(Api& api,
                   const Decisions& decisions,
                   const CapacityController* controller,
                   const capacity::ChoiceLog& choices) {
  api.Add({"GET",
           "/api/v1/hints",
           ApiRoute::Access::kToken,
           [&decisions, controller, &choices](const ApiCall& call) {
             return Hints(call, decisions, controller, choices);
           }});
}

}  // namespace stoker::adapter
