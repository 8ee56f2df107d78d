#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace stoker::policy {

/// An arithmetic expression over signal names (muParser's syntax; min, max, ceil, floor and ?:
/// included). A cheap-to-copy value; Evaluate is thread-safe.
class Expression {
 public:
  /// kInvalidArgument for syntax errors, unknown names (with the nearest one), assignments, and
  /// expressions over 1,000 characters; the message says where.
  static Result<Expression> Compile(const std::string& text, const std::vector<std::string>& names);

  /// Whether `name` already means something in expressions (max, sin, ...), so no signal may have
  /// it.
  static bool IsReserved(const std::string& name);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// `values` in the order of names(); missing ones count as 0. kInvalidArgument when the result is
  /// NaN or infinite.
  [[nodiscard]] Result<double> Evaluate(std::span<const double> values) const;

 private:
  struct Compiled;

  Expression(std::string text, std::vector<std::string> names, std::shared_ptr<Compiled> compiled);

  std::string text_;
  std::vector<std::string> names_;
  std::shared_ptr<Compiled> compiled_;
};

}  // namespace stoker::policy
