#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace stoker::capacity {

/// An amount as the Kubernetes API writes it ("1500m", "4", "18Gi", "1e3", "500M" = 500,000,000) in
/// thousandths or in whole units, rounded up as Kubernetes does (k8s.io/apimachinery
/// api/resource). Never negative. Empty when the text is none, or does not fit. What people write
/// is read by core/units.h instead, where all units are binary.
std::optional<std::int64_t> QuantityMillis(std::string_view text);
std::optional<std::int64_t> QuantityUnits(std::string_view text);

}  // namespace stoker::capacity
