#include "upstream/s3/client.h"

#include <algorithm>
#include <utility>

#include "upstream/aws/region.h"
#include "upstream/aws/sigv4.h"
#include "upstream/http/url.h"

namespace stoker::s3 {
namespace {

constexpr std::size_t kMaxLearntRegions = 10'000;
constexpr http::RetryOptions kRetry{.max_attempts = 4};

bool IsIn(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz0123456789-";

/// Whether the bucket can be a label of a host name that a certificate for *.s3... covers.
bool IsHostLabel(std::string_view bucket) {
  return IsIn(bucket, kLower) && bucket.front() != '-' && bucket.back() != '-';
}

bool IsAddress(const http::Url& url) {
  return url.host.find(':') != std::string::npos || IsIn(url.host, "0123456789.") ||
         url.host == "localhost";
}

bool AsksForFreshCredentials(std::string_view code) {
  return code == "ExpiredToken" || code == "InvalidToken" || code == "TokenRefreshRequired" ||
         code == "InvalidAccessKeyId";
}

/// Failures that S3 documents as passing, in the form that the Retrier knows.
Result<HttpResponse> ForRetrier(const Result<HttpResponse>& outcome, std::string_view code) {
  if (!outcome) return Fail(outcome.error());
  HttpResponse response{outcome->status, outcome->headers, {}};
  if (response.status == 500 || code == "SlowDown" || code == "RequestTimeout") {
    response.status = 503;
  }
  return response;
}

}  // namespace

bool IsBucketName(std::string_view bucket) {
  return bucket.size() >= 3 && bucket.size() <= 63 && bucket.find("..") == std::string_view::npos &&
         bucket.front() != '.' && bucket.back() != '.' &&
         IsIn(bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
}

bool IsEndpoint(std::string_view endpoint) {
  const Result<http::Url> url = http::ParseUrl(endpoint);
  return url && url->target.find('?') == std::string::npos;
}

Client::Client(ClientOptions options, ClientDeps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      retrier_(kRetry, deps_.clock, deps_.random, deps_.waiter) {}

std::string Client::RegionOf(const std::string& bucket) const {
  const std::scoped_lock lock(mutex_);
  const auto it = regions_.find(bucket);
  return it == regions_.end() ? options_.region : it->second;
}

std::string Client::Url(const ListRequest& request, const std::string& region) const {
  http::Url base;
  if (options_.endpoint.empty()) {
    base = {"https", aws::ServiceHost("s3", region), "443", "/"};
  } else if (const Result<http::Url> parsed = http::ParseUrl(options_.endpoint)) {
    base = *parsed;
  }
  std::string path = base.target;
  if (!path.ends_with('/')) path += '/';
  if (options_.path_style || !IsHostLabel(request.bucket) || IsAddress(base)) {
    path += request.bucket;
  } else {
    base.host = request.bucket + "." + base.host;
  }
  std::string url = base.scheme + "://" + base.Authority() + path +
                    "?encoding-type=url&list-type=2&max-keys=" + std::to_string(request.max_keys);
  const auto add = [&url](std::string_view name, const std::string& value) {
    if (!value.empty()) url.append("&").append(name).append("=").append(http::PercentEncode(value));
  };
  add("continuation-token", request.continuation_token);
  add("delimiter", request.delimiter);
  add("prefix", request.prefix);
  add("start-after", request.start_after);
  return url;
}

std::string Client::Redirected(const HttpResponse& response,
                               std::string_view code,
                               const std::string& region) const {
  const bool redirect = response.status == 301 || response.status == 307 ||
                        (response.status == 400 && (code == "AuthorizationHeaderMalformed" ||
                                                    code == "IllegalLocationConstraintException"));
  const std::string_view other = response.Header("x-amz-bucket-region");
  if (!redirect || !aws::IsRegion(other) || other == region) return {};
  return std::string(other);
}

Error Client::Explain(const Result<HttpResponse>& outcome, std::string_view code) const {
  const auto error = [this](ErrorCode error_code, std::string_view text) {
    std::string message = "s3 connection " + options_.connection + ": ";
    message += text;
    return Error{error_code, std::move(message)};
  };
  if (!outcome) return error(outcome.error().code, outcome.error().message);
  const int status = outcome->status;
  if (code == "NoSuchBucket") return error(ErrorCode::kNotFound, "the bucket does not exist");
  if (code == "InvalidBucketName") {
    return error(ErrorCode::kInvalidArgument, "the bucket's name is not valid");
  }
  if (code == "RequestTimeTooSkewed") {
    return error(ErrorCode::kUnavailable,
                 "this machine's clock and the server's differ by over 15 minutes; synchronize it");
  }
  if (code == "InvalidAccessKeyId") {
    return error(ErrorCode::kUnauthenticated,
                 "the server does not know the access key; check the connection's credentials");
  }
  if (code == "SignatureDoesNotMatch") {
    return error(ErrorCode::kUnauthenticated,
                 "the signature does not match; check the secret access key of the connection's "
                 "credentials");
  }
  if (AsksForFreshCredentials(code)) {
    return error(
        ErrorCode::kUnauthenticated,
        "the server does not accept the session token, nor a fresh one; check the source of "
        "the connection's credentials");
  }
  if (status == 301 || status == 307 || code == "AuthorizationHeaderMalformed") {
    return error(ErrorCode::kInvalidArgument,
                 "the bucket is in another region, and the server does not say which; set the "
                 "connection's region");
  }
  const std::string answer =
      "HTTP " + std::to_string(status) + (code.empty() ? "" : " " + std::string(code));
  if (status == 401 || status == 403) {
    return error(ErrorCode::kPermissionDenied,
                 answer + "; the credentials need s3:ListBucket on the bucket");
  }
  if (status == 404) {
    return error(ErrorCode::kNotFound, answer + "; check the connection's endpoint");
  }
  if (status >= 500 || status == 429 || code == "SlowDown" || code == "RequestTimeout") {
    return error(ErrorCode::kUnavailable, "the server is overloaded or broken (" + answer + ")");
  }
  return error(ErrorCode::kInvalidArgument, "the server refuses the request (" + answer + ")");
}

Result<Page> Client::ListPage(const ListRequest& request,
                              MonoTime deadline,
                              const std::stop_token& stop) {
  std::string region = RegionOf(request.bucket);
  bool redirected = false;
  bool renewed = false;
  for (int attempts = 1;; ++attempts) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped");
    const Result<aws::Credentials> credentials = deps_.credentials->Get(deadline);
    if (!credentials) return Fail(Explain(Fail(credentials.error()), {}));

    HttpRequest http_request;
    http_request.url = Url(request, region);
    http_request.deadline = deadline;
    http_request.stop = stop;
    aws::SignV4(http_request, *credentials, region, "s3", deps_.clock.WallNow());
    const Result<HttpResponse> outcome = deps_.transport->Send(http_request);
    if (outcome && outcome->status == 200) {
      Result<Page> page = ParseListPage(outcome->body);
      if (!page) return Fail(Explain(Fail(page.error()), {}));
      return page;
    }

    const std::string code = outcome ? ParseErrorCode(outcome->body) : std::string();
    if (outcome && !redirected) {
      if (std::string other = Redirected(*outcome, code, region); !other.empty()) {
        redirected = true;
        region = std::move(other);
        const std::scoped_lock lock(mutex_);
        if (regions_.size() >= kMaxLearntRegions) regions_.clear();
        regions_[request.bucket] = region;
        continue;
      }
    }
    if (outcome && !renewed && AsksForFreshCredentials(code)) {
      renewed = true;
      // Another request may have had them renewed already.
      const Result<aws::Credentials> now = deps_.credentials->Get(deadline);
      if (now && *now == *credentials) deps_.credentials->Invalidate();
      continue;
    }
    const std::optional<MonoTime> again =
        retrier_.NextAttempt(attempts, ForRetrier(outcome, code), deadline);
    if (!again) return Fail(Explain(outcome, code));
    if (!deps_.waiter.WaitUntil(*again, stop)) return Fail(ErrorCode::kCancelled, "stopped");
  }
}

}  // namespace stoker::s3
