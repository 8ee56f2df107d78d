#include "upstream/kubernetes/client.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "upstream/http/observed_transport.h"
#include "upstream/http/url.h"
#include "upstream/kubernetes/json.h"

namespace stoker::kubernetes {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr std::size_t kMaxPageBytes = 16U << 20U;
constexpr char kPageSize[] = "250";  // of objects of some 10 KiB each
constexpr int kMaxPages = 100;
constexpr char kFieldManager[] = "stoker";

// A stream is renewed before one that died unnoticed would be missed for long.
constexpr seconds kStreamLasts{240};
constexpr seconds kStreamGrace{15};  // the server's end should come first
constexpr seconds kFirstPause{1};
constexpr seconds kLongestPause{30};

constexpr char kJson[] = "application/json";

/// "?labelSelector=...&fieldSelector=...", or "?" when it has none: to be followed by more.
std::string Query(const Selectors& selectors) {
  std::string query = "?";
  if (!selectors.labels.empty()) {
    query += "labelSelector=" + http::PercentEncode(selectors.labels) + "&";
  }
  if (!selectors.fields.empty()) {
    query += "fieldSelector=" + http::PercentEncode(selectors.fields) + "&";
  }
  return query;
}

/// The same kind, no particular object.
Resource KindOf(Resource resource) {
  resource.name.clear();
  return resource;
}

/// Whether trying again is of no use until somebody does something.
bool NeedsMending(Reason reason) {
  return reason == Reason::kForbidden || reason == Reason::kUnauthorized ||
         reason == Reason::kUnknownKind || reason == Reason::kInvalid;
}

ApiError NotAnObject() {
  return {Reason::kServerError,
          {ErrorCode::kUnavailable, "Kubernetes: the answer is not the API server's"}};
}

}  // namespace

struct Client::Call {
  std::string_view verb;  ///< RBAC's
  const Resource& resource;
  MonoTime deadline;
  const std::stop_token& stop;
  std::string method = "GET";
  std::string query{};  ///< with its "?"
  std::string content_type{};
  std::string body{};
  std::function<bool(std::string_view)> on_body{};
};

Result<std::unique_ptr<Client>> Client::Load(const AccessOptions& options, const ClientDeps& deps) {
  Result<Access> access = FindAccess(options, deps.environment, deps.files);
  if (!access) return Fail(access.error());
  return Connect(std::move(*access), deps);
}

Result<std::unique_ptr<Client>> Client::InCluster(const ClientDeps& deps) {
  Result<Access> access = InClusterAccess(deps.environment, deps.files);
  if (!access) return Fail(access.error());
  return Connect(std::move(*access), deps);
}

Result<std::unique_ptr<Client>> Client::Connect(Access access, const ClientDeps& deps) {
  if (access.exec && deps.commands == nullptr) {
    return Fail(ErrorCode::kInvalidArgument,
                access.who +
                    " logs in by a program (exec), which Stoker runs only for commands that people "
                    "type; give it a token: kubectl create token NAME > FILE, and tokenFile: FILE");
  }
  Result<std::shared_ptr<HttpTransport>> transport = deps.transports.Create(access.tls);
  if (!transport) return Fail(transport.error());
  auto observed =
      std::make_shared<http::ObservedTransport>(std::move(*transport), "kubernetes", deps.observer);
  return std::unique_ptr<Client>(new Client(std::move(access), deps, std::move(observed)));
}

Client::Client(Access access, const ClientDeps& deps, std::shared_ptr<HttpTransport> transport)
    : access_(std::move(access)),
      clock_(deps.clock),
      files_(deps.files),
      waiter_(deps.waiter),
      transport_(std::move(transport)),
      retrier_(http::RetryOptions{}, deps.clock, deps.random, *waiter_),
      exec_(access_.exec
                ? std::make_unique<ExecCredentials>(*access_.exec, deps.clock, *deps.commands)
                : nullptr) {}

Answer<json> Client::Get(const Resource& resource, MonoTime deadline, const std::stop_token& stop) {
  return SendForObject({"get", resource, deadline, stop});
}

Answer<ObjectList> Client::List(const Resource& resource,
                                const Selectors& selectors,
                                MonoTime deadline,
                                const std::stop_token& stop) {
  ObjectList list;
  Answer<std::string> version = Each(
      resource,
      selectors,
      deadline,
      stop,
      [&] { list.items.clear(); },
      [&](json item) { list.items.push_back(std::move(item)); });
  if (!version) return tl::make_unexpected(version.error());
  list.resource_version = *std::move(version);
  return list;
}

Answer<std::string> Client::Each(const Resource& resource,
                                 const Selectors& selectors,
                                 MonoTime deadline,
                                 const std::stop_token& stop,
                                 const std::function<void()>& begin,
                                 const std::function<void(json)>& take) {
  std::string version;
  const Answer<void> read =
      ListPages(resource,
                selectors,
                deadline,
                stop,
                begin,
                [&](std::string_view body) -> Result<std::string> {
                  Result<json> page = ParseJson(body);
                  if (!page) return Fail(NotAnObject());
                  const json* const items = Find(*page, {"items"});
                  if (items == nullptr || !(items->is_array() || items->is_null())) {
                    return Fail(NotAnObject());
                  }
                  version = Text(*page, {"metadata", "resourceVersion"});
                  for (json& item : (*page)["items"]) take(std::move(item));
                  return Text(*page, {"metadata", "continue"});
                });
  if (!read) return tl::make_unexpected(read.error());
  return version;
}

Answer<json> Client::Apply(const Resource& resource,
                           const json& object,
                           const ApplyOptions& options,
                           MonoTime deadline,
                           const std::stop_token& stop) {
  return SendForObject({"patch",
                        resource,
                        deadline,
                        stop,
                        "PATCH",
                        std::string("?fieldManager=") + kFieldManager +
                            "&force=" + (options.force ? "true" : "false") +
                            (options.dry_run ? "&dryRun=All" : ""),
                        "application/apply-patch+yaml",  // JSON is YAML
                        ToText(object)});
}

Answer<json> Client::Create(const Resource& resource,
                            const json& object,
                            MonoTime deadline,
                            const std::stop_token& stop) {
  const Resource kind = KindOf(resource);
  return SendForObject({"create",
                        kind,
                        deadline,
                        stop,
                        "POST",
                        std::string("?fieldManager=") + kFieldManager,
                        kJson,
                        ToText(object)});
}

Answer<json> Client::Update(const Resource& resource,
                            const json& object,
                            MonoTime deadline,
                            const std::stop_token& stop) {
  return SendForObject({"update",
                        resource,
                        deadline,
                        stop,
                        "PUT",
                        std::string("?fieldManager=") + kFieldManager,
                        kJson,
                        ToText(object)});
}

Answer<void> Client::Delete(const Resource& resource,
                            MonoTime deadline,
                            const std::stop_token& stop) {
  const Answer<HttpResponse> response =
      Send({"delete", resource, deadline, stop, "DELETE", "?propagationPolicy=Background"});
  if (!response) return tl::make_unexpected(response.error());
  return {};
}

Answer<void> Client::Watch(const Resource& resource,
                           const Selectors& selectors,
                           WatchHandler& handler,
                           std::string& resource_version,
                           MonoTime deadline,
                           const std::stop_token& stop) {
  Duration pause{0};  // grows while streams get nowhere
  while (!stop.stop_requested() && clock_.MonotonicNow() < deadline) {
    const MonoTime begun = clock_.MonotonicNow();
    const std::string before = resource_version;
    const Answer<void> done =
        before.empty() ? ListOnce(resource, selectors, handler, resource_version, deadline, stop)
                       : WatchOnce(resource, selectors, handler, resource_version, deadline, stop);
    if (stop.stop_requested() || clock_.MonotonicNow() >= deadline) break;
    if (!done && NeedsMending(done.error().reason)) return done;
    if (done && before.empty()) continue;

    const bool lasted = done && clock_.MonotonicNow() - begun >= kFirstPause;
    const bool got_on = lasted || resource_version != before;
    const bool forgotten = !done && done.error().reason == Reason::kGone;
    if (forgotten) {
      resource_version.clear();
    } else if (!done) {
      handler.OnFault(done.error());
    }
    // Neither a server that ends streams at once nor one that forgets at once is asked in a circle.
    const bool at_once = got_on || (forgotten && pause == Duration{0});
    pause = got_on ? Duration{0} : std::clamp<Duration>(2 * pause, kFirstPause, kLongestPause);
    if (!at_once) waiter_->WaitUntil(std::min(clock_.MonotonicNow() + pause, deadline), stop);
  }
  return {};
}

Answer<void> Client::ListOnce(const Resource& resource,
                              const Selectors& selectors,
                              WatchHandler& handler,
                              std::string& resource_version,
                              MonoTime deadline,
                              const std::stop_token& stop) {
  const Answer<ObjectList> list = List(resource, selectors, deadline, stop);
  if (!list) return tl::make_unexpected(list.error());
  resource_version = list->resource_version;
  handler.OnList(*list);
  return {};
}

Answer<void> Client::WatchOnce(const Resource& resource,
                               const Selectors& selectors,
                               WatchHandler& handler,
                               std::string& resource_version,
                               MonoTime deadline,
                               const std::stop_token& stop) {
  WatchStream stream;
  Answer<void> ended;
  const Resource kind = KindOf(resource);
  const Call call{
      .verb = "watch",
      .resource = kind,
      .deadline = std::min(deadline, clock_.MonotonicNow() + kStreamLasts + kStreamGrace),
      .stop = stop,
      .query = Query(selectors) + "watch=true&allowWatchBookmarks=true&timeoutSeconds=" +
               std::to_string(kStreamLasts.count()) +
               "&resourceVersion=" + http::PercentEncode(resource_version),
      .on_body =
          [&](std::string_view piece) {
            Result<std::vector<WatchEvent>> events = stream.Feed(piece);
            if (!events) {
              ended = tl::make_unexpected(ApiError{Reason::kServerError, events.error()});
              return false;
            }
            for (const WatchEvent& event : *events) {
              if (event.type == WatchEvent::Type::kError) {
                const json* const code = Find(event.object, {"code"});
                const bool known = code != nullptr && code->is_number_integer();
                ended =
                    tl::make_unexpected(RefusalOf({"watch", kind, access_.who, access_.login_mend},
                                                  {.status = known ? code->get<int>() : 500}));
                return false;
              }
              if (const std::string version = event.resource_version(); !version.empty()) {
                resource_version = version;
              }
              if (event.type != WatchEvent::Type::kBookmark) handler.OnEvent(event);
            }
            return true;
          },
  };
  const Result<HttpRequest> request = MakeRequest(call);
  if (!request) return tl::make_unexpected(NoAnswer(request.error()));
  const Result<HttpResponse> response = transport_->Send(*request);
  if (!ended) return ended;
  if (!response) {
    // The deadline of a stream is its planned end.
    if (response.error().code == ErrorCode::kDeadlineExceeded) return {};
    return tl::make_unexpected(NoAnswer(response.error()));
  }
  if (response->status / 100 != 2) {
    return tl::make_unexpected(
        RefusalOf({"watch", kind, access_.who, access_.login_mend}, *response));
  }
  return {};
}

Result<std::vector<Pod>> Client::ListPods(const std::string& name_space,
                                          const Selectors& selectors,
                                          MonoTime deadline,
                                          const std::stop_token& stop) {
  std::vector<Pod> pods;
  const Answer<void> read = ListPages(
      {"", "v1", "pods", name_space, ""},
      selectors,
      deadline,
      stop,
      [&] { pods.clear(); },
      [&](std::string_view body) -> Result<std::string> {
        Result<PodPage> page = ParsePodList(body);
        if (!page) return Fail(page.error());
        for (Pod& pod : page->pods) pods.push_back(std::move(pod));
        return std::move(page->next);
      });
  if (!read) {
    Error error = read.error();
    // Every API server has pods: this one is none, or in trouble.
    if (error.code == ErrorCode::kNotFound) error.code = ErrorCode::kUnavailable;
    return Fail(std::move(error));
  }
  return pods;
}

/// Calls begin() before the first page, and again when it must begin anew; add() takes a page and
/// gives the `continue` of the next.
Answer<void> Client::ListPages(const Resource& resource,
                               const Selectors& selectors,
                               MonoTime deadline,
                               const std::stop_token& stop,
                               const std::function<void()>& begin,
                               const std::function<Result<std::string>(std::string_view)>& add) {
  const Resource kind = KindOf(resource);
  const std::string query = Query(selectors) + "limit=" + kPageSize;
  begin();
  std::string next;
  for (int page = 0; page < kMaxPages; ++page) {
    const Answer<HttpResponse> response =
        Send({.verb = "list",
              .resource = kind,
              .deadline = deadline,
              .stop = stop,
              .query = query + (next.empty() ? "" : "&continue=" + http::PercentEncode(next))});
    if (!response && response.error().reason == Reason::kGone && !next.empty()) {
      // The list changed too much since its first page: the server wants us to begin anew.
      begin();
      next.clear();
      continue;
    }
    if (!response) return tl::make_unexpected(response.error());
    Result<std::string> added = add(response->body);
    if (!added) return tl::make_unexpected(ApiError{Reason::kServerError, added.error()});
    if (added->empty()) return {};
    next = std::move(*added);
  }
  return tl::make_unexpected(NoAnswer({ErrorCode::kResourceExhausted,
                                       "there are too many " + Describe(kind) +
                                           "; choose a label selector that matches "
                                           "fewer"}));
}

/// "" when there is none to show.
Result<std::string> Client::Token(const Call& call) const {
  if (exec_) return exec_->Get(call.deadline, call.stop);
  if (access_.token_file.empty()) return access_.token;
  const Result<std::string> read = files_.Read(access_.token_file);
  if (!read) {
    return Fail(ErrorCode::kUnavailable,
                "no token for Kubernetes: " + read.error().message +
                    "; in a pod, set automountServiceAccountToken: true");
  }
  return std::string(Trim(*read));
}

Result<HttpRequest> Client::MakeRequest(const Call& call) const {
  const Result<std::string> token = Token(call);
  if (!token) return Fail(token.error());
  HttpRequest request;
  request.method = call.method;
  request.url = access_.server + PathOf(call.resource) + call.query;
  request.headers.push_back({"Accept", kJson});
  if (!token->empty()) request.headers.push_back({"Authorization", "Bearer " + *token});
  if (!call.content_type.empty()) request.headers.push_back({"Content-Type", call.content_type});
  request.body = call.body;
  request.deadline = call.deadline;
  request.max_body_bytes = kMaxPageBytes;
  request.stop = call.stop;
  request.on_body = call.on_body;
  return request;
}

Answer<HttpResponse> Client::Send(const Call& call) {
  Result<HttpResponse> response = retrier_.Send(*transport_, [&] { return MakeRequest(call); });
  if (response && response->status == 401 && exec_) {
    exec_->Invalidate();
    response = retrier_.Send(*transport_, [&] { return MakeRequest(call); });
  }
  if (!response) {
    return tl::make_unexpected(
        NoAnswer({response.error().code, "Kubernetes: " + response.error().message}));
  }
  if (response->status / 100 != 2) {
    return tl::make_unexpected(
        RefusalOf({call.verb, call.resource, access_.who, access_.login_mend}, *response));
  }
  return std::move(*response);
}

Answer<json> Client::SendForObject(const Call& call) {
  const Answer<HttpResponse> response = Send(call);
  if (!response) return tl::make_unexpected(response.error());
  Result<json> object = ParseJson(response->body);
  if (!object || !object->is_object()) return tl::make_unexpected(NotAnObject());
  return std::move(*object);
}

}  // namespace stoker::kubernetes
