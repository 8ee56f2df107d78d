// Any text as the autoscaler's status: a status or an error, no crash.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "capacity/autoscaler_status.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace capacity = stoker::capacity;
  const auto status =
      capacity::ParseAutoscalerStatus(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!status) {
    if (status.error().message.empty()) std::abort();
    return 0;
  }
  capacity::GroupHealth health;
  const stoker::WallTime now{std::chrono::hours(500'000)};
  health.Update(*status, now);
  for (const auto& [group, failure] : health.Failures(now, std::chrono::hours(1))) {
    if (failure.reason.empty() || failure.last > now) std::abort();
  }
  return 0;
}
