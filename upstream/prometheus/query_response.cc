#include "upstream/prometheus/query_response.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace stoker::prom {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kMaxNotes = 10;
constexpr std::size_t kMaxNoteBytes = 300;

tl::unexpected<Error> NotPrometheus() {
  return Fail(ErrorCode::kUnavailable, "the answer is not what Prometheus' query API gives");
}

tl::unexpected<Error> NativeHistogram() {
  return Fail(ErrorCode::kInvalidArgument,
              "the query gives a native histogram; take a number from it with "
              "histogram_quantile(), histogram_sum() or histogram_count()");
}

/// "12.5", "NaN", "+Inf", "-Inf".
std::optional<double> ParseValue(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The pair [seconds, "value"].
std::optional<Point> ReadPoint(const element& json) {
  array pair;
  double seconds = 0;
  std::string_view text;
  if (json.get(pair) != simdjson::SUCCESS || pair.size() != 2 ||
      pair.at(0).get(seconds) != simdjson::SUCCESS || pair.at(1).get(text) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  const std::optional<double> value = ParseValue(text);
  constexpr double kFarthest = 1e11;  // some 3,000 years either way
  if (!value || !(std::abs(seconds) < kFarthest)) return std::nullopt;
  return Point{WallTime(Duration(std::llround(seconds * 1000))), *value};
}

bool ReadSample(const element& json, Sample& sample) {
  const std::optional<Point> point = ReadPoint(json);
  if (!point) return false;
  sample.time = point->time;
  sample.value = point->value;
  return true;
}

bool ReadLabels(const element& json, Sample& sample) {
  object metric;
  if (json.get(metric) != simdjson::SUCCESS) return false;
  for (const auto& [name, json_value] : metric) {
    std::string_view value;
    if (json_value.get(value) != simdjson::SUCCESS) return false;
    sample.labels.emplace(name, value);
  }
  return true;
}

std::vector<std::string> ReadNotes(const element& root, const char* key) {
  std::vector<std::string> notes;
  array list;
  if (root.at_key(key).get(list) != simdjson::SUCCESS) return notes;
  for (const element& item : list) {
    std::string_view text;
    if (item.get(text) != simdjson::SUCCESS) continue;
    if (notes.size() == kMaxNotes) break;
    std::string note(text.substr(0, kMaxNoteBytes));
    std::ranges::replace_if(
        note, [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }, ' ');
    notes.push_back(std::move(note));
  }
  return notes;
}

/// Prometheus writes "1:5: parse error: ..." somewhere in the text.
std::string ParseErrorPosition(std::string_view text) {
  const std::size_t end = text.find(": parse error");
  if (end == std::string_view::npos) return {};
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t column = end;
  while (column > 0 && is_digit(text[column - 1])) --column;
  if (column == end || column == 0 || text[column - 1] != ':') return {};
  std::size_t line = column - 1;
  while (line > 0 && is_digit(text[line - 1])) --line;
  if (line == column - 1 || end - line > 20) return {};
  return "line " + std::string(text.substr(line, column - 1 - line)) + ", column " +
         std::string(text.substr(column, end - column));
}

std::optional<ApiError> ReadApiError(const element& root) {
  std::string_view status;
  if (root.at_key("status").get(status) != simdjson::SUCCESS || status != "error") {
    return std::nullopt;
  }
  ApiError error{"unknown", {}};
  std::string_view text;
  if (root.at_key("errorType").get(text) == simdjson::SUCCESS && !text.empty() &&
      text.size() <= 40 &&
      std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; })) {
    error.type = text;
  }
  if (root.at_key("error").get(text) == simdjson::SUCCESS)
    error.position = ParseErrorPosition(text);
  return error;
}

/// The type and the result of an answer that says "success".
bool FindResult(const element& root, std::string_view& type, element& result) {
  std::string_view status;
  return root.at_key("status").get(status) == simdjson::SUCCESS && status == "success" &&
         root.at_key("data").at_key("resultType").get(type) == simdjson::SUCCESS &&
         root.at_key("data").at_key("result").get(result) == simdjson::SUCCESS;
}

Result<std::vector<Series>> ReadMatrix(const element& root) {
  std::string_view type;
  element result;
  array list;
  if (!FindResult(root, type, result) || type != "matrix" ||
      result.get(list) != simdjson::SUCCESS) {
    return NotPrometheus();
  }
  std::vector<Series> read;
  for (const element& json : list) {
    element histograms;
    if (json.at_key("histograms").get(histograms) == simdjson::SUCCESS) return NativeHistogram();
    array points;
    if (json.at_key("values").get(points) != simdjson::SUCCESS) return NotPrometheus();
    Series& series = read.emplace_back();
    series.reserve(points.size());
    for (const element& pair : points) {
      const std::optional<Point> point = ReadPoint(pair);
      if (!point || (!series.empty() && point->time <= series.back().time)) return NotPrometheus();
      series.push_back(*point);
    }
  }
  return read;
}

Result<QueryResult> ReadResult(const element& root) {
  std::string_view type;
  element result;
  if (!FindResult(root, type, result)) return NotPrometheus();
  QueryResult read;
  if (type == "scalar") {
    read.type = QueryResult::Type::kScalar;
    if (!ReadSample(result, read.samples.emplace_back())) return NotPrometheus();
  } else if (type == "vector") {
    array elements;
    if (result.get(elements) != simdjson::SUCCESS) return NotPrometheus();
    for (const element& json : elements) {
      element point;
      element labels;
      Sample& sample = read.samples.emplace_back();
      if (json.at_key("metric").get(labels) != simdjson::SUCCESS || !ReadLabels(labels, sample)) {
        return NotPrometheus();
      }
      if (json.at_key("value").get(point) != simdjson::SUCCESS) {
        if (json.at_key("histogram").get(point) != simdjson::SUCCESS) return NotPrometheus();
        return NativeHistogram();
      }
      if (!ReadSample(point, sample)) return NotPrometheus();
    }
  } else if (type == "matrix") {
    return Fail(ErrorCode::kInvalidArgument,
                "the query gives a range of values (a matrix); wrap it in a function that gives "
                "one, such as last_over_time() or rate()");
  } else if (type == "string") {
    return Fail(ErrorCode::kInvalidArgument, "the query gives a string; it must give a number");
  } else {
    return NotPrometheus();
  }
  read.warnings = ReadNotes(root, "warnings");
  read.infos = ReadNotes(root, "infos");
  return read;
}

template <class T>
Result<T> ParseAnswer(std::string_view body, Result<T> (*read)(const element&)) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS) {
    return NotPrometheus();
  }
  if (const std::optional<ApiError> error = ReadApiError(root)) return Fail(ToError(*error));
  return read(root);
}

}  // namespace

std::optional<ApiError> ParseApiError(std::string_view body) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS) return std::nullopt;
  return ReadApiError(root);
}

Error ToError(const ApiError& error) {
  const std::string what =
      error.type + (error.position.empty() ? std::string() : " at " + error.position);
  if (error.type == "bad_data" || error.type == "execution") {
    return {ErrorCode::kInvalidArgument,
            "Prometheus refused the query: " + what +
                "; try it on Prometheus' own query page, which says more"};
  }
  if (error.type == "timeout" || error.type == "canceled") {
    return {ErrorCode::kUnavailable,
            "Prometheus gave the query up (" + what +
                "); make it cheaper, with a recording rule perhaps, or raise timeout"};
  }
  return {ErrorCode::kUnavailable, "Prometheus failed: " + what};
}

Result<QueryResult> ParseQueryResponse(std::string_view body) {
  return ParseAnswer<QueryResult>(body, ReadResult);
}

Result<std::vector<Series>> ParseRangeResponse(std::string_view body) {
  return ParseAnswer<std::vector<Series>>(body, ReadMatrix);
}

}  // namespace stoker::prom
