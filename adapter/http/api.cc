#include "adapter/http/api.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "adapter/http/json.h"
#include "core/text.h"
#include "core/units.h"

namespace stoker::adapter {

extern const char kOpenApiText[];  // generated from openapi.json

namespace {

constexpr std::size_t kDefaultLimit = 100;
constexpr std::size_t kMaxLimit = 1000;

std::string ToHex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

std::optional<std::string> FromHex(std::string_view hex) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string text;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    text += static_cast<char>(high * 16 + low);
  }
  return text;
}

HttpReply Ok(const Json& json) {
  HttpReply reply;
  reply.body = Dump(json);
  return reply;
}

HttpReply NotFound(const std::string& message) {
  return ErrorReply(Error{ErrorCode::kNotFound, message});
}

/// Views by key. Equal keys (two triggers of one object) are told apart by their number.
template <class View>
std::map<std::string, const View*> ByKey(const std::vector<View>& views,
                                         const std::function<std::string(const View&)>& key) {
  std::map<std::string, const View*> sorted;
  for (const View& view : views) {
    const std::string base = key(view);
    for (int n = 0; !sorted.try_emplace(base + '\n' + std::to_string(n), &view).second; ++n) {
    }
  }
  return sorted;
}

/// The page that `limit` and `next` of the query ask for.
template <class View>
HttpReply Page(const std::vector<std::pair<std::string, std::string>>& query,
               const std::map<std::string, const View*>& views,
               const std::function<Json(const View&)>& to_json) {
  std::size_t limit = kDefaultLimit;
  auto from = views.begin();
  for (const auto& [name, value] : query) {
    if (name == "limit") {
      const Result<std::int64_t> number = ParseInteger(value);
      if (!number || *number < 1 || *number > static_cast<std::int64_t>(kMaxLimit)) {
        return ErrorReply(
            Error{ErrorCode::kInvalidArgument, "limit must be a whole number from 1 to 1000"},
            "limit");
      }
      limit = static_cast<std::size_t>(*number);
    } else if (name == "next") {
      const std::optional<std::string> last = FromHex(value);
      if (!last) {
        return ErrorReply(
            Error{ErrorCode::kInvalidArgument, "next must be the 'next' of an earlier answer"},
            "next");
      }
      from = views.upper_bound(*last);
    }
  }
  Json items = Json::array();
  Json next;
  std::string last;
  for (; from != views.end(); ++from) {
    if (items.size() == limit) {
      next = ToHex(last);
      break;
    }
    items.push_back(to_json(*from->second));
    last = from->first;
  }
  Json answer{{"items", std::move(items)}};
  if (!next.is_null()) answer["next"] = std::move(next);
  return Ok(answer);
}

Json ObjectHead(const ObjectView& view) {
  return {{"namespace", view.name_space},
          {"scaled_object", view.name},
          {"policy", view.policy},
          {"inline", view.is_inline},
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
