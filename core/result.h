#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace stoker {

/// What kind of failure happened. Each code maps to one gRPC status and one HTTP status
/// (adapter/status.h holds the table). Absence is not failure: a query that returned nothing is a
/// value of its own, not an Error.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument,    ///< the caller's input is wrong and stays wrong when repeated
  kNotFound,           ///< the named thing does not exist
  kPermissionDenied,   ///< the caller, or our credentials, may not do this
  kUnauthenticated,    ///< no credentials, or credentials that the peer does not accept
  kResourceExhausted,  ///< a limit was reached
  kUnavailable,        ///< an upstream is down or data is too stale; trying again may help
  kDeadlineExceeded,   ///< no answer in time
  kCancelled,          ///< we are shutting down
  kInternal,           ///< a defect of ours
};

/// Name of the code in lower snake case, e.g. "invalid_argument" (HTTP error bodies, metrics).
std::string_view ErrorCodeName(ErrorCode code);

/// A failure with a message for people: what went wrong and, where known, the mend. Never holds a
/// secret nor the value of a metadata key.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

/// A value or an Error. Unlike tl::expected itself, dropping one is a compiler warning.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Status = Result<void>;

/// Builds the failed alternative of any Result.
inline tl::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return tl::make_unexpected(Error{code, std::move(message)});
}
inline tl::unexpected<Error> Fail(Error error) { return tl::make_unexpected(std::move(error)); }

}  // namespace stoker
