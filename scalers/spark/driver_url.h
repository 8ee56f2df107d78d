#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace stoker::scalers {

/// Whether `text` is a DNS label, as names of namespaces and services are (RFC 1123): 1 to 63 lower
/// case letters, digits and hyphens, no hyphen at the ends.
bool IsDnsLabel(std::string_view text);

/// Where drivers are: a URL with {namespace} and {application} in it, such as
/// http://{application}-ui-svc.{namespace}.svc:4040.
class DriverUrl {
 public:
  /// kInvalidArgument, saying why, for what makes no URL or has another {placeholder}.
  static Result<DriverUrl> Parse(std::string_view text);

  [[nodiscard]] bool needs_namespace() const;
  [[nodiscard]] bool needs_application() const;

  /// The URL of one driver, without a slash at its end. What fills a placeholder may come from
  /// anybody, so kInvalidArgument, without repeating it, for anything but a DNS label, and for a
  /// host name that gets too long to exist, which would look like a driver that is gone.
  [[nodiscard]] Result<std::string> For(const std::string& name_space,
                                        const std::string& application) const;

 private:
  explicit DriverUrl(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

}  // namespace stoker::scalers
