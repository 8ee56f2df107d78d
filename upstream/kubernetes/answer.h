#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/http_transport.h"
#include "core/result.h"
#include "upstream/kubernetes/resource.h"

namespace stoker::kubernetes {

/// Why the API server did not do what it was asked.
enum class Reason : std::uint8_t {
  kNoAnswer,         ///< `error` says why: not reached, too late, stopped, no credentials
  kInvalid,          ///< 400, 422: the request or the object is wrong
  kUnauthorized,     ///< 401: it does not know who we are
  kForbidden,        ///< 403: we may not, or a quota or an admission webhook is against it
  kNotFound,         ///< 404: no such object
  kUnknownKind,      ///< 404: the server does not serve the kind: its CRD is not installed
  kConflict,         ///< 409: changed since it was read, or another manager owns a field
  kAlreadyExists,    ///< 409 of a creation
  kGone,             ///< 410: the server does not remember that far back
  kTooManyRequests,  ///< 429, still, after what Retry-After asked for
  kServerError,      ///< any other status, or an answer that cannot be read
};

/// A field that another manager owns.
struct FieldConflict {
  std::string manager;  ///< "kubectl"
  std::string field;    ///< ".spec.replicas"
};

/// Why a call failed. The message names the object, the problem and the mend, holds no credential,
/// and repeats what the server says of a write, but nothing of what it says of a read.
struct ApiError {
  Reason reason = Reason::kServerError;
  Error error;
  std::vector<FieldConflict> conflicts{};  ///< of a kConflict over fields

  // NOLINTNEXTLINE(google-explicit-constructor): for Fail, where reasons are of no interest
  operator Error() const { return error; }
};

/// A value or an ApiError.
template <class T>
class [[nodiscard]] Answer : public tl::expected<T, ApiError> {
 public:
  using tl::expected<T, ApiError>::expected;
};

/// What was asked for, as RBAC calls it.
struct Question {
  std::string_view verb;  ///< get, list, watch, create, update, patch, delete
  const Resource& resource;
  std::string_view who;         ///< "this service account"
  std::string_view login_mend;  ///< for a 401
};

/// The error that an answer of another status than 2xx is.
ApiError RefusalOf(const Question& question, const HttpResponse& response);

/// No answer came.
inline ApiError NoAnswer(Error error) { return {Reason::kNoAnswer, std::move(error)}; }

}  // namespace stoker::kubernetes
