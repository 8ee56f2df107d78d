#include "core/net_address.h"

#include "core/units.h"

namespace stoker {

bool ListenAddress::IsLoopback() const {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  constexpr const char* kMend = "expected HOST:PORT such as 0.0.0.0:6000 or [::]:6000";
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Fail(ErrorCode::kInvalidArgument, kMend);
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument, kMend);
  }
  const Result<std::int64_t> port = ParseInteger(text.substr(colon + 1));
  if (host.empty() || !port || *port < 0 || *port > 65535) {
    return Fail(ErrorCode::kInvalidArgument, kMend);
  }
  return ListenAddress{std::string(host), static_cast<std::uint16_t>(*port)};
}

}  // namespace stoker
