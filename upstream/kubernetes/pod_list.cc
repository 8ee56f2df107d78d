#include "upstream/kubernetes/pod_list.h"

#include <simdjson.h>

#include "core/units.h"

namespace stoker::kubernetes {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

tl::unexpected<Error> NotPods() {
  return Fail(ErrorCode::kUnavailable, "the answer is not the API server's list of pods");
}

/// The text at a JSON pointer; "" when there is none.
std::string Text(const element& json, std::string_view pointer) {
  std::string_view text;
  if (json.at_pointer(pointer).get(text) != simdjson::SUCCESS) return {};
  return std::string(text);
}

void ReadPorts(const element& container, std::map<std::string, int>& ports) {
  array list;
  if (container.at_key("ports").get(list) != simdjson::SUCCESS) return;
  for (const element& port : list) {
    std::int64_t number = 0;
    const std::string name = Text(port, "/name");
    if (name.empty() || port.at_key("containerPort").get(number) != simdjson::SUCCESS) continue;
    if (number >= 1 && number <= 65535) ports.emplace(name, static_cast<int>(number));
  }
}

Pod ReadPod(const element& json) {
  Pod pod;
  pod.name = Text(json, "/metadata/name");
  pod.name_space = Text(json, "/metadata/namespace");
  pod.phase = Text(json, "/status/phase");
  pod.ip = Text(json, "/status/podIP");
  if (const Result<WallTime> time = ParseTime(Text(json, "/metadata/deletionTimestamp"))) {
    pod.deletion_time = *time;
  }
  object labels;
  if (json.at_pointer("/metadata/labels").get(labels) == simdjson::SUCCESS) {
    for (const auto& [name, value] : labels) {
      std::string_view text;
      if (value.get(text) == simdjson::SUCCESS) pod.labels.emplace(name, text);
    }
  }
  array containers;
  if (json.at_pointer("/spec/containers").get(containers) == simdjson::SUCCESS) {
    for (const element& container : containers) ReadPorts(container, pod.ports);
  }
  return pod;
}

}  // namespace

Result<PodPage> ParsePodList(std::string_view json) {
  simdjson::dom::parser parser;
  element root;
  array items;
  if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS ||
      Text(root, "/kind") != "PodList") {
    return NotPods();
  }
  PodPage page;
  page.next = Text(root, "/metadata/continue");
  element list;
  if (root.at_key("items").get(list) != simdjson::SUCCESS) return NotPods();
  if (list.is_null()) return page;  // as Go writes an empty list
  if (list.get(items) != simdjson::SUCCESS) return NotPods();
  page.pods.reserve(items.size());
  for (const element& item : items) page.pods.push_back(ReadPod(item));
  return page;
}

}  // namespace stoker::kubernetes
