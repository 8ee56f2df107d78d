// Forecasts of real arrival series that others published: STOKER_DATA/traces. Skipped without them.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/text.h"
#include "core/units.h"
#include "policy/forecast/backtest.h"
#include "policy/forecast/forecast.h"
#include "policy/forecast/series.h"

namespace stoker::forecast {
namespace {

using namespace std::chrono_literals;

constexpr double kQuantile = 0.8;

struct Trace {
  std::string file;
  Duration step;
};

/// Rows "2014-07-01 00:00:00,10844"; seconds may be missing, and a header.
std::vector<Reading> ReadTrace(const std::string& path) {
  std::ifstream file(path);
  std::vector<Reading> readings;
  for (std::string line; std::getline(file, line);) {
    const std::size_t comma = line.find(',');
    if (comma < 16) continue;
    std::string time = line.substr(0, comma);
    time[10] = 'T';
    if (comma == 16) time += ":00";
    const Result<WallTime> at = ParseTime(time + "Z");
    const Result<double> value = ParseNumber(line.substr(comma + 1));
    if (at && value) readings.push_back({*at, Reading::Kind::kValue, *value, false});
  }
  return readings;
}

/// As the service would: each quarter day it is asked, from two weeks, whether it is used, and then
/// predicts the next quarter.
struct Served {
  double quarters = 0;
  double used = 0;
  double naive = 0;   ///< losses summed up
  double served = 0;  ///< the forecast's while it is used, else naive's
};

Served Serve(const std::vector<Reading>& readings, const Settings& settings, Duration lead) {
  const Series all = Resample(readings, OnEmpty::kHold, settings.step, 24h * 4000);
  const auto steps = static_cast<std::size_t>(lead / settings.step);
  std::vector<std::size_t> seasons;
  for (const Duration season : settings.seasons) {
    seasons.push_back(static_cast<std::size_t>(season / settings.step));
  }
  const auto window = static_cast<std::size_t>(settings.window / settings.step);
  const auto quarter = static_cast<std::size_t>(6h / settings.step);
  Served served;
  for (std::size_t now = 2 * quarter; now + quarter <= all.values.size(); now += quarter) {
    const std::size_t from = now > window ? now - window : 0;
    const std::span<const double> known(all.values.data() + from, now - from);
    const bool used =
        Objection(RunBacktest(known, steps, seasons, settings.quantile).standing()).empty();
    const std::span<const double> later(all.values.data() + from, now + quarter - from);
    const Backtest test = RunBacktest(later, steps, seasons, settings.quantile);
    ++served.quarters;
    served.used += used ? 1 : 0;
    for (std::size_t t = known.size(); t < later.size(); ++t) {
      const double naive = PinballLoss(later[t], test.naive.quantile[t], settings.quantile);
      const double mix = PinballLoss(later[t], test.mix.quantile[t], settings.quantile);
      if (std::isnan(naive) || std::isnan(mix)) continue;
      served.naive += naive;
      served.served += used ? mix : naive;
    }
  }
  return served;
}

class Traces : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* data = std::getenv("STOKER_DATA");
    folder_ = std::string(data != nullptr ? data : "../shared/data") + "/traces";
    if (!std::filesystem::exists(folder_)) GTEST_SKIP() << "no traces; set STOKER_DATA";
  }

  Served Show(const Trace& trace, Duration lead) {
    const std::vector<Reading> readings = ReadTrace(folder_ + "/" + trace.file + ".csv");
    EXPECT_GT(readings.size(), 100U);
    Settings settings;
    settings.step = trace.step;
    settings.quantile = kQuantile;
    const Series all = Resample(readings, OnEmpty::kHold, trace.step, 24h * 4000);
    std::vector<std::size_t> seasons;
    for (const Duration season : settings.seasons) {
      seasons.push_back(static_cast<std::size_t>(season / trace.step));
    }
    const Backtest test =
        RunBacktest(all.values, static_cast<std::size_t>(lead / trace.step), seasons, kQuantile);
    const Served served = Serve(readings, settings, lead);
    std::printf(
        "| %s | %s | %.2f | %s | %.2f | %.0f%% | %.0f%% | %.1f%% |\n",
        trace.file.c_str(),
        FormatDuration(lead).c_str(),
        test.naive.loss,
        test.seasonal ? FormatNumber(std::round(test.seasonal->loss * 100) / 100).c_str() : "",
        test.mix.loss,
        100 * test.standing().Skill(),
        100 * served.used / served.quarters,
        100 * (1 - served.served / served.naive));
    return served;
  }

  std::string folder_;
};

constexpr Duration kLeads[] = {5min, 15min, 30min, 60min};

TEST_F(Traces, AStrongSeasonIsForecast) {
  for (const Duration lead : {Duration(30min), Duration(60min)}) {
    const Served served = Show({"nyc_taxi", 30min}, lead);
    EXPECT_LT(served.served, 0.5 * served.naive);
    EXPECT_GT(served.used, 0.9 * served.quarters);
  }
}

TEST_F(Traces, BurstsAreLeftToTheReadings) {
  for (const Duration lead : kLeads) {
    const Served served = Show({"Twitter_volume_AAPL", 5min}, lead);
    EXPECT_LT(served.served, 1.005 * served.naive);
    EXPECT_LT(served.used, 0.1 * served.quarters);
  }
}

TEST_F(Traces, WhatIsUsedNeverCostsMore) {
  for (const Duration lead : kLeads) {
    for (const Trace& trace : {Trace{"elb_request_count_8c0756", 5min},
                               Trace{"wc_day35_1", 1min},
                               Trace{"wc_day42_1", 1min}}) {
      const Served served = Show(trace, lead);
      EXPECT_LT(served.served, 1.005 * served.naive) << trace.file;
    }
  }
}

}  // namespace
}  // namespace stoker::forecast
