// Compares docs/reference/http.md with the routes and answers of the API.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "adapter/http/api.h"
#include "tests/golden/golden_file.h"
#include "tests/testing/fakes.h"
#include "tests/unit/adapter/sample_decisions.h"

namespace stoker::adapter {
namespace {

constexpr char kPage[] = "docs/reference/http.md";

TEST(HttpGolden, TheReferencePageShowsTheRoutes) {
  const auto document = nlohmann::ordered_json::parse(Api::OpenApi());
  std::string table = "| Route | Token | Answer |\n|---|---|---|\n";
  for (const auto& [path, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      std::string upper;
      for (const char c : method) upper += static_cast<char>(c - 'a' + 'A');
      table += "| `" + upper + " " + path + "` | ";
      table += operation["security"].empty() ? "no" : "yes";
      table += " | " + operation["summary"].get<std::string>() + " |\n";
    }
  }
  golden::ExpectSection(kPage, "routes", table);
}

TEST(HttpGolden, TheReferencePageShowsARealAnswer) {
  const testing::FakeWorld fakes;
  const SampleDecisions world = SampleWorld();
  const Metrics metrics(fakes.clock, "0.0.0");
  HttpListener listener;
  listener.auth_off = true;
  const BearerAuth auth(listener, fakes.files);
  const Api api({world, metrics, auth, true});
  ApiRequest request;
  request.path = "/api/v1/targets/team-a/nightly";
  golden::ExpectSection(kPage, "answer", "```json\n" + api.Handle(request).body + "```\n");
}

}  // namespace
}  // namespace stoker::adapter
