#include "policy/expression.h"

#include <gtest/gtest.h>

#include <array>
#include <locale>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace stoker::policy {
namespace {

double Evaluated(const std::string& text, double a = 3, double b = 4) {
  const auto expression = Expression::Compile(text, {"a", "b"});
  if (!expression) {
    ADD_FAILURE() << text << ": " << expression.error().message;
    return -1;
  }
  const auto result = expression->Evaluate(std::array{a, b});
  if (!result) {
    ADD_FAILURE() << text << ": " << result.error().message;
    return -1;
  }
  return *result;
}

std::string Refused(const std::string& text, const std::vector<std::string>& names = {"a", "b"}) {
  const auto expression = Expression::Compile(text, names);
  if (expression) return "";
  EXPECT_EQ(expression.error().code, ErrorCode::kInvalidArgument);
  return expression.error().message;
}

TEST(Expression, Computes) {
  EXPECT_EQ(Evaluated("a + b"), 7);
  EXPECT_EQ(Evaluated("max(a, b, 5.5)"), 5.5);
  EXPECT_EQ(Evaluated("min(a, b)"), 3);
  EXPECT_EQ(Evaluated("avg(a, b)"), 3.5);
  EXPECT_EQ(Evaluated("a > b ? 1 : 2"), 2);
  EXPECT_EQ(Evaluated("ceil(a / 2) + floor(b / 3)"), 3);
  EXPECT_EQ(Evaluated("a <= 3 && b != 3 || a == 9"), 1);
  EXPECT_EQ(Evaluated("-a"), -3);
  EXPECT_EQ(Evaluated("2 ^ 3"), 8);
  EXPECT_EQ(Evaluated("1e1"), 10);
}

TEST(Expression, MissingValuesAreZero) {
  const auto expression = Expression::Compile("a + 10 * b", {"a", "b"});
  ASSERT_TRUE(expression);
  EXPECT_EQ(expression->Evaluate(std::array{1.0, 1.0}).value(), 11);
  EXPECT_EQ(expression->Evaluate(std::array{2.0}).value(), 2);
}

TEST(Expression, NamesAreCaseSensitive) { EXPECT_NE(Refused("A + b"), ""); }

TEST(Expression, RefusesUnknownNamesAndSuggests) {
  EXPECT_EQ(Refused("bakclog * 2", {"backlog"}),
            "'bakclog' at character 1 is no signal of this policy; did you mean 'backlog'?");
  EXPECT_EQ(Refused("maxx", {"backlog"}),
            "'maxx' at character 1 is no signal of this policy; did you mean 'max'?");
  EXPECT_EQ(Refused("1 + max", {"backlog"}), "'max' at character 5 is a function: write max(...)");
}

TEST(Expression, RefusesNonsense) {
  for (const char* text :
       {"",      "  ",   "(",     ")",     "a b",        "a +",           "max(",
        "max()", "a, b", "\"a\"", "a = 5", "a == b = 1", "max(a = 5, b)", "a === b",
        "a#b",   "!a",   "a ? 1", "1e999", "a\\b",       "\xc3\xa4",      "a;b"}) {
    EXPECT_NE(Refused(text), "") << text;
  }
  EXPECT_EQ(Refused(std::string("a\0b", 3)),
            "the expression has an unexpected character at character 2");
  EXPECT_EQ(Refused("a = 5"), "the expression assigns with '='; compare with '==' instead");
  EXPECT_NE(Refused("a" + std::string(1000, ' ')).find("1000 characters"), std::string::npos);
}

TEST(Expression, RefusesResultsThatAreNoNumber) {
  const auto division = Expression::Compile("a / b", {"a", "b"});
  ASSERT_TRUE(division);
  EXPECT_EQ(division->Evaluate(std::array{1.0, 0.0}).error().message,
            "the expression gives infinity");
  EXPECT_EQ(division->Evaluate(std::array{0.0, 0.0}).error().message,
            "the expression gives no number");
  EXPECT_EQ(division->Evaluate(std::array{1.0, 2.0}).value(), 0.5);
}

TEST(Expression, KnowsWhatNamesAreTaken) {
  for (const char* name : {"max", "min", "sum", "avg", "sin", "ceil", "floor", "_pi", "_e"}) {
    EXPECT_TRUE(Expression::IsReserved(name)) << name;
  }
  EXPECT_FALSE(Expression::IsReserved("backlog"));
  EXPECT_FALSE(Expression::IsReserved("e"));
}

TEST(Expression, ReadsDecimalsWhateverTheLocale) {
  struct Comma : std::numpunct<char> {
    [[nodiscard]] char do_decimal_point() const override { return ','; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Comma));
  EXPECT_EQ(Evaluated("a * 0.5"), 1.5);
  EXPECT_EQ(Evaluated("max(0,5)"), 5);
  std::locale::global(before);
}

TEST(Expression, EvaluatesOnManyThreads) {
  const auto expression = Expression::Compile("a * 1000 + b", {"a", "b"});
  ASSERT_TRUE(expression);
  std::vector<std::thread> threads;
  std::array<int, 4> wrong{};
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, copy = *expression, t] {
      const auto id = static_cast<double>(t);
      for (int i = 0; i < 500; ++i) {
        if (copy.Evaluate(std::array{id, static_cast<double>(i)}).value_or(-1) != id * 1000 + i) {
          ++wrong[t];
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, (std::array<int, 4>{}));
}

// Whatever people write: a value or an error, in time, and the same twice.
TEST(Expression, SurvivesRandomText) {
  std::mt19937 random(7);  // NOLINT: the same text every time
  const std::vector<std::string> pieces{
      "a",     "b", "(",   ")",   "+",  "-",   "*",  "/",  "^",   ",",    "?",
      ":",     "<", ">",   "=",   "==", "!=",  "&&", "||", "max", "min(", "sum(",
      "ceil(", "1", "2.5", "1e3", " ",  "_pi", "x",  "if", "\t"};
  int compiled = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    const auto length = 1 + random() % 12;
    for (unsigned j = 0; j < length; ++j) text += pieces[random() % pieces.size()];
    const auto expression = Expression::Compile(text, {"a", "b"});
    if (!expression) {
      EXPECT_FALSE(expression.error().message.empty());
      continue;
    }
    ++compiled;
    const auto first = expression->Evaluate(std::array{2.0, 3.0});
    const auto second = expression->Evaluate(std::array{2.0, 3.0});
    EXPECT_EQ(first.has_value(), second.has_value()) << text;
    if (first && second) {
      EXPECT_EQ(*first, *second) << text;
    }
  }
  EXPECT_GT(compiled, 50);
}

TEST(Expression, SurvivesDeepNesting) {
  for (const std::string& open : {std::string("("), std::string("max("), std::string("a?1:")}) {
    std::string text;
    std::size_t depth = 0;
    while (text.size() + depth + open.size() + 2 < 1000) {
      text += open;
      ++depth;
    }
    text += "a";
    if (open.back() == '(') text += std::string(depth, ')');
    EXPECT_EQ(Evaluated(text, 1), 1) << open;
  }
}

}  // namespace
}  // namespace stoker::policy
