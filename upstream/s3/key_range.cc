#include "upstream/s3/key_range.h"

#include <algorithm>

namespace stoker::s3 {
namespace {

std::size_t CommonPrefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

/// The first character after the class that `c` belongs to; `c` itself when it is no ASCII text.
char ClassEnd(char c) {
  if (c >= '0' && c <= '9') return '9' + 1;
  if (c >= 'A' && c <= 'Z') return 'Z' + 1;
  if (c >= 'a' && c <= 'z') return 'z' + 1;
  return c > ' ' && c < '~' ? static_cast<char>(c + 1) : c;
}

std::string Cut(std::string_view key, std::size_t at, char c) {
  std::string cut(key.substr(0, at));
  cut += c;
  return cut;
}

}  // namespace

std::vector<std::string> SplitPoints(const KeyRange& range,
                                     const PageSpan& page,
                                     std::size_t prefix_size,
                                     std::size_t most) {
  std::vector<std::string> cuts;
  const std::string_view last = page.last;
  // At this place and deeper, keys vary within a page: pieces there are not worth a request.
  const std::size_t depth = std::min(CommonPrefix(page.first, last), last.size());

  if (range.upto.empty()) {
    for (std::size_t at = depth; at > prefix_size && cuts.size() < most; --at) {
      const char end = ClassEnd(last[at - 1]);
      if (end != last[at - 1]) cuts.push_back(Cut(last, at - 1, end));
    }
    return cuts;
  }

  for (std::size_t at = CommonPrefix(last, range.upto); at < depth; ++at) {
    const char end = ClassEnd(last[at]);
    for (char c = last[at]; c < end; ++c) {
      std::string cut = Cut(last, at, static_cast<char>(c + 1));
      if (cut < range.upto) cuts.push_back(std::move(cut));
    }
    // Next to the place where a page varies, a character is about a page: take three together.
    const std::size_t stride = std::max((cuts.size() + most) / (most + 1),  //
                                        at + 1 == depth ? std::size_t{3} : std::size_t{1});
    std::vector<std::string> chosen;
    for (std::size_t i = stride - 1; i < cuts.size() && chosen.size() < most; i += stride) {
      chosen.push_back(std::move(cuts[i]));
    }
    if (!chosen.empty()) return chosen;
    cuts.clear();
  }
  return {};
}

}  // namespace stoker::s3
