#include "upstream/aws/region.h"

#include <algorithm>

namespace stoker::aws {

bool IsRegion(std::string_view region) {
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !region.empty() && region.size() <= 40 && letter(region.front()) && region.back() != '-' &&
         std::ranges::all_of(
             region, [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

std::string ServiceHost(std::string_view service, std::string_view region) {
  std::string host(service);
  host.append(".").append(region).append(".amazonaws.com");
  if (region.starts_with("cn-")) host += ".cn";
  return host;
}

}  // namespace stoker::aws
