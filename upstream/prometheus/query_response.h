#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace stoker::prom {

/// One element of an instant query's result.
struct Sample {
  std::map<std::string, std::string> labels;  ///< empty for a scalar
  double value = 0;                           ///< may be NaN or infinite
  WallTime time{};
};

/// What an instant query gave.
struct QueryResult {
  enum class Type : std::uint8_t { kScalar, kVector };
  Type type = Type::kVector;
  std::vector<Sample> samples;        ///< exactly one for a scalar
  std::vector<std::string> warnings;  ///< at most 10, each at most 300 bytes long
  std::vector<std::string> infos;     ///< likewise
};

/// One series of a range query's result, oldest first, at most one value a moment. The values may
/// be NaN or infinite.
struct Point {
  WallTime time{};
  double value = 0;
};
using Series = std::vector<Point>;

/// What Prometheus says when it refuses. Its own text often quotes the query, so only these parts
/// of it are kept.
struct ApiError {
  std::string type;      ///< errorType: "bad_data", "timeout", ...
  std::string position;  ///< "line 1, column 5" of a parse error, or ""
};

/// Reads an answer with `"status": "error"`; empty when `body` is something else. Total.
std::optional<ApiError> ParseApiError(std::string_view body);

/// kInvalidArgument when asking again cannot help (bad_data, execution), else kUnavailable.
Error ToError(const ApiError& error);

/// Reads the body of a successful answer. kInvalidArgument for results that are no numbers at one
/// moment (matrix, string, native histograms), kUnavailable for what is not Prometheus' JSON,
/// ToError for
/// `"status": "error"`. Total: any bytes give one of these.
Result<QueryResult> ParseQueryResponse(std::string_view body);

/// The same for a range query's answer, a matrix.
Result<std::vector<Series>> ParseRangeResponse(std::string_view body);

}  // namespace stoker::prom
