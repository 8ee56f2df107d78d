#pragma once

#include "core/result.h"
#include "rightsizing/workload.h"

namespace stoker::rightsizing {

/// What Size() can work with: amounts positive and small enough that no product overflows, settings
/// that the plan does not compute itself. kInvalidArgument with the mend otherwise.
Status CheckInput(const Input& input);

}  // namespace stoker::rightsizing
