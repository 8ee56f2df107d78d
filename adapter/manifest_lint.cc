#include "adapter/manifest_lint.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "core/text.h"
#include "core/units.h"

namespace stoker::adapter {
namespace {

using config::Node;
using Severity = Finding::Severity;

/// KEDA's defaults.
constexpr std::int64_t kDefaultMaxReplicas = 100;

/// From so many replicas on, one more or less is within the 10 % that the HPA takes for equal.
constexpr std::int64_t kToleranceMatters = 10;

const Node* Descend(const Node* node, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (node == nullptr) return nullptr;
    node = node->Find(key);
  }
  return node == nullptr || node->IsNull() ? nullptr : node;
}

/// The text of a scalar below `node`, else "".
std::string Text(const Node& node, std::initializer_list<std::string_view> keys) {
  const Node* found = Descend(&node, keys);
  return found != nullptr && found->IsScalar() ? found->scalar() : "";
}

/// Lints one ScaledObject or ScaledJob.
class Linter {
 public:
  Linter(const Node& object, const ManifestChecks& checks, std::vector<Finding>& findings)
      : object_(object),
        checks_(checks),
        findings_(findings),
        is_job_(Text(object, {"kind"}) == "ScaledJob"),
        name_space_(Text(object, {"metadata", "namespace"})) {}

  void Lint() {
    const Node* spec = Descend(&object_, {"spec"});
    const Node* triggers = Descend(spec, {"triggers"});
    if (triggers == nullptr || !triggers->IsList()) return;
    std::vector<const Node*> ours;
    for (const Node& trigger : triggers->items()) {
      const std::string type = Text(trigger, {"type"});
      if (type == "external" || type == "external-push") ours.push_back(&trigger);
    }
    if (ours.empty()) return;

    min_ = Integer(*spec, "minReplicaCount").value_or(0);
    max_ = Integer(*spec, "maxReplicaCount").value_or(kDefaultMaxReplicas);
    if (min_ > max_) {
      Add(Severity::kError, *spec, "minReplicaCount is above maxReplicaCount; KEDA refuses that");
    }
    for (const Node* trigger : ours) {
      if (Text(*trigger, {"metadata", "output"}) == "headroom") {
        is_placeholder_ = true;
        LintPlaceholder(*trigger, triggers->items().size());
      }
    }
    for (const Node* trigger : ours) LintTrigger(*spec, *trigger);
    if (is_job_) return;  // Knows neither fallback nor an HPA nor a target.
    LintTarget(*spec);
    LintFallback(*spec);
    LintTolerance(*spec);
  }

 private:
  void Add(Severity severity, const Node& where, std::string message) {
    findings_.push_back({severity, where.position(), where.path(), std::move(message)});
  }

  std::optional<std::int64_t> Integer(const Node& parent, std::string_view key) {
    const Node* node = Descend(&parent, {key});
    if (node == nullptr) return std::nullopt;
    const Result<std::int64_t> number = ParseInteger(node->scalar());
    if (!node->IsScalar() || !number || *number < 0) {
      Add(Severity::kError, *node, "must be a whole number, 0 or more");
      return std::nullopt;
    }
    return *number;
  }

  void LintPlaceholder(const Node& trigger, std::size_t triggers) {
    if (is_job_) {
      Add(Severity::kError,
          trigger,
          "output: headroom is for a Deployment of placeholder pods; a ScaledJob would start jobs");
    } else if (triggers > 1) {
      Add(Severity::kError,
          trigger,
          "output: headroom stands alone: with other triggers KEDA takes the greatest of them; "
          "give the placeholders a ScaledObject of their own");
    }
  }

  void LintTrigger(const Node& spec, const Node& trigger) {
    if (const Node* type = Descend(&trigger, {"metricType"});
        type != nullptr && type->scalar() != "AverageValue") {
      Add(Severity::kError,
          *type,
          is_job_ ? "must be AverageValue or left out; KEDA starts no jobs with another"
                  : "must be AverageValue or left out; Stoker answers with the replicas of the "
                    "whole target, which other types multiply by those there are");
    }
    if (is_job_ && Text(trigger, {"type"}) == "external-push") {
      Add(Severity::kWarning,
          *trigger.Find("type"),
          "KEDA does not listen to external-push in a ScaledJob; use external");
    }
    const Node* metadata = Descend(&trigger, {"metadata"});
    if (metadata == nullptr || !metadata->IsMap()) {
      Add(Severity::kError, trigger, "metadata is missing; give scalerAddress and a policy");
      return;
    }
    LintMetadata(spec, *metadata);
  }

  void LintMetadata(const Node& spec, const Node& metadata) {
    ManifestChecks::Metadata texts;
    bool credential = false;
    bool from_env = false;
    int kinds = 0;
    for (const Node::Entry& entry : metadata.entries()) {
      std::string key = entry.key;
      if (key.ends_with("FromEnv")) {
        key.resize(key.size() - std::string_view("FromEnv").size());
        from_env = true;
      }
      if (!entry.value.IsScalar()) {
        findings_.push_back({Severity::kError,
                             entry.key_position,
                             metadata.path() + "." + entry.key,
                             "every value of trigger metadata must be a text; quote it, or write "
                             "it as a block (|)"});
        return;
      }
      if (const std::string_view mend = CredentialMend(key); !mend.empty()) {
        findings_.push_back({Severity::kError,
                             entry.key_position,
                             metadata.path() + "." + entry.key,
                             std::string(mend)});
        credential = true;
      }
      if (key == "policy" || key == "type" || key == "policySpec") ++kinds;
      texts.emplace(entry.key, entry.value.scalar());
    }
    if (!texts.contains("scalerAddress")) {
      Add(Severity::kError, metadata, "scalerAddress is missing; KEDA needs it as host:port");
    }
    if (texts.contains("unsafeSsl") && !texts.contains("enableTLS")) {
      Add(Severity::kWarning,
          metadata,
          "unsafeSsl alone does not switch TLS on; add enableTLS: \"true\" if it is wanted");
    }
    if (kinds != 1) {
      Add(Severity::kError, metadata, "needs exactly one of policy, type and policySpec");
      return;
    }
    // What the environment of the target will say is not known here.
    if (credential || from_env) return;

    const std::string name_space = name_space_.empty() ? "default" : name_space_;
    if (checks_.metadata) {
      const Status served = checks_.metadata(texts, name_space);
      // Where a manifest names no namespace, whoever applies it does.
      const bool guessed =
          name_space_.empty() && !served && served.error().code == ErrorCode::kPermissionDenied;
      if (!served && !guessed) Add(Severity::kError, metadata, served.error().message);
      if (!served) return;
    }
    if (checks_.bounds) {
      const auto bounds = checks_.bounds(texts, name_space);
      if (bounds) LintBounds(spec, *bounds);
      if (bounds && bounds->twice) {
        Add(Severity::kWarning,
            *metadata.Find("output"),
            "room is made twice: the policy's capacity.mechanism makes it without these pods; "
            "set it to placeholder");
      }
    }
  }

  /// How to do without a key that looks like a credential; "" when it does not.
  static std::string_view CredentialMend(std::string_view key) {
    const std::string lower = ToLower(key);
    constexpr std::array<std::string_view, 4> kTls = {
        "cacert", "tlsclientcert", "tlsclientkey", "tlscertfile"};
    if (std::find(kTls.begin(), kTls.end(), lower) != kTls.end()) {
      return "KEDA reads certificates from a TriggerAuthentication alone and ignores this; move "
             "it there and set authenticationRef";
    }
    constexpr std::array<std::string_view, 11> kParts = {"password",
                                                         "passwd",
                                                         "secret",
                                                         "token",
                                                         "credential",
                                                         "accesskey",
                                                         "apikey",
                                                         "privatekey",
                                                         "username",
                                                         "authheader",
                                                         "bearer"};
    const bool found = std::any_of(kParts.begin(), kParts.end(), [&](std::string_view part) {
      return lower.find(part) != std::string::npos;
    });
    return found ? "credentials do not belong in trigger metadata; define a connection in Stoker's "
                   "configuration and remove this key"
                 : "";
  }

  void LintBounds(const Node& spec, const ManifestChecks::Bounds& bounds) {
    const std::string least = is_placeholder_ ? "least headroom " : "replicas.min ";
    const std::string most = is_placeholder_ ? "capacity.maxExecutors " : "replicas.max ";
    if (bounds.min > max_) {
      Add(Severity::kError,
          spec,
          "maxReplicaCount " + std::to_string(max_) + " is below the policy's " + least +
              std::to_string(bounds.min) + "; raise it");
    } else if (bounds.max > max_) {
      Add(Severity::kWarning,
          spec,
          "maxReplicaCount " + std::to_string(max_) +
              (Descend(&spec, {"maxReplicaCount"}) == nullptr ? " (KEDA's default)" : "") +
              " caps the policy's " + most + std::to_string(bounds.max) + "; set both to the same");
    }
    if (min_ > bounds.min) {
      Add(Severity::kWarning,
          spec,
          "minReplicaCount " + std::to_string(min_) + " keeps more than the policy's " + least +
              std::to_string(bounds.min) + "; set both to the same");
    }
  }

  void LintTarget(const Node& spec) {
    const Node* kind = Descend(&spec, {"scaleTargetRef", "kind"});
    if (kind == nullptr) return;
    if (kind->scalar() == "SparkApplication" || kind->scalar() == "ScheduledSparkApplication") {
      Add(Severity::kError,
          *kind,
          "a " + kind->scalar() +
              " has no scale subresource, so it cannot be a target; scale a Deployment or "
              "StatefulSet of workers, or start applications with a ScaledJob");
    }
  }

  void LintFallback(const Node& spec) {
    const Node* fallback = Descend(&spec, {"fallback"});
    if (fallback == nullptr) {
      // Placeholders that stay as they are, or are not there yet, are right in a fault.
      if (is_placeholder_) return;
      Add(Severity::kWarning,
          spec,
          "without fallback KEDA keeps the replicas as they are for as long as Stoker reports a "
          "fault; add fallback: {failureThreshold: 3, replicas: " +
              std::to_string(std::max<std::int64_t>(1, min_)) +
              ", behavior: currentReplicasIfHigher}");
      return;
    }
    for (const char* key : {"failureThreshold", "replicas"}) {
      if (Descend(fallback, {key}) == nullptr) {
        Add(Severity::kError, *fallback, std::string(key) + " is missing; KEDA requires it");
      }
    }
    const auto replicas = Integer(*fallback, "replicas");
    if (replicas == 0) {
      Add(Severity::kError,
          *fallback->Find("replicas"),
          "0 lets KEDA scale to zero because of a fault; use 1 or more");
      return;
    }
    const Node* node = Descend(fallback, {"behavior"});
    const std::string behavior = node == nullptr ? "static" : node->scalar();
    if (behavior == "currentReplicas" || behavior == "currentReplicasIfHigher" ||
        behavior == "scalingModifiers") {
      return;
    }
    const Node& where = node == nullptr ? *fallback : *node;
    if (behavior != "static" && behavior != "currentReplicasIfLower") {
      Add(Severity::kError,
          where,
          "KEDA knows static, currentReplicas, currentReplicasIfHigher, currentReplicasIfLower "
          "and scalingModifiers; use currentReplicasIfHigher");
    } else if (replicas && *replicas < max_) {
      // A fault then shrinks whatever runs with more.
      Add(behavior == "static" ? Severity::kWarning : Severity::kError,
          where,
          behavior + " shrinks the workload to " + std::to_string(*replicas) +
              " replicas because of a fault; use behavior: currentReplicasIfHigher");
    }
  }

  void LintTolerance(const Node& spec) {
    if (max_ < kToleranceMatters) return;
    std::string missing;
    for (const char* direction : {"scaleUp", "scaleDown"}) {
      const Node* tolerance = Descend(
          &spec, {"advanced", "horizontalPodAutoscalerConfig", "behavior", direction, "tolerance"});
      if (tolerance == nullptr) {
        missing += std::string(missing.empty() ? "" : ", ") + direction + ": {tolerance: \"0\"}";
      } else if (const auto number = ParseNumber(tolerance->scalar()); !number || *number != 0) {
        Add(Severity::kWarning,
            *tolerance,
            "the HPA ignores changes within this tolerance; use \"0\" so that it follows every "
            "target");
      }
    }
    if (missing.empty()) return;
    Add(Severity::kWarning,
        spec,
        "the HPA ignores changes within 10 %, such as 20 to 22 replicas; add advanced: "
        "{horizontalPodAutoscalerConfig: {behavior: {" +
            missing + "}}} (needs the cluster feature HPAConfigurableTolerance)");
  }

  const Node& object_;
  const ManifestChecks& checks_;
  std::vector<Finding>& findings_;
  bool is_job_;
  bool is_placeholder_ = false;
  std::string name_space_;  ///< "" when the manifest names none
  std::int64_t min_ = 0;
  std::int64_t max_ = kDefaultMaxReplicas;
};

void LintDocument(const Node& document,
                  const ManifestChecks& checks,
                  std::vector<Finding>& findings) {
  const std::string kind = Text(document, {"kind"});
  if (kind == "List") {
    if (const Node* items = Descend(&document, {"items"})) {
      for (const Node& item : items->items()) {
        // A list in a list is nothing that tools write.
        if (Text(item, {"kind"}) != "List") LintDocument(item, checks, findings);
      }
    }
    return;
  }
  if (kind != "ScaledObject" && kind != "ScaledJob") return;
  if (!Text(document, {"apiVersion"}).starts_with("keda.sh/")) return;
  Linter(document, checks, findings).Lint();
}

}  // namespace

std::string Format(const Finding& finding) {
  return config::ToString(finding.position) + ": " +
         (finding.severity == Severity::kError ? "error" : "warning") + ": " +
         (finding.path.empty() ? "" : finding.path + ": ") + finding.message;
}

std::vector<Finding> LintManifest(const Node& document, const ManifestChecks& checks) {
  std::vector<Finding> findings;
  LintDocument(document, checks, findings);
  return findings;
}

}  // namespace stoker::adapter
