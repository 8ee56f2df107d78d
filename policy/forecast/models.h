#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace stoker::forecast {

// Models of an evenly spaced series. Each gives, for every slot t and `steps` (>= 1) beyond the
// last, what it predicts for t from the values up to t - steps alone: the whole rolling-origin
// back-test and the forecast in one vector of values.size() + steps. kUnknown where it has nothing
// to go by yet; a value that is unknown teaches nothing, and is passed over.
//
// Formulas: R. Hyndman, G. Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed. (2021):
// 5.2 naive and seasonal naive, 8.3 and 8.7 Holt-Winters in error-correction form.

/// The newest known value.
std::vector<double> Naive(std::span<const double> values, std::size_t steps);

/// The newest known value a whole number of seasons (of `season` slots, > 0) before.
std::vector<double> SeasonalNaive(std::span<const double> values,
                                  std::size_t steps,
                                  std::size_t season);

/// Parameters of HoltWinters, each in [0, 1].
struct Smoothing {
  double level = 0.1;    ///< alpha
  double trend = 0;      ///< beta
  double damping = 0.9;  ///< phi, of the trend
  double season = 0.1;   ///< gamma
  double error = 0;      ///< lambda: how much of what the newest value is off the next still is
};

/// Additive Holt-Winters with damped trend (E. Gardner, E. McKenzie, "Forecasting trends in time
/// series", 1985), corrected by its newest error, which fades by `error` a slot (J. Taylor,
/// "Short-term electricity demand forecasting using double seasonal exponential smoothing", 2003).
/// Begins from the averages of the first season; `season` 0: none, damped Holt.
std::vector<double> HoltWinters(std::span<const double> values,
                                std::size_t steps,
                                std::size_t season,
                                const Smoothing& smoothing);

}  // namespace stoker::forecast
