#include "rightsizing/plan_json.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace stoker::rightsizing {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

std::int64_t Mebibytes(std::int64_t bytes) { return RoundUpToMebibyte(bytes) / kMebibyte; }

std::int64_t Millis(double seconds) { return std::llround(seconds * 1000); }

double Cents(double dollars) { return std::round(dollars * 10'000) / 10'000; }

void AddNodes(const Plan& plan, Json& json) {
  Json none;
  const bool known = plan.nodes.has_value();
  const Packing packing = known ? plan.nodes->packing : Packing{};
  json["node_type"] = known ? Json(plan.nodes->shape.name) : none;
  json["num_nodes"] = known ? Json(packing.nodes + plan.nodes->driver_nodes) : none;
  json["executors_per_node"] = known ? Json(packing.per_node) : none;
  json["stranded_cpu_millis"] = known ? Json(packing.stranded.cpu_millis) : none;
  json["stranded_memory_mb"] = known ? Json(packing.stranded.memory_bytes / kMebibyte) : none;
}

void AddCost(const Plan& plan, Json& json) {
  Json none;
  const bool known = plan.cost.has_value();
  const Cost cost = plan.cost.value_or(Cost{});
  json["predicted_cost_usd"] = known ? Json(Cents(cost.per_run)) : none;
  json["cost_usd_per_hour"] = known ? Json(Cents(cost.per_hour)) : none;
  json["on_demand_cost_usd"] = known ? Json(Cents(cost.on_demand_per_run)) : none;
  json["on_demand_cost_usd_per_hour"] = known ? Json(Cents(cost.on_demand_per_hour)) : none;
  json["cost_basis"] = known ? Json(cost.basis) : none;
}

/// Words that a YAML 1.1 reader takes for a truth value or nothing.
bool IsYamlWord(std::string_view text) {
  constexpr std::array<std::string_view, 9> kWords{
      "true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) {
    return word.size() == text.size() &&
           std::equal(word.begin(), word.end(), text.begin(), [](char a, char b) {
             return a == (b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b);
           });
  });
}

/// Plain where it starts with a letter and holds nothing special, or is an amount ("4g", "1500m",
/// "4Gi"), which no number looks like.
bool IsPlain(std::string_view text) {
  if (text.empty() || IsYamlWord(text)) return false;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits > 0) {
    const std::string_view unit = text.substr(digits);
    return unit == "g" || unit == "m" || unit == "Gi" || unit == "Mi";
  }
  return kLetters.find(text.front()) != std::string_view::npos &&
         text.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-") ==
             std::string_view::npos;
}

std::string OneLine(const Json& json) {
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (IsPlain(text)) return text;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Whole lines, which YAML shows as they are.
bool IsBlock(const Json& json) {
  if (!json.is_string()) return false;
  const auto& text = json.get_ref<const std::string&>();
  const auto printable = [](char c) { return c == '\n' || (c >= ' ' && c < 0x7f); };
  return text.size() > 1 && text.ends_with('\n') && !text.ends_with("\n\n") &&
         text.front() != ' ' && text.front() != '\n' &&
         std::all_of(text.begin(), text.end(), printable);
}

std::string Block(const std::string& text, const std::string& indent) {
  std::string block = "|";
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    block += "\n" + (end > begin ? indent : "") + text.substr(begin, end - begin);
    begin = end + 1;
  }
  return block;
}

void AppendYaml(const Json& json, std::size_t depth, bool in_list, std::string& out) {
  const std::string indent(depth * 2, ' ');
  bool first = in_list;  // its first key stands behind the dash
  for (const auto& [key, value] : json.items()) {
    if (!first) out += indent;
    first = false;
    if (json.is_array()) {
      out += "- ";
    } else {
      out += OneLine(Json(key)) + ":";
    }
    if (!value.is_structured() || value.empty()) {
      out += (json.is_array() ? "" : " ") +
             (IsBlock(value) ? Block(value.get_ref<const std::string&>(), indent + "  ")
                             : OneLine(value)) +
             "\n";
    } else if (json.is_array()) {
      AppendYaml(value, depth + 1, true, out);
    } else {
      out += "\n";
      AppendYaml(value, depth + 1, false, out);
    }
  }
}

}  // namespace

Json PlanJson(const Plan& plan, bool steps) {
  const PodMemory& executor = plan.executor.memory;
  const PodMemory& driver = plan.driver.memory;
  Json json;
  json["data_size_bytes"] = plan.input.data_bytes;
  json["workload"] = Name(plan.input.kind);
  json["preset"] = plan.input.executor.name;
  json["num_executors"] = plan.executors;
  json["min_executors"] = plan.min_executors;
  json["initial_executors"] = plan.initial_executors;
  json["max_executors"] = plan.max_executors;
  json["dynamic_allocation"] = plan.dynamic_allocation;
  json["executor_cores"] = plan.executor.cores;
  json["executor_cpu_request_millis"] = plan.executor.cpu_request_millis;
  json["executor_memory_mb"] = Mebibytes(executor.heap_bytes);
  json["executor_memory_overhead_mb"] = Mebibytes(executor.overhead_bytes);
  json["executor_off_heap_mb"] = Mebibytes(executor.off_heap_bytes);
  json["executor_pyspark_memory_mb"] = Mebibytes(executor.pyspark_bytes);
  json["executor_pod_memory_mb"] = Mebibytes(executor.Total());
  json["executor_scratch_disk_mb"] = Mebibytes(plan.executor.ephemeral_bytes);
  json["task_memory_mb"] = plan.task_memory_bytes / kMebibyte;
  json["driver_cores"] = plan.driver.cores;
  json["driver_memory_mb"] = Mebibytes(driver.heap_bytes);
  json["driver_memory_overhead_mb"] = Mebibytes(driver.overhead_bytes);
  json["driver_pod_memory_mb"] = Mebibytes(driver.Total());
  json["driver_max_result_mb"] = Mebibytes(plan.max_result_bytes);
  json["total_cores"] = plan.total_cores;
  json["total_memory_mb"] = Mebibytes(plan.total.memory_bytes);
  json["shuffle_partitions"] = plan.shuffle_partitions;
  json["shuffle_partition_mb"] = Mebibytes(plan.shuffle_partition_bytes);
  json["shuffle_ratio"] = plan.shuffle_ratio;
  json["num_tasks"] = plan.tasks;
  json["task_duration_ms"] = Millis(plan.task_seconds);
  json["slots"] = plan.slots;
  json["waves"] = plan.waves;
  json["throughput_bytes_per_core_second"] = std::llround(plan.throughput_bytes_per_core_second);
  json["throughput_source"] = plan.throughput_source;
  json["target_duration_ms"] = plan.input.target_duration.count();
  json["predicted_duration_ms"] = Millis(plan.duration_seconds);
  json["predicted_duration_ms_low"] = Millis(plan.duration_low_seconds);
  json["predicted_duration_ms_high"] = Millis(plan.duration_high_seconds);
  json["meets_target"] = plan.meets_target;
  AddNodes(plan, json);
  AddCost(plan, json);
  json["recommendation_method"] = "model";
  json["binding_constraint"] = Name(plan.binding);
  json["reasoning"] = plan.reason;
  json["advice"] = Json::array();
  for (const Advice& advice : plan.advice) {
    json["advice"].push_back(
        {{"severity", advice.severity == Advice::Severity::kWarning ? "warning" : "note"},
         {"code", advice.code},
         {"text", advice.text}});
  }
  json["spark_conf"] = Json::object();
  for (const auto& [key, value] : plan.spark_conf) json["spark_conf"][key] = value;
  if (!steps) return json;
  json["steps"] = Json::array();
  for (const Step& step : plan.steps) {
    json["steps"].push_back(
        {{"name", step.name}, {"formula", step.formula}, {"value", step.value}});
  }
  return json;
}

std::string JsonText(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string YamlText(const Json& json) {
  std::string text;
  AppendYaml(json, 0, false, text);
  return text;
}

}  // namespace stoker::rightsizing
