#include "upstream/s3/list_page.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <pugixml.hpp>

#include "core/units.h"

namespace stoker::s3 {
namespace {

constexpr unsigned int kXmlOptions =
    pugi::parse_cdata | pugi::parse_escapes | pugi::parse_ws_pcdata_single;

tl::unexpected<Error> Unsound(std::string_view why) {
  std::string message = "the answer is no sound listing: ";
  message += why;
  return Fail(ErrorCode::kUnavailable, std::move(message));
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Percent-decoding, with + for a blank, as S3 does for encoding-type=url.
std::optional<std::string> UrlDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
      const int low = high >= 0 ? HexValue(text[i + 2]) : -1;
      if (low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::optional<std::string> Text(const pugi::xml_node& node, bool encoded) {
  const std::string_view text = node.child_value();
  if (text.empty()) return std::nullopt;
  return encoded ? UrlDecode(text) : std::string(text);
}

}  // namespace

Result<Page> ParseListPage(std::string_view xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size(), kXmlOptions, pugi::encoding_utf8)) {
    return Unsound("XML that does not parse or is cut short");
  }
  const pugi::xml_node root = document.child("ListBucketResult");
  if (!root) return Unsound("no ListBucketResult");
  const bool encoded = std::string_view(root.child_value("EncodingType")) == "url";

  Page page;
  const std::string_view truncated = root.child_value("IsTruncated");
  if (truncated != "true" && truncated != "false") return Unsound("no IsTruncated");
  page.truncated = truncated == "true";
  if (page.truncated) page.next_token = root.child_value("NextContinuationToken");
  if (page.truncated && page.next_token.empty()) {
    return Unsound("it goes on, but there is no NextContinuationToken");
  }

  for (const pugi::xml_node node : root.children("Contents")) {
    Object object;
    std::optional<std::string> key = Text(node.child("Key"), encoded);
    if (!key) return Unsound("an object without a readable Key");
    object.key = std::move(*key);
    const std::string_view size = node.child_value("Size");
    const char* const end = size.data() + size.size();
    const auto parsed = std::from_chars(size.data(), end, object.size_bytes);
    if (size.empty() || parsed.ec != std::errc() || parsed.ptr != end) {
      return Unsound("an object without a Size");
    }
    const Result<WallTime> modified = ParseTime(node.child_value("LastModified"));
    if (!modified) return Unsound("an object without a LastModified");
    object.last_modified = *modified;
    page.objects.push_back(std::move(object));
  }
  for (const pugi::xml_node node : root.children("CommonPrefixes")) {
    std::optional<std::string> prefix = Text(node.child("Prefix"), encoded);
    if (!prefix) return Unsound("a common prefix that is not readable");
    page.common_prefixes.push_back(std::move(*prefix));
  }
  return page;
}

std::string ParseErrorCode(std::string_view xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size(), kXmlOptions, pugi::encoding_utf8)) return {};
  const std::string_view code = document.child("Error").child_value("Code");
  const bool word =
      code.size() <= 64 && std::ranges::all_of(code, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      });
  return word ? std::string(code) : std::string();
}

}  // namespace stoker::s3
