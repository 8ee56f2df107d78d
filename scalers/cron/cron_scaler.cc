#include "scalers/cron/cron_scaler.h"

#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/params.h"
#include "core/text.h"
#include "core/units.h"
#include "scalers/cron/timetable.h"

namespace stoker::scalers {
namespace {

using config::Diagnostics;
using config::Node;
using config::ParamTable;
using config::ParamType;
using std::chrono::local_days;

/// A text whose meaning needs the other keys; says where a complaint about it belongs.
struct Text {
  std::string text;
  config::Position position;
  std::string path;
};

struct WindowSettings {
  std::optional<Text> start;
  std::optional<Text> end;
  std::optional<int> desired_replicas;
};

struct Settings {
  std::optional<Text> timezone;
  WindowSettings window;
  std::vector<WindowSettings> windows;
  std::vector<local_days> skip_dates;
  Duration lead{0};
};

constexpr std::size_t kMaxWindows = 100;
constexpr std::size_t kMaxSkipDates = 366;
constexpr double kMaxReplicas = 1'000'000;

std::optional<Text> ReadText(const Node& node, Diagnostics& diagnostics) {
  Text text{{}, node.position(), node.path()};
  if (!config::ReadValue(node, {.help = "", .non_empty = true}, text.text, diagnostics)) return {};
  return text;
}

std::optional<local_days> ParseDate(std::string_view text) {
  const auto parts = Split(text, '-');
  if (parts.size() != 3 || parts[0].size() != 4 || parts[1].size() != 2 || parts[2].size() != 2) {
    return std::nullopt;
  }
  unsigned numbers[3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    const char* end = parts[i].data() + parts[i].size();
    const auto [stop, error] = std::from_chars(parts[i].data(), end, numbers[i]);
    if (error != std::errc() || stop != end) return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(numbers[0])},
                                         std::chrono::month{numbers[1]},
                                         std::chrono::day{numbers[2]}};
  if (!date.ok()) return std::nullopt;
  return local_days{date};
}

void ReadSkipDates(const Node& node, Settings& settings, Diagnostics& diagnostics) {
  std::vector<std::string> texts;
  if (!config::ReadValue(node, {.help = ""}, texts, diagnostics)) return;
  if (texts.size() > kMaxSkipDates) {
    diagnostics.Add(
        node, "at most " + std::to_string(kMaxSkipDates) + " dates; drop those that are past");
    return;
  }
  for (const std::string& text : texts) {
    if (const auto date = ParseDate(Trim(text))) {
      settings.skip_dates.push_back(*date);
    } else {
      diagnostics.Add(node, "write each date as YYYY-MM-DD, e.g. 2026-12-25");
    }
  }
}

const ParamTable<WindowSettings>& WindowParams() {
  static const auto kTable =
      ParamTable<WindowSettings>()
          .AddCustom(
              "start",
              {.help = "Cron expression that opens the window.", .example = "0 8 * * *"},
              [](const Node& node, WindowSettings& out, Diagnostics& diagnostics) {
                out.start = ReadText(node, diagnostics);
              },
              ParamType::kString)
          .AddCustom(
              "end",
              {.help = "Cron expression that closes the window.", .example = "0 18 * * *"},
              [](const Node& node, WindowSettings& out, Diagnostics& diagnostics) {
                out.end = ReadText(node, diagnostics);
              },
              ParamType::kString)
          .Add("desiredReplicas",
               &WindowSettings::desired_replicas,
               {.help = "Replicas while it is open; else those of the signal.",
                .min = 1,
                .max = kMaxReplicas});
  return kTable;
}

void ReadWindows(const Node& node, Settings& settings, Diagnostics& diagnostics) {
  if (!node.IsList() || node.items().empty() || node.items().size() > kMaxWindows) {
    diagnostics.Add(node,
                    node.from_metadata()
                        ? "metadata describes one window; use start, end and desiredReplicas, or "
                          "policySpec for several"
                        : "write a list of one to " + std::to_string(kMaxWindows) +
                              " windows, each with start and end");
    return;
  }
  for (const Node& item : node.items()) {
    WindowSettings window;
    if (WindowParams().Read(item, window, diagnostics)) settings.windows.push_back(window);
  }
}

const ParamTable<Settings>& Params() {
  static const auto kTable =
      ParamTable<Settings>()
          .AddCustom(
              "timezone",
              {.help = "IANA time zone in which the expressions and dates are read.",
               .required = true,
               .example = "America/New_York"},
              [](const Node& node, Settings& out, Diagnostics& diagnostics) {
                out.timezone = ReadText(node, diagnostics);
              },
              ParamType::kString)
          .AddCustom(
              "start",
              {.help =
                   "Cron expression (minute, hour, day of month, month, day of week) that opens "
                   "the window; required unless `windows` is given.",
               .example = "0 8 * * MON-FRI"},
              [](const Node& node, Settings& out, Diagnostics& diagnostics) {
                out.window.start = ReadText(node, diagnostics);
              },
              ParamType::kString)
          .AddCustom(
              "end",
              {.help =
                   "Cron expression that closes the window; required unless `windows` is given.",
               .example = "0 18 * * MON-FRI"},
              [](const Node& node, Settings& out, Diagnostics& diagnostics) {
                out.window.end = ReadText(node, diagnostics);
              },
              ParamType::kString)
          .AddCustom(
              "desiredReplicas",
              {.help = "Replicas of the scale target while a window is open; required unless every "
                       "window has its own.",
               .min = 1,
               .max = kMaxReplicas,
               .example = "10"},
              [](const Node& node, Settings& out, Diagnostics& diagnostics) {
                config::ReadValue(node,
                                  {.help = "", .min = 1, .max = kMaxReplicas},
                                  out.window.desired_replicas,
                                  diagnostics);
              },
              ParamType::kInteger)
          .Add("lead",
               &Settings::lead,
               {.help = "Open windows that much earlier, for the time nodes and executors take to "
                        "start; at most 24h. They close on time.",
                .fallback = "0s",
                .min = 0,
                .max = 24.0 * 60 * 60})
          .AddCustom("skipDates",
                     {.help = "Local dates; a window that starts on one of them does not open.",
                      .example = "[2026-12-25, 2027-01-01]"},
                     ReadSkipDates,
                     ParamType::kStringList)
          .AddCustom(
              "windows",
              {.help = "Several windows instead of one, each with `start`, `end` and, where it "
                       "differs, `desiredReplicas`; where they overlap the largest counts. Not "
                       "in flat trigger metadata.",
               .example = "[{start: \"0 8 * * *\", end: \"0 18 * * *\"}]"},
              ReadWindows);
  return kTable;
}

std::optional<Schedule> ReadSchedule(const std::optional<Text>& text,
                                     std::string_view key,
                                     const TimeZone& zone,
                                     const Node& node,
                                     Diagnostics& diagnostics) {
  if (!text) {
    diagnostics.Add(
        node, "every window needs '" + std::string(key) + "', a cron expression of five fields");
    return std::nullopt;
  }
  const Result<Schedule> schedule = Schedule::Parse(text->text, zone);
  if (!schedule) {
    diagnostics.Add(text->position,
                    text->path,
                    std::string(key) +
                        " is not a cron expression that can be used: " + schedule.error().message);
    return std::nullopt;
  }
  return *schedule;
}

/// Polls nothing but the calendar. Remembers its last answer for as long as that holds, and what is
/// to come until less than kScheduleAhead of it is left.
class CronSource final : public Source {
 public:
  explicit CronSource(std::shared_ptr<const Timetable> timetable)
      : timetable_(std::move(timetable)) {}

  Result<Observation> Poll(const PollContext& context) override {
    if (context.slot < since_ || context.slot >= plan_.until) {
      plan_ = timetable_->At(context.slot);
      since_ = context.slot;
    }
    Observation observation;
    observation.value = plan_.replicas;
    observation.next_change = plan_.next_change;
    if (context.slot < told_from_ || context.slot + kScheduleAhead > told_to_) {
      told_from_ = context.slot;
      told_to_ = context.slot + 2 * kScheduleAhead;
      upcoming_ = std::make_shared<const std::vector<ScheduledChange>>(
          timetable_->Changes(told_from_, told_to_));
    }
    observation.upcoming = upcoming_;
    observation.detail = plan_.replicas > 0 ? "window open" : "no window open";
    if (plan_.next_change) observation.detail += ", changes at " + FormatTime(*plan_.next_change);
    return observation;
  }

  Result<std::vector<Reading>> PastReadings(const SlotSpan& span,
                                            MonoTime /*deadline*/,
                                            const std::stop_token& /*stop*/) override {
    std::vector<Reading> readings;
    for (WallTime slot = span.first; slot <= span.last; slot += span.interval) {
      PollContext context;
      context.slot = slot;
      readings.push_back(ToReading(slot, Poll(context)));
    }
    return readings;
  }

 private:
  std::shared_ptr<const Timetable> timetable_;
  WallTime since_{};
  Timetable::Plan plan_;  ///< of since_; nothing yet while until is not later
  WallTime told_from_{};
  WallTime told_to_{};
  ScheduledChanges upcoming_;  ///< after told_from_, until told_to_
};

void ParseCron(const Node& node,
               const SignalContext& /*context*/,
               SignalDefinition& definition,
               Diagnostics& diagnostics) {
  Settings settings;
  if (!Params().Read(node, settings, diagnostics)) return;
  if (!settings.timezone) return;  // Said so already.

  const Result<TimeZone> zone = TimeZone::Find(settings.timezone->text);
  if (!zone) {
    diagnostics.Add(settings.timezone->position, settings.timezone->path, zone.error().message);
    return;
  }
  if (!settings.windows.empty() && (settings.window.start || settings.window.end)) {
    diagnostics.Add(node, "give either 'windows' or 'start' and 'end', not both");
    return;
  }
  if (settings.windows.empty()) settings.windows.push_back(settings.window);

  // Fixed order, and five fields in each expression: two different signals cannot read the same.
  std::string key = "cron\n" + settings.timezone->text + "\n" + FormatDuration(settings.lead);
  for (const local_days date : settings.skip_dates) {
    key += "\nskip " + std::to_string(date.time_since_epoch().count());
  }
  std::vector<Timetable::Entry> entries;
  for (const WindowSettings& window : settings.windows) {
    const auto start = ReadSchedule(window.start, "start", *zone, node, diagnostics);
    const auto end = ReadSchedule(window.end, "end", *zone, node, diagnostics);
    const auto replicas =
        window.desired_replicas ? window.desired_replicas : settings.window.desired_replicas;
    if (!replicas) {
      diagnostics.Add(
          node, "'desiredReplicas' is missing; say how many replicas an open window asks for");
    }
    if (!start || !end || !replicas) continue;
    if (*start == *end) {
      diagnostics.Add(window.end->position,
                      window.end->path,
                      "start and end are the same moments; the window would always be open");
      continue;
    }
    entries.push_back({Window(*start, *end, settings.skip_dates), *replicas});
    key += "\nwindow " + std::to_string(*replicas) + "\n" + window.start->text + "\n" +
           window.end->text;
  }
  if (entries.size() != settings.windows.size()) return;

  definition.source_key = std::move(key);
  definition.timing = {.interval = std::chrono::seconds(15),
                       .timeout = std::chrono::seconds(1),
                       .max_age = std::chrono::minutes(2)};
  definition.demand = {.target_size = 1, .activation = 0, .per = DemandRule::Per::kReplica};
  definition.make_source =
      [timetable = std::make_shared<const Timetable>(std::move(entries), settings.lead)] {
        return std::make_unique<CronSource>(timetable);
      };
}

}  // namespace

void RegisterCron(Registry& registry) {
  registry.Add(SignalType{.name = "cron",
                          .summary = "A number of replicas at certain times of day, week or year.",
                          .status = "stable",
                          .allowed_inline = true,
                          .connection_type = "",
                          .params = Params().infos(),
                          .parse = ParseCron});
}

}  // namespace stoker::scalers
