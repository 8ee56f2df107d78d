#include "capacity/manifests.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "capacity/saturating.h"
#include "core/text.h"
#include "core/units.h"
#include "rightsizing/memory.h"
#include "rightsizing/packing.h"
#include "rightsizing/plan_json.h"
#include "rightsizing/presets.h"
#include "rightsizing/text.h"

namespace stoker::capacity {
namespace {

using policy::Mechanism;
using rightsizing::YamlText;

constexpr std::array<std::pair<std::string_view, HintFormat>, 8> kFormats{
    {{"cluster-autoscaler-flags", HintFormat::kClusterAutoscalerFlags},
     {"cluster-autoscaler-helm", HintFormat::kClusterAutoscalerHelm},
     {"capacity-buffer", HintFormat::kCapacityBuffer},
     {"provisioning-request", HintFormat::kProvisioningRequest},
     {"placeholder", HintFormat::kPlaceholder},
     {"pod-annotations", HintFormat::kPodAnnotations},
     {"priority-expander", HintFormat::kPriorityExpander},
     {"quota", HintFormat::kQuota}}};

constexpr const char* kPauseImage = "registry.k8s.io/pause:3.10";
constexpr const char* kPriorityClass = "stoker-headroom";
constexpr const char* kExpanderCaFolder = "/etc/stoker-expander";
constexpr std::size_t kCommentWidth = 98;
constexpr std::size_t kLongestLabel = 63;  // value of one

tl::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

/// As manifests write sizes, so that many of them come to the sum of what each asks for.
std::int64_t WholeMebibytes(std::int64_t bytes) {
  constexpr std::int64_t kMebi = std::int64_t{1} << 20;
  return Product(bytes / kMebi + (bytes % kMebi > 0 ? 1 : 0), kMebi);
}

/// A policy's name as objects may be called.
std::string ObjectName(std::string_view policy) {
  std::string name = ToLower(policy);
  std::replace_if(
      name.begin(),
      name.end(),
      [](char c) { return !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'); },
      '-');
  while (name.ends_with('-')) name.pop_back();
  return name;
}

/// Where the set "[...]" that begins at `open` ends; npos when none begins there.
std::size_t SetEnd(std::string_view glob, std::size_t open) {
  if (glob[open] != '[') return std::string_view::npos;
  const bool negated = open + 1 < glob.size() && glob[open + 1] == '!';
  return glob.find(']', open + (negated ? 3 : 2));
}

/// `text` as comment lines, broken between words.
std::string Comment(std::string_view text, const std::string& indent = "") {
  std::string out;
  std::string line;
  for (const std::string_view word : Split(text, ' ')) {
    if (!line.empty() && indent.size() + line.size() + word.size() + 3 > kCommentWidth) {
      out.append(indent).append("#").append(line).append("\n");
      line.clear();
    }
    line.append(" ").append(word);
  }
  return out.append(indent).append("#").append(line).append("\n");
}

Json Quantities(const rightsizing::Resources& amount) {
  Json json = Json::object();
  json["cpu"] = FormatCpuMillis(amount.cpu_millis);
  json["memory"] = FormatKubernetesBytes(amount.memory_bytes);
  if (amount.ephemeral_bytes > 0) {
    json["ephemeral-storage"] = FormatKubernetesBytes(amount.ephemeral_bytes);
  }
  return json;
}

rightsizing::Resources Times(const rightsizing::Resources& one, std::int64_t count) {
  return {Product(one.cpu_millis, count),
          Product(one.memory_bytes, count),
          Product(one.ephemeral_bytes, count)};
}

Json Metadata(const Headroom& headroom, const std::string& name) {
  return {{"name", name}, {"namespace", headroom.name_space}, {"labels", HeadroomLabels(headroom)}};
}

Json TolerationJson(const policy::Toleration& toleration) {
  Json json = Json::object();
  const auto set = [&json](const char* key, const std::string& value) {
    if (!value.empty()) json[key] = value;
  };
  set("key", toleration.key);
  set("operator", toleration.op);
  set("value", toleration.value);
  set("effect", toleration.effect);
  if (toleration.seconds) json["tolerationSeconds"] = *toleration.seconds;
  return json;
}

/// A pod that asks for what an executor asks for and does nothing, also where the restricted Pod
/// Security Standard holds.
Json PausePod(const Headroom& headroom, const std::string& priority_class) {
  Json spec = Json::object();
  if (!priority_class.empty()) spec["priorityClassName"] = priority_class;
  spec["terminationGracePeriodSeconds"] = 0;
  spec["automountServiceAccountToken"] = false;
  spec["enableServiceLinks"] = false;
  if (!headroom.node_selector.empty()) spec["nodeSelector"] = headroom.node_selector;
  if (!headroom.tolerations.empty()) {
    Json& tolerations = spec["tolerations"] = Json::array();
    for (const policy::Toleration& one : headroom.tolerations) {
      tolerations.push_back(TolerationJson(one));
    }
  }
  spec["securityContext"] = {{"runAsNonRoot", true},
                             {"runAsUser", 65535},
                             {"seccompProfile", {{"type", "RuntimeDefault"}}}};
  Json container;
  container["name"] = "pause";
  container["image"] = kPauseImage;
  container["resources"]["requests"] = Quantities(headroom.requests);
  // Equal to the request, as Spark does it: a LimitRange cannot then set it below.
  container["resources"]["limits"]["memory"] =
      FormatKubernetesBytes(headroom.requests.memory_bytes);
  container["securityContext"] = {{"allowPrivilegeEscalation", false},
                                  {"readOnlyRootFilesystem", true},
                                  {"capabilities", {{"drop", Json::array({"ALL"})}}}};
  spec["containers"] = Json::array({std::move(container)});
  std::map<std::string, std::string> labels = HeadroomLabels(headroom);
  labels.emplace(kStandsInLabel, "executor");
  return {{"metadata", {{"labels", std::move(labels)}}}, {"spec", std::move(spec)}};
}

// ---- documents with comments ----

/// Objects of one hint, each under its comment.
class Documents {
 public:
  void Heading(std::string_view text) { text_ += Comment(text) + "\n"; }
  void Add(std::string_view comment, Json object) {
    if (!items_.empty()) text_ += "---\n";
    if (!comment.empty()) text_ += Comment(comment);
    text_ += YamlText(object);
    items_.push_back(std::move(object));
  }
  [[nodiscard]] bool empty() const { return items_.empty(); }
  Hint Take() && {
    Json list{{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(items_)}};
    return {.text = std::move(text_), .json = std::move(list)};
  }

 private:
  std::string text_;
  Json items_ = Json::array();
};

std::string Size(const Headroom& headroom) {
  return FormatCpuMillis(headroom.requests.cpu_millis) + " CPUs and " +
         rightsizing::SizeText(headroom.requests.memory_bytes);
}

/// The headrooms made by `mechanism`; kInvalidArgument when there is none.
Result<std::vector<const Headroom*>> Of(const HintInput& input, Mechanism mechanism) {
  std::vector<const Headroom*> found;
  for (const Headroom& headroom : input.headrooms) {
    if (headroom.mechanism == mechanism) found.push_back(&headroom);
  }
  const std::string name(policy::MechanismName(mechanism));
  if (found.empty() && input.headrooms.size() == 1) {
    const Headroom& only = input.headrooms.front();
    return Invalid("policy '" + only.policy + "' makes its headroom by mechanism: " +
                   std::string(policy::MechanismName(only.mechanism)) + "; set policies." +
                   only.policy + ".capacity.mechanism: " + name);
  }
  if (found.empty()) {
    return Invalid("no policy makes its headroom by mechanism: " + name +
                   "; set capacity.mechanism, or policies.NAME.capacity.mechanism");
  }
  return found;
}

Result<Hint> BufferHint(const HintInput& input) {
  const Result<std::vector<const Headroom*>> found = Of(input, Mechanism::kBuffer);
  if (!found) return Fail(found.error());
  Documents documents;
  documents.Heading(
      "CapacityBuffers, which the Cluster Autoscaler 1.35 or newer keeps free while it runs with "
      "--capacity-buffer-controller-enabled and --capacity-buffer-pod-injection-enabled, and which "
      "need its CustomResourceDefinition. With capacity.write: true Stoker sets spec.replicas "
      "itself.");
  for (const Headroom* headroom : *found) {
    documents.Add("One executor of policy " + headroom->policy + ": " + Size(*headroom) + ".",
                  PodTemplate(*headroom));
    documents.Add("Room for " + rightsizing::CountText(headroom->executors, "executor") +
                      "; limits is what capacity.maxExecutors comes to.",
                  CapacityBuffer(*headroom));
  }
  return std::move(documents).Take();
}

Result<Hint> RequestHint(const HintInput& input) {
  const Result<std::vector<const Headroom*>> found = Of(input, Mechanism::kProvisioningRequest);
  if (!found) return Fail(found.error());
  Documents documents;
  documents.Heading(
      "ProvisioningRequests: nodes for all executors of a known batch at once or not at all, in "
      "one node group, kept free for 10 minutes. The Cluster Autoscaler 1.32 or newer with "
      "--enable-provisioning-requests=true reads them.");
  for (const Headroom* headroom : *found) {
    if (headroom->executors < 1) {
      documents.Heading("Policy " + headroom->policy + " needs no room now.");
      continue;
    }
    documents.Add("One executor of policy " + headroom->policy + ": " + Size(*headroom) + ".",
                  PodTemplate(*headroom));
    documents.Add("Room for " + rightsizing::CountText(headroom->executors, "executor") +
                      ". Its spec cannot change: another size is another object.",
                  ProvisioningRequest(*headroom));
  }
  return std::move(documents).Take();
}

Json PlaceholderDeployment(const Headroom& headroom) {
  Json json;
  json["apiVersion"] = "apps/v1";
  json["kind"] = "Deployment";
  json["metadata"] = Metadata(headroom, headroom.name);
  // No replicas: KEDA sets them, and applying this again must not take them away.
  json["spec"] = {{"selector", {{"matchLabels", HeadroomLabels(headroom)}}},
                  {"strategy", {{"type", "Recreate"}}},
                  {"template", PausePod(headroom, kPriorityClass)}};
  return json;
}

constexpr const char* kAuthentication = "stoker";
constexpr const char* kClientSecret = "stoker-client";

Json TriggerAuthentication(const std::string& name_space, ScalerTls tls) {
  Json references = Json::array();
  const auto refer = [&](const char* parameter, const char* key) {
    references.push_back({{"parameter", parameter}, {"name", kClientSecret}, {"key", key}});
  };
  refer("caCert", "ca.crt");
  if (tls == ScalerTls::kMutual) {
    refer("tlsClientCert", "tls.crt");
    refer("tlsClientKey", "tls.key");
  }
  Json json;
  json["apiVersion"] = "keda.sh/v1alpha1";
  json["kind"] = "TriggerAuthentication";
  json["metadata"] = {{"name", kAuthentication}, {"namespace", name_space}};
  json["spec"]["secretTargetRef"] = std::move(references);
  return json;
}

Json PlaceholderScaledObject(const Headroom& headroom, const HintInput& input) {
  Json trigger;
  trigger["type"] = "external";
  trigger["metricType"] = "AverageValue";
  trigger["metadata"] = {
      {"scalerAddress", input.scaler_address}, {"policy", headroom.policy}, {"output", "headroom"}};
  if (input.scaler_tls != ScalerTls::kOff) trigger["authenticationRef"]["name"] = kAuthentication;
  const Json direction{{"tolerance", "0"}, {"stabilizationWindowSeconds", 0}};
  Json spec;
  spec["scaleTargetRef"] = {{"name", headroom.name}};
  spec["pollingInterval"] = 15;
  spec["cooldownPeriod"] = 60;
  spec["minReplicaCount"] = 0;
  spec["maxReplicaCount"] = std::max<std::int64_t>(headroom.max_executors, 1);
  // Replicas of 0 would let KEDA scale to zero because of a fault.
  spec["fallback"] = {
      {"failureThreshold", 3}, {"replicas", 1}, {"behavior", "currentReplicasIfHigher"}};
  spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] = {{"scaleUp", direction},
                                                                   {"scaleDown", direction}};
  spec["triggers"] = Json::array({std::move(trigger)});
  Json json;
  json["apiVersion"] = "keda.sh/v1alpha1";
  json["kind"] = "ScaledObject";
  json["metadata"] = Metadata(headroom, headroom.name);
  json["spec"] = std::move(spec);
  return json;
}

Result<Hint> PlaceholderHint(const HintInput& input) {
  const Result<std::vector<const Headroom*>> found = Of(input, Mechanism::kPlaceholder);
  if (!found) return Fail(found.error());
  Documents documents;
  documents.Heading(
      "Pods that do nothing and give way to any other: they hold room for executors on nodes that "
      "are there before these. Works with every autoscaler.");
  documents.Add(
      "-10 is the lowest priority for which the Cluster Autoscaler still adds nodes "
      "(--expendable-pods-priority-cutoff).",
      {{"apiVersion", "scheduling.k8s.io/v1"},
       {"kind", "PriorityClass"},
       {"metadata", {{"name", kPriorityClass}}},
       {"value", -10},
       {"preemptionPolicy", "Never"},
       {"description", "Room for Spark executors to come. Any other pod takes its place."}});
  std::set<std::string> namespaces;
  for (const Headroom* headroom : *found) {
    documents.Add("Each pod is one executor of policy " + headroom->policy + ": " +
                      Size(*headroom) + ". KEDA sets how many.",
                  PlaceholderDeployment(*headroom));
    documents.Add(
        "While Stoker cannot tell, the placeholders there are stay (fallback); nothing shrinks "
        "because of a fault.",
        PlaceholderScaledObject(*headroom, input));
    namespaces.insert(headroom->name_space);
  }
  if (input.scaler_tls == ScalerTls::kOff) return std::move(documents).Take();
  for (const std::string& name_space : namespaces) {
    documents.Add("What KEDA checks Stoker's certificate against" +
                      std::string(input.scaler_tls == ScalerTls::kMutual
                                      ? ", and the certificate that it shows"
                                      : "") +
                      ": Secret " + kClientSecret + " is yours to make.",
                  TriggerAuthentication(name_space, input.scaler_tls));
  }
  return std::move(documents).Take();
}

// ---- the autoscaler's flags ----

struct Flag {
  std::string name;
  std::string value;
  std::string why;
};

bool Uses(const HintInput& input, Mechanism mechanism) {
  return input.config.mechanism == mechanism ||
         std::any_of(input.headrooms.begin(), input.headrooms.end(), [&](const Headroom& headroom) {
           return headroom.mechanism == mechanism;
         });
}

bool HasPatterns(const HintInput& input) {
  return std::any_of(input.config.node_shapes.begin(),
                     input.config.node_shapes.end(),
                     [](const NodeShape& shape) { return !shape.node_group.empty(); });
}

/// Nodes that are gone sooner than they could come back cost the wait twice.
Duration UnneededTime(const HintInput& input) {
  constexpr Duration kUsual = std::chrono::minutes(5);
  Duration longest = input.config.lead_time.fixed.value_or(kUsual);
  for (const Headroom& headroom : input.headrooms) {
    longest = std::max(longest, headroom.lead_time.value_or(kUsual));
  }
  return std::max<Duration>(kUsual, std::chrono::ceil<std::chrono::minutes>(longest));
}

std::vector<Flag> Flags(const HintInput& input) {
  std::vector<Flag> flags;
  const bool priority = HasPatterns(input);
  std::string chain = input.expander ? "grpc," : "";
  if (priority) chain += "priority,";
  std::string why;
  if (input.expander) {
    why =
        "Stoker chooses the node group: executors on the cheapest shape per executor that fits, "
        "drivers on demand. What it leaves equal, and everything while it does not answer, is "
        "for the next. ";
  }
  if (priority) {
    why += "priority reads the ConfigMap that `stoker hints --format priority-expander` writes. ";
  }
  flags.push_back({"expander", chain + "least-waste", why + "least-waste is the default."});
  if (input.expander) {
    flags.push_back({"grpc-expander-url",
                     input.expander_address,
                     "server.expander.listen of Stoker, by a name in its certificate."});
    flags.push_back({"grpc-expander-cert",
                     std::string(kExpanderCaFolder) + "/ca.crt",
                     "The CA of that certificate, mounted from a Secret; without it the autoscaler "
                     "does not start."});
  }
  if (Uses(input, Mechanism::kBuffer)) {
    flags.push_back(
        {"capacity-buffer-controller-enabled", "true", "Reads CapacityBuffers (1.35 or newer)."});
    flags.push_back({"capacity-buffer-pod-injection-enabled",
                     "true",
                     "Adds nodes for them, and keeps those that hold them."});
  }
  if (Uses(input, Mechanism::kProvisioningRequest)) {
    flags.push_back(
        {"enable-provisioning-requests", "true", "Reads ProvisioningRequests (1.32 or newer)."});
  }
  if (Uses(input, Mechanism::kPlaceholder)) {
    flags.push_back({"expendable-pods-priority-cutoff",
                     "-10",
                     "Placeholder pods have priority -10: with a higher cutoff they would add no "
                     "nodes."});
  }
  flags.push_back({"balance-similar-node-groups",
                   "false",
                   "Balancing would spread one job's executors over zones; shuffles between zones "
                   "are slow and charged for."});
  flags.push_back({"max-node-provision-time",
                   "10m",
                   "A group that delivers no nodes, as spot pools run dry, is given up sooner than "
                   "after the default 15m, and another one taken."});
  flags.push_back({"scale-down-delay-type-local",
                   "true",
                   "Jobs add nodes all day: scale-down then waits in the group that grew, not in "
                   "all."});
  flags.push_back({"scale-down-unneeded-time",
                   FormatDuration(UnneededTime(input)),
                   "Sooner than the default 10m, since the headroom holds what will be needed; "
                   "never sooner than a node takes to come."});
  flags.push_back({"scale-down-utilization-threshold",
                   "0.3",
                   "Below it executors are moved off a node, and what they had shuffled or cached "
                   "is computed again: only worth it for nodes that are nearly empty. Default "
                   "0.5."});
  return flags;
}

constexpr const char* kFlagsHeading =
    "Flags for the Cluster Autoscaler 1.35 or newer where Spark runs; what is not here is best at "
    "its default.";

Hint FlagsHint(const HintInput& input) {
  Hint hint{.text = Comment(kFlagsHeading) + "\n", .json = Json{{"flags", Json::array()}}};
  for (const Flag& flag : Flags(input)) {
    hint.text += Comment(flag.why);
    hint.text += YamlText(Json::array({"--" + flag.name + "=" + flag.value}));
    hint.json["flags"].push_back({{"name", flag.name}, {"value", flag.value}, {"why", flag.why}});
  }
  return hint;
}

// ---- the priority expander ----

/// Priorities with their patterns, the most wanted first.
std::map<int, std::vector<std::string>, std::greater<>> Priorities(const HintInput& input) {
  constexpr int kStep = 10;
  constexpr double kSame = 1e-6;
  std::map<int, std::vector<std::string>, std::greater<>> priorities;
  std::vector<RankedShape> ranked = RankShapes(input.config.node_shapes, input.headrooms);
  std::erase_if(ranked, [](const RankedShape& one) { return one.shape->node_group.empty(); });
  int priority = 0;
  for (std::size_t i = ranked.size(); i-- > 0;) {
    const bool tie = i + 1 < ranked.size() && ranked[i].relative_cost &&
                     ranked[i + 1].relative_cost &&
                     std::abs(*ranked[i].relative_cost - *ranked[i + 1].relative_cost) < kSame;
    if (!tie) priority += kStep;
    std::vector<std::string>& patterns = priorities[priority];
    const std::string pattern = GroupRegex(ranked[i].shape->node_group);
    if (std::find(patterns.begin(), patterns.end(), pattern) == patterns.end()) {
      patterns.insert(patterns.begin(), pattern);
    }
  }
  priorities[1] = {".*"};
  return priorities;
}

Json PrioritiesJson(const HintInput& input) {
  Json json = Json::object();
  for (const auto& [priority, patterns] : Priorities(input)) {
    json[std::to_string(priority)] = patterns;
  }
  return json;
}

/// YAML with numbers as keys, which JSON does not have.
std::string PrioritiesYaml(const HintInput& input, const std::string& indent) {
  std::string text;
  for (const auto& [priority, patterns] : Priorities(input)) {
    text += indent + std::to_string(priority) + ":\n";
    for (const std::string& pattern : patterns) {
      text += indent + "  - " + Json(pattern).dump(-1, ' ', false, Json::error_handler_t::replace) +
              "\n";
    }
  }
  return text;
}

Status CheckPatterns(const HintInput& input) {
  if (HasPatterns(input)) return {};
  return Invalid(
      "priorities need the names of node groups; give nodeGroup, a glob, in capacity.nodeShapes, "
      "such as {name: m5.2xlarge, nodeGroup: \"spot-m5-*\", spot: true}");
}

Result<Hint> PriorityHint(const HintInput& input) {
  if (const Status status = CheckPatterns(input); !status) return Fail(status.error());
  Documents documents;
  documents.Heading(
      "For --expander=priority, in the autoscaler's own namespace: the highest number with a group "
      "that fits wins, the cheapest per executor first. It knows no pods: keep drivers off spot by "
      "spark.kubernetes.driver.node.selector.*, or use Stoker's gRPC expander.");
  documents.Add("",
                {{"apiVersion", "v1"},
                 {"kind", "ConfigMap"},
                 {"metadata",
                  {{"name", "cluster-autoscaler-priority-expander"},
                   {"namespace", input.config.expander.status_namespace}}},
                 {"data", {{"priorities", PrioritiesYaml(input, "")}}}});
  return std::move(documents).Take();
}

Hint HelmHint(const HintInput& input) {
  Hint hint{.text = Comment("Values for the Helm chart cluster-autoscaler, image 1.35 or newer: " +
                            std::string("what Spark wants of it. Node groups and credentials are "
                                        "yours to add.")),
            .json = Json{{"extraArgs", Json::object()}}};
  hint.text += "extraArgs:\n";
  for (const Flag& flag : Flags(input)) {
    hint.text += Comment(flag.why, "  ");
    const std::string line = YamlText(Json{{flag.name, flag.value}});
    hint.text += "  " + line;
    hint.json["extraArgs"][flag.name] = flag.value;
  }
  if (input.expander) {
    Json volumes;
    volumes["stoker-expander-ca"] = {
        {"name", "stoker-expander-ca"},
        {"mountPath", kExpanderCaFolder},
        {"items", Json::array({Json{{"key", "ca.crt"}, {"path", "ca.crt"}}})}};
    hint.text +=
        Comment("A Secret in the autoscaler's namespace with the CA of Stoker's expander.");
    hint.text += YamlText(Json{{"extraVolumeSecrets", volumes}});
    hint.json["extraVolumeSecrets"] = std::move(volumes);
  }
  if (HasPatterns(input)) {
    hint.text += Comment("The ConfigMap of --expander=priority.");
    hint.text += "expanderPriorities:\n" + PrioritiesYaml(input, "  ");
    hint.json["expanderPriorities"] = PrioritiesJson(input);
  }
  return hint;
}

// ---- Spark's own settings ----

Hint AnnotationsHint() {
  struct Setting {
    const char* key;
    const char* value;
    const char* why;
  };
  constexpr std::array<Setting, 7> kSettings{
      {{"spark.kubernetes.executor.annotation.cluster-autoscaler.kubernetes.io/safe-to-evict",
        "true",
        "Executors belong to a driver pod and use emptyDir, so the Cluster Autoscaler never "
        "removes "
        "a node that has one, however empty, unless told that it may."},
       {"spark.kubernetes.driver.annotation.cluster-autoscaler.kubernetes.io/safe-to-evict",
        "false",
        "A lost driver is a lost application."},
       {"spark.kubernetes.driver.annotation.karpenter.sh/do-not-disrupt",
        "true",
        "The same for Karpenter."},
       {"spark.decommission.enabled",
        "true",
        "An executor whose node goes takes no new tasks and hands over"},
       {"spark.storage.decommission.enabled", "true", "what it holds:"},
       {"spark.storage.decommission.shuffleBlocks.enabled", "true", "its shuffle files,"},
       {"spark.storage.decommission.rddBlocks.enabled", "true", "and its cached blocks."}}};
  Hint hint{.text = Comment("For spark-defaults.conf, or each with --conf KEY=VALUE of "
                            "spark-submit: what the autoscaler may do with Spark's pods."),
            .json = Json{{"spark_conf", Json::object()}}};
  std::size_t width = 0;
  for (const Setting& setting : kSettings) {
    width = std::max(width, std::string_view(setting.key).size());
  }
  for (const Setting& setting : kSettings) {
    hint.text += Comment(setting.why);
    const std::string key = setting.key;
    hint.text += key + std::string(width - key.size() + 2, ' ') + setting.value + "\n";
    hint.json["spark_conf"][key] = setting.value;
  }
  return hint;
}

// ---- quotas ----

/// What a namespace's executors and headroom come to at most.
Json NamespaceQuota(const std::string& name_space, const std::vector<const Headroom*>& headrooms) {
  rightsizing::Resources sum;
  std::int64_t pods = 0;
  for (const Headroom* headroom : headrooms) {
    const std::int64_t count = headroom->most_wanted + headroom->max_executors;
    const rightsizing::Resources most = Times(headroom->requests, count);
    sum.cpu_millis = Plus(sum.cpu_millis, most.cpu_millis);
    sum.memory_bytes = Plus(sum.memory_bytes, most.memory_bytes);
    pods += count;
  }
  Json json;
  json["apiVersion"] = "v1";
  json["kind"] = "ResourceQuota";
  json["metadata"] = {{"name", "stoker-executors"}, {"namespace", name_space}};
  json["spec"]["hard"] = {{"requests.cpu", FormatCpuMillis(sum.cpu_millis)},
                          {"requests.memory", FormatKubernetesBytes(sum.memory_bytes)},
                          {"pods", std::to_string(pods)}};
  return json;
}

/// What the nodes of one policy come to at most, whichever kind the autoscaler takes. Null without
/// a kind that fits.
Json NodesQuota(const HintInput& input, const Headroom& headroom) {
  std::int64_t nodes = 0;
  std::int64_t cpu_millis = 0;
  std::int64_t memory_bytes = 0;
  for (const NodeShape& shape : input.config.node_shapes) {
    const std::int64_t per_node = ExecutorsPerNode(shape, headroom.requests);
    if (per_node < 1) continue;
    const std::int64_t executors = headroom.most_wanted + headroom.max_executors;
    const std::int64_t needed = (executors + per_node - 1) / per_node;
    nodes = std::max(nodes, needed);
    cpu_millis = std::max(cpu_millis, Product(needed, shape.node.cpu_millis));
    memory_bytes = std::max(memory_bytes, Product(needed, shape.node.memory_bytes));
  }
  if (nodes == 0) return nullptr;
  Json json;
  json["apiVersion"] = "autoscaling.x-k8s.io/v1beta1";
  json["kind"] = "CapacityQuota";
  json["metadata"] = {{"name", headroom.name}, {"labels", HeadroomLabels(headroom)}};
  json["spec"] = {{"selector", {{"matchLabels", headroom.node_selector}}},
                  {"limits",
                   {{"resources",
                     {{"nodes", std::to_string(nodes)},
                      {"cpu", FormatCpuMillis(cpu_millis)},
                      {"memory", FormatKubernetesBytes(memory_bytes)}}}}}};
  return json;
}

Result<Hint> QuotaHint(const HintInput& input) {
  std::map<std::string, std::vector<const Headroom*>> by_namespace;
  for (const Headroom& headroom : input.headrooms) {
    by_namespace[headroom.name_space].push_back(&headroom);
  }
  if (by_namespace.empty()) {
    return Invalid("no policy says what an executor requests; set policies.NAME.capacity.executor");
  }
  Documents documents;
  documents.Heading(
      "Upper bounds that agree with the policies: replicas.max of each, and its headroom. A quota "
      "below them is a scale-up that never comes; `stoker hints --explain` shows it.");
  for (const auto& [name_space, headrooms] : by_namespace) {
    std::string who;
    for (const Headroom* headroom : headrooms) {
      who += (who.empty() ? "" : ", ") + headroom->policy;
    }
    documents.Add("Executors of " + who +
                      ". Drivers and other pods of the namespace are not in "
                      "it: add theirs.",
                  NamespaceQuota(name_space, headrooms));
  }
  for (const Headroom& headroom : input.headrooms) {
    if (headroom.node_selector.empty()) continue;  // it would bound the whole cluster
    Json quota = NodesQuota(input, headroom);
    if (quota.is_null()) continue;
    documents.Add("The nodes that executors of " + headroom.policy +
                      " may run on. For the Cluster Autoscaler 1.37 or newer with "
                      "--capacity-quotas-enabled (1.36 has the same as v1alpha1).",
                  std::move(quota));
  }
  return std::move(documents).Take();
}

}  // namespace

std::optional<HintFormat> HintFormatByName(std::string_view name) {
  for (const auto& [known, format] : kFormats) {
    if (known == name) return format;
  }
  return std::nullopt;
}

std::vector<std::string> HintFormatNames() {
  std::vector<std::string> names;
  for (const auto& entry : kFormats) names.emplace_back(entry.first);
  return names;
}

Result<Headroom> MakeHeadroom(const policy::Policy& policy,
                              const CapacityConfig& config,
                              const std::string& own_namespace) {
  if (!policy.capacity || !policy.capacity->executor) {
    return Invalid("policy '" + policy.name + "' does not say what an executor requests; set " +
                   "policies." + policy.name + ".capacity.executor: {cpu: 4, memory: 18Gi}");
  }
  const policy::Capacity& capacity = *policy.capacity;
  const policy::ExecutorRequests& executor = *capacity.executor;
  Headroom headroom;
  headroom.policy = policy.name;
  headroom.mechanism = capacity.mechanism.value_or(config.mechanism);
  headroom.name_space = capacity.name_space.empty() ? own_namespace : capacity.name_space;
  headroom.name = capacity.name.empty() ? "stoker-" + ObjectName(policy.name) : capacity.name;
  if (!IsObjectName(headroom.name) || !IsObjectName(headroom.name_space)) {
    return Invalid(
        "name and namespace must be what Kubernetes takes as names: lower case letters, digits and "
        "'-'");
  }
  if (headroom.mechanism != policy::Mechanism::kNone && headroom.name.size() > kLongestLabel) {
    return Invalid("name: it is a label, too, and has at most 63 characters; set a shorter one");
  }
  headroom.requests = {
      executor.cpu_millis, executor.memory_bytes, executor.ephemeral_storage_bytes};
  if (!executor.preset.empty()) {
    static const rightsizing::Presets kPresets;
    const Result<rightsizing::Preset> preset = kPresets.Find(executor.preset);
    if (!preset) {
      return Invalid("executor.preset: " + preset.error().message);
    }
    headroom.requests.cpu_millis = std::int64_t{1000} * preset->cores;
    headroom.requests.memory_bytes =
        preset->heap_bytes + preset->overhead_bytes.value_or(rightsizing::OverheadBytes(
                                 preset->heap_bytes, rightsizing::kJvmOverheadFactor));
  }
  headroom.requests.memory_bytes = WholeMebibytes(headroom.requests.memory_bytes);
  headroom.requests.ephemeral_bytes = WholeMebibytes(headroom.requests.ephemeral_bytes);
  headroom.node_selector = executor.node_selector;
  headroom.tolerations = executor.tolerations;
  headroom.max_executors = capacity.max_executors;
  headroom.most_wanted = std::int64_t{policy.replicas.max} * policy.replicas.executors_per_replica;
  headroom.lead_time = capacity.lead_time.value_or(policy::LeadTimeChoice{}).fixed;
  return headroom;
}

std::string GroupRegex(std::string_view glob) {
  std::string regex = "^";
  for (std::size_t i = 0; i < glob.size(); ++i) {
    const char c = glob[i];
    if (c == '*') {
      const bool any = glob.substr(i).starts_with("**");
      regex += any ? ".*" : "[^/]*";
      i += any ? 1 : 0;
    } else if (c == '?') {
      regex += "[^/]";
    } else if (const std::size_t end = SetEnd(glob, i); end != std::string_view::npos) {
      const std::string_view set = glob.substr(i + 1, end - i - 1);
      const bool negated = set.starts_with('!');
      regex += negated ? "[^/" : "[";
      for (const char member : set.substr(negated ? 1 : 0)) {
        if (std::string_view("\\]^[").find(member) != std::string_view::npos) regex += '\\';
        regex += member;
      }
      regex += ']';
      i = end;
    } else {
      if (c == '\\' && i + 1 < glob.size()) ++i;
      if (std::string_view(".*?+()|{}^$[]\\").find(glob[i]) != std::string_view::npos)
        regex += '\\';
      regex += glob[i];
    }
  }
  return regex + "$";
}

std::map<std::string, std::string> HeadroomLabels(const Headroom& headroom) {
  return {{"app.kubernetes.io/name", "stoker-headroom"},
          {"app.kubernetes.io/instance", headroom.name},
          {"app.kubernetes.io/managed-by", "stoker"}};
}

Json PodTemplate(const Headroom& headroom) {
  return {{"apiVersion", "v1"},
          {"kind", "PodTemplate"},
          {"metadata", Metadata(headroom, headroom.name)},
          {"template", PausePod(headroom, "")}};
}

Json CapacityBuffer(const Headroom& headroom) {
  Json json;
  json["apiVersion"] = "autoscaling.x-k8s.io/v1beta1";
  json["kind"] = "CapacityBuffer";
  json["metadata"] = Metadata(headroom, headroom.name);
  json["spec"] = {{"podTemplateRef", {{"name", headroom.name}}},
                  {"replicas", headroom.executors},
                  {"limits", Quantities(Times(headroom.requests, headroom.max_executors))}};
  return json;
}

Json ProvisioningRequest(const Headroom& headroom) {
  Json json;
  json["apiVersion"] = "autoscaling.x-k8s.io/v1";
  json["kind"] = "ProvisioningRequest";
  json["metadata"] = Metadata(headroom, headroom.name + "-" + std::to_string(headroom.executors));
  json["spec"] = {{"provisioningClassName", "best-effort-atomic-scale-up.autoscaling.x-k8s.io"},
                  {"podSets",
                   Json::array({Json{{"podTemplateRef", {{"name", headroom.name}}},
                                     {"count", headroom.executors}}})}};
  return json;
}

std::int64_t ExecutorsPerNode(const NodeShape& shape, const rightsizing::Resources& requests) {
  return rightsizing::FitPods(requests, rightsizing::Allocatable(shape.node, {})).pods;
}

std::vector<RankedShape> RankShapes(std::span<const NodeShape> shapes,
                                    std::span<const Headroom> headrooms) {
  struct Sum {
    double relative = 0;
    int parts = 0;
    bool fits = false;
  };
  std::vector<Sum> sums(shapes.size());
  for (const Headroom& headroom : headrooms) {
    std::vector<double> costs(shapes.size(), std::numeric_limits<double>::infinity());
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const std::int64_t per_node = ExecutorsPerNode(shapes[i], headroom.requests);
      if (per_node < 1) continue;
      sums[i].fits = true;
      if (shapes[i].price_per_hour) {
        costs[i] = *shapes[i].price_per_hour / static_cast<double>(per_node);
      }
    }
    const double least = costs.empty() ? 0 : *std::min_element(costs.begin(), costs.end());
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (!std::isfinite(costs[i])) continue;
      sums[i].relative += least > 0 ? costs[i] / least : 1 + costs[i];
      ++sums[i].parts;
    }
  }
  std::vector<RankedShape> ranked;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (!sums[i].fits && !headrooms.empty()) continue;
    RankedShape one{.shape = &shapes[i], .relative_cost = std::nullopt};
    if (sums[i].parts > 0) one.relative_cost = sums[i].relative / sums[i].parts;
    ranked.push_back(one);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const RankedShape& a, const RankedShape& b) {
    if (a.relative_cost && b.relative_cost) return *a.relative_cost < *b.relative_cost;
    if (a.relative_cost.has_value() != b.relative_cost.has_value()) {
      return a.relative_cost.has_value();
    }
    return a.shape->spot && !b.shape->spot;
  });
  return ranked;
}

Result<Hint> MakeHint(const HintInput& input, HintFormat format) {
  switch (format) {
    case HintFormat::kClusterAutoscalerFlags:
      return FlagsHint(input);
    case HintFormat::kClusterAutoscalerHelm:
      return HelmHint(input);
    case HintFormat::kCapacityBuffer:
      return BufferHint(input);
    case HintFormat::kProvisioningRequest:
      return RequestHint(input);
    case HintFormat::kPlaceholder:
      return PlaceholderHint(input);
    case HintFormat::kPodAnnotations:
      return AnnotationsHint();
    case HintFormat::kPriorityExpander:
      return PriorityHint(input);
    case HintFormat::kQuota:
      return QuotaHint(input);
  }
  return Fail(ErrorCode::kInternal, "a format without a writer");
}

}  // namespace stoker::capacity
