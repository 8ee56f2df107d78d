// Any text: ParseYaml ends, throws nothing, keeps its limits, and names a place when it refuses.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/node.h"

namespace {

using stoker::config::Node;

std::size_t Count(const Node& node, int depth) {
  if (depth > 100) std::abort();
  std::size_t count = 1;
  for (const Node& item : node.items()) count += Count(item, depth + 1);
  for (const Node::Entry& entry : node.entries()) {
    if (node.Find(entry.key) != &entry.value) std::abort();  // every key once
    count += Count(entry.value, depth + 1);
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMaxNodes = 2000;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  stoker::config::Diagnostics diagnostics;
  const auto documents = stoker::config::ParseYamlStream(text, "fuzz.yaml", diagnostics, kMaxNodes);
  if (documents.has_value() != diagnostics.empty()) std::abort();
  if (documents) {
    std::size_t count = 0;
    for (const Node& document : *documents) count += Count(document, 1);
    if (count > kMaxNodes) std::abort();
  }
  return 0;
}
