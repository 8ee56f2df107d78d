#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

#include "cli/command.h"
#include "core/clock.h"
#include "core/environment.h"
#include "core/http_transport.h"

namespace stoker::cli {

/// What went wrong, for the user and as an exit code.
struct Failure {
  int exit_code = kUpstream;
  std::string message;
};
template <class T>
using Fetched = tl::expected<T, Failure>;

inline tl::unexpected<Failure> Wrong(int exit_code, std::string message) {
  return tl::make_unexpected(Failure{exit_code, std::move(message)});
}

/// Asks one server's HTTP API, 10 s at most for each answer.
class ApiClient {
 public:
  /// References outlive this. `token`: "" for none.
  ApiClient(HttpTransport& transport, const Clock& clock, std::string server, std::string token);

  /// The body of a 200.
  [[nodiscard]] Fetched<std::string> Get(const std::string& path) const;

  /// All items of a list, page by page.
  [[nodiscard]] Fetched<nlohmann::ordered_json> GetAll(const std::string& path) const;

 private:
  HttpTransport& transport_;
  const Clock& clock_;
  std::string server_;
  std::string token_;
};

/// The first token of the file; "" for no path.
Fetched<std::string> ReadToken(const std::string& path, const FileSystem& files);

/// A text of an answer under this key, "" when there is none. Upstreams have a hand in some, so
/// control characters do not reach the terminal. Throws what nlohmann does for another type.
std::string AnswerText(const nlohmann::ordered_json& json, const char* key);

}  // namespace stoker::cli
