#include "policy/forecast/forecast.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "core/units.h"
#include "policy/forecast/series.h"

namespace stoker::forecast {
namespace {

constexpr Duration kInstant{1};

/// A history that ends in silence for longer says too little of now, unless its newest reading
/// serves all the same.
Duration LongestSilence(Duration step, Duration serves) {
  return std::max<Duration>({std::chrono::hours(1), 3 * step, serves + step});
}

/// How long nothing has been known at the end.
Duration Silence(const Series& series) {
  std::size_t silent = 0;
  while (std::isnan(series.values[series.values.size() - 1 - silent])) ++silent;
  return series.step * static_cast<Duration::rep>(silent);
}

/// The number of steps from `first` to the first slot at or after `time`.
Duration::rep SlotAt(WallTime time, WallTime first, Duration step) {
  const Duration since = time - first;
  return since / step + (since % step > Duration::zero() ? 1 : 0);
}

std::string Percent(double fraction) { return FormatNumber(std::round(fraction * 100)) + "%"; }

}  // namespace

std::optional<Prediction> Forecast::At(WallTime time) const {
  if (predictions.empty()) return std::nullopt;
  const Duration::rep slot = SlotAt(time, first, step);
  if (slot < 0 || slot >= static_cast<Duration::rep>(predictions.size())) return std::nullopt;
  return predictions[static_cast<std::size_t>(slot)];
}

std::optional<double> Forecast::Highest(WallTime from, WallTime to) const {
  std::optional<double> most;
  if (from > used_until) return most;
  const Duration::rep begin = SlotAt(from, first, step);
  if (begin < 0) return most;
  const auto end = std::min(static_cast<std::size_t>(SlotAt(std::max(from, to), first, step)) + 1,
                            predictions.size());
  for (auto slot = static_cast<std::size_t>(begin); slot < end; ++slot) {
    const std::optional<Prediction>& prediction = predictions[slot];
    if (prediction && prediction->used)
      most = std::max(most.value_or(prediction->value), prediction->value);
  }
  return most;
}

WallTime Forecast::NextChange(WallTime time, Duration span) const {
  if (time > used_until) return WallTime::max();
  const auto after = [&](WallTime at) { return first + step * SlotAt(at, first, step) + kInstant; };
  return std::min(after(time), after(time + span) - span);
}

std::string Objection(const Standing& standing) {
  if (standing.tested < Forecast::kFewestTested) {
    return "too little history: tested on " + std::to_string(standing.tested) + " steps, " +
           std::to_string(Forecast::kFewestTested) + " are needed";
  }
  if (standing.naive_loss <= 0) return "nothing to gain: the signal stays what it is";
  const double skill = standing.Skill();
  if (skill < Forecast::kMargin) {
    return (skill < 0 ? Percent(-skill) + " more" : Percent(skill) + " less") +
           " loss than naive, " + Percent(Forecast::kMargin) + " less are needed";
  }
  if (standing.parts < Forecast::kFewestParts) {
    return "too little history: tested in " + std::to_string(standing.parts) + " of " +
           std::to_string(Backtest::kParts) + " parts of it, " +
           std::to_string(Forecast::kFewestParts) + " are needed";
  }
  if (standing.gain_t < Forecast::kLeastT) {
    return Percent(skill) + " less loss than naive, but not steadily: it may be chance";
  }
  return {};
}

Forecast MakeForecast(std::span<const Reading> readings,
                      OnEmpty on_empty,
                      Duration serves,
                      const Settings& settings,
                      Duration horizon) {
  Forecast forecast;
  forecast.step = settings.step;
  forecast.horizon = horizon;
  forecast.quantile = settings.quantile;
  const Series series = Resample(readings, on_empty, settings.step, settings.window);
  if (series.values.empty()) {
    forecast.reason = "no history yet";
    return forecast;
  }
  // The newest value may be a step old, and the moment asked for between two slots.
  const auto steps =
      static_cast<std::size_t>((horizon + settings.step - kInstant) / settings.step) + 1;
  std::vector<std::size_t> seasons;
  for (const Duration season : settings.seasons) {
    seasons.push_back(static_cast<std::size_t>(season / settings.step));
  }
  const Backtest test = RunBacktest(series.values, steps, seasons, settings.quantile);
  const Standing standing = test.standing();
  forecast.skill = standing.Skill();
  forecast.tested = standing.tested;
  forecast.loss = test.mix.loss;
  forecast.naive_loss = test.naive.loss;
  if (test.seasonal) forecast.seasonal_loss = test.seasonal->loss;
  forecast.models = test.shares;
  for (Share& share : forecast.models) {
    if (share.season == 0) continue;
    share.name += " " + FormatDuration(settings.step * static_cast<Duration::rep>(share.season));
  }
  forecast.reason = Objection(standing);
  const Duration silence = Silence(series);
  const Duration longest = LongestSilence(settings.step, serves);
  if (silence > longest) {
    forecast.reason = "its history has no value for the last " + FormatDuration(silence);
  }
  forecast.used = forecast.reason.empty();
  forecast.newest = series.TimeOf(series.values.size() - 1);
  forecast.first = series.TimeOf(test.first_tested);

  // What never was negative will not be.
  double least = std::numeric_limits<double>::infinity();
  for (const double value : series.values)
    least = std::min(least, std::isnan(value) ? least : value);
  const double floor = least >= 0 ? 0 : -std::numeric_limits<double>::max();
  const std::size_t spoke =
      series.values.size() -
      static_cast<std::size_t>(std::max(silence - longest, Duration(0)) / settings.step);
  // By the slot that a prediction was made from.
  const auto used = [&](std::size_t t) {
    return t >= test.first_tested && t < spoke &&
           Objection(test.standings[t - test.first_tested]).empty();
  };
  for (std::size_t t = test.first_tested; t < test.mix.quantile.size(); ++t) {
    Prediction prediction{.value = std::max(test.mix.quantile[t], floor),
                          .low = std::max(test.mix.low[t], floor),
                          .high = std::max(test.mix.high[t], floor)};
    const bool known = std::isfinite(test.mix.quantile[t]) && std::isfinite(prediction.low) &&
                       std::isfinite(prediction.high);
    prediction.used = known && t >= steps && used(t - steps);
    if (prediction.used) {
      forecast.used_until =
          forecast.first + settings.step * static_cast<Duration::rep>(t - test.first_tested);
    }
    forecast.predictions.push_back(known ? std::optional(prediction) : std::nullopt);
  }
  return forecast;
}

std::string Summarize(const Forecast& forecast) {
  if (!forecast.used) return "not used: " + forecast.reason;
  std::string text = "used: " + Percent(forecast.skill) + " less loss than naive over " +
                     std::to_string(forecast.tested) + " steps";
  const char* separator = " (";
  for (const Share& share : forecast.models) {
    if (share.weight < 0.05) continue;
    text += separator + share.name + " " + Percent(share.weight);
    separator = ", ";
  }
  return *separator == ',' ? text + ")" : text;
}

}  // namespace stoker::forecast
