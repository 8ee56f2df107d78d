#pragma once

#include <string>

#include "core/clock.h"
#include "core/http_transport.h"
#include "core/result.h"

namespace stoker::aws {

/// One set of AWS credentials.
struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  ///< empty for long-lived keys

  friend bool operator==(const Credentials&, const Credentials&) = default;
};

/// Signs requests with AWS Signature Version 4 (AWS General Reference, "Signature Version 4 signing
/// process"): sets the headers x-amz-date, x-amz-security-token (for temporary credentials),
/// x-amz-content-sha256 (for "s3") and Authorization of `request`, and signs all headers it has.
/// `service` is "s3", "aps" and the like. The URL must be final and percent-encoded; call again
/// after any change. Pure: `now` is the signing time. A URL that does not parse is left unsigned.
void SignV4(HttpRequest& request,
            const Credentials& credentials,
            const std::string& region,
            const std::string& service,
            WallTime now);

}  // namespace stoker::aws
