#include "policy/forecast/settings.h"

#include "core/units.h"

namespace stoker::forecast {
namespace {

using config::Diagnostics;
using config::Node;
using config::ParamTable;

constexpr double kHour = 3600;
constexpr double kDay = 24 * kHour;
constexpr Duration::rep kMostSlots = 10'000;
constexpr Duration::rep kFewestSlots = 100;
constexpr Duration::rep kFarthestSlots = 500;

void ReadSeasons(const Node& node, Settings& out, Diagnostics& diagnostics) {
  std::vector<std::string> texts;
  if (!config::ReadValue(node, {}, texts, diagnostics)) return;
  std::vector<Duration> seasons;
  for (const std::string& text : texts) {
    const Result<Duration> season = ParseDuration(text);
    if (!season) {
      diagnostics.Add(node, "a season: " + season.error().message);
      return;
    }
    seasons.push_back(*season);
  }
  out.seasons = std::move(seasons);
}

void ReadHorizon(const Node& node, Settings& out, Diagnostics& diagnostics) {
  if (node.IsScalar() && node.scalar() == "lead") {
    out.horizon.reset();
    return;
  }
  if (!node.IsScalar() || !ParseDuration(node.scalar())) {
    config::Refuse(node, "expected lead, or a duration such as 15m", diagnostics);
    return;
  }
  config::ReadValue(node, {.min = 0, .max = kDay, .above_min = true}, out.horizon, diagnostics);
}

const ParamTable<Settings>& Table() {
  static const auto kTable =
      ParamTable<Settings>()
          .Add("step",
               &Settings::step,
               {.help = "Between the values of the history that it is made from.",
                .fallback = "5m",
                .min = 15,
                .max = kDay})
          .Add("window",
               &Settings::window,
               {.help = "How much history: 100 to 10,000 steps.",
                .fallback = "14d",
                .min = kHour,
                .max = 366 * kDay})
          .AddCustom("seasons",
                     {.help = "What repeats itself, in whole steps, up to half the window each.",
                      .fallback = "[1d, 7d]"},
                     ReadSeasons,
                     config::ParamType::kStringList)
          .Add("quantile",
               &Settings::quantile,
               {.help = "The value is forecast to stay at or below it with this probability.",
                .fallback = "0.8",
                .min = 0.01,
                .max = 0.99})
          .AddCustom("horizon",
                     {.help = "How far ahead: a duration, or `lead`, the time from an executor "
                              "wanted to one that runs.",
                      .fallback = "lead",
                      .example = "15m"},
                     ReadHorizon,
                     config::ParamType::kString)
          .AddChoice("lifts",
                     &Settings::lifts,
                     {{"headroom", Lifts::kHeadroom}, {"replicas", Lifts::kReplicas}},
                     {.help = "What it may raise: the capacity that is made ready (`headroom`), or "
                              "the target, too (`replicas`). Nothing is ever lowered.",
                      .fallback = "headroom"})
          .Add("signals",
               &Settings::signals,
               {.help = "Signals to forecast. Default: all but `cron` and `manual`.",
                .non_empty = true});
  return kTable;
}

const Node& At(const Node& node, std::string_view key) {
  const Node* found = node.Find(key);
  return found != nullptr ? *found : node;
}

}  // namespace

bool ReadSettings(const Node& node, Settings& out, Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.items().size();
  if (!Table().Read(node, out, diagnostics)) return false;
  const Duration::rep slots = out.window / out.step;
  if (slots < kFewestSlots || slots > kMostSlots) {
    diagnostics.Add(At(node, "window"),
                    "the window is " + std::to_string(slots) +
                        " steps; expected 100 to 10,000: change window or step");
  }
  for (const Duration season : out.seasons) {
    if (season < 2 * out.step || season % out.step != Duration::zero()) {
      diagnostics.Add(At(node, "seasons"),
                      "a season must be two steps or more, and whole steps; the step is " +
                          FormatDuration(out.step));
    } else if (2 * season > out.window) {
      diagnostics.Add(At(node, "seasons"),
                      "a season must be there twice; make window " + FormatDuration(2 * season) +
                          " or longer, or leave the season out");
    }
  }
  if (out.horizon && *out.horizon / out.step > kFarthestSlots) {
    diagnostics.Add(At(node, "horizon"), "over 500 steps ahead; make step longer");
  }
  return diagnostics.items().size() == before;
}

const std::vector<config::ParamInfo>& SettingsParams() { return Table().infos(); }

}  // namespace stoker::forecast
