#include "tests/testing/fake_kubernetes.h"

#include <algorithm>

#include "core/text.h"
#include "core/units.h"
#include "upstream/http/url.h"

namespace stoker::testing {
namespace {

using Json = nlohmann::json;
using kubernetes::Resource;

std::string Decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string HeaderOf(const HttpRequest& request, std::string_view name) {
  for (const HttpHeader& header : request.headers) {
    if (EqualsIgnoreCase(header.name, name)) return header.value;
  }
  return {};
}

/// What a member of a list is called by, when all have a name or a type; "" for a list that is one
/// value.
std::string KeyOfItems(const Json& list) {
  for (const char* key : {"name", "type"}) {
    const bool all = !list.empty() && std::ranges::all_of(list, [key](const Json& item) {
      return item.is_object() && item.contains(key) && item[key].is_string();
    });
    if (all) return key;
  }
  return {};
}

/// The fields that no manager owns.
bool IsServers(const std::vector<std::string>& path) {
  if (path.size() == 1) return path[0] == "f:apiVersion" || path[0] == "f:kind";
  static const std::set<std::string> kOurs{"f:name",
                                           "f:namespace",
                                           "f:uid",
                                           "f:resourceVersion",
                                           "f:generation",
                                           "f:creationTimestamp",
                                           "f:managedFields"};
  return path.size() >= 2 && path[0] == "f:metadata" && kOurs.contains(path[1]);
}

/// ".spec.replicas", `.spec.containers[name="a"].image`, as conflicts name it.
std::string Dotted(const std::vector<std::string>& path) {
  std::string text;
  for (const std::string& part : path) {
    if (part.starts_with("f:")) {
      text += "." + part.substr(2);
    } else {
      const Json key = Json::parse(part.substr(2));
      text += "[" + key.begin().key() + "=" + key.begin()->dump() + "]";
    }
  }
  return text;
}

bool MatchesSelector(const std::string& selector,
                     const std::function<std::optional<std::string>(const std::string&)>& value) {
  if (selector.empty()) return true;
  return std::ranges::all_of(Split(selector, ','), [&](std::string_view term) {
    const std::size_t equals = term.find('=');
    if (equals == std::string_view::npos) {
      return term.starts_with('!') ? !value(std::string(term.substr(1)))
                                   : value(std::string(term)).has_value();
    }
    const bool differs = equals > 0 && term[equals - 1] == '!';
    const std::string name(term.substr(0, equals - (differs ? 1 : 0)));
    std::string_view wanted = term.substr(equals + 1);
    if (wanted.starts_with('=')) wanted.remove_prefix(1);
    return (value(name).value_or("") == wanted) != differs;
  });
}

}  // namespace

FakeKubernetes::FakeKubernetes() {
  Serve("", "v1", "pods", "Pod");
  Serve("", "v1", "configmaps", "ConfigMap");
  Serve("", "v1", "podtemplates", "PodTemplate");
  Serve("apps", "v1", "deployments", "Deployment");
  Serve("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass");
  Serve("coordination.k8s.io", "v1", "leases", "Lease");
  Serve("autoscaling.x-k8s.io", "v1beta1", "capacitybuffers", "CapacityBuffer");
  Serve("autoscaling.x-k8s.io", "v1", "provisioningrequests", "ProvisioningRequest");
}

void FakeKubernetes::Join(FakeWorld& world) {
  const std::string folder = "/var/run/secrets/kubernetes.io/serviceaccount/";
  world.environment.Set("KUBERNETES_SERVICE_HOST", "10.96.0.1");
  world.environment.Set("KUBERNETES_SERVICE_PORT", "443");
  world.files.Write(folder + "token", "t0ken");
  world.files.Write(folder + "namespace", "stoker");
  set_token("t0ken");
  world.transport->set_handler(Handler());
}

FakeTransport::Handler FakeKubernetes::Handler() {
  return [this](const HttpRequest& request) { return Handle(request); };
}

void FakeKubernetes::Serve(const std::string& group,
                           const std::string& version,
                           const std::string& plural,
                           const std::string& kind) {
  const std::scoped_lock lock(mutex_);
  kinds_[KindKey({group, version, plural, "", ""})] = kind;
}

Json FakeKubernetes::Put(const Resource& resource, Json object, const std::string& manager) {
  const std::scoped_lock lock(mutex_);
  const HttpRequest request;
  const Asked asked{resource, {{"fieldManager", manager}}, request};
  const auto found = objects_.find(KeyOf(resource));
  if (found == objects_.end()) {
    object["metadata"]["name"] = resource.name;
    return Json::parse(Create(asked, std::move(object)).body);
  }
  object["metadata"]["resourceVersion"] = found->second.object["metadata"]["resourceVersion"];
  return Json::parse(Update(asked, std::move(object)).body);
}

void FakeKubernetes::Remove(const Resource& resource) {
  const std::scoped_lock lock(mutex_);
  const HttpRequest request;
  static_cast<void>(Delete(Asked{resource, {}, request}));
}

Json FakeKubernetes::Find(const Resource& resource) const {
  const std::scoped_lock lock(mutex_);
  const auto found = objects_.find(KeyOf(resource));
  return found == objects_.end() ? Json() : found->second.object;
}

void FakeKubernetes::Forbid(const std::string& verb, const std::string& plural) {
  const std::scoped_lock lock(mutex_);
  forbidden_.emplace(verb, plural);
}

void FakeKubernetes::Allow(const std::string& verb, const std::string& plural) {
  const std::scoped_lock lock(mutex_);
  forbidden_.erase({verb, plural});
}

void FakeKubernetes::AnswerNext(HttpResponse answer, int times, const std::string& method) {
  const std::scoped_lock lock(mutex_);
  planned_.push_back({std::move(answer), times, method});
}

void FakeKubernetes::set_token(const std::string& token) {
  const std::scoped_lock lock(mutex_);
  token_ = token;
}

void FakeKubernetes::Compact() {
  const std::scoped_lock lock(mutex_);
  forgotten_ = ++version_;
  changes_.clear();
}

void FakeKubernetes::set_watches_wait(bool wait) {
  const std::scoped_lock lock(mutex_);
  watches_wait_ = wait;
}

std::vector<std::string> FakeKubernetes::requests() const {
  const std::scoped_lock lock(mutex_);
  return requests_;
}

std::vector<std::string> FakeKubernetes::writes() const {
  const std::scoped_lock lock(mutex_);
  return writes_;
}

// ---- requests

std::string FakeKubernetes::Asked::Query(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

bool FakeKubernetes::Asked::Matches(const Json& object) const {
  const auto at = [&object](std::string pointer) -> std::optional<std::string> {
    const Json::json_pointer where(pointer);
    if (!object.contains(where) || !object[where].is_string()) return std::nullopt;
    return object[where].get<std::string>();
  };
  if (!resource.name_space.empty() && at("/metadata/namespace") != resource.name_space) {
    return false;
  }
  return MatchesSelector(Query("labelSelector"),
                         [&](const std::string& name) -> std::optional<std::string> {
                           const Json labels = object["metadata"].value("labels", Json::object());
                           if (!labels.contains(name)) return std::nullopt;
                           return labels[name].get<std::string>();
                         }) &&
         MatchesSelector(Query("fieldSelector"), [&](const std::string& name) {
           std::string pointer = "/" + name;
           std::ranges::replace(pointer, '.', '/');
           return at(pointer);
         });
}

std::string FakeKubernetes::KeyOf(const Resource& resource) { return PathOf(resource); }

std::string FakeKubernetes::KindKey(const Resource& resource) {
  return resource.group + "/" + resource.version + "/" + resource.plural;
}

HttpResponse FakeKubernetes::StatusAnswer(int status,
                                          const std::string& reason,
                                          const std::string& message,
                                          Json details) {
  return Ok({{"kind", "Status"},
             {"apiVersion", "v1"},
             {"metadata", Json::object()},
             {"status", "Failure"},
             {"message", message},
             {"reason", reason},
             {"details", std::move(details)},
             {"code", status}},
            status);
}

HttpResponse FakeKubernetes::Ok(const Json& object, int status) {
  return {status, {{"Content-Type", "application/json"}}, object.dump()};
}

HttpResponse FakeKubernetes::NotThere(const Asked& asked) const {
  const std::string group = asked.resource.group.empty() ? "" : "." + asked.resource.group;
  return StatusAnswer(404,
                      "NotFound",
                      asked.resource.plural + group + " \"" + asked.resource.name + "\" not found",
                      {{"name", asked.resource.name}, {"kind", asked.resource.plural}});
}

/// What was planned to go wrong, or wrong credentials.
std::optional<HttpResponse> FakeKubernetes::Refuse(const HttpRequest& request,
                                                   const std::string& target) {
  requests_.push_back(request.method + " " + target +
                      (request.body.empty() ? "" : " " + request.body));
  for (auto planned = planned_.begin(); planned != planned_.end(); ++planned) {
    if (!planned->method.empty() && planned->method != request.method) continue;
    HttpResponse answer = planned->answer;
    if (--planned->times == 0) planned_.erase(planned);
    return answer;
  }
  if (!token_.empty() && HeaderOf(request, "Authorization") != "Bearer " + token_) {
    return StatusAnswer(401, "Unauthorized", "Unauthorized");
  }
  return std::nullopt;
}

Result<HttpResponse> FakeKubernetes::Handle(const HttpRequest& request) {
  std::unique_lock lock(mutex_);
  const std::string target = http::ParseUrl(request.url)->target;
  if (std::optional<HttpResponse> refused = Refuse(request, target)) {
    if (refused->status == 0) return Fail(ErrorCode::kUnavailable, "10.96.0.1:443: while waiting");
    return std::move(*refused);
  }
  const std::size_t question = std::min(target.find('?'), target.size());
  Asked asked{{}, {}, request};
  for (const std::string_view part : Split(std::string_view(target).substr(question), '&')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = part.substr(0, equals);
    asked.query[std::string(name.substr(name.find('?') + 1))] = Decode(part.substr(equals + 1));
  }
  std::vector<std::string> parts;  // /api/v1/... and /apis/GROUP/v1/...
  for (const std::string_view part : Split(std::string_view(target).substr(1, question - 1), '/')) {
    parts.push_back(Decode(part));
  }
  if (parts.front() == "api") parts.insert(parts.begin() + 1, "");
  parts.resize(std::max<std::size_t>(parts.size(), 4));
  asked.resource.group = parts[1];
  asked.resource.version = parts[2];
  std::size_t next = 3;
  if (parts[3] == "namespaces" && parts.size() > 5) {
    asked.resource.name_space = parts[4];
    next = 5;
  }
  asked.resource.plural = parts[next];
  if (parts.size() > next + 1) asked.resource.name = parts[next + 1];

  const auto kind = kinds_.find(KindKey(asked.resource));
  if (kind == kinds_.end() || kind->second.empty()) {
    return HttpResponse{404, {{"Content-Type", "text/plain"}}, "404 page not found\n"};
  }
  const bool named = !asked.resource.name.empty();
  const bool watch = asked.Query("watch") == "true";
  const std::map<std::string, std::string> verbs{{"GET",
                                                  named   ? "get"
                                                  : watch ? "watch"
                                                          : "list"},
                                                 {"POST", "create"},
                                                 {"PUT", "update"},
                                                 {"PATCH", "patch"},
                                                 {"DELETE", "delete"}};
  const std::string verb = verbs.at(request.method);
  if (forbidden_.contains({verb, asked.resource.plural})) {
    return StatusAnswer(403,
                        "Forbidden",
                        asked.resource.plural +
                            " is forbidden: User \"system:serviceaccount:stoker:stoker\" cannot " +
                            verb + " resource \"" + asked.resource.plural + "\"");
  }
  if (verb == "watch") {
    lock.unlock();
    return Watch(asked);
  }
  if (verb == "get") return Get(asked);
  if (verb == "list") return List(asked);
  if (verb == "delete") return Delete(asked);
  Json body = Json::parse(request.body, nullptr, false);
  if (!body.is_object() || body.value("kind", "") != kind->second) {
    return StatusAnswer(400, "BadRequest", "the object provided is unrecognized");
  }
  if (verb == "create") {
    asked.resource.name = body["metadata"].value("name", "");
    return Create(asked, std::move(body));
  }
  if (verb == "update") return Update(asked, std::move(body));
  if (HeaderOf(request, "Content-Type") != "application/apply-patch+yaml") {
    return StatusAnswer(415, "UnsupportedMediaType", "only apply is known here");
  }
  return Apply(asked, body);
}

// ---- fields and who owns them

/// Adds the paths of all values in `value`, which is at `prefix`.
void FakeKubernetes::Collect(const Json& value, Path& prefix, std::set<Path>& paths) {
  if (IsServers(prefix)) return;
  if (value.is_object() && !value.empty()) {
    for (const auto& [key, member] : value.items()) {
      prefix.push_back("f:" + key);
      Collect(member, prefix, paths);
      prefix.pop_back();
    }
    return;
  }
  if (value.is_array()) {
    const std::string key = KeyOfItems(value);
    if (!key.empty()) {
      for (const Json& item : value) {
        prefix.push_back("k:" + Json{{key, item[key]}}.dump());
        Collect(item, prefix, paths);
        prefix.pop_back();
      }
      return;
    }
  }
  if (!prefix.empty()) paths.insert(prefix);
}

/// The value at `path`; nullptr when there is none and none is to be made.
Json* FakeKubernetes::At(Json& object, const Path& path, bool make) {
  Json* value = &object;
  for (const std::string& part : path) {
    const std::string name = part.substr(2);
    if (part.starts_with("f:")) {
      if (!value->is_object()) {
        if (!make) return nullptr;
        *value = Json::object();
      }
      if (!make && !value->contains(name)) return nullptr;
      value = &(*value)[name];
      continue;
    }
    const Json key = Json::parse(name);
    if (!value->is_array()) {
      if (!make) return nullptr;
      *value = Json::array();
    }
    const auto item = std::ranges::find_if(*value, [&key](const Json& each) {
      return each.is_object() && each.value(key.begin().key(), Json()) == *key.begin();
    });
    if (item != value->end()) {
      value = &*item;
    } else if (make) {
      value->push_back(key);
      value = &value->back();
    } else {
      return nullptr;
    }
  }
  return value;
}

/// Removes the value at `path`, and what is empty then.
void FakeKubernetes::Erase(Json& object, const Path& path) {
  if (path.empty() || At(object, path, false) == nullptr) return;
  const Path parent_path(path.begin(), path.end() - 1);
  Json& parent = *At(object, parent_path, false);
  if (path.back().starts_with("f:")) {
    parent.erase(path.back().substr(2));
  } else {
    const Json* const item = At(object, path, false);
    parent.erase(static_cast<std::size_t>(item - &parent[0]));
  }
  if (parent.empty()) Erase(object, parent_path);
}

/// metadata.managedFields.
Json FakeKubernetes::FieldsOf(const Owned& owned, const Json& object) {
  Json list = Json::array();
  for (const auto& [manager, paths] : owned) {
    if (paths.empty()) continue;
    Json fields = Json::object();
    for (const Path& path : paths) {
      Json* at = &fields;
      for (const std::string& part : path) at = &(*at)[part];
      if (at->is_null()) *at = Json::object();
    }
    list.push_back({{"manager", manager.first},
                    {"operation", manager.second},
                    {"apiVersion", object.value("apiVersion", "")},
                    {"fieldsType", "FieldsV1"},
                    {"fieldsV1", fields}});
  }
  return list;
}

FakeKubernetes::Owned FakeKubernetes::Replaced(const Stored& before,
                                               const Json& after,
                                               const std::string& manager) {
  Owned owned = before.owned;
  std::set<Path> paths;
  Path prefix;
  Collect(after, prefix, paths);
  Json old = before.object;
  Json now = after;
  for (auto& [who, theirs] : owned) {
    std::erase_if(theirs, [&](const Path& path) {
      const Json* const is = At(now, path, false);
      const Json* const was = At(old, path, false);
      return is == nullptr || was == nullptr || *is != *was;
    });
  }
  std::set<Path>& ours = owned[{manager, "Update"}];
  for (const Path& path : paths) {
    const Json* const was = At(old, path, false);
    if (was == nullptr || *was != *At(now, path, false)) ours.insert(path);
  }
  return owned;
}

// ---- verbs

HttpResponse FakeKubernetes::Get(const Asked& asked) const {
  const auto found = objects_.find(KeyOf(asked.resource));
  return found == objects_.end() ? NotThere(asked) : Ok(found->second.object);
}

HttpResponse FakeKubernetes::List(const Asked& asked) const {
  std::vector<Json> all;
  for (const auto& [key, stored] : objects_) {
    const Json& metadata = stored.object["metadata"];
    Resource own = asked.resource;
    own.name_space = metadata.value("namespace", "");
    own.name = metadata.value("name", "");
    if (key == KeyOf(own) && asked.Matches(stored.object)) all.push_back(stored.object);
  }
  // A continue is "version:offset".
  std::size_t from = 0;
  std::string version = std::to_string(version_);
  if (const std::string token = asked.Query("continue"); !token.empty()) {
    version = token.substr(0, token.find(':'));
    from = std::stoul(token.substr(token.find(':') + 1));
    if (std::stoull(version) < forgotten_) {
      return StatusAnswer(410, "Expired", "The provided continue parameter is too old");
    }
  }
  const std::string limit = asked.Query("limit");
  const std::size_t until =
      limit.empty() ? all.size() : std::min(all.size(), from + std::stoul(limit));
  Json items = Json::array();
  for (std::size_t i = from; i < until; ++i) items.push_back(all[i]);
  for (Json& item : items) {
    item.erase("kind");
    item.erase("apiVersion");
  }
  Json metadata{{"resourceVersion", version}};
  if (until < all.size()) metadata["continue"] = version + ":" + std::to_string(until);
  return Ok({{"kind", kinds_.at(KindKey(asked.resource)) + "List"},
             {"apiVersion", "v1"},
             {"metadata", metadata},
             {"items", items}});
}

HttpResponse FakeKubernetes::Create(const Asked& asked, Json body) {
  if (objects_.contains(KeyOf(asked.resource))) {
    return StatusAnswer(409,
                        "AlreadyExists",
                        asked.resource.plural + " \"" + asked.resource.name + "\" already exists",
                        {{"name", asked.resource.name}, {"kind", asked.resource.plural}});
  }
  Stored stored;
  stored.owned = Replaced({}, body, asked.Query("fieldManager"));
  stored.object = std::move(body);
  HttpResponse answer = Store(asked, std::move(stored), asked.Query("dryRun") == "All");
  answer.status = 201;
  return answer;
}

HttpResponse FakeKubernetes::Update(const Asked& asked, Json body) {
  const auto found = objects_.find(KeyOf(asked.resource));
  if (found == objects_.end()) return NotThere(asked);
  const Json& metadata = found->second.object["metadata"];
  const std::string version = body["metadata"].value("resourceVersion", "");
  if (version.empty()) {
    return StatusAnswer(
        422, "Invalid", "metadata.resourceVersion: must be specified for an update");
  }
  if (version != metadata["resourceVersion"]) {
    return StatusAnswer(409,
                        "Conflict",
                        "Operation cannot be fulfilled on " + asked.resource.plural + " \"" +
                            asked.resource.name + "\": the object has been modified",
                        {{"name", asked.resource.name}, {"kind", asked.resource.plural}});
  }
  Stored next{std::move(body), {}};
  next.owned = Replaced(found->second, next.object, asked.Query("fieldManager"));
  return Store(asked, std::move(next), asked.Query("dryRun") == "All");
}

HttpResponse FakeKubernetes::Apply(const Asked& asked, const Json& body) {
  const Manager me{asked.Query("fieldManager"), "Apply"};
  const bool dry_run = asked.Query("dryRun") == "All";
  if (me.first.empty()) {
    return StatusAnswer(
        422, "Invalid", "fieldManager: Required value: is required for apply patch");
  }
  std::set<Path> applied;
  Path prefix;
  Collect(body, prefix, applied);
  const auto found = objects_.find(KeyOf(asked.resource));
  if (found == objects_.end()) {
    HttpResponse answer = Store(asked, {body, {{me, applied}}}, dry_run);
    answer.status = 201;
    return answer;
  }

  Stored next = found->second;
  Json source = body;
  Json causes = Json::array();
  for (auto& [manager, theirs] : next.owned) {
    if (manager == me) continue;
    std::erase_if(theirs, [&, who = manager.first](const Path& path) {
      const Json* const live = At(next.object, path, false);
      const bool lost =
          applied.contains(path) && (live == nullptr || *live != *At(source, path, false));
      if (lost) {
        causes.push_back({{"reason", "FieldManagerConflict"},
                          {"message", "conflict with \"" + who + "\" using v1"},
                          {"field", Dotted(path)}});
      }
      return lost;
    });
  }
  if (!causes.empty() && asked.Query("force") != "true") {
    return StatusAnswer(
        409,
        "Conflict",
        "Apply failed with " + std::to_string(causes.size()) + " conflicts",
        {{"name", asked.resource.name}, {"kind", asked.resource.plural}, {"causes", causes}});
  }
  const std::set<Path> before = std::exchange(next.owned[me], applied);
  for (const Path& path : before) {
    const bool kept = std::ranges::any_of(
        next.owned, [&path](const auto& owner) { return owner.second.contains(path); });
    if (!kept) Erase(next.object, path);
  }
  for (const Path& path : applied) *At(next.object, path, true) = *At(source, path, false);
  return Store(asked, std::move(next), dry_run);
}

HttpResponse FakeKubernetes::Delete(const Asked& asked) {
  const auto found = objects_.find(KeyOf(asked.resource));
  if (found == objects_.end()) return NotThere(asked);
  Json object = found->second.object;
  objects_.erase(found);
  ++version_;
  object["metadata"]["resourceVersion"] = std::to_string(version_);
  writes_.push_back("DELETE " + KeyOf(asked.resource));
  Tell("DELETED", asked.resource, object);
  return Ok({{"kind", "Status"}, {"apiVersion", "v1"}, {"status", "Success"}});
}

HttpResponse FakeKubernetes::Store(const Asked& asked, Stored next, bool dry_run) {
  const std::string key = KeyOf(asked.resource);
  const auto found = objects_.find(key);
  const bool is_new = found == objects_.end();
  Json& metadata = next.object["metadata"];
  metadata["name"] = asked.resource.name;
  if (!asked.resource.name_space.empty()) metadata["namespace"] = asked.resource.name_space;
  const Json old = is_new ? Json::object() : found->second.object["metadata"];
  metadata["uid"] = is_new ? "uid-" + std::to_string(++uids_) : old["uid"].get<std::string>();
  metadata["creationTimestamp"] = "2026-01-05T00:00:00Z";
  if (!is_new) metadata["resourceVersion"] = old["resourceVersion"];
  metadata["managedFields"] = FieldsOf(next.owned, next.object);
  if (dry_run || (!is_new && next.object == found->second.object)) return Ok(next.object);

  metadata["resourceVersion"] = std::to_string(++version_);
  writes_.push_back((is_new ? "CREATE " : "UPDATE ") + key);
  Tell(is_new ? "ADDED" : "MODIFIED", asked.resource, next.object);
  const HttpResponse answer = Ok(next.object);
  objects_[key] = std::move(next);
  return answer;
}

void FakeKubernetes::Tell(const std::string& type, const Resource& resource, const Json& object) {
  changes_.push_back({version_, type, KindKey(resource), object});
  changed_.notify_all();
}

Result<HttpResponse> FakeKubernetes::Watch(const Asked& asked) {
  const auto line = [](const std::string& type, const Json& object) {
    return Json{{"type", type}, {"object", object}}.dump() + "\n";
  };
  std::uint64_t seen = std::stoull(asked.Query("resourceVersion"));
  const HttpResponse done{200, {{"Content-Type", "application/json"}}, ""};
  std::unique_lock lock(mutex_);
  while (true) {
    std::string told;
    bool over = !watches_wait_;
    if (seen < forgotten_) {
      told =
          line("ERROR", Json::parse(StatusAnswer(410, "Expired", "too old resource version").body));
      over = true;
    }
    for (const Change& change : changes_) {
      if (change.version <= seen || change.kind_key != KindKey(asked.resource)) continue;
      if (asked.Matches(change.object)) told += line(change.type, change.object);
    }
    if (over && seen >= forgotten_ && asked.Query("allowWatchBookmarks") == "true") {
      told += line("BOOKMARK",
                   {{"kind", kinds_.at(KindKey(asked.resource))},
                    {"metadata", {{"resourceVersion", std::to_string(version_)}}}});
    }
    seen = std::max(seen, version_);
    lock.unlock();
    if (!told.empty() && !asked.request.on_body(told)) {
      return Fail(ErrorCode::kCancelled, "the reader wants no more");
    }
    lock.lock();
    if (over) return done;
    const bool more = changed_.wait(lock, asked.request.stop, [&] { return version_ > seen; });
    if (!more) return Fail(ErrorCode::kCancelled, "10.96.0.1:443: stopped while waiting");
  }
}

}  // namespace stoker::testing
