#pragma once

#include <optional>
#include <string>

#include "core/http_transport.h"

namespace stoker::testing {

/// Answers as the UI of a driver that runs one application. Members are bodies, to be changed at
/// will; an absent one is answered as Spark answers for what it lacks.
struct FakeDriver {
  std::string id = "app-1";
  std::string applications = R"([{"id":"app-1","name":"job","attempts":[{"completed":false}]}])";
  std::optional<std::string> stages = "[]";
  std::optional<std::string> executors = "[]";
  std::optional<std::string> environment = R"({"sparkProperties":[]})";
  std::optional<std::string> metrics{};

  [[nodiscard]] Result<HttpResponse> Answer(const HttpRequest& request) const {
    const auto ends = [&](const std::string& path) { return request.url.ends_with(path); };
    const auto body = [](const std::optional<std::string>& text) -> HttpResponse {
      if (!text) return {.status = 404, .headers = {}, .body = "unknown app"};
      return {.status = 200, .headers = {}, .body = *text};
    };
    if (ends("/api/v1/applications?status=running")) return body(applications);
    const std::string application = "/api/v1/applications/" + id;
    if (ends(application + "/stages?status=active")) return body(stages);
    if (ends(application + "/executors")) return body(executors);
    if (ends(application + "/environment")) return body(environment);
    if (ends("/metrics/json/") && metrics) return body(metrics);
    return HttpResponse{.status = 302, .headers = {{"Location", "/jobs/"}}, .body = ""};
  }
};

}  // namespace stoker::testing
