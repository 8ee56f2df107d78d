#include "adapter/cluster_observer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "capacity/autoscaler_status.h"
#include "capacity/quantity.h"
#include "core/units.h"
#include "upstream/kubernetes/json.h"

namespace stoker::adapter {
namespace {

using kubernetes::Find;
using kubernetes::Text;
using nlohmann::json;

/// Of groups that failed, as the autoscaler's own back-off begins.
constexpr Duration kFailuresCount = std::chrono::minutes(5);

WallTime TimeOf(const json& object, std::initializer_list<std::string_view> keys) {
  const Result<WallTime> time = ParseTime(Text(object, keys));
  return time ? *time : WallTime{};
}

/// Empty when the pod has a node.
std::optional<capacity::PendingPod> ReadPod(const json& object) {
  if (!Text(object, {"spec", "nodeName"}).empty()) return std::nullopt;
  if (Text(object, {"status", "phase"}) != "Pending") return std::nullopt;
  capacity::PendingPod pod;
  pod.name_space = Text(object, {"metadata", "namespace"});
  pod.name = Text(object, {"metadata", "name"});
  pod.created = TimeOf(object, {"metadata", "creationTimestamp"});
  const json* conditions = Find(object, {"status", "conditions"});
  if (conditions != nullptr && conditions->is_array()) {
    for (const json& condition : *conditions) {
      if (Text(condition, {"type"}) != "PodScheduled") continue;
      if (Text(condition, {"status"}) != "False") continue;
      pod.reason = Text(condition, {"reason"});
      pod.message = Text(condition, {"message"});
    }
  }
  const std::string delay = Text(
      object, {"metadata", "annotations", "cluster-autoscaler.kubernetes.io/pod-scale-up-delay"});
  if (const Result<Duration> parsed = ParseDuration(delay); parsed && !delay.empty()) {
    pod.scale_up_delay = *parsed;
  }
  return pod;
}

capacity::ClusterEvent ReadEvent(const json& object) {
  capacity::ClusterEvent event;
  event.reason = Text(object, {"reason"});
  event.message = Text(object, {"message"});
  event.name_space = Text(object, {"involvedObject", "namespace"});
  event.kind = Text(object, {"involvedObject", "kind"});
  event.name = Text(object, {"involvedObject", "name"});
  event.last = std::max({TimeOf(object, {"lastTimestamp"}),
                         TimeOf(object, {"series", "lastObservedTime"}),
                         TimeOf(object, {"eventTime"}),
                         TimeOf(object, {"metadata", "creationTimestamp"})});
  return event;
}

void ReadQuota(const json& object, std::vector<capacity::QuotaUse>& out) {
  const json* hard = Find(object, {"status", "hard"});
  if (hard == nullptr || !hard->is_object()) return;
  // A quota for some pods only, by priority or such, says nothing of executors.
  if (Find(object, {"spec", "scopes"}) != nullptr) return;
  if (Find(object, {"spec", "scopeSelector"}) != nullptr) return;
  for (const auto& [resource, limit] : hard->items()) {
    if (!limit.is_string()) continue;
    const auto hard_millis = capacity::QuantityMillis(limit.get_ref<const std::string&>());
    const auto used_millis = capacity::QuantityMillis(Text(object, {"status", "used", resource}));
    if (!hard_millis || !used_millis) continue;
    out.push_back({.name_space = Text(object, {"metadata", "namespace"}),
                   .quota = Text(object, {"metadata", "name"}),
                   .resource = resource,
                   .used_millis = *used_millis,
                   .hard_millis = *hard_millis});
  }
}

class Observer {
 public:
  Observer(kubernetes::Client& client, WallTime now, MonoTime deadline, const std::stop_token& stop)
      : client_(client), deadline_(deadline), stop_(stop) {
    answer_.view.now = now;
  }

  ClusterAnswer Run(const ClusterQuestion& question) {
    for (const std::string& name_space : question.namespaces) {
      const std::size_t before = answer_.view.pods.size();
      Read("pods",
           name_space,
           "status.phase=Pending",
           answer_.view.pods,
           [](const json& pod, auto& out) {
             if (auto pending = ReadPod(pod)) out.push_back(*std::move(pending));
           });
      Read("resourcequotas", name_space, "", answer_.view.quotas, ReadQuota);
      if (answer_.view.pods.size() == before && !question.buffers.contains(name_space)) continue;
      // There may be thousands of others.
      constexpr std::array<const char*, 3> kReasons{
          "NotTriggerScaleUp", "TriggeredScaleUp", "FailedScaleUp"};
      for (const char* reason : kReasons) {
        if (!Events(name_space, reason)) break;
      }
    }
    if (!answer_.view.pods.empty() && !question.status_namespace.empty()) {
      Status(question);
      // Of whole node groups it tells there.
      for (const char* reason : {"FailedToScaleUpGroup", "ScaleUpTimedOut"}) {
        if (!Events(question.status_namespace, reason)) break;
      }
    }
    return std::move(answer_);
  }

 private:
  /// Adds what `read` makes of each object to `out`. False when they cannot be asked for.
  template <class Item, class ReadObject>
  bool Read(const char* plural,
            const std::string& name_space,
            const std::string& fields,
            std::vector<Item>& out,
            const ReadObject& read) {
    const auto before = static_cast<std::ptrdiff_t>(out.size());
    const auto forget = [&] { out.erase(out.begin() + before, out.end()); };
    const auto done = client_.Each(
        {.group = "", .version = "v1", .plural = plural, .name_space = name_space, .name = ""},
        {.labels = "", .fields = fields},
        deadline_,
        stop_,
        forget,
        [&](const json& object) { read(object, out); });
    if (done) {
      answer_.answered = true;
      return true;
    }
    forget();  // half of them would mislead
    answer_.unknown.push_back(done.error().error.message);
    return false;
  }

  /// False when events cannot be asked for.
  bool Events(const std::string& name_space, const std::string& reason) {
    return Read("events",
                name_space,
                "reason=" + reason,
                answer_.view.events,
                [](const json& event, auto& out) { out.push_back(ReadEvent(event)); });
  }

  void Status(const ClusterQuestion& question) {
    const auto found = client_.Get({.group = "",
                                    .version = "v1",
                                    .plural = "configmaps",
                                    .name_space = question.status_namespace,
                                    .name = question.status_config_map},
                                   deadline_,
                                   stop_);
    if (!found) {
      if (found.error().reason == kubernetes::Reason::kNotFound) {
        answer_.view.status_time.emplace(std::nullopt);
      } else {
        answer_.unknown.push_back(found.error().error.message);
      }
      return;
    }
    const Result<capacity::AutoscalerStatus> status =
        capacity::ParseAutoscalerStatus(Text(*found, {"data", "status"}));
    if (!status) {
      answer_.unknown.push_back(status.error().message);
      return;
    }
    if (status->time) answer_.view.status_time.emplace(*status->time);
    capacity::GroupHealth health;
    health.Update(*status, answer_.view.now);
    answer_.view.failures = health.Failures(answer_.view.now, kFailuresCount);
  }

  kubernetes::Client& client_;
  const MonoTime deadline_;
  const std::stop_token& stop_;
  ClusterAnswer answer_;
};

}  // namespace

capacity::RoomObject ReadRoom(const json& object, const std::string& policy) {
  capacity::RoomObject room{.policy = policy,
                            .kind = Text(object, {"kind"}),
                            .name = Text(object, {"metadata", "name"}),
                            .created = TimeOf(object, {"metadata", "creationTimestamp"}),
                            .conditions = {}};
  const json* conditions = Find(object, {"status", "conditions"});
  if (conditions == nullptr || !conditions->is_array()) return room;
  for (const json& condition : *conditions) {
    const std::string status = Text(condition, {"status"});
    if (status != "True" && status != "False") continue;
    room.conditions.push_back({.type = Text(condition, {"type"}),
                               .holds = status == "True",
                               .reason = Text(condition, {"reason"}),
                               .message = Text(condition, {"message"})});
  }
  return room;
}

ClusterAnswer ObserveCluster(kubernetes::Client& client,
                             const ClusterQuestion& question,
                             WallTime now,
                             MonoTime deadline,
                             const std::stop_token& stop) {
  return Observer(client, now, deadline, stop).Run(question);
}

}  // namespace stoker::adapter
