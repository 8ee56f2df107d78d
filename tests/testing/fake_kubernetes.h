#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/http_transport.h"
#include "tests/testing/fakes.h"
#include "upstream/kubernetes/resource.h"

namespace stoker::testing {

/// An API server in memory: objects with resource versions, optimistic updates, server-side apply
/// with field managers and dry runs, lists by pages and selectors, watches. Members of a list
/// count by their `name` or `type` when all have one, other lists as one value. No validation, no
/// defaults, no garbage collection. It serves pods, configmaps, podtemplates, leases, deployments,
/// priorityclasses, capacitybuffers (v1beta1) and provisioningrequests (v1). Thread-safe.
class FakeKubernetes {
 public:
  using Json = nlohmann::json;

  FakeKubernetes();

  /// Makes `world` a pod of this cluster, in namespace "stoker" and with token "t0ken": a Client of
  /// its deps talks to us.
  void Join(FakeWorld& world);
  [[nodiscard]] FakeTransport::Handler Handler();
  [[nodiscard]] Result<HttpResponse> Handle(const HttpRequest& request);

  /// Serve one more kind; `kind` "" withdraws it, as when its CRD is not installed.
  void Serve(const std::string& group,
             const std::string& version,
             const std::string& plural,
             const std::string& kind);

  // What others do.

  /// Creates the object, or replaces it, as `manager`. Returns it as it is then.
  Json Put(const kubernetes::Resource& resource,
           Json object,
           const std::string& manager = "kubectl");
  void Remove(const kubernetes::Resource& resource);
  /// The object; null when there is none.
  [[nodiscard]] Json Find(const kubernetes::Resource& resource) const;

  // What goes wrong.

  /// RBAC allows `verb` on `plural` no longer.
  void Forbid(const std::string& verb, const std::string& plural);
  void Allow(const std::string& verb, const std::string& plural);
  /// The next `times` requests of this method ("": any) get this answer, or none (status 0).
  void AnswerNext(HttpResponse answer, int times = 1, const std::string& method = "");
  /// Only this bearer token is accepted.
  void set_token(const std::string& token);
  /// Forget what was before: watches and pages from there are 410.
  void Compact();
  /// Whether a watch stays open until its stop, rather than end once it has told all there is.
  void set_watches_wait(bool wait);

  /// All requests so far: "GET /api/v1/pods?limit=250", "PATCH ... BODY".
  [[nodiscard]] std::vector<std::string> requests() const;
  /// The writes among them that changed or would have changed something, dry runs left out.
  [[nodiscard]] std::vector<std::string> writes() const;

 private:
  using Path = std::vector<std::string>;                ///< as in fieldsV1: "f:spec", ...
  using Manager = std::pair<std::string, std::string>;  ///< name and operation
  using Owned = std::map<Manager, std::set<Path>>;
  struct Stored {
    Json object;
    Owned owned;
  };
  struct Change {
    std::uint64_t version = 0;
    std::string type;
    std::string kind_key;  ///< group/version/plural
    Json object;
  };
  struct Asked {
    kubernetes::Resource resource;
    std::map<std::string, std::string> query;
    const HttpRequest& request;

    [[nodiscard]] std::string Query(const std::string& name) const;
    [[nodiscard]] bool Matches(const Json& object) const;
  };
  struct Planned {
    HttpResponse answer;
    int times = 0;
    std::string method;
  };

  static std::string KeyOf(const kubernetes::Resource& resource);
  static std::string KindKey(const kubernetes::Resource& resource);
  static HttpResponse StatusAnswer(int status,
                                   const std::string& reason,
                                   const std::string& message,
                                   Json details = Json::object());
  static HttpResponse Ok(const Json& object, int status = 200);
  static void Collect(const Json& value, Path& prefix, std::set<Path>& paths);
  static Json* At(Json& object, const Path& path, bool make);
  static void Erase(Json& object, const Path& path);
  static Json FieldsOf(const Owned& owned, const Json& object);

  std::optional<HttpResponse> Refuse(const HttpRequest& request, const std::string& target);
  HttpResponse Get(const Asked& asked) const;
  HttpResponse List(const Asked& asked) const;
  HttpResponse Apply(const Asked& asked, const Json& body);
  HttpResponse Create(const Asked& asked, Json body);
  HttpResponse Update(const Asked& asked, Json body);
  HttpResponse Delete(const Asked& asked);
  Result<HttpResponse> Watch(const Asked& asked);
  /// Stores it when it differs from what is there, and tells watches.
  HttpResponse Store(const Asked& asked, Stored next, bool dry_run);
  /// Who owns what after `manager` has replaced `before` by `after`.
  static Owned Replaced(const Stored& before, const Json& after, const std::string& manager);
  void Tell(const std::string& type, const kubernetes::Resource& resource, const Json& object);
  HttpResponse NotThere(const Asked& asked) const;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, std::string> kinds_;  ///< kind by KindKey
  std::map<std::string, Stored> objects_;     ///< by path
  std::vector<Change> changes_;
  std::uint64_t version_ = 100;
  std::uint64_t forgotten_ = 0;
  std::uint64_t uids_ = 0;
  std::set<std::pair<std::string, std::string>> forbidden_;
  std::vector<Planned> planned_;
  std::string token_;
  bool watches_wait_ = false;
  std::vector<std::string> requests_;
  std::vector<std::string> writes_;
};

}  // namespace stoker::testing
