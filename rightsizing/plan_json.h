#pragma once

#include <nlohmann/json.hpp>

#include "rightsizing/plan.h"

namespace stoker::rightsizing {

/// The plan as the flat object that `rightsize --output json` prints and `POST /api/v1/recommend`
/// answers: snake case, units in the names, MB = MiB. What is not known (a cost without a price, a
/// node without a shape) is null. `steps` adds the arithmetic.
nlohmann::ordered_json PlanJson(const Plan& plan, bool steps = false);

/// As text, two blanks deep. Bytes that are no UTF-8 (from a user's setting) become U+FFFD, so that
/// this never throws.
std::string JsonText(const nlohmann::ordered_json& json);

/// The same in YAML's block style; every string that YAML could read as something else is quoted,
/// and whole lines of plain text are shown as lines.
std::string YamlText(const nlohmann::ordered_json& json);

}  // namespace stoker::rightsizing
