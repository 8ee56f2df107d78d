#include "policy/expression.h"

#include <muParser.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>
#include <utility>

#include "core/text.h"

namespace stoker::policy {
namespace {

constexpr std::size_t kMaxLength = 1000;

double Ceil(double value) { return std::ceil(value); }
double Floor(double value) { return std::floor(value); }

mu::Parser NewParser() {
  mu::Parser parser;
  parser.DefineFun("ceil", Ceil);
  parser.DefineFun("floor", Floor);
  return parser;
}

/// muParser takes `a = 1`, and would keep it for the next evaluation.
bool Assigns(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && text[i + 1] == '=' &&
        std::string_view("=!<>").find(text[i]) != std::string_view::npos) {
      ++i;
    } else if (text[i] == '=') {
      return true;
    }
  }
  return false;
}

std::string Describe(const mu::Parser::exception_type& error,
                     const mu::Parser& parser,
                     const std::vector<std::string>& names) {
  // Tokens come with what follows them.
  const std::string token(Trim(error.GetToken()));
  if (error.GetCode() != mu::ecUNASSIGNABLE_TOKEN || token.empty() ||
      token.find_first_not_of(parser.ValidNameChars()) != std::string::npos ||
      (token[0] >= '0' && token[0] <= '9')) {
    std::string message = error.GetMsg();
    while (!message.empty() && (message.back() == '.' || message.back() == '!')) message.pop_back();
    return message;
  }
  const std::string where = " at character " + std::to_string(error.GetPos() + 1);
  if (parser.GetFunDef().contains(token)) {
    return "'" + token + "'" + where + " is a function: write " + token + "(...)";
  }
  std::vector<std::string_view> candidates(names.begin(), names.end());
  for (const auto& [name, function] : parser.GetFunDef()) candidates.emplace_back(name);
  const std::string_view nearest = NearestWord(token, candidates);
  return "'" + token + "'" + where + " is no signal of this policy" +
         (nearest.empty() ? std::string() : "; did you mean '" + std::string(nearest) + "'?");
}

}  // namespace

// Evaluating uses the parser's own stack and variables, so one at a time; it takes well under a
// microsecond.
struct Expression::Compiled {
  std::mutex mutex;
  mu::Parser parser = NewParser();
  std::vector<double> values;  ///< the parser holds pointers into it
};

Expression::Expression(std::string text,
                       std::vector<std::string> names,
                       std::shared_ptr<Compiled> compiled)
    : text_(std::move(text)), names_(std::move(names)), compiled_(std::move(compiled)) {}

bool Expression::IsReserved(const std::string& name) {
  static const mu::Parser kParser = NewParser();
  return kParser.GetFunDef().contains(name) || kParser.GetConst().contains(name);
}

Result<Expression> Expression::Compile(const std::string& text,
                                       const std::vector<std::string>& names) {
  if (text.size() > kMaxLength) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "the expression is longer than " + std::to_string(kMaxLength) + " characters; shorten it");
  }
  if (Trim(text).empty()) return Fail(ErrorCode::kInvalidArgument, "the expression is empty");
  // No strings, no control characters: nothing that only the parser's other features need.
  const auto odd = std::find_if(text.begin(), text.end(), [](char c) {
    return c == '"' || c == '\\' || c == '\x7f' ||
           (c < ' ' && c != '\t' && c != '\n' && c != '\r') ||
           static_cast<unsigned char>(c) > '\x7e';
  });
  if (odd != text.end()) {
    return Fail(ErrorCode::kInvalidArgument,
                "the expression has an unexpected character at character " +
                    std::to_string(odd - text.begin() + 1));
  }
  if (Assigns(text)) {
    return Fail(ErrorCode::kInvalidArgument,
                "the expression assigns with '='; compare with '==' instead");
  }
  auto compiled = std::make_shared<Compiled>();
  compiled->values.resize(names.size());
  try {
    for (std::size_t i = 0; i < names.size(); ++i) {
      compiled->parser.DefineVar(names[i], &compiled->values[i]);
    }
    compiled->parser.SetExpr(text);
    int results = 0;
    compiled->parser.Eval(results);  // Compiles.
    if (results != 1) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the expression has " + std::to_string(results) +
                      " results separated by ','; it must have one");
    }
  } catch (const mu::Parser::exception_type& error) {
    return Fail(ErrorCode::kInvalidArgument, Describe(error, compiled->parser, names));
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kInvalidArgument, std::string("the expression: ") + error.what());
  }
  return Expression(text, names, std::move(compiled));
}

Result<double> Expression::Evaluate(std::span<const double> values) const {
  const std::scoped_lock lock(compiled_->mutex);
  std::vector<double>& variables = compiled_->values;
  const std::size_t given = std::min(values.size(), variables.size());
  std::copy_n(values.begin(), given, variables.begin());
  std::fill(variables.begin() + static_cast<std::ptrdiff_t>(given), variables.end(), 0.0);
  try {
    const double result = compiled_->parser.Eval();
    if (std::isfinite(result)) return result;
    return Fail(
        ErrorCode::kInvalidArgument,
        std::isnan(result) ? "the expression gives no number" : "the expression gives infinity");
  } catch (const mu::Parser::exception_type& error) {
    return Fail(ErrorCode::kInvalidArgument, error.GetMsg());
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kInvalidArgument, std::string("the expression: ") + error.what());
  }
}

}  // namespace stoker::policy
