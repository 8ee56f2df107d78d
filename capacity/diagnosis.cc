#include "capacity/diagnosis.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "capacity/saturating.h"
#include "core/text.h"
#include "core/units.h"
#include "rightsizing/text.h"

namespace stoker::capacity {
namespace {

using rightsizing::CountText;

constexpr Duration kEventsCount = std::chrono::minutes(10);
/// The autoscaler writes its status in every loop, by default each 10 s.
constexpr Duration kStatusOld = std::chrono::minutes(5);
/// Every loop has to see a pod once.
constexpr Duration kSoon = std::chrono::seconds(30);
constexpr Duration kPatience = std::chrono::minutes(2);
constexpr std::size_t kLongestText = 200;
constexpr std::size_t kMostTexts = 3;

constexpr std::array<std::pair<Blocker, std::string_view>, 13> kNames{
    {{Blocker::kQuota, "quota"},
     {Blocker::kGated, "gated"},
     {Blocker::kRefused, "refused"},
     {Blocker::kNothingFits, "nothing_fits"},
     {Blocker::kMaximum, "maximum"},
     {Blocker::kClusterLimit, "cluster_limit"},
     {Blocker::kBackOff, "back_off"},
     {Blocker::kNotReady, "not_ready"},
     {Blocker::kExpander, "expander"},
     {Blocker::kNoAutoscaler, "no_autoscaler"},
     {Blocker::kCooldown, "cooldown"},
     {Blocker::kInProgress, "in_progress"},
     {Blocker::kUnknown, "unknown"}}};

std::string Cut(std::string_view text) {
  return text.size() <= kLongestText ? std::string(text)
                                     : std::string(text.substr(0, kLongestText)) + "...";
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Whether "N " stands at `at`: how each reason of the autoscaler begins.
bool BeginsReason(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && IsDigit(text[end])) ++end;
  return end > at && end < text.size() && text[end] == ' ';
}

/// What a reason of the autoscaler (core/scaleup/orchestrator, processors/status) comes to. The
/// rest are the scheduler's, as of the node that the group would add.
Blocker BlockerOf(std::string_view reason) {
  const auto has = [&](std::string_view part) {
    return reason.find(part) != std::string_view::npos;
  };
  if (has("in backoff")) return Blocker::kBackOff;
  if (has("max node group size reached")) return Blocker::kMaximum;
  if (has("not ready for scale-up")) return Blocker::kNotReady;
  if (has("max total nodes in cluster reached") || reason.starts_with("exceeded quota") ||
      (reason.starts_with("max cluster ") && has(" limit reached"))) {
    return Blocker::kClusterLimit;
  }
  if (has("filtered out and no longer considered")) return Blocker::kExpander;
  return Blocker::kNothingFits;
}

/// What pods or events say of one blocker.
struct Evidence {
  std::set<std::string> pods;
  std::map<std::string, int> texts;  ///< with the most groups each was said of
  std::string Texts() const {
    std::vector<std::pair<std::string, int>> sorted(texts.begin(), texts.end());
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
      return a.second > b.second;
    });
    std::string text;
    for (std::size_t i = 0; i < sorted.size() && i < kMostTexts; ++i) {
      text += i == 0 ? "" : "; ";
      if (sorted[i].second > 0) text += CountText(sorted[i].second, "node group") + ": ";
      text += sorted[i].first;
    }
    if (sorted.size() > kMostTexts) {
      text += "; and " + std::to_string(sorted.size() - kMostTexts) + " more";
    }
    return text;
  }
};

class Diagnosis {
 public:
  Diagnosis(const ClusterView& view,
            const Headroom& headroom,
            std::span<const NodeShape> shapes,
            const OwnView& own)
      : view_(view), headroom_(headroom), shapes_(shapes), own_(own) {
    for (const PendingPod& pod : view.pods) {
      if (pod.name_space == headroom.name_space) pods_.push_back(&pod);
    }
  }

  std::vector<Finding> Run() {
    ReadEvents();
    ReadRooms();
    Quotas();
    Gates();
    Refused();
    Shapes();
    FromEvents(Blocker::kNothingFits,
               "no node group takes such a pod",
               "give the group larger nodes, or the executors smaller requests, and hold their "
               "nodeSelector and tolerations against the group's labels and taints");
    FromEvents(Blocker::kMaximum,
               "node groups that would take them are at their maximum",
               "raise their maximum, or add a group");
    FromEvents(Blocker::kClusterLimit,
               "a limit of the whole cluster is reached",
               "raise --max-nodes-total, --cores-total, --memory-total or the CapacityQuota");
    BackOff();
    FromEvents(Blocker::kNotReady,
               "node groups have too many nodes that are not ready",
               "look at those nodes, then at --max-total-unready-percentage");
    Expander();
    Autoscaler();
    Cooldown();
    Progress();
    return std::move(findings_);
  }

 private:
  void Add(Blocker blocker, std::string message) {
    findings_.push_back({blocker, std::move(message)});
  }

  [[nodiscard]] bool IsRecent(WallTime time) const { return view_.now - time <= kEventsCount; }

  [[nodiscard]] std::string Who(std::size_t pods) const {
    return CountText(static_cast<std::int64_t>(pods), "pod") + (pods == 1 ? " waits" : " wait") +
           " in " + headroom_.name_space;
  }

  /// Who has what the evidence is of: pods, or else the buffer, whose pods nobody sees.
  [[nodiscard]] std::string Who(const Evidence& evidence) const {
    return evidence.pods.empty() ? "CapacityBuffer " + headroom_.name + " waits"
                                 : Who(evidence.pods.size());
  }

  /// The newest word of the autoscaler on each pod that waits, and on the buffer.
  void ReadEvents() {
    std::set<std::string_view> waiting;  // all of one namespace
    for (const PendingPod* pod : pods_) waiting.insert(pod->name);
    const bool has_buffer = HasBuffer();
    std::map<std::string, const ClusterEvent*> newest;
    const ClusterEvent* of_buffer = nullptr;
    for (const ClusterEvent& event : view_.events) {
      if (event.name_space != headroom_.name_space || !IsRecent(event.last)) continue;
      const bool is_buffer =
          has_buffer && event.kind == "CapacityBuffer" && event.name == headroom_.name;
      if (is_buffer && (of_buffer == nullptr || event.last > of_buffer->last)) of_buffer = &event;
      if (event.kind != "Pod" || !waiting.contains(event.name)) continue;
      if (event.reason != "NotTriggerScaleUp" && event.reason != "TriggeredScaleUp" &&
          event.reason != "FailedScaleUp") {
        continue;
      }
      const ClusterEvent*& best = newest[event.name];
      if (best == nullptr || event.last > best->last) best = &event;
    }
    for (const auto& [pod, event] : newest) {
      if (event->reason == "TriggeredScaleUp") {
        Evidence& evidence = evidence_[Blocker::kInProgress];
        evidence.pods.insert(pod);
        std::string_view text = event->message;
        if (const std::size_t at = text.find('['); at != std::string_view::npos) {
          text = text.substr(at);
        }
        evidence.texts.try_emplace(Cut(text), 0);
        continue;
      }
      if (event->reason == "FailedScaleUp") {
        Evidence& evidence = evidence_[Blocker::kBackOff];
        evidence.pods.insert(pod);
        evidence.texts.try_emplace(Cut(event->message), 0);
        continue;
      }
      ReadNoScaleUp(event->message, &pod);
    }
    // That it did trigger one says nothing of now: nodes may have come since.
    if (of_buffer != nullptr && of_buffer->reason == "NotTriggerScaleUp") {
      ReadNoScaleUp(of_buffer->message, nullptr);
    }
  }

  void ReadNoScaleUp(const std::string& message, const std::string* pod) {
    for (const NoScaleUpReason& reason : NoScaleUpReasons(message)) {
      Evidence& evidence = evidence_[BlockerOf(reason.text)];
      if (pod != nullptr) evidence.pods.insert(*pod);
      int& groups = evidence.texts.try_emplace(reason.text, 0).first->second;
      groups = std::max(groups, reason.groups);
    }
  }

  [[nodiscard]] bool HasBuffer() const {
    return std::any_of(view_.rooms.begin(), view_.rooms.end(), [this](const RoomObject& room) {
      return room.policy == headroom_.policy && room.kind == "CapacityBuffer";
    });
  }

  /// What the autoscaler's conditions on the policy's own objects come to.
  void ReadRooms() {
    for (const RoomObject& room : view_.rooms) {
      if (room.policy != headroom_.policy) continue;
      const bool is_buffer = room.kind == "CapacityBuffer";
      if (room.conditions.empty() && view_.now - room.created >= kPatience) ignored_ = &room;
      for (const RoomObject::Condition& condition : room.conditions) {
        const std::string text = room.kind + " " + room.name + ": " + Cut(condition.reason) +
                                 (condition.message.empty() ? "" : ", " + Cut(condition.message));
        if (condition.holds) {
          if (condition.type == "LimitedByQuotas") {
            evidence_[Blocker::kClusterLimit].texts.try_emplace(text, 0);
          }
          if (condition.type == "Failed") refused_.push_back(text);
        } else if (is_buffer ? condition.type == "ReadyForProvisioning" ||
                                   (condition.type == "Provisioning" &&
                                    condition.reason != "BufferIsEmpty" &&
                                    condition.reason != "NotReadyForProvisioning")
                             : condition.type == "Accepted" || condition.type == "Provisioned") {
          refused_.push_back(text);
        }
      }
    }
  }

  void Refused() {
    if (refused_.empty()) return;
    std::string texts;
    for (const std::string& text : refused_) texts += (texts.empty() ? "" : "; ") + text;
    Add(Blocker::kRefused,
        "the autoscaler makes no room (" + texts +
            "); mend what it names, as a rule the executor's size, its nodeSelector and "
            "tolerations, or what node groups may grow to; it looks again by itself");
  }

  void FromEvents(Blocker blocker, const std::string& what, const std::string& mend) {
    const auto found = evidence_.find(blocker);
    if (found == evidence_.end()) return;
    Add(blocker, Who(found->second) + ": " + what + " (" + found->second.Texts() + "); " + mend);
  }

  /// A full quota leaves no pod to wait: executors are not even created.
  void Quotas() {
    const auto needed = [this](std::string_view resource) -> std::int64_t {
      constexpr std::int64_t kMillis = 1000;
      if (resource.starts_with("requests."))
        resource.remove_prefix(std::string_view("requests.").size());
      if (resource == "cpu") return headroom_.requests.cpu_millis;
      if (resource == "memory" || resource == "limits.memory") {
        return Product(headroom_.requests.memory_bytes, kMillis);
      }
      if (resource == "ephemeral-storage")
        return Product(headroom_.requests.ephemeral_bytes, kMillis);
      return resource == "pods" || resource == "count/pods" ? kMillis : 0;
    };
    for (const QuotaUse& use : view_.quotas) {
      if (use.name_space != headroom_.name_space) continue;
      const std::int64_t one = needed(use.resource);
      if (one == 0 || use.hard_millis - use.used_millis >= one) continue;
      Add(Blocker::kQuota,
          "ResourceQuota " + use.quota + " of namespace " + use.name_space +
              " has no room for another executor: " + use.resource + " is at " +
              Percent(use.used_millis, use.hard_millis) +
              " of its limit; raise it (stoker hints --format quota), or lower replicas.max");
      return;
    }
  }

  static std::string Percent(std::int64_t used, std::int64_t hard) {
    if (hard <= 0) return "100%";
    return rightsizing::DecimalText(100.0 * static_cast<double>(used) / static_cast<double>(hard),
                                    1) +
           "%";
  }

  void Gates() {
    const auto gated = std::count_if(pods_.begin(), pods_.end(), [](const PendingPod* pod) {
      return pod->reason == "SchedulingGated";
    });
    if (gated == 0) return;
    Add(Blocker::kGated,
        Who(static_cast<std::size_t>(gated)) +
            " for scheduling gates, which no autoscaler looks behind; see who gates them (Kueue?)");
  }

  void Shapes() {
    if (shapes_.empty()) return;
    const NodeShape* largest = nullptr;
    for (const NodeShape& shape : shapes_) {
      if (ExecutorsPerNode(shape, headroom_.requests) > 0) return;
      if (largest == nullptr || shape.node.memory_bytes > largest->node.memory_bytes) {
        largest = &shape;
      }
    }
    Add(Blocker::kNothingFits,
        "no node of capacity.nodeShapes holds an executor of " +
            rightsizing::CoresText(headroom_.requests.cpu_millis) + " and " +
            rightsizing::SizeText(headroom_.requests.memory_bytes) + ": the largest, " +
            largest->name + ", is too small; add a larger one, or make executors smaller");
  }

  void BackOff() {
    const auto of_pods = evidence_.find(Blocker::kBackOff);
    Evidence evidence = of_pods == evidence_.end() ? Evidence{} : of_pods->second;
    for (const ClusterEvent& event : view_.events) {
      if (!IsRecent(event.last)) continue;
      if (event.reason != "FailedToScaleUpGroup" && event.reason != "ScaleUpTimedOut") continue;
      evidence.texts.try_emplace(Cut(event.message), 0);
    }
    for (const auto& [group, failure] : view_.failures) {
      evidence.texts.try_emplace(group + (failure.reason.empty() ? "" : ": " + failure.reason), 0);
    }
    if (evidence.texts.empty()) return;
    if (pods_.empty() && of_pods == evidence_.end()) return;
    Add(Blocker::kBackOff,
        (pods_.empty() ? Who(evidence) : Who(pods_.size())) +
            ": node groups are left alone after a scale-up that failed (" + evidence.Texts() +
            "); the provider had no such machines, or a limit of yours is reached: ask it for "
            "more, or add groups of other instance types");
  }

  void Expander() {
    FromEvents(Blocker::kExpander,
               "the expander left no group",
               "look at the expander's choices in /api/v1/hints, and at --expander");
    if (evidence_.contains(Blocker::kExpander) || !own_.expander || !evidence_.empty()) return;
    const WallTime oldest = OldestPod();
    if (pods_.empty() || view_.now - oldest < kPatience) return;
    if (own_.last_choice && *own_.last_choice >= oldest) return;
    Add(Blocker::kExpander,
        Who(pods_.size()) + " for " + Age(oldest) +
            ", and nobody has asked Stoker's expander since; look at --expander=grpc, "
            "--grpc-expander-url and --grpc-expander-cert of the autoscaler, and at its log");
  }

  void Autoscaler() {
    if (ignored_ != nullptr) {
      const bool is_buffer = ignored_->kind == "CapacityBuffer";
      return Add(Blocker::kNoAutoscaler,
                 "nobody has looked at " + ignored_->kind + " " + ignored_->name + " for " +
                     Age(ignored_->created) + ": a Cluster Autoscaler of " +
                     (is_buffer ? "1.35 or newer reads it with "
                                  "--capacity-buffer-controller-enabled and "
                                  "--capacity-buffer-pod-injection-enabled"
                                : "1.32 or newer reads it with --enable-provisioning-requests"));
    }
    if (pods_.empty() || !view_.status_time || !evidence_.empty()) return;
    const std::optional<WallTime>& written = *view_.status_time;
    if (written && view_.now - *written <= kStatusOld) return;
    if (!written && view_.now - OldestPod() < kPatience) return;
    Add(Blocker::kNoAutoscaler,
        written ? "the Cluster Autoscaler wrote its status " + Age(*written) +
                      " ago last: it is down, or stuck; look at its pod and its log"
                : "there is no status of a Cluster Autoscaler, and it says nothing of " +
                      Who(pods_.size()) +
                      "; look whether it runs (managed ones and Karpenter write no status)");
  }

  void Cooldown() {
    std::size_t young = 0;
    Duration longest{0};
    for (const PendingPod* pod : pods_) {
      const Duration delay = pod->scale_up_delay.value_or(Duration{0});
      if (view_.now - pod->created >= std::max(delay, kSoon)) continue;
      if (evidence_.contains(Blocker::kInProgress) || HasWord(*pod)) continue;
      ++young;
      longest = std::max(longest, delay);
    }
    if (young == 0) return;
    Add(Blocker::kCooldown,
        Who(young) + " since a moment ago; the autoscaler looks at them " +
            (longest > kSoon ? "after their pod-scale-up-delay of " + FormatDuration(longest)
                             : std::string("in its next loops")));
  }

  [[nodiscard]] bool HasWord(const PendingPod& pod) const {
    return std::any_of(evidence_.begin(), evidence_.end(), [&](const auto& entry) {
      return entry.second.pods.contains(pod.name);
    });
  }

  void Progress() {
    const auto found = evidence_.find(Blocker::kInProgress);
    if (found == evidence_.end()) return;
    Add(Blocker::kInProgress,
        Who(found->second) + " for nodes that are on their way (" + found->second.Texts() + ")");
  }

  [[nodiscard]] WallTime OldestPod() const {
    WallTime oldest = view_.now;
    for (const PendingPod* pod : pods_) oldest = std::min(oldest, pod->created);
    return oldest;
  }

  [[nodiscard]] std::string Age(WallTime time) const {
    return FormatDuration(std::chrono::floor<std::chrono::seconds>(view_.now - time));
  }

  const ClusterView& view_;
  const Headroom& headroom_;
  const std::span<const NodeShape> shapes_;
  const OwnView& own_;
  std::vector<const PendingPod*> pods_;
  std::map<Blocker, Evidence> evidence_;
  std::vector<std::string> refused_;
  const RoomObject* ignored_ = nullptr;  ///< that nobody has looked at
  std::vector<Finding> findings_;
};

}  // namespace

std::string_view BlockerName(Blocker blocker) {
  for (const auto& [known, name] : kNames) {
    if (known == blocker) return name;
  }
  return "";
}

std::vector<NoScaleUpReason> NoScaleUpReasons(std::string_view message) {
  constexpr std::string_view kPrefix = "pod didn't trigger scale-up";
  // Events that the recorder merged have words before.
  if (const std::size_t at = message.find(kPrefix); at != std::string_view::npos) {
    message.remove_prefix(at + kPrefix.size());
    if (message.starts_with(':')) message.remove_prefix(1);
  }
  std::vector<NoScaleUpReason> reasons;
  message = Trim(message);
  while (!message.empty()) {
    std::size_t end = message.find(", ");
    while (end != std::string_view::npos && !BeginsReason(message, end + 2)) {
      end = message.find(", ", end + 2);
    }
    std::string_view text = Trim(message.substr(0, end));
    NoScaleUpReason reason;
    if (BeginsReason(text, 0)) {
      const auto [stop, error] =
          std::from_chars(text.data(), text.data() + text.size(), reason.groups);
      if (error == std::errc{}) {
        text = Trim(text.substr(static_cast<std::size_t>(stop - text.data())));
      }
    }
    reason.text = Cut(text);
    if (!reason.text.empty()) reasons.push_back(std::move(reason));
    if (end == std::string_view::npos) break;
    message.remove_prefix(end + 2);
  }
  return reasons;
}

std::vector<Finding> Diagnose(const ClusterView& view,
                              const Headroom& headroom,
                              std::span<const NodeShape> shapes,
                              const OwnView& own) {
  return Diagnosis(view, headroom, shapes, own).Run();
}

}  // namespace stoker::capacity
