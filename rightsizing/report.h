#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "rightsizing/plan.h"

namespace stoker::rightsizing {

/// For a person, to read in ten seconds: the answer and what binds it, then the numbers, then what
/// to heed. `steps` adds the arithmetic.
std::string Report(const Plan& plan, bool steps = false);

/// The answer, the reason and what to heed, without the table: to paste into a ticket.
std::string Summary(const Plan& plan);

/// One of several plans side by side.
struct Candidate {
  std::string name;
  Result<Plan> plan;
};

/// Several plans in a table, the cheapest of those that meet the target marked; those that cannot
/// be stand there with the reason.
std::string Comparison(const std::vector<Candidate>& candidates);

}  // namespace stoker::rightsizing
