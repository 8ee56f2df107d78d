#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/signal.h"
#include "policy/forecast/backtest.h"
#include "policy/forecast/settings.h"

namespace stoker::forecast {

/// What a signal's value is expected to be at some time.
struct Prediction {
  double value = 0;  ///< of the quantile asked for; finite
  double low = 0;    ///< the 10 % quantile
  double high = 0;   ///< the 90 % quantile
  /// When it was made, the back-test until then allowed it to lift something.
  bool used = false;
};

/// What a signal's history says of its future, and whether that is to be relied on. An immutable
/// value; a pure function of the history, so replicas that hold the same history forecast the same.
///
/// Every prediction in it, of times past and to come, was made from what was known `horizon` and
/// at most two steps before. So it also tells what a forecast said earlier, which is what
/// stabilization looks back on.
struct Forecast {
  /// It may lift something: enough history, no long silence at its end, and a back-test at this
  /// distance whose pinball loss is kMargin below naive's, and not by chance.
  bool used = false;
  std::string reason;      ///< why not; empty while it is used
  double skill = 0;        ///< 1 - its pinball loss / naive's
  std::size_t tested = 0;  ///< slots of the back-test
  double loss = 0;         ///< mean pinball losses
  double naive_loss = 0;
  std::optional<double> seasonal_loss;  ///< of the better seasonal naive
  std::vector<Share> models;            ///< in the newest prediction, greatest first

  Duration step{0};
  Duration horizon{0};  ///< what was asked for
  double quantile = 0;
  WallTime newest{};  ///< slot that the newest predictions were made from
  WallTime first{};   ///< time of predictions[0]
  std::vector<std::optional<Prediction>> predictions;  ///< a step apart
  WallTime used_until = WallTime::min();  ///< time of the last prediction that was used

  /// At least this much less loss than naive's.
  static constexpr double kMargin = 0.05;
  /// 99 % of Student's t with Backtest::kParts - 1 degrees of freedom (98 % with kFewestParts - 1):
  /// at 95 % every fifth forecast of bursts that nothing announces was taken for foresight.
  static constexpr double kLeastT = 3.143;
  static constexpr std::size_t kFewestParts = 5;
  static constexpr std::size_t kFewestTested = 100;

  /// For the first slot at or after `time`; empty outside what is predicted. Whether or not it is
  /// `used`.
  [[nodiscard]] std::optional<Prediction> At(WallTime time) const;

  /// The greatest value from `from` until `to` of predictions that were used, as far as they
  /// reach; empty when there is none, or `from` lies outside what is predicted. So what was lifted
  /// once stays lifted when the newest back-test is a little too bad, until that time has come.
  [[nodiscard]] std::optional<double> Highest(WallTime from, WallTime to) const;

  /// What a forecast at `time` says of the time until its horizon; by then it is to be there. It
  /// stays up until a peak that is shorter than the horizon has come.
  [[nodiscard]] std::optional<double> Lift(WallTime time) const {
    return Highest(time, time + horizon);
  }

  /// The first moment after `time` from which Highest(time, time + span) may be another.
  [[nodiscard]] WallTime NextChange(WallTime time, Duration span) const;
};

/// Why a forecast that did so is not to be used; empty when it is.
std::string Objection(const Standing& standing);

/// Forecasts `horizon` (0 to a day, at most 500 steps) ahead from `readings`, oldest first. The
/// signal's newest good reading `serves` so long, and so does the forecast while enough of the
/// window is left to test: a fault ends no lift before the signal itself is at fault. Takes some
/// milliseconds for two weeks of five minutes.
Forecast MakeForecast(std::span<const Reading> readings,
                      OnEmpty on_empty,
                      Duration serves,
                      const Settings& settings,
                      Duration horizon);

/// One line for people, e.g. "used: 31% less loss than naive over 2016 slots (Holt-Winters 1d 61%,
/// naive 20%)".
std::string Summarize(const Forecast& forecast);

}  // namespace stoker::forecast
