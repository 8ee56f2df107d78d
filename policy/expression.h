#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

namespace stoker::policy {

/// An arithmetic expression over signal names (muParser's syntax; min, max, ceil, floor and ?: included).
/// A cheap-to-copy value; Evaluate is thread-safe.
class Expression {
 public:
  /// kInvalidArgument for syntax errors, unknown names, assignments, and expressions over 1,000 characters;
  /// the message says where.
  static Result<Expression> Compile(const std::string& text, const std::vector<std::string>& names);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// `values` in the order of names(). kInvalidArgument when the result is NaN or infinite.
  [[nodiscard]] Result<double> Evaluate(std::span<const double> values) const;

 private:
  std::string text_;
  std::vector<std::string> names_;
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace stoker::policy
