#pragma once

#include <string>
#include <utility>
#include <vector>

#include "rightsizing/plan.h"

namespace stoker::rightsizing {

/// The plan as Spark properties of its Spark version, in a stable order: executor, driver, dynamic
/// allocation, SQL, spot, then the user's own settings. Sizes in Spark's syntax ("4g", "4505m"),
/// since Spark refuses "4Gi". No limits: Spark on Kubernetes sets memory limit = request itself.
std::vector<std::pair<std::string, std::string>> SparkConf(const Plan& plan);

}  // namespace stoker::rightsizing
