#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace stoker::forecast {

/// Loss of predicting the `quantile` of something as `predicted` when it came to be `actual`; for
/// 0.5 half the absolute error. (R. Koenker, G. Bassett, "Regression quantiles", 1978.)
double PinballLoss(double actual, double predicted, double quantile);

/// What one model, or a mix of them, predicted for each slot, from what was known `steps` slots
/// before: the value, and from how far off it had been until then, quantiles. All vectors are as
/// long as the series and `steps` more; kUnknown where there is nothing to go by yet.
struct Track {
  std::string name;
  std::vector<double> point;
  std::vector<double> quantile;  ///< the one asked for
  std::vector<double> low;       ///< 10 %
  std::vector<double> high;      ///< 90 %
  double loss = 0;               ///< mean pinball loss of `quantile`; of what was tested
};

/// What share a model has in the mix now.
struct Share {
  std::string name;
  std::size_t season = 0;  ///< in slots; 0: none
  double weight = 0;
};

/// How a mix has done beside naive, by some slot.
struct Standing {
  std::size_t tested = 0;  ///< slots whose loss counts
  double loss = 0;         ///< mean pinball losses: of the mix
  double naive_loss = 0;
  /// Student's t of the mix's gain over naive, of parts of what was tested taken as independent
  /// (after F. Diebold, R. Mariano, "Comparing predictive accuracy", 1995): whether the gain is
  /// there all the time, or one lucky stroke. 0 when it cannot be told.
  double gain_t = 0;
  std::size_t parts = 0;  ///< of Backtest::kParts, those that enough was tested of; t is of them

  /// 1 - loss of the mix / loss of naive: 0 is no better than naive, 1 is perfect. 0 when naive is
  /// never wrong, or nothing was tested.
  [[nodiscard]] double Skill() const;
};

/// Predictions of a series at one distance, each made with what was known by then: every model, and
/// the mix of them weighted by their recent losses.
struct Backtest {
  Track mix;
  Track naive;
  std::optional<Track> seasonal;    ///< the seasonal naive of least loss, if there is a season
  std::vector<Share> shares;        ///< of the newest prediction, greatest first
  std::size_t first_tested = 0;     ///< slot from which on losses are counted
  std::vector<Standing> standings;  ///< by each slot from first_tested on
  static constexpr std::size_t kParts = 7;

  /// By the newest slot.
  [[nodiscard]] Standing standing() const {
    return standings.empty() ? Standing{} : standings.back();
  }
};

/// Rolling-origin back-test (L. Tashman, "Out-of-sample tests of forecasting accuracy", 2000) of
/// `values` for `steps` >= 1 slots ahead, in seasons of so many slots. Seasons that were not there
/// (nearly) twice are left out. Losses count over the second half.
///
/// Holt-Winters takes at each slot, out of a fixed set, the parameters that did best until then; so
/// no parameter ever saw what it is tested on. Models mix in inverse proportion to a power of their
/// recent error, in which older ones count less and less (J. Bates, C. Granger, "The combination of
/// forecasts", 1969; J. Stock, M. Watson, "Combination forecasts of output growth in a
/// seven-country data set", 2004: the square of the squared error). Bands are empirical quantiles
/// of the errors of half a series before.
Backtest RunBacktest(std::span<const double> values,
                     std::size_t steps,
                     std::span<const std::size_t> seasons,
                     double quantile);

}  // namespace stoker::forecast
