#include "adapter/http/api.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "adapter/http/json.h"
#include "adapter/http/page.h"
#include "core/text.h"
#include "core/units.h"

namespace stoker::adapter {

extern const char kOpenApiText[];  // generated from openapi.json

namespace {

HttpReply NotFound(const std::string& message) {
  return ErrorReply(Error{ErrorCode::kNotFound, message});
}

Json ObjectHead(const ObjectView& view) {
  return {{"namespace", view.name_space},
          {"scaled_object", view.name},
          {"policy", view.policy},
          {"inline", view.is_inline},
          {"output", view.headroom ? "headroom" : "target"},
          {"last_asked", FormatTime(view.last_asked)}};
}

/// `decision` is null before the first readings are there.
template <class View>
Json WithHeadline(Json json, const View& view, bool inline_object) {
  Json& decision = json["decision"];
  if (view.definition && view.decision) {
    decision = DecisionHeadline(*view.definition, *view.decision, inline_object);
  }
  return json;
}

template <class View>
Json WithExplanation(Json json, const View& view, bool inline_object) {
  if (view.definition) json["definition"] = DefinitionJson(*view.definition, inline_object);
  Json& decision = json["decision"];
  if (view.definition && view.decision) {
    decision = DecisionExplanation(*view.definition, *view.decision, inline_object);
  }
  return json;
}

Json PolicyHead(const PolicyView& view) { return {{"name", view.name}, {"retired", view.retired}}; }

}  // namespace

Api::Api(const Deps& deps)
    : decisions_(deps.decisions),
      metrics_(deps.metrics),
      per_object_metrics_(deps.per_object_metrics),
      router_(deps.auth) {
  const auto get = [this](std::string_view path,
                          ApiRoute::Access access,
                          HttpReply (Api::*serve)(const ApiCall&) const) {
    Add({"GET", path, access, [this, serve](const ApiCall& call) { return (this->*serve)(call); }});
  };
  using enum ApiRoute::Access;
  get("/metrics", kOpen, &Api::ServeMetrics);
  get("/health", kOpen, &Api::ServeHealth);
  get("/openapi.json", kOpen, &Api::ServeOpenApi);
  get("/api/v1/targets", kToken, &Api::ListTargets);
  get("/api/v1/targets/{namespace}/{name}", kToken, &Api::GetTarget);
  get("/api/v1/policies", kToken, &Api::ListPolicies);
  get("/api/v1/policies/{name}", kToken, &Api::GetPolicy);
  get("/api/v1/signals", kToken, &Api::ListSignals);
}

std::string_view Api::OpenApi() { return kOpenApiText; }

HttpReply Api::ServeMetrics(const ApiCall& /*call*/) const {
  HttpReply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = metrics_.Render(decisions_, per_object_metrics_);
  return reply;
}

HttpReply Api::ServeHealth(const ApiCall& /*call*/) const { return Ok({{"status", "ok"}}); }

HttpReply Api::ServeOpenApi(const ApiCall& /*call*/) const {
  HttpReply reply;
  reply.body = OpenApi();
  return reply;
}

HttpReply Api::ListTargets(const ApiCall& call) const {
  const std::vector<ObjectView> objects = decisions_.Objects();
  // A newline sorts before all that names may hold, so the order is by namespace, then by name.
  const auto sorted = ByKey<ObjectView>(objects, [](const ObjectView& view) {
    return view.name_space + '\n' + view.name + '\n' + view.policy;
  });
  return Page<ObjectView>(call.request.query, sorted, [](const ObjectView& view) {
    return WithHeadline(ObjectHead(view), view, view.is_inline);
  });
}

HttpReply Api::GetTarget(const ApiCall& call) const {
  std::vector<ObjectView> objects = decisions_.Objects();
  std::erase_if(objects, [&](const ObjectView& view) {
    return view.name_space != call.captures[0] || view.name != call.captures[1];
  });
  if (objects.empty()) {
    return NotFound("nobody has asked about this scaled object in the last 10 minutes");
  }
  std::stable_sort(objects.begin(), objects.end(), [](const ObjectView& a, const ObjectView& b) {
    return std::tie(a.policy, b.last_asked) < std::tie(b.policy, a.last_asked);
  });
  Json items = Json::array();
  for (const ObjectView& view : objects) {
    items.push_back(WithExplanation(ObjectHead(view), view, view.is_inline));
  }
  return Ok({{"items", std::move(items)}});
}

HttpReply Api::ListPolicies(const ApiCall& call) const {
  const std::vector<PolicyView> policies = decisions_.Policies();
  const auto sorted = ByKey<PolicyView>(policies, [](const PolicyView& view) { return view.name; });
  return Page<PolicyView>(call.request.query, sorted, [](const PolicyView& view) {
    return WithHeadline(PolicyHead(view), view, false);
  });
}

HttpReply Api::GetPolicy(const ApiCall& call) const {
  for (const PolicyView& view : decisions_.Policies()) {
    if (view.name == call.captures[0]) return Ok(WithExplanation(PolicyHead(view), view, false));
  }
  return NotFound("no policy of that name; GET /api/v1/policies lists them");
}

HttpReply Api::ListSignals(const ApiCall& call) const {
  std::map<std::pair<std::string, std::string>, const policy::SignalDecision*> decided;
  const std::vector<PolicyView> policies = decisions_.Policies();
  for (const PolicyView& view : policies) {
    if (!view.decision) continue;
    for (const policy::SignalDecision& signal : view.decision->signals) {
      decided.try_emplace({view.name, signal.name}, &signal);
    }
  }
  const std::vector<SignalView> signals = decisions_.Signals();
  const auto sorted = ByKey<SignalView>(
      signals, [](const SignalView& view) { return view.policy + '\n' + view.signal; });
  return Page<SignalView>(call.request.query, sorted, [&](const SignalView& view) {
    Json json{{"policy", view.policy},
              {"name", view.signal},
              {"type", view.type},
              {"connection", view.connection},
              {"latest", nullptr}};
    const auto found = decided.find({view.policy, view.signal});
    if (found != decided.end()) json["latest"] = SignalJson(*found->second, false);
    return json;
  });
}

}  // namespace stoker::adapter
