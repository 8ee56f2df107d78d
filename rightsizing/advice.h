#pragma once

#include "rightsizing/plan.h"

namespace stoker::rightsizing {

/// True where a shuffle partition does not fit the memory of a task and goes to disk in between: a
/// partition takes about three times its compressed size, or what was measured.
bool Spills(const Plan& plan);

/// Adds what the reader should know to a plan that is otherwise complete: settings that are known
/// to hurt, and what keeps the plan from its target. Most important first.
void AddAdvice(Plan& plan);

}  // namespace stoker::rightsizing
