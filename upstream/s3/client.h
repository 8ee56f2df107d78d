#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/environment.h"
#include "core/http_transport.h"
#include "core/result.h"
#include "upstream/aws/credentials.h"
#include "upstream/http/retry.h"
#include "upstream/s3/list_page.h"

namespace stoker::s3 {

struct ClientOptions {
  std::string connection;   ///< its name, for messages
  std::string region;       ///< a sound one (aws::IsRegion); signs, and makes the host
  std::string endpoint;     ///< http(s)://host[:port][/path] of another S3; empty: Amazon's
  bool path_style = false;  ///< host/bucket instead of bucket.host
};

/// References outlive the client.
struct ClientDeps {
  const Clock& clock;
  Random& random;
  http::Waiter& waiter;
  std::shared_ptr<HttpTransport> transport;
  std::shared_ptr<aws::CredentialsProvider> credentials;
};

struct ListRequest {
  std::string bucket;
  std::string prefix;
  std::string delimiter;           ///< rolls up keys that have it after the prefix
  std::string start_after;         ///< only keys after this one
  std::string continuation_token;  ///< Page::next_token of the page before
  int max_keys = 1000;             ///< S3 gives no more than 1,000
};

/// Whether `bucket` may be a bucket's name: 3 to 63 letters, digits, dots, hyphens and underscores
/// (old buckets, other servers). Only such text may become part of a host name.
[[nodiscard]] bool IsBucketName(std::string_view bucket);

/// Whether `endpoint` may stand in ClientOptions: an http(s) URL without a query.
[[nodiscard]] bool IsEndpoint(std::string_view endpoint);

/// Lists buckets of Amazon S3 or a server that speaks its protocol. Thread-safe.
///
/// Requests are signed with Signature Version 4; hosts are built from the region, and a region
/// learnt from a redirect's x-amz-bucket-region header (never from its body or Location) is kept
/// per bucket. SlowDown, 5xx and lost connections are tried again with back-off while the deadline
/// allows, expired credentials once with fresh ones.
///
/// Failures: kNotFound (bucket), kPermissionDenied, kUnauthenticated, kInvalidArgument,
/// kUnavailable, kDeadlineExceeded, kCancelled. Messages name the connection and the mend, never
/// bucket, prefix or key, which may come from metadata.
class Client {
 public:
  Client(ClientOptions options, ClientDeps deps);

  Result<Page> ListPage(const ListRequest& request, MonoTime deadline, const std::stop_token& stop);

 private:
  [[nodiscard]] std::string Url(const ListRequest& request, const std::string& region) const;
  [[nodiscard]] std::string RegionOf(const std::string& bucket) const;
  /// The region to try instead, or empty.
  [[nodiscard]] std::string Redirected(const HttpResponse& response,
                                       std::string_view code,
                                       const std::string& region) const;
  [[nodiscard]] Error Explain(const Result<HttpResponse>& outcome, std::string_view code) const;

  const ClientOptions options_;
  const ClientDeps deps_;
  const http::Retrier retrier_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> regions_;  ///< learnt, by bucket
};

}  // namespace stoker::s3
