#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "rightsizing/plan.h"

namespace stoker::rightsizing {

/// Something to paste.
enum class Format : std::uint8_t {
  kHelmValues,        ///< the `connect:` tree of charts/spark-connect
  kSparkSubmit,       ///< a shell command
  kSparkDefaults,     ///< a spark-defaults.conf
  kSparkApplication,  ///< the Kubeflow operator's SparkApplication, sparkoperator.k8s.io/v1beta2
  kSparkConnect,      ///< a shell command that starts a Spark Connect server
};

/// "helm-values", ...; empty when there is no such format.
std::optional<Format> FormatByName(std::string_view name);

/// The plan in that form, with a comment that says what for and why. kInvalidArgument when the
/// Spark version has no such thing.
Result<std::string> Emit(const Plan& plan, Format format);

}  // namespace stoker::rightsizing
