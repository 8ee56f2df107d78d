#include "adapter/grpc/expander_request.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "capacity/quantity.h"
#include "capacity/saturating.h"
#include "kubernetes.pb.h"
#include "rightsizing/shape.h"

namespace stoker::adapter {
namespace {

using capacity::Plus;
using capacity::PodRole;
using capacity::QuantityMillis;
using capacity::QuantityUnits;
using rightsizing::Resources;

constexpr int kPodsBetweenLooks = 256;  // at the clock

using Amounts = google::protobuf::Map<std::string, k8s::Quantity>;

/// Empty when an amount cannot be read.
std::optional<Resources> ReadAmounts(const Amounts& amounts) {
  Resources read;
  for (const auto& [name, millis, into] :
       {std::tuple{"cpu", true, &read.cpu_millis},
        std::tuple{"memory", false, &read.memory_bytes},
        std::tuple{"ephemeral-storage", false, &read.ephemeral_bytes}}) {
    const auto found = amounts.find(name);
    if (found == amounts.end()) continue;
    const std::string& text = found->second.string();
    const std::optional<std::int64_t> amount = millis ? QuantityMillis(text) : QuantityUnits(text);
    if (!amount) return std::nullopt;
    *into = *amount;
  }
  return read;
}

void Raise(Resources& to, const Resources& by) {
  to.cpu_millis = Plus(to.cpu_millis, by.cpu_millis);
  to.memory_bytes = Plus(to.memory_bytes, by.memory_bytes);
  to.ephemeral_bytes = Plus(to.ephemeral_bytes, by.ephemeral_bytes);
}

void AtLeast(Resources& to, const Resources& other) {
  to.cpu_millis = std::max(to.cpu_millis, other.cpu_millis);
  to.memory_bytes = std::max(to.memory_bytes, other.memory_bytes);
  to.ephemeral_bytes = std::max(to.ephemeral_bytes, other.ephemeral_bytes);
}

/// What the scheduler reserves for the pod: its containers and sidecars together, or an init
/// container with the sidecars before it where that is more; what is asked for the pod as a whole
/// goes before either; and the runtime's overhead on top.
std::optional<Resources> Requests(const k8s::PodSpec& spec) {
  Resources sidecars;
  Resources starting;
  for (const k8s::Container& container : spec.initcontainers()) {
    const auto asked = ReadAmounts(container.resources().requests());
    if (!asked) return std::nullopt;
    Resources together = sidecars;
    Raise(together, *asked);
    AtLeast(starting, together);
    if (container.restartpolicy() == "Always") sidecars = together;
  }
  Resources total = sidecars;
  for (const k8s::Container& container : spec.containers()) {
    const auto asked = ReadAmounts(container.resources().requests());
    if (!asked) return std::nullopt;
    Raise(total, *asked);
  }
  AtLeast(total, starting);
  const auto whole = ReadAmounts(spec.resources().requests());
  const auto overhead = ReadAmounts(spec.overhead());
  if (!whole || !overhead) return std::nullopt;
  if (whole->cpu_millis > 0) total.cpu_millis = whole->cpu_millis;
  if (whole->memory_bytes > 0) total.memory_bytes = whole->memory_bytes;
  Raise(total, *overhead);
  return total;
}

std::string_view Find(const google::protobuf::Map<std::string, std::string>& map, const char* key) {
  const auto found = map.find(key);
  return found == map.end() ? std::string_view{} : std::string_view(found->second);
}

/// Serialized pods by content. The start tells them apart, since names stand there; hashing all of
/// a hundred megabytes would not.
struct ByStart {
  std::size_t operator()(std::string_view bytes) const {
    constexpr std::size_t kStart = 128;
    return std::hash<std::string_view>{}(bytes.substr(0, kStart)) ^ bytes.size();
  }
};

/// Pods of one kind count together.
class Pods {
 public:
  struct Kind {
    PodRole role;
    Resources requests;
  };

  /// Number of the pod's kind; empty when it cannot be read.
  std::optional<std::size_t> KindOf(std::string_view bytes) {
    const auto [at, added] = known_.try_emplace(bytes);
    if (added) at->second = Read(bytes);
    return at->second;
  }
  [[nodiscard]] const Kind& kind(std::size_t number) const { return kinds_[number]; }

 private:
  std::optional<std::size_t> Read(std::string_view bytes) {
    pod_.Clear();
    if (bytes.size() > std::numeric_limits<int>::max() ||
        !pod_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return std::nullopt;
    }
    const std::optional<Resources> requests = Requests(pod_.spec());
    if (!requests) return std::nullopt;
    const auto& labels = pod_.metadata().labels();
    const PodRole role =
        capacity::RoleOf(Find(labels, "spark-role"), Find(labels, capacity::kStandsInLabel.data()));
    const auto [at, added] = numbers_.try_emplace(
        {role, requests->cpu_millis, requests->memory_bytes, requests->ephemeral_bytes},
        kinds_.size());
    if (added) kinds_.push_back({role, *requests});
    return at->second;
  }

  std::unordered_map<std::string_view, std::optional<std::size_t>, ByStart> known_;
  std::map<std::tuple<PodRole, std::int64_t, std::int64_t, std::int64_t>, std::size_t> numbers_;
  std::vector<Kind> kinds_;
  k8s::Pod pod_;  // kept for its memory
};

std::optional<capacity::NodeTemplate> ReadNode(const std::string& bytes) {
  k8s::Node node;
  if (bytes.empty() || !node.ParseFromString(bytes)) return std::nullopt;
  const Amounts& amounts =
      node.status().allocatable().empty() ? node.status().capacity() : node.status().allocatable();
  const std::optional<Resources> allocatable = ReadAmounts(amounts);
  if (!allocatable) return std::nullopt;
  capacity::NodeTemplate read{.labels = {}, .allocatable = *allocatable};
  if (const auto pods = amounts.find("pods"); pods != amounts.end()) {
    read.max_pods = QuantityUnits(pods->second.string()).value_or(0);
  }
  for (const auto& [key, value] : node.metadata().labels()) read.labels.emplace(key, value);
  return read;
}

}  // namespace

Result<std::vector<capacity::ExpanderOption>> ReadOptions(
    const grpcplugin::BestOptionsRequest& request, const Clock& clock, MonoTime deadline) {
  std::vector<capacity::ExpanderOption> options;
  options.reserve(static_cast<std::size_t>(request.options_size()));
  Pods pods;
  int until_look = kPodsBetweenLooks;
  for (const grpcplugin::Option& asked : request.options()) {
    if (clock.MonotonicNow() >= deadline) return Fail(ErrorCode::kDeadlineExceeded, "out of time");
    capacity::ExpanderOption& option = options.emplace_back();
    option.group = asked.nodegroupid();
    option.nodes = asked.nodecount();
    for (const auto* nodes : {&request.nodebytesmap(), &request.nodemap()}) {
      if (option.node) break;
      const auto found = nodes->find(asked.nodegroupid());
      if (found != nodes->end()) option.node = ReadNode(found->second);
    }
    std::map<std::size_t, std::int64_t> counts;
    for (const std::string& bytes : asked.podbytes_size() > 0 ? asked.podbytes() : asked.pod()) {
      if (--until_look == 0) {
        until_look = kPodsBetweenLooks;
        if (clock.MonotonicNow() >= deadline) {
          return Fail(ErrorCode::kDeadlineExceeded, "out of time");
        }
      }
      const std::optional<std::size_t> kind = pods.KindOf(bytes);
      if (!kind) {
        counts.clear();
        break;
      }
      ++counts[*kind];
    }
    for (const auto& [kind, count] : counts) {
      option.pods.push_back(
          {.role = pods.kind(kind).role, .requests = pods.kind(kind).requests, .count = count});
    }
  }
  return options;
}

}  // namespace stoker::adapter
