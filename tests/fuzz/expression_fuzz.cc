// Any text is an expression or an error that says something; an expression gives a finite number or
// an error, and the same one each time.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "policy/expression.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto expression = stoker::policy::Expression::Compile(text, {"a", "b", "backlog"});
  if (!expression) {
    if (expression.error().message.empty()) std::abort();
    return 0;
  }
  for (const auto& values : {std::array{0.0, 0.0, 0.0}, std::array{3.0, 0.5, 1e12}}) {
    const auto first = expression->Evaluate(values);
    const auto second = expression->Evaluate(values);
    if (first.has_value() != second.has_value()) std::abort();
    if (first && (!std::isfinite(*first) || *first != *second)) std::abort();
  }
  return 0;
}
