#include "rightsizing/evidence.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "rightsizing/memory.h"

namespace stoker::rightsizing {
namespace {

using Json = nlohmann::json;

tl::unexpected<Error> Invalid(const std::string& source, const std::string& message) {
  return Fail(ErrorCode::kInvalidArgument, source + ": " + message);
}

}  // namespace

Result<Evidence> ParseEvidence(std::string_view text, const std::string& source) {
  const Json json = Json::parse(text, nullptr, false);  // no exceptions
  if (!json.is_object()) return Invalid(source, "expected one JSON object with what was measured");
  Evidence evidence{.source = "measured"};
  if (const auto found = json.find("evidence_source"); found != json.end() && !found->is_null()) {
    if (!found->is_string()) return Invalid(source, "evidence_source: expected text");
    evidence.source = found->get<std::string>();
    // It is shown on terminals.
    std::erase_if(evidence.source,
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  }
  std::optional<double> slow_task_ms;
  std::optional<double> peak_heap_mb;
  std::optional<double> peak_task_mb;
  const std::pair<const char*, std::optional<double>*> fields[]{
      {"throughput_bytes_per_core_second", &evidence.throughput_bytes_per_core_second},
      {"task_duration_ms_p95", &slow_task_ms},
      {"shuffle_ratio", &evidence.shuffle_ratio},
      {"peak_executor_memory_mb", &peak_heap_mb},
      {"peak_task_memory_mb", &peak_task_mb}};
  bool any = false;
  for (const auto& [key, field] : fields) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) continue;
    if (!found->is_number()) return Invalid(source, std::string(key) + ": expected a number");
    const double value = found->get<double>();
    if (!std::isfinite(value) || value < 0 || value > 1e12) {
      return Invalid(source, std::string(key) + ": expected a number between 0 and 1e12");
    }
    *field = value;
    any = true;
  }
  if (!any) {
    return Invalid(source,
                   "nothing measured in it: give throughput_bytes_per_core_second or another");
  }
  const auto bytes = [](double mebibytes) {
    return std::llround(std::min(mebibytes, 1e9) * static_cast<double>(kMebibyte));
  };
  if (slow_task_ms) evidence.slow_task_seconds = *slow_task_ms / 1000;
  if (peak_heap_mb) evidence.peak_heap_bytes = bytes(*peak_heap_mb);
  if (peak_task_mb) evidence.peak_task_bytes = bytes(*peak_task_mb);
  return evidence;
}

}  // namespace stoker::rightsizing
