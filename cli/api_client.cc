#include "cli/api_client.h"

#include <algorithm>

#include "core/text.h"
#include "upstream/http/url.h"

namespace stoker::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kPatience{10};
constexpr int kMaxPages = 1000;

}  // namespace

ApiClient::ApiClient(HttpTransport& transport,
                     const Clock& clock,
                     std::string server,
                     std::string token)
    : transport_(transport), clock_(clock), server_(std::move(server)), token_(std::move(token)) {
  while (server_.ends_with('/')) server_.pop_back();
}

Fetched<std::string> ApiClient::Get(const std::string& path) const {
  HttpRequest request;
  request.url = server_ + path;
  request.headers.push_back({"Accept", "application/json"});
  if (!token_.empty()) request.headers.push_back({"Authorization", "Bearer " + token_});
  request.deadline = clock_.MonotonicNow() + kPatience;
  Result<HttpResponse> response = transport_.Send(request);
  if (!response) {
    if (response.error().code == ErrorCode::kInvalidArgument) {
      return Wrong(kUsage, "--server: " + response.error().message);
    }
    return Wrong(kUpstream,
                 response.error().message +
                     "; check that `stoker serve` runs and that --server names its HTTP address");
  }
  if (response->status == 200) return std::move(response->body);
  std::string message = "the server answered " + std::to_string(response->status);
  const Json body = Json::parse(response->body, nullptr, false);
  if (body.is_object() && body.contains("error") && body.at("error").is_object()) {
    const Json& error = body.at("error");
    if (error.contains("message") && error.at("message").is_string())
      message = AnswerText(error, "message");
  }
  switch (response->status) {
    case 401:
    case 403:
      return Wrong(kUsage, message + " (--token-file gives the token)");
    case 404:
      return Wrong(kNo, message);
    default:
      return Wrong(kUpstream, message);
  }
}

Fetched<Json> ApiClient::GetAll(const std::string& path) const {
  Json items = Json::array();
  std::string next;
  for (int page = 0; page < kMaxPages; ++page) {
    const Fetched<std::string> body =
        Get(path + "?limit=1000" + (next.empty() ? "" : "&next=" + http::PercentEncode(next)));
    if (!body) return tl::make_unexpected(body.error());
    const Json list = Json::parse(*body, nullptr, false);
    if (!list.is_object() || !list.contains("items") || !list.at("items").is_array()) {
      return Wrong(kUpstream,
                   "the answer is no list; check that --server names server.http.listen");
    }
    items.insert(items.end(), list.at("items").begin(), list.at("items").end());
    if (!list.contains("next") || !list.at("next").is_string()) break;
    next = list.at("next").get<std::string>();
  }
  return items;
}

Fetched<std::string> ReadToken(const std::string& path, const FileSystem& files) {
  if (path.empty()) return "";
  const Result<std::string> content = files.Read(path);
  if (!content) return Wrong(kUsage, "--token-file: " + content.error().message);
  for (const std::string_view line : Split(*content, '\n')) {
    const std::string_view token = Trim(line);
    if (!token.empty() && !token.starts_with('#')) return std::string(token);
  }
  return Wrong(kUsage, "--token-file: the file holds no token");
}

std::string AnswerText(const Json& json, const char* key) {
  if (!json.contains(key) || json.at(key).is_null()) return "";
  std::string text = json.at(key).get<std::string>();
  std::replace_if(
      text.begin(),
      text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      '?');
  return text;
}

}  // namespace stoker::cli
