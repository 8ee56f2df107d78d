// Any bytes as a watch give the same events wherever they are cut (the first byte says where), and
// any body of a refusal a message of one line and bounded length.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "upstream/kubernetes/answer.h"
#include "upstream/kubernetes/json.h"
#include "upstream/kubernetes/watch_stream.h"

namespace {

using namespace stoker::kubernetes;

/// The events as text, as far as the stream can be read; and whether it can to its end.
std::pair<std::string, bool> Read(std::string_view text, std::size_t piece) {
  WatchStream stream(1000);
  std::string read;
  while (!text.empty()) {
    // Line by line at most: events before a broken line count however it is cut.
    const std::size_t line = text.find('\n');
    const std::size_t size = std::min({piece, text.size(), line == text.npos ? piece : line + 1});
    const auto events = stream.Feed(text.substr(0, size));
    if (!events) return {read, false};
    for (const WatchEvent& event : *events) {
      read += std::to_string(static_cast<int>(event.type)) + event.resource_version() +
              ToText(event.object) + "\n";
    }
    text.remove_prefix(size);
  }
  return {read, true};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = Read(text, text.size());
  const auto cut = Read(text, std::size_t{data[0]} + 1);
  if (whole != cut) std::abort();

  const Resource resource{"", "v1", "pods", "a", "b"};
  for (const int status : {400, 403, 404, 409, 500}) {
    const ApiError error = RefusalOf({"patch", resource, "this", "mend"},
                                     {.status = status, .headers = {}, .body = std::string(text)});
    if (error.error.message.empty() || error.error.message.find('\n') != std::string::npos) {
      std::abort();
    }
    if (error.error.message.size() > 5000) std::abort();
  }
  return 0;
}
