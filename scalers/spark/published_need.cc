#include "scalers/spark/published_need.h"

#include <cmath>
#include <optional>
#include <span>
#include <utility>

#include "core/text.h"

namespace stoker::scalers {
namespace {

bool IsAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// PrometheusServlet.normalizeKey: each character but ASCII letters and digits becomes '_'.
std::string MetricNamePart(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const bool within_character = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;  // of UTF-8
    if (!within_character) name += IsAlnum(c) ? c : '_';
  }
  return name;
}

/// Reads label matchers, `namespace="data", job=~"spark.*"` with braces or without, and writes them
/// anew, so that nothing else of a text that may come from anybody gets into the query.
class Matchers {
 public:
  explicit Matchers(std::string_view text) : rest_(Trim(text)) {}

  /// `,name="value"` for each; empty when it is something else.
  std::optional<std::string> Rewrite() {
    if (Take('{')) {
      if (!rest_.ends_with('}')) return std::nullopt;
      rest_.remove_suffix(1);
    }
    std::string out;
    for (Skip(); !rest_.empty(); Skip()) {
      if (!Matcher(out)) return std::nullopt;
      Skip();
      if (!rest_.empty() && !Take(',')) return std::nullopt;
    }
    if (out.empty()) return std::nullopt;
    return out;
  }

 private:
  void Skip() { rest_ = Trim(rest_); }

  bool Take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool Matcher(std::string& out) {
    std::size_t size = 0;
    while (size < rest_.size() && (IsAlnum(rest_[size]) || rest_[size] == '_')) ++size;
    const std::string_view name = rest_.substr(0, size);
    // __name__ would ask for another metric.
    if (name.empty() || (name[0] >= '0' && name[0] <= '9') || name == "__name__") return false;
    rest_.remove_prefix(size);
    Skip();
    for (const std::string_view operation : {"=~", "!~", "!=", "="}) {
      if (!rest_.starts_with(operation)) continue;
      rest_.remove_prefix(operation.size());
      Skip();
      out.append(",").append(name).append(operation);
      return Quoted(out);
    }
    return false;
  }

  /// A string in PromQL's single or double quotes.
  bool Quoted(std::string& out) {
    const char quote = rest_.empty() ? '\0' : rest_[0];
    if (quote != '"' && quote != '\'') return false;
    rest_.remove_prefix(1);
    out += '"';
    while (!rest_.empty()) {
      char c = rest_[0];
      rest_.remove_prefix(1);
      if (c == quote) {
        out += '"';
        return true;
      }
      if (c >= 0 && c < ' ') return false;
      if (c == '\\') {
        if (rest_.empty() || (rest_[0] != '\\' && rest_[0] != '"' && rest_[0] != '\''))
          return false;
        c = rest_[0];
        rest_.remove_prefix(1);
      }
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return false;
  }

  std::string_view rest_;
};

class PublishedNeed final : public Source {
 public:
  PublishedNeed(std::shared_ptr<PrometheusConnection> connection, std::string query)
      : connection_(std::move(connection)), query_(std::move(query)) {}

  Result<Observation> Poll(const PollContext& context) override {
    Result<prom::QueryResult> result =
        connection_->client().Query(query_, context.slot, context.deadline, context.stop);
    if (!result) return Fail(result.error());
    std::vector<double> values;
    for (const prom::Sample& sample : result->samples) values.push_back(sample.value);
    Result<Observation> observation = Observe(values);
    if (observation) observation->warnings = std::move(result->warnings);
    return observation;
  }

  Result<std::vector<Reading>> PastReadings(const SlotSpan& span,
                                            MonoTime deadline,
                                            const std::stop_token& stop) override {
    const Result<std::vector<std::vector<double>>> past =
        connection_->PastValues(query_, span, deadline, stop);
    if (!past) return Fail(past.error());
    std::vector<Reading> readings;
    WallTime slot = span.first;
    for (const std::vector<double>& values : *past) {
      readings.push_back(ToReading(slot, Observe(values)));
      slot += span.interval;
    }
    return readings;
  }

 private:
  /// What the numbers of MakeNeedQuery mean.
  [[nodiscard]] Result<Observation> Observe(std::span<const double> values) const {
    const auto fail = [&](const std::string& why) {
      return Fail(ErrorCode::kUnavailable, "connection " + connection_->name() + ": " + why);
    };
    if (values.empty()) {
      return fail(
          "Prometheus has not scraped for long enough to say that the application is gone; it must "
          "keep the metric `up`");
    }
    if (values.size() > 1 || std::isinf(values.front())) {
      return fail("the answer is not one number; is this Prometheus' own query API?");
    }
    const double value = values.front();
    if (value < 0) {
      return fail("Prometheus cannot scrape " + FormatNumber(-value) +
                  " of the drivers (up is 0) that it scraped in the last 6 hours; look at its "
                  "targets page, and drop pods that have ended from its scrape configuration");
    }
    Observation observation;
    observation.empty = std::isnan(value);
    observation.value = observation.empty ? 0 : value;
    observation.detail =
        observation.empty ? "no driver publishes it" : "Spark's own count, from Prometheus";
    return observation;
  }

  const std::shared_ptr<PrometheusConnection> connection_;
  const std::string query_;
};

}  // namespace

Result<std::string> MakeNeedQuery(const std::string& application, const std::string& selector) {
  std::string matchers;
  if (!selector.empty()) {
    std::optional<std::string> rewritten = Matchers(selector).Rewrite();
    if (!rewritten) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "'selector' must be label matchers as namespace=\"data\",job=~\"spark.*\", and not "
          "of __name__");
    }
    matchers = std::move(*rewritten);
  }
  const std::string prefix = application.empty() ? ".+" : MetricNamePart(application);
  const std::string gauge =
      "{__name__=~\"metrics_" + prefix +
      "_driver_ExecutorAllocationManager_executors_numberMaxNeededExecutors_(Value|Number)\"" +
      matchers + "}";
  // Drivers publish the gauge as Value and as Number; two applications may share all labels.
  const std::string need =
      "sum(max without (__name__) (label_replace(" + gauge +
      ", \"stoker_application\", \"$1\", \"__name__\", \"metrics_(.+)_(Value|Number)\")))";
  // A target's own labels tell it from what had its address before.
  const std::string target = "(cluster, namespace, pod, job, instance)";
  const std::string lost = "-count(max by " + target + " (last_over_time(" + gauge +
                           "[6h])) and on " + target + " (up == 0))";
  // After an outage longer than Prometheus' lookback (5m) some targets are scraped before others.
  const std::string gone = "NaN * count(count_over_time(up[2m] offset 2m))";
  return lost + " or " + need + " or " + gone;
}

std::unique_ptr<Source> MakePublishedNeed(std::shared_ptr<PrometheusConnection> connection,
                                          std::string query) {
  return std::make_unique<PublishedNeed>(std::move(connection), std::move(query));
}

}  // namespace stoker::scalers
