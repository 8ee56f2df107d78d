#include "policy/forecast/models.h"

#include <cmath>

#include "policy/forecast/series.h"

namespace stoker::forecast {

std::vector<double> Naive(std::span<const double> values, std::size_t steps) {
  std::vector<double> predicted(values.size() + steps, kUnknown);
  double newest = kUnknown;
  for (std::size_t t = 0; t < values.size(); ++t) {
    if (!std::isnan(values[t])) newest = values[t];
    predicted[t + steps] = newest;
  }
  return predicted;
}

std::vector<double> SeasonalNaive(std::span<const double> values,
                                  std::size_t steps,
                                  std::size_t season) {
  std::vector<double> predicted(values.size() + steps, kUnknown);
  const std::size_t back = (steps + season - 1) / season * season;
  for (std::size_t t = back; t < predicted.size(); ++t) {
    for (std::size_t at = t - back;; at -= season) {
      predicted[t] = values[at];
      if (!std::isnan(values[at]) || at < season) break;
    }
  }
  return predicted;
}

std::vector<double> HoltWinters(std::span<const double> values,
                                std::size_t steps,
                                std::size_t season,
                                const Smoothing& smoothing) {
  std::vector<double> predicted(values.size() + steps, kUnknown);
  const std::size_t first = season > 0 ? season : 1;
  if (values.size() < first) return predicted;
  double level = 0;
  std::size_t known = 0;
  for (std::size_t t = 0; t < first; ++t) {
    if (std::isnan(values[t])) continue;
    level += values[t];
    ++known;
  }
  if (known == 0) return predicted;
  level /= static_cast<double>(known);
  std::vector<double> seasonal(first, 0.0);
  for (std::size_t t = 0; t < season; ++t) {
    if (!std::isnan(values[t])) seasonal[t] = values[t] - level;
  }

  double ahead = 0;  // phi + phi^2 + ... + phi^steps
  for (std::size_t i = 0; i < steps; ++i) ahead = smoothing.damping * (1 + ahead);
  const double fade = std::pow(smoothing.error, static_cast<double>(steps));
  double trend = 0;
  double error = 0;
  std::size_t now = 0;               // t mod season
  std::size_t then = steps % first;  // (t + steps) mod season
  for (std::size_t t = first; t < values.size(); ++t) {
    const double damped = smoothing.damping * trend;
    const double expected = level + damped + seasonal[now];
    if (std::isnan(values[t])) {
      error *= smoothing.error;
      level += damped;
      trend = damped;
    } else {
      error = values[t] - expected;
      level += damped + smoothing.level * error;
      trend = damped + smoothing.level * smoothing.trend * error;
      if (season > 0) seasonal[now] += smoothing.season * error;
    }
    predicted[t + steps] =
        level + ahead * trend + seasonal[then] + fade * (1 - smoothing.level) * error;
    now = now + 1 == first ? 0 : now + 1;
    then = then + 1 == first ? 0 : then + 1;
  }
  return predicted;
}

}  // namespace stoker::forecast
