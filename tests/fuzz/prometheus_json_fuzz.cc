// Any bytes that a server may answer give a result or an error, and what is read as a result is
// JSON to another parser, too, and finite or honestly not.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <nlohmann/json.hpp>

#include "upstream/prometheus/query_response.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto result = stoker::prom::ParseQueryResponse(body);
  const auto error = stoker::prom::ParseApiError(body);
  const auto range = stoker::prom::ParseRangeResponse(body);
  if (range) {
    if (result || error) std::abort();
    for (const stoker::prom::Series& series : *range) {
      for (std::size_t i = 1; i < series.size(); ++i) {
        if (series[i].time <= series[i - 1].time) std::abort();
      }
    }
  } else if (range.error().message.empty()) {
    std::abort();
  }
  if (!result) {
    if (result.error().message.empty()) std::abort();
    return 0;
  }
  if (error) std::abort();
  const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) std::abort();
  const bool scalar = result->type == stoker::prom::QueryResult::Type::kScalar;
  if (scalar && result->samples.size() != 1) std::abort();
  if (result->warnings.size() > 10 || result->infos.size() > 10) std::abort();
  return 0;
}
