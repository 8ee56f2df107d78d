#pragma once

#include <memory>
#include <string>

#include "scalers/prometheus/prometheus_connection.h"
#include "scalers/scaler.h"

namespace stoker::scalers {

/// PromQL for the executors that applications need, which drivers publish as the gauge
/// numberMaxNeededExecutors, and for why there may be no number. At most one of `application` (the
/// drivers' spark.metrics.namespace or id) and `selector` (label matchers, as in PromQL) may be
/// empty. kInvalidArgument, without repeating it, for a selector that is none.
///
/// The result is a single number, so that a range query tells the same of the past:
///   n >= 0   that many executors
///   -n < 0   n drivers that published the gauge in the last 6 hours have a target that is down:
///            the sum would be a part of it, or nothing
///   NaN      no driver publishes it, and Prometheus did scrape all the while: they are gone
///   nothing  Prometheus has not scraped long enough (or keeps no `up`) to say that they are gone
Result<std::string> MakeNeedQuery(const std::string& application, const std::string& selector);

/// Asks Prometheus what MakeNeedQuery made.
std::unique_ptr<Source> MakePublishedNeed(std::shared_ptr<PrometheusConnection> connection,
                                          std::string query);

}  // namespace stoker::scalers
