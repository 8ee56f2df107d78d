#include "adapter/http/page.h"

#include <optional>
#include <string_view>

#include "core/units.h"

namespace stoker::adapter {
namespace {

constexpr std::int64_t kMaxLimit = 1000;

std::string ToHex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

std::optional<std::string> FromHex(std::string_view hex) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string text;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    text += static_cast<char>(high * 16 + low);
  }
  return text;
}

}  // namespace

HttpReply Ok(const Json& json) {
  HttpReply reply;
  reply.body = Dump(json);
  return reply;
}

Result<PageRequest> ReadPageRequest(const std::vector<std::pair<std::string, std::string>>& query,
                                    std::string& field) {
  PageRequest page;
  for (const auto& [name, value] : query) {
    field = name;
    if (name == "limit") {
      const Result<std::int64_t> number = ParseInteger(value);
      if (!number || *number < 1 || *number > kMaxLimit) {
        return Fail(ErrorCode::kInvalidArgument, "limit must be a whole number from 1 to 1000");
      }
      page.limit = static_cast<std::size_t>(*number);
    } else if (name == "next") {
      std::optional<std::string> last = FromHex(value);
      if (!last) {
        return Fail(ErrorCode::kInvalidArgument, "next must be the 'next' of an earlier answer");
      }
      page.after = std::move(*last);
    }
  }
  return page;
}

std::string NextPage(const std::string& last) { return ToHex(last); }

HttpReply PageReply(Json items, const std::string* last) {
  Json answer{{"items", std::move(items)}};
  if (last != nullptr) answer["next"] = ToHex(*last);
  return Ok(answer);
}

}  // namespace stoker::adapter
