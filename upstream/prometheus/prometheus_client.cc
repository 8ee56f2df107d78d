#include "upstream/prometheus/prometheus_client.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

#include "core/text.h"
#include "upstream/http/observed_transport.h"

namespace stoker::prom {
namespace {

/// Thousands of series, and still far from what hurts.
constexpr std::size_t kMaxBodyBytes = 4U << 20U;
/// Tens of series over as many moments as Prometheus gives at once.
constexpr std::size_t kMaxRangeBytes = 16U << 20U;
/// Prometheus gives 11,000 steps, and so one more value, in one answer.
constexpr std::int64_t kMaxPoints = 11'001;
/// Proxies and logs cut longer URLs.
constexpr std::size_t kMaxGetBytes = 2000;

std::string Seconds(std::int64_t milliseconds) {
  char text[40];
  std::snprintf(text,
                sizeof(text),
                "%lld.%03lld",
                static_cast<long long>(milliseconds / 1000),
                static_cast<long long>(milliseconds % 1000));
  return text;
}

std::string Seconds(WallTime time) { return Seconds(time.time_since_epoch().count()); }

std::string Base64(std::string_view text) {
  std::string out((text.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a 0
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

/// Whether an answer with this status and body says that the upstream itself is in trouble. A query
/// that took too long is answered with 503, too, by a Prometheus in good health.
bool IsTrouble(const HttpResponse& response) {
  if (response.status != 429 && response.status < 500) return false;
  const std::optional<ApiError> error = ParseApiError(response.body);
  return !error || (error->type != "timeout" && error->type != "canceled" &&
                    error->type != "execution" && error->type != "bad_data");
}

}  // namespace

Result<std::unique_ptr<Client>> Client::Create(ClientOptions options, const ClientDeps& deps) {
  const Result<http::Url> url = http::ParseUrl(options.url);
  if (!url) return Fail(url.error());
  if (url->target.find('?') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "the URL must have no query (?); give tenants and the like as auth.headers");
  }
  while (options.url.ends_with('/')) options.url.pop_back();

  Result<std::shared_ptr<HttpTransport>> transport = deps.transports.Create(options.tls);
  if (!transport) return Fail(transport.error());
  std::shared_ptr<aws::CredentialsProvider> credentials;
  if (!options.auth.sigv4_region.empty()) {
    const Result<std::shared_ptr<HttpTransport>> plain = deps.transports.Create(TlsOptions{});
    if (!plain) return Fail(plain.error());
    credentials = aws::DefaultCredentials(
        {deps.clock, deps.environment, deps.files, *plain, deps.logger}, options.auth.sigv4_region);
  }
  auto observed = std::make_shared<http::ObservedTransport>(
      std::move(*transport), options.connection, deps.observer);
  return std::unique_ptr<Client>(
      new Client(std::move(options), deps, std::move(observed), std::move(credentials)));
}

Client::Client(ClientOptions options,
               const ClientDeps& deps,
               std::shared_ptr<HttpTransport> transport,
               std::shared_ptr<aws::CredentialsProvider> credentials)
    : options_(std::move(options)),
      clock_(deps.clock),
      files_(deps.files),
      logger_(deps.logger),
      waiter_(deps.waiter),
      transport_(std::move(transport)),
      credentials_(std::move(credentials)),
      retrier_(options_.retry, deps.clock, deps.random, *waiter_),
      breaker_({.open_time = http::CircuitBreaker::OpenTimeFor(options_.interval)},
               deps.clock,
               [this](bool open, const std::string& why) { LogChange(open, why); }) {}

void Client::LogChange(bool open, const std::string& why) const {
  if (open) {
    logger_.Warn(
        "Prometheus fails; its signals hold their last readings and it is asked once an interval "
        "until it answers. Check that it runs and that the connection's url is right",
        {{"connection", options_.connection}, {"failure", why}});
  } else {
    logger_.Info("Prometheus answers again", {{"connection", options_.connection}});
  }
}

Result<QueryResult> Client::Query(const std::string& promql,
                                  WallTime time,
                                  MonoTime deadline,
                                  const std::stop_token& stop) {
  const std::string form = "query=" + http::PercentEncode(promql) + "&time=" + Seconds(time);
  return Fetch({"/query", form, kMaxBodyBytes, deadline, stop}, ParseQueryResponse);
}

Result<std::vector<Series>> Client::QueryRange(const std::string& promql,
                                               WallTime first,
                                               WallTime last,
                                               Duration step,
                                               MonoTime deadline,
                                               const std::stop_token& stop) {
  std::vector<Series> all;
  std::int64_t points = kMaxPoints;
  while (first <= last) {
    const WallTime until = std::min(last, first + step * (points - 1));
    const std::string form = "query=" + http::PercentEncode(promql) + "&start=" + Seconds(first) +
                             "&end=" + Seconds(until) + "&step=" + Seconds(step.count());
    Result<std::vector<Series>> part =
        Fetch({"/query_range", form, kMaxRangeBytes, deadline, stop}, ParseRangeResponse);
    if (!part && part.error().code == ErrorCode::kResourceExhausted && points > 1) {
      points /= 2;
      continue;
    }
    if (!part) return Fail(part.error());
    std::ranges::move(*part, std::back_inserter(all));
    first = until + step;
  }
  return all;
}

template <class T>
Result<T> Client::Fetch(const Question& question, Result<T> (*parse)(std::string_view)) {
  const auto fetch = [&]() -> Result<T> {
    const Result<HttpResponse> response = Ask(question);
    if (!response) return Fail(response.error());
    if (const Status status = Judge(*response, question.path); !status) {
      return Fail(status.error());
    }
    Result<T> result = parse(response->body);
    if (!result && Trim(response->body).starts_with('<')) {
      return Fail(ErrorCode::kUnavailable,
                  "the answer is a web page, not Prometheus' JSON; is the URL right, or is there a "
                  "proxy that wants a login?");
    }
    return result;
  };
  Result<T> result = fetch();
  if (!result) {
    return Fail(result.error().code,
                "connection " + options_.connection + ": " + result.error().message);
  }
  return result;
}

Result<HttpResponse> Client::Ask(const Question& question) {
  Result<http::CircuitBreaker::Permit> permit = breaker_.Acquire(question.deadline, question.stop);
  if (!permit) return Fail(permit.error());
  bool sent = false;
  Result<HttpResponse> response = retrier_.Send(*transport_, [&] {
    Result<HttpRequest> request = MakeRequest(question);
    sent = request.has_value();
    return request;
  });
  // Trouble of our own (a secret's file, a stop) says nothing about the upstream: no outcome.
  if (response) {
    if (IsTrouble(*response)) {
      permit->Failed("it answered " + std::to_string(response->status));
    } else {
      permit->Succeeded();
    }
  } else if (sent) {
    switch (response.error().code) {
      case ErrorCode::kUnavailable:
      case ErrorCode::kDeadlineExceeded:
        permit->Failed(response.error().message);
        break;
      case ErrorCode::kResourceExhausted:
        permit->Succeeded();
        break;
      default:
        break;
    }
  }
  return response;
}

Result<HttpRequest> Client::MakeRequest(const Question& question) const {
  HttpRequest request;
  request.url = options_.url + "/api/v1" + question.path;
  request.deadline = question.deadline;
  request.max_body_bytes = question.max_body_bytes;
  request.stop = question.stop;
  std::string form = question.form;
  // Prometheus gives up a little before we do, so that an abandoned query does not burden it and we
  // learn that it was the query that took long.
  const Duration left = question.deadline - clock_.MonotonicNow();
  if (left > Duration::zero()) form += "&timeout=" + Seconds((left - left / 10).count());
  if (form.size() < kMaxGetBytes) {
    request.url += "?" + form;
  } else {
    request.method = "POST";
    request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
    request.body = std::move(form);
  }
  if (const Status status = Authorize(request); !status) return Fail(status.error());
  return request;
}

Status Client::Authorize(HttpRequest& request) const {
  const Auth& auth = options_.auth;
  for (const HttpHeader& header : auth.headers) request.headers.push_back(header);
  if (!auth.username_file.empty()) {
    const Result<std::string> user = ReadSecret("usernameFile", auth.username_file);
    if (!user) return Fail(user.error());
    const Result<std::string> password = ReadSecret("passwordFile", auth.password_file);
    if (!password) return Fail(password.error());
    request.headers.push_back({"Authorization", "Basic " + Base64(*user + ":" + *password)});
  } else if (!auth.bearer_token_file.empty()) {
    const Result<std::string> token = ReadSecret("bearerTokenFile", auth.bearer_token_file);
    if (!token) return Fail(token.error());
    request.headers.push_back({"Authorization", "Bearer " + *token});
  } else if (credentials_) {
    const Result<aws::Credentials> credentials = credentials_->Get(request.deadline);
    if (!credentials) return Fail(credentials.error());
    aws::SignV4(request, *credentials, auth.sigv4_region, "aps", clock_.WallNow());
  }
  return {};
}

Result<std::string> Client::ReadSecret(const std::string& key, const std::string& path) const {
  const Result<std::string> content = files_.Read(path);
  if (!content) {
    return Fail(ErrorCode::kUnavailable,
                "cannot read auth's " + key + ": " + content.error().message);
  }
  std::string secret(Trim(*content));
  if (secret.empty()) {
    return Fail(ErrorCode::kUnauthenticated, "auth's " + key + " (" + path + ") is empty");
  }
  return secret;
}

Status Client::Judge(const HttpResponse& response, const std::string& path) const {
  const std::string answered = "Prometheus answered " + std::to_string(response.status);
  if (response.status / 100 == 2) return {};
  if (response.status / 100 == 3) {
    return Fail(ErrorCode::kUnavailable,
                answered + ", a redirect, which is not followed; set url to the final address");
  }
  switch (response.status) {
    case 401:
      return Fail(ErrorCode::kUnauthenticated,
                  answered + ": it wants other credentials; set or correct the connection's auth");
    case 403:
      if (credentials_) credentials_->Invalidate();
      return Fail(ErrorCode::kPermissionDenied,
                  answered +
                      ": these credentials may not query; give them the right to, or set the "
                      "tenant in auth.headers");
    case 404:
      return Fail(ErrorCode::kNotFound,
                  answered + "; is the URL right? /api/v1" + path + " is expected below it");
    case 429:
      return Fail(ErrorCode::kUnavailable,
                  answered + " (too many requests); poll less often or raise its limit");
    default:
      break;
  }
  if (const std::optional<ApiError> error = ParseApiError(response.body)) {
    return Fail(ToError(*error));
  }
  if (response.status == 400 || response.status == 422) {
    return Fail(ErrorCode::kInvalidArgument,
                answered + ": it refused the query; try it on Prometheus' own query page");
  }
  return Fail(ErrorCode::kUnavailable, answered);
}

}  // namespace stoker::prom
