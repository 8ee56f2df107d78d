#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/node.h"
#include "core/result.h"

namespace stoker::adapter {

/// One remark about a Kubernetes manifest.
struct Finding {
  enum class Severity : std::uint8_t {
    kWarning,  ///< works, but not as people expect
    kError,    ///< KEDA, Kubernetes or Stoker will refuse it, or it can harm
  };
  Severity severity = Severity::kWarning;
  config::Position position;
  std::string path;     ///< dotted keys, e.g. "spec.fallback.behavior"
  std::string message;  ///< the problem and the mend, one line; never a value of trigger metadata
};

/// "FILE:LINE:COL: error|warning: PATH: message".
std::string Format(const Finding& finding);

/// What the linter asks of those who know the configuration. An empty function is not asked.
struct ManifestChecks {
  using Metadata = std::map<std::string, std::string>;
  struct Bounds {
    int min = 0;
    int max = 0;
    bool twice = false;  ///< of a headroom that Stoker itself makes room for, too
  };
  /// Whether this trigger metadata of an object in `name_space` would be served.
  std::function<Status(const Metadata& metadata, const std::string& name_space)> metadata;
  /// replicas.min and .max of the policy that the metadata means, with `output: headroom` 0 and
  /// capacity.maxExecutors; empty when not known.
  std::function<std::optional<Bounds>(const Metadata& metadata, const std::string& name_space)>
      bounds;
};

/// Reads one document of a manifest. Looks at ScaledObjects and ScaledJobs (keda.sh/v1alpha1) with
/// triggers of type external or external-push, also in a List; every other document is fine. Total,
/// does no I/O.
[[nodiscard]] std::vector<Finding> LintManifest(const config::Node& document,
                                                const ManifestChecks& checks);

}  // namespace stoker::adapter
