#include "upstream/kubernetes/answer.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "upstream/kubernetes/json.h"

namespace stoker::kubernetes {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxShown = 300;

/// The server's own words, as one line of bounded length.
std::string Shown(std::string_view text) {
  std::string shown(text.substr(0, kMaxShown));
  std::replace_if(
      shown.begin(),
      shown.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; },
      ' ');
  if (text.size() > kMaxShown) shown += "...";
  return shown;
}

/// What `conflict with "kubectl" using apps/v1` quotes.
std::string Quoted(std::string_view text) {
  const std::size_t begin = text.find('"');
  if (begin == std::string_view::npos) return {};
  const std::size_t end = text.find('"', begin + 1);
  if (end == std::string_view::npos) return {};
  return Shown(text.substr(begin + 1, end - begin - 1));
}

std::vector<FieldConflict> ConflictsOf(const json& status) {
  std::vector<FieldConflict> conflicts;
  const json* const causes = Find(status, {"details", "causes"});
  if (causes == nullptr || !causes->is_array()) return conflicts;
  for (const json& cause : *causes) {
    if (Text(cause, {"reason"}) != "FieldManagerConflict") continue;
    conflicts.push_back({Quoted(Text(cause, {"message"})), Shown(Text(cause, {"field"}))});
  }
  return conflicts;
}

/// "manager 'kubectl' owns .spec.replicas, manager 'helm' owns .metadata.labels.app"
std::string Owners(const std::vector<FieldConflict>& conflicts) {
  constexpr std::size_t kMaxNamed = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(conflicts.size(), kMaxNamed); ++i) {
    text += (i == 0 ? "manager '" : ", manager '") + conflicts[i].manager + "' owns " +
            conflicts[i].field;
  }
  if (conflicts.size() > kMaxNamed) {
    text += " and " + std::to_string(conflicts.size() - kMaxNamed) + " more";
  }
  return text;
}

std::string Group(const Resource& resource) {
  return resource.group.empty() ? resource.plural
                                : resource.plural + " of apiGroup " + resource.group;
}

/// What RBAC lacks.
std::string RoleMend(const Question& question) {
  const Resource& resource = question.resource;
  const bool apply = question.verb == "patch";  // an apply that finds nothing creates
  const std::string kind = resource.name_space.empty() ? "ClusterRole" : "Role";
  return std::string(question.who) + " may not " + std::string(question.verb) + " " +
         Describe({resource.group, "", resource.plural, resource.name_space, ""}) + "; give it a " +
         kind + (resource.name_space.empty() ? "" : " there") + " with verb" +
         (apply ? "s create and patch" : " " + std::string(question.verb)) + " on resource " +
         Group(resource) + ", and a " + kind + "Binding";
}

}  // namespace

ApiError RefusalOf(const Question& question, const HttpResponse& response) {
  const Resource& resource = question.resource;
  const json status = ParseJson(response.body).value_or(json());
  const bool read = question.verb == "get" || question.verb == "list" || question.verb == "watch";
  const std::string said = read ? "" : Shown(Text(status, {"message"}));
  const std::string answered = "Kubernetes answered " + std::to_string(response.status) + ": ";
  const auto refuse = [&](Reason reason, ErrorCode code, const std::string& message) {
    return ApiError{reason, {code, answered + message}};
  };
  const std::string what = Describe(resource);
  const std::string words = said.empty() ? "" : ": " + said;
  switch (response.status) {
    case 400:
    case 422:
      return refuse(Reason::kInvalid,
                    ErrorCode::kInvalidArgument,
                    question.verb == "list" || question.verb == "watch"
                        ? "it does not understand the selector; write it as key=value"
                        : "it does not accept " + what + words);
    case 401:
      return refuse(
          Reason::kUnauthorized, ErrorCode::kUnauthenticated, std::string(question.login_mend));
    case 403:
      if (said.find("forbidden:") != std::string::npos &&
          said.find(" cannot ") == std::string::npos) {  // a quota, or admission
        return refuse(Reason::kForbidden, ErrorCode::kPermissionDenied, said);
      }
      return refuse(Reason::kForbidden, ErrorCode::kPermissionDenied, RoleMend(question));
    case 404:
      if (Text(status, {"details", "name"}).empty()) {
        return refuse(Reason::kUnknownKind,
                      ErrorCode::kNotFound,
                      "it does not serve " + resource.plural + " of " +
                          (resource.group.empty() ? "" : resource.group + "/") + resource.version +
                          "; install their CustomResourceDefinition");
      }
      return refuse(
          Reason::kNotFound, ErrorCode::kNotFound, said.empty() ? "there is no " + what : said);
    case 409: {
      if (Text(status, {"reason"}) == "AlreadyExists") {
        return refuse(Reason::kAlreadyExists, ErrorCode::kUnavailable, what + " is there already");
      }
      std::vector<FieldConflict> conflicts = ConflictsOf(status);
      ApiError error = refuse(
          Reason::kConflict,
          ErrorCode::kUnavailable,
          conflicts.empty() ? what + " has changed since it was read" + words
                            : what + ": " + Owners(conflicts) +
                                  "; have them leave it, or apply with force to take it over");
      error.conflicts = std::move(conflicts);
      return error;
    }
    case 410:
      return refuse(
          Reason::kGone, ErrorCode::kUnavailable, "it does not remember that far back; list anew");
    case 429:
      return refuse(
          Reason::kTooManyRequests, ErrorCode::kResourceExhausted, "it has too much to do");
    default:
      return refuse(Reason::kServerError,
                    ErrorCode::kUnavailable,
                    "could not " + std::string(question.verb) + " " + what + words);
  }
}

}  // namespace stoker::kubernetes
