#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace stoker::http {

/// Finds the addresses behind a name. Thread-safe.
class NameResolver {
 public:
  virtual ~NameResolver() = default;
  /// The IPv4 and IPv6 addresses of `host` without brackets, each once, in order. kUnavailable when
  /// there are none or no name server says so; it names the host.
  virtual Result<std::vector<std::string>> Resolve(const std::string& host) = 0;
};

/// The system's resolver. It waits on the caller's thread, as long as /etc/resolv.conf says.
class SystemNameResolver final : public NameResolver {
 public:
  Result<std::vector<std::string>> Resolve(const std::string& host) override;
};

}  // namespace stoker::http
