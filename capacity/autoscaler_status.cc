#include "capacity/autoscaler_status.h"

#include <algorithm>
#include <utility>

#include "config/node.h"
#include "core/text.h"
#include "core/units.h"

namespace stoker::capacity {
namespace {

using config::Node;

constexpr std::string_view kTextForm = "Cluster-autoscaler status at ";
constexpr std::size_t kMaxCode = 60;
constexpr std::size_t kMaxGroups = 5000;
constexpr Duration kRemember = std::chrono::hours(24);  // the longest that avoidFailed may be

/// "2026-11-21 01:02:03.123456789 +0000 UTC", Go's way to print a time.
std::optional<WallTime> ReadTime(std::string_view text) {
  const std::vector<std::string_view> parts = Split(Trim(text), ' ');
  if (parts.size() < 3 || parts[2].size() != 5) return std::nullopt;
  const std::string zone =
      std::string(parts[2].substr(0, 3)) + ":" + std::string(parts[2].substr(3));
  const Result<WallTime> time = ParseTime(
      std::string(parts[0]) + "T" + std::string(parts[1].substr(0, parts[1].find('.'))) + zone);
  return time ? std::optional(*time) : std::nullopt;
}

std::string_view Scalar(const Node* node, std::string_view key) {
  const Node* const value = node == nullptr ? nullptr : node->Find(key);
  return value != nullptr && value->IsScalar() ? std::string_view(value->scalar())
                                               : std::string_view{};
}

const Node* Below(const Node* node, std::string_view key) {
  return node == nullptr ? nullptr : node->Find(key);
}

/// What of an error code can stand in a log line.
std::string Code(std::string_view text) {
  std::string code(text.substr(0, kMaxCode));
  std::ranges::replace_if(
      code, [](char c) { return c < ' ' || c > '~'; }, '?');
  return code;
}

AutoscalerStatus FromYaml(const Node& root) {
  AutoscalerStatus status{.time = ReadTime(Scalar(&root, "time")), .groups = {}};
  const Node* const groups = root.Find("nodeGroups");
  if (groups == nullptr) return status;
  for (const Node& node : groups->items()) {
    const Node* const health = node.Find("health");
    const Node* const up = node.Find("scaleUp");
    GroupStatus& group = status.groups.emplace_back();
    group.name = Scalar(&node, "name");
    group.healthy = Scalar(health, "status") != "Unhealthy";
    group.backing_off = Scalar(up, "status") == "Backoff";
    group.error_code = Code(Scalar(Below(up, "backoffInfo"), "errorCode"));
    group.never_came = std::max<std::int64_t>(
        0, ParseInteger(Scalar(Below(health, "nodeCounts"), "longUnregistered")).value_or(0));
  }
  return status;
}

std::int64_t NumberAfter(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + key.size());
  return ParseInteger(text.substr(0, text.find_first_not_of("0123456789"))).value_or(0);
}

AutoscalerStatus FromText(std::string_view text) {
  AutoscalerStatus status;
  bool in_groups = false;
  for (std::string_view line : Split(text, '\n')) {
    line = Trim(line);
    if (line.starts_with(kTextForm)) {
      line.remove_prefix(kTextForm.size());
      status.time = ReadTime(line);
    } else if (line == "NodeGroups:") {
      in_groups = true;
    }
    const std::size_t colon = line.find(':');
    if (!in_groups || colon == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, colon);
    const std::string_view value = Trim(line.substr(colon + 1));
    if (key == "Name") status.groups.emplace_back().name = value;
    if (status.groups.empty()) continue;
    GroupStatus& group = status.groups.back();
    if (key == "Health") {
      group.healthy = !value.starts_with("Unhealthy");
      group.never_came = NumberAfter(value, "longUnregistered=");
    } else if (key == "ScaleUp") {
      group.backing_off = value.starts_with("Backoff");
    }
  }
  return status;
}

std::string ReasonOf(const GroupStatus& group) {
  if (group.backing_off) return group.error_code.empty() ? "backed off" : group.error_code;
  if (!group.healthy) return "unhealthy";
  return std::to_string(group.never_came) + " nodes never came";
}

}  // namespace

Result<AutoscalerStatus> ParseAutoscalerStatus(std::string_view text) {
  if (Trim(text).starts_with(kTextForm)) return FromText(text);
  config::Diagnostics diagnostics;
  const Result<Node> root = config::ParseYaml(text, "status", diagnostics);
  if (!root || !root->IsMap() || root->Find("autoscalerStatus") == nullptr) {
    return Fail(ErrorCode::kUnavailable, "no status that a known Cluster Autoscaler writes");
  }
  return FromYaml(*root);
}

void GroupHealth::Update(const AutoscalerStatus& status, WallTime now) {
  std::erase_if(failures_, [&](const auto& entry) { return now - entry.second.last > kRemember; });
  for (const GroupStatus& group : status.groups) {
    if (group.healthy && !group.backing_off && group.never_came == 0) continue;
    if (failures_.size() >= kMaxGroups && !failures_.contains(group.name)) continue;
    failures_[group.name] = {.last = std::min(status.time.value_or(now), now),
                             .reason = ReasonOf(group)};
  }
}

GroupFailures GroupHealth::Failures(WallTime now, Duration avoid) const {
  GroupFailures lately;
  for (const auto& [name, failure] : failures_) {
    if (now - failure.last <= avoid) lately.emplace(name, failure);
  }
  return lately;
}

}  // namespace stoker::capacity
