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
};

/// Signs requests with AWS Signature Version 4 (AWS General Reference, "Signature Version 4 signing
/// process"): adds the headers x-amz-date, x-amz-content-sha256, x-amz-security-token and
/// Authorization to `request`. `service` is "s3" or "aps". The URL must be final; call again after any change.
/// Pure: `now` is the signing time.
void SignV4(HttpRequest& request, const Credentials& credentials, const std::string& region,
            const std::string& service, WallTime now);

}  // namespace stoker::aws
