// Any bytes are a sound page or an error; a sound page says where it goes on, and reads the same
// again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "upstream/s3/list_page.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view xml(reinterpret_cast<const char*>(data), size);
  Check(stoker::s3::ParseErrorCode(xml).size() <= 64);
  const auto page = stoker::s3::ParseListPage(xml);
  if (!page) {
    Check(page.error().message.find('\n') == std::string::npos);
    return 0;
  }
  Check(page->truncated != page->next_token.empty());
  for (const auto& object : page->objects) Check(!object.key.empty());
  for (const auto& prefix : page->common_prefixes) Check(!prefix.empty());
  // A part of it is never a page with fewer objects: either it is all there, or it fails.
  for (const std::size_t cut : {size / 3, size / 2, size - size / 8}) {
    const auto part = stoker::s3::ParseListPage(xml.substr(0, cut));
    Check(!part || part->objects.size() == page->objects.size());
  }
  return 0;
}
