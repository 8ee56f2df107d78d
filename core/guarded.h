#pragma once

#include <exception>
#include <type_traits>
#include <utility>

#include "core/result.h"

namespace stoker {

/// What was thrown, by its type: its text may quote what was read, and that may be secret.
Error Thrown(const std::exception& thrown);

/// `work()`, which returns a Result. What it throws, a defect of ours, is kInternal: for the
/// outermost call of what runs again and again, so that one round fails and not the process.
template <class Work>
std::invoke_result_t<Work> Guarded(Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (const std::exception& thrown) {
    return Fail(Thrown(thrown));
  }
}

}  // namespace stoker
