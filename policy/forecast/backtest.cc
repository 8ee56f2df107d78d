#include "policy/forecast/backtest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "policy/forecast/models.h"
#include "policy/forecast/series.h"

namespace stoker::forecast {
namespace {

/// Errors fade from what models are chosen and mixed by, to 1/e over this share of the series.
constexpr double kMemory = 0.05;
/// So many errors before a model counts, or a quantile is read off them.
constexpr double kFewestErrors = 20;
/// Power of the error that models are weighted by.
constexpr double kSharpness = 4;
constexpr double kLow = 0.1;
constexpr double kHigh = 0.9;

/// A model: one way to predict, or several of which the best so far speaks.
struct Family {
  std::string name;
  std::size_t season = 0;
  std::vector<std::vector<double>> variants;
};

std::vector<Smoothing> SmoothingSearch(bool seasonal) {
  std::vector<Smoothing> search;
  if (!seasonal) {
    for (const double level : {0.05, 0.1, 0.2, 0.4, 0.7}) {
      for (const double trend : {0.0, 0.1}) {
        search.push_back({.level = level, .trend = trend, .damping = 0.9, .season = 0, .error = 0});
      }
    }
    return search;
  }
  for (const double level : {0.003, 0.02, 0.1, 0.3}) {
    for (const double season : {0.05, 0.15, 0.4}) {
      for (const double error : {0.0, 0.7, 0.9, 0.97}) {
        search.push_back(
            {.level = level, .trend = 0, .damping = 0.9, .season = season, .error = error});
      }
    }
  }
  return search;
}

/// A mean of absolute errors in which the older count less and less.
class RecentLoss {
 public:
  void Add(double actual, double predicted, double keep) {
    if (std::isnan(actual) || std::isnan(predicted)) return;
    sum_ = sum_ * keep + std::abs(actual - predicted);
    weight_ = weight_ * keep + 1;
    ++count_;
  }
  [[nodiscard]] bool counts() const { return count_ >= kFewestErrors; }
  [[nodiscard]] double mean() const { return weight_ > 0 ? sum_ / weight_ : 0; }

 private:
  double sum_ = 0;
  double weight_ = 0;
  double count_ = 0;
};

/// At each slot the variant of least loss until then.
std::vector<double> Pick(std::span<const double> values,
                         std::size_t steps,
                         double keep,
                         const std::vector<std::vector<double>>& variants) {
  if (variants.size() == 1) return variants[0];
  std::vector<double> picked(values.size() + steps, kUnknown);
  std::vector<RecentLoss> losses(variants.size());
  for (std::size_t t = 0; t < values.size(); ++t) {
    std::size_t best = 0;
    for (std::size_t i = 0; i < variants.size(); ++i) {
      losses[i].Add(values[t], variants[i][t], keep);
      if (losses[i].mean() < losses[best].mean()) best = i;
    }
    picked[t + steps] = variants[best][t + steps];
  }
  return picked;
}

struct Mixed {
  std::vector<double> point;
  std::vector<double> weights;  ///< of the last slot
};

Mixed Mix(std::span<const double> values,
          std::size_t steps,
          double keep,
          const std::vector<std::vector<double>>& models) {
  Mixed mixed{std::vector<double>(values.size() + steps, kUnknown),
              std::vector<double>(models.size(), 0.0)};
  std::vector<RecentLoss> losses(models.size());
  for (std::size_t t = 0; t < values.size(); ++t) {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < models.size(); ++i) {
      losses[i].Add(values[t], models[i][t], keep);
      if (losses[i].counts()) least = std::min(least, losses[i].mean());
    }
    double sum = 0;
    double weights = 0;
    for (std::size_t i = 0; i < models.size(); ++i) {
      mixed.weights[i] = 0;
      const double predicted = models[i][t + steps];
      if (!losses[i].counts() || std::isnan(predicted)) continue;
      // Relative to the best, so that powers neither overflow nor vanish all.
      const double relative = losses[i].mean() > 0 ? least / losses[i].mean() : 1;
      mixed.weights[i] = std::pow(relative, kSharpness);
      sum += mixed.weights[i] * predicted;
      weights += mixed.weights[i];
    }
    if (weights <= 0) continue;
    mixed.point[t + steps] = sum / weights;
    for (double& weight : mixed.weights) weight /= weights;
  }
  return mixed;
}

/// The nearest-rank quantile of sorted values, of one more than there are (J. Lei et al.,
/// "Distribution-free predictive inference for regression", 2018).
double Quantile(const std::vector<double>& sorted, double quantile) {
  const auto count = static_cast<double>(sorted.size());
  const double rank = std::clamp(std::ceil(quantile * (count + 1)), 1.0, count);
  return sorted[static_cast<std::size_t>(rank) - 1];
}

/// The errors of the newest `most` slots, sorted.
class Errors {
 public:
  explicit Errors(std::size_t most) : most_(most) { sorted_.reserve(most); }

  void Add(double error) {
    if (std::isnan(error)) return;
    if (ring_.size() < most_) {
      ring_.push_back(error);
    } else {
      sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), ring_[next_]));
      ring_[next_] = error;
      next_ = next_ + 1 == most_ ? 0 : next_ + 1;
    }
    sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), error), error);
  }
  [[nodiscard]] const std::vector<double>& sorted() const { return sorted_; }

 private:
  std::size_t most_;
  std::vector<double> ring_;
  std::size_t next_ = 0;
  std::vector<double> sorted_;
};

Track MakeTrack(std::string name,
                std::vector<double> point,
                std::span<const double> values,
                std::size_t steps,
                double quantile) {
  Track track{.name = std::move(name), .point = std::move(point)};
  for (std::vector<double>* band : {&track.quantile, &track.low, &track.high}) {
    band->assign(track.point.size(), kUnknown);
  }
  Errors errors(std::max<std::size_t>(values.size() / 2, 1));
  for (std::size_t t = 0; t < values.size(); ++t) {
    errors.Add(values[t] - track.point[t]);
    const double predicted = track.point[t + steps];
    if (static_cast<double>(errors.sorted().size()) < kFewestErrors || std::isnan(predicted)) {
      continue;
    }
    track.quantile[t + steps] = predicted + Quantile(errors.sorted(), quantile);
    track.low[t + steps] = predicted + Quantile(errors.sorted(), kLow);
    track.high[t + steps] = predicted + Quantile(errors.sorted(), kHigh);
  }
  return track;
}

/// What the mix gained over naive in a part of what was tested.
struct Part {
  double gain = 0;
  double count = 0;
};

/// Fills in t, of the parts that at least half of `share` slots were tested of.
void AddStudentsT(std::span<const Part> parts, double share, Standing& standing) {
  double sum = 0;
  double squares = 0;
  double count = 0;
  for (const Part& part : parts) {
    if (part.count == 0 || part.count < share / 2) continue;
    const double gain = part.gain / part.count;
    // B. Welford, "Note on a method for calculating corrected sums of squares and products", 1962.
    const double off = gain - (count > 0 ? sum / count : 0);
    sum += gain;
    ++count;
    if (count > 1) squares += off * off * (count - 1) / count;
  }
  standing.parts = static_cast<std::size_t>(count);
  if (count < 2) return;
  const double mean = sum / count;
  const double deviation = std::sqrt(squares / (count - 1) / count);
  if (deviation > 0) {
    standing.gain_t = mean / deviation;
  } else if (mean > 0) {
    standing.gain_t = std::numeric_limits<double>::infinity();  // the same gain everywhere
  }
}

}  // namespace

double PinballLoss(double actual, double predicted, double quantile) {
  return actual >= predicted ? quantile * (actual - predicted)
                             : (1 - quantile) * (predicted - actual);
}

double Standing::Skill() const { return tested > 0 && naive_loss > 0 ? 1 - loss / naive_loss : 0; }

Backtest RunBacktest(std::span<const double> values,
                     std::size_t steps,
                     std::span<const std::size_t> seasons,
                     double quantile) {
  std::vector<Family> families;
  families.push_back({"naive", 0, {Naive(values, steps)}});
  const auto smooth = [&](std::size_t season) {
    Family family{season > 0 ? "Holt-Winters" : "Holt", season, {}};
    for (const Smoothing& smoothing : SmoothingSearch(season > 0)) {
      family.variants.push_back(HoltWinters(values, steps, season, smoothing));
    }
    return family;
  };
  families.push_back(smooth(0));
  const std::size_t seasonless = families.size();
  for (const std::size_t season : seasons) {
    if (season < 2 || 2 * season > values.size() + season / 10) continue;
    families.push_back({"seasonal naive", season, {SeasonalNaive(values, steps, season)}});
    families.push_back(smooth(season));
  }

  const double keep =
      std::exp(-1 / std::max(kMemory * static_cast<double>(values.size()), kFewestErrors));
  std::vector<std::vector<double>> models;
  models.reserve(families.size());
  for (const Family& family : families) {
    models.push_back(Pick(values, steps, keep, family.variants));
  }
  Mixed mixed = Mix(values, steps, keep, models);

  Backtest test;
  for (std::size_t i = 0; i < families.size(); ++i) {
    test.shares.push_back({families[i].name, families[i].season, mixed.weights[i]});
  }
  std::stable_sort(test.shares.begin(), test.shares.end(), [](const Share& a, const Share& b) {
    return a.weight > b.weight;
  });
  test.mix = MakeTrack("mix", std::move(mixed.point), values, steps, quantile);
  test.naive = MakeTrack("naive", models[0], values, steps, quantile);
  std::vector<Track> seasonal;
  for (std::size_t i = seasonless; i < families.size(); i += 2) {
    seasonal.push_back(MakeTrack(families[i].name, models[i], values, steps, quantile));
  }

  test.first_tested = values.size() / 2;
  std::array<Part, Backtest::kParts> parts{};
  const std::size_t slots = values.size() - test.first_tested;
  const double share = static_cast<double>(slots) / static_cast<double>(parts.size());
  Standing standing;
  for (std::size_t t = test.first_tested; t < values.size(); ++t) {
    const auto known = [t](const Track& track) { return !std::isnan(track.quantile[t]); };
    if (std::isnan(values[t]) || !known(test.mix) || !known(test.naive) ||
        !std::all_of(seasonal.begin(), seasonal.end(), known)) {
      test.standings.push_back(standing);
      continue;
    }
    ++standing.tested;
    const auto add = [&](Track& track) {
      const double loss = PinballLoss(values[t], track.quantile[t], quantile);
      track.loss += loss;
      return loss;
    };
    Part& part = parts[(t - test.first_tested) * parts.size() / slots];
    part.gain += add(test.naive) - add(test.mix);
    ++part.count;
    for (Track& track : seasonal) add(track);
    const auto tested = static_cast<double>(standing.tested);
    standing.loss = test.mix.loss / tested;
    standing.naive_loss = test.naive.loss / tested;
    standing.gain_t = 0;
    AddStudentsT(parts, share, standing);
    test.standings.push_back(standing);
  }
  const auto mean = [&](Track& track) {
    if (standing.tested > 0) track.loss /= static_cast<double>(standing.tested);
  };
  mean(test.mix);
  mean(test.naive);
  for (Track& track : seasonal) {
    mean(track);
    if (!test.seasonal || track.loss < test.seasonal->loss) test.seasonal = std::move(track);
  }
  return test;
}

}  // namespace stoker::forecast
