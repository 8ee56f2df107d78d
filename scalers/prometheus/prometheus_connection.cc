#include "scalers/prometheus/prometheus_connection.h"

namespace stoker::scalers {

bool PrometheusConnection::MatchesAddress(std::string_view address) const {
  const Result<http::Url> other = http::ParseUrl(address);
  const auto path = [](const http::Url& url) {
    std::string_view text = url.target;
    while (text.ends_with('/')) text.remove_suffix(1);
    return text;
  };
  return other && other->scheme == url_.scheme && other->host == url_.host &&
         other->port == url_.port && path(*other) == path(url_);
}

Result<std::vector<std::vector<double>>> PrometheusConnection::PastValues(
    const std::string& query,
    const SlotSpan& span,
    MonoTime deadline,
    const std::stop_token& stop) const {
  std::vector<std::vector<double>> values;
  if (span.last < span.first) return values;
  const Result<std::vector<prom::Series>> past =
      client_->QueryRange(query, span.first, span.last, span.interval, deadline, stop);
  if (!past) return Fail(past.error());
  values.resize(static_cast<std::size_t>((span.last - span.first) / span.interval) + 1);
  for (const prom::Series& series : *past) {
    for (const prom::Point& point : series) {
      const Duration after = point.time - span.first;
      const auto slot = static_cast<std::size_t>(after / span.interval);
      if (after < Duration::zero() || after % span.interval != Duration::zero() ||
          slot >= values.size()) {
        return Fail(
            ErrorCode::kUnavailable,
            "connection " + name() + ": the range query was answered for other moments than asked");
      }
      values[slot].push_back(point.value);
    }
  }
  return values;
}

}  // namespace stoker::scalers
