// Any bytes that a driver may answer, read as each thing that is asked of it, give an error or what
// sums can be made of: nothing negative, nothing infinite, no slot count below one.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "upstream/spark/driver_answers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoker::spark;
  const std::string_view body(reinterpret_cast<const char*>(data), size);

  if (const auto applications = ParseApplications(body)) {
    for (const Application& application : *applications) {
      if (application.id.empty()) std::abort();
    }
  }
  const auto executors = ParseExecutors(body);
  const auto environment = ParseEnvironment(body);
  for (const auto* slots :
       {executors ? &*executors : nullptr, environment ? &environment->slots : nullptr}) {
    if (slots == nullptr) continue;
    for (const auto& [profile, count] : *slots) {
      if (profile < 0 || count < 1) std::abort();
    }
  }
  if (environment && !(environment->allocation_ratio > 0 && environment->allocation_ratio <= 1)) {
    std::abort();
  }
  if (const auto stages = ParseStages(body)) {
    const Need need = NeededExecutors(*stages, executors.value_or(SlotsByProfile{}), 1);
    if (need.pending < 0 || need.running < 0 || !(need.executors >= 0) ||
        !std::isfinite(need.executors)) {
      std::abort();
    }
  }
  if (const auto metrics = ParseMetrics(body);
      metrics && *metrics && !(**metrics >= 0 && std::isfinite(**metrics))) {
    std::abort();
  }
  return 0;
}
