#include "upstream/prometheus/query_response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <clocale>
#include <cmath>

#include "tests/testing/fakes.h"

namespace stoker::prom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

std::string Vector(const std::string& elements, const std::string& more = "") {
  return R"({"status":"success","data":{"resultType":"vector","result":[)" + elements + "]}" +
         more + "}";
}

std::string Value(const std::string& text) {
  return Vector(R"({"metric":{},"value":[1767571200,")" + text + R"("]})");
}

Error ErrorOf(const std::string& body) {
  const auto result = ParseQueryResponse(body);
  return result ? Error{ErrorCode::kInternal, "no error"} : result.error();
}

TEST(QueryResponse, ReadsAVector) {
  const auto result = ParseQueryResponse(
      Vector(R"({"metric":{"__name__":"up","job":"\u00e4"},"value":[1767571200.125,"1"]},)"
             R"({"metric":{},"value":[1767571200,"-2.5e3"]})"));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->type, QueryResult::Type::kVector);
  ASSERT_THAT(result->samples, SizeIs(2));
  EXPECT_THAT(result->samples[0].labels, ElementsAre(Pair("__name__", "up"), Pair("job", "ä")));
  EXPECT_EQ(result->samples[0].value, 1);
  EXPECT_EQ(result->samples[0].time,
            testing::At("2026-01-05T00:00:00Z") + std::chrono::milliseconds(125));
  EXPECT_EQ(result->samples[1].value, -2500);
}

TEST(QueryResponse, ReadsAScalarAndAnEmptyVector) {
  const auto scalar = ParseQueryResponse(
      R"({"status":"success","data":{"resultType":"scalar","result":[1767571200.5,"42"]}})");
  ASSERT_TRUE(scalar);
  EXPECT_EQ(scalar->type, QueryResult::Type::kScalar);
  EXPECT_EQ(scalar->samples.at(0).value, 42);
  const auto empty = ParseQueryResponse(Vector(""));
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->samples.empty());
}

TEST(QueryResponse, ReadsEveryNumberPrometheusWrites) {
  const auto value = [](const std::string& text) {
    return ParseQueryResponse(Value(text)).value().samples.at(0).value;
  };
  EXPECT_TRUE(std::isnan(value("NaN")));
  EXPECT_EQ(value("+Inf"), INFINITY);
  EXPECT_EQ(value("-Inf"), -INFINITY);
  EXPECT_EQ(value("0"), 0);
  EXPECT_EQ(value("1.7976931348623157e+308"), 1.7976931348623157e+308);
  EXPECT_EQ(value("0.1"), 0.1);
  std::setlocale(LC_ALL, "de_DE.UTF-8");
  EXPECT_EQ(value("1.5"), 1.5);
  std::setlocale(LC_ALL, "C");
}

TEST(QueryResponse, RefusesWhatIsNoNumber) {
  for (const std::string text : {"", " 1", "1 ", "1x", "x", "+", "+-1", "++1", "0x10", "1,5"}) {
    EXPECT_EQ(ErrorOf(Value(text)).code, ErrorCode::kUnavailable) << text;
  }
}

TEST(QueryResponse, RefusesWhatIsNotPrometheus) {
  for (
      const std::string body :
      {"",
       "{",
       "null",
       "[]",
       "{}",
       "<html>",
       R"({"status":"success"})",
       R"({"status":"success","data":{}})",
       R"({"status":1,"data":{}})",
       R"({"status":"success","data":{"resultType":"vector"}})",
       R"({"status":"success","data":{"resultType":"vector","result":{}}})",
       R"({"status":"success","data":{"resultType":"vector","result":[1]}})",
       R"({"status":"success","data":{"resultType":"other","result":[]}})",
       R"({"status":"success","data":{"resultType":"scalar","result":[1]}})",
       R"({"status":"success","data":{"resultType":"scalar","result":[1,2]}})",
       R"({"status":"success","data":{"resultType":"scalar","result":["1","2"]}})",
       R"({"status":"success","data":{"resultType":"scalar","result":[1e300,"2"]}})",
       R"({"status":"success","data":{"resultType":"vector","result":[{"value":[1,"1"]}]}})",
       R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}})",
       R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1,"1"]}]}})",
       "\xff\xfe"}) {
    EXPECT_EQ(ErrorOf(body).code, ErrorCode::kUnavailable) << body;
  }
}

TEST(QueryResponse, SaysWhatToDoAboutOtherTypes) {
  const auto typed = [](const std::string& type) {
    return ErrorOf(R"({"status":"success","data":{"resultType":")" + type + R"(","result":[]}})");
  };
  EXPECT_EQ(typed("matrix").code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(typed("matrix").message, HasSubstr("last_over_time()"));
  EXPECT_EQ(typed("string").code, ErrorCode::kInvalidArgument);
  const Error histogram = ErrorOf(Vector(R"({"metric":{},"histogram":[1,{"count":"1"}]})"));
  EXPECT_EQ(histogram.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(histogram.message, HasSubstr("histogram_quantile()"));
}

std::string Matrix(const std::string& series) {
  return R"({"status":"success","data":{"resultType":"matrix","result":[)" + series + "]}}";
}

TEST(RangeResponse, ReadsSeries) {
  const auto series = ParseRangeResponse(
      Matrix(R"({"metric":{"a":"b"},"values":[[1767571200,"1"],[1767571215.5,"NaN"]]},)"
             R"({"metric":{},"values":[]})"));
  ASSERT_TRUE(series) << series.error().message;
  ASSERT_THAT(*series, SizeIs(2));
  ASSERT_THAT(series->at(0), SizeIs(2));
  EXPECT_EQ(series->at(0)[0].time, testing::At("2026-01-05T00:00:00Z"));
  EXPECT_EQ(series->at(0)[0].value, 1);
  EXPECT_EQ(series->at(0)[1].time, testing::At("2026-01-05T00:00:15.5Z"));
  EXPECT_TRUE(std::isnan(series->at(0)[1].value));
  EXPECT_THAT(series->at(1), SizeIs(0));
  EXPECT_THAT(ParseRangeResponse(Matrix("")).value(), SizeIs(0));
}

TEST(RangeResponse, RefusesWhatIsNoRangeOfNumbers) {
  for (const std::string& body : {std::string(),
                                  std::string("[]"),
                                  Vector(""),
                                  Matrix("1"),
                                  Matrix(R"({"metric":{}})"),
                                  Matrix(R"({"metric":{},"values":{}})"),
                                  Matrix(R"({"metric":{},"values":[1]})"),
                                  Matrix(R"({"metric":{},"values":[[1,"x"]]})"),
                                  Matrix(R"({"metric":{},"values":[[1e300,"1"]]})"),
                                  Matrix(R"({"metric":{},"values":[[2,"1"],[2,"2"]]})"),
                                  Matrix(R"({"metric":{},"values":[[2,"1"],[1,"2"]]})")}) {
    const auto series = ParseRangeResponse(body);
    ASSERT_FALSE(series) << body;
    EXPECT_EQ(series.error().code, ErrorCode::kUnavailable) << body;
  }
  const auto histogram = ParseRangeResponse(
      Matrix(R"({"metric":{},"values":[],"histograms":[[1,{"count":"1","sum":"2"}]]})"));
  ASSERT_FALSE(histogram);
  EXPECT_EQ(histogram.error().code, ErrorCode::kInvalidArgument);
  const auto refused = ParseRangeResponse(
      R"({"status":"error","errorType":"bad_data","error":"invalid expression type s3cret"})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, Not(HasSubstr("s3cret")));
}

TEST(QueryResponse, KeepsWarningsShortAndFew) {
  std::string list;
  for (int i = 0; i < 20; ++i) list += (i == 0 ? "\"" : ",\"") + std::string(1000, 'w') + "\"";
  const auto result =
      ParseQueryResponse(Vector("", R"(,"warnings":[)" + list + R"(],"infos":["a\nb",7])"));
  ASSERT_TRUE(result);
  EXPECT_THAT(result->warnings, SizeIs(10));
  EXPECT_THAT(result->warnings[0], SizeIs(300));
  EXPECT_THAT(result->infos, ElementsAre("a b"));
}

TEST(QueryResponse, ErrorsKeepTheirTypeAndPlaceButNotTheQuery) {
  const std::string body =
      R"({"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:15: parse error: unexpected character inside braces: 's3cret'"})";
  const auto error = ParseApiError(body);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, "bad_data");
  EXPECT_EQ(error->position, "line 1, column 15");
  EXPECT_EQ(ErrorOf(body).code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(ErrorOf(body).message,
              HasSubstr("Prometheus refused the query: bad_data at line 1, column 15;"));
  EXPECT_THAT(ErrorOf(body).message, Not(HasSubstr("s3cret")));
}

TEST(QueryResponse, ErrorsOfOtherTypesMayPass) {
  const auto typed = [](const std::string& type) {
    return ErrorOf(R"({"status":"error","errorType":")" + type + R"(","error":"x"})");
  };
  EXPECT_EQ(typed("execution").code, ErrorCode::kInvalidArgument);
  for (const std::string type : {"timeout", "canceled", "internal", "unavailable"}) {
    EXPECT_EQ(typed(type).code, ErrorCode::kUnavailable);
    EXPECT_THAT(typed(type).message, HasSubstr(type));
  }
  // Nothing but words of Prometheus' own is repeated.
  EXPECT_THAT(typed("sum(s3cret)").message, Not(HasSubstr("s3cret")));
  EXPECT_FALSE(ParseApiError(R"({"status":"success"})"));
  EXPECT_FALSE(ParseApiError("no"));
}

TEST(QueryResponse, OddPositionsAreNone) {
  for (const std::string text : {": parse error",
                                 "5: parse error",
                                 ":5: parse error",
                                 "1:: parse error",
                                 "x:5: parse error",
                                 ""}) {
    const auto error =
        ParseApiError(R"({"status":"error","errorType":"bad_data","error":")" + text + R"("})");
    ASSERT_TRUE(error);
    EXPECT_EQ(error->position, "") << text;
  }
}

}  // namespace
}  // namespace stoker::prom
