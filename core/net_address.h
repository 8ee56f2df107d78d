#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace stoker {

/// HOST:PORT as listeners take it; IPv6 hosts stand in brackets, which `host` does not keep.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;

  /// Only this machine can reach it.
  [[nodiscard]] bool IsLoopback() const;
};

/// kInvalidArgument for a missing or bad port, or an empty host.
Result<ListenAddress> ParseListenAddress(std::string_view text);

}  // namespace stoker
