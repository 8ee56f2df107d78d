#include "cli/simulation_text.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include <nlohmann/json.hpp>

#include "cli/text_table.h"
#include "core/text.h"
#include "core/units.h"

namespace stoker::cli {
namespace {

using adapter::SimulatedChange;
using adapter::SimulatedSpan;
using adapter::SimulationFigures;
using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

constexpr int kPlotHeight = 8;
constexpr int kAxisWidth = 9;

double Round(double value) { return std::round(value * 100) / 100; }

std::string Short(double value) { return FormatNumber(Round(value)); }

std::string Share(double share) { return FormatNumber(std::round(share * 1000) / 10) + "%"; }

std::string Seconds(Duration duration) {
  return FormatDuration(std::chrono::round<std::chrono::seconds>(duration));
}

double InSeconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

double MeanExecutors(const SimulationFigures& figures) {
  return figures.hours > 0 ? figures.executor_hours / figures.hours : 0;
}

std::string Target(int target, bool available) {
  return std::to_string(target) + (available ? "" : " (unavailable)");
}

/// Calls `with` for each multiple of `step` from the beginning on and the span it falls in.
void EachStep(const std::vector<SimulatedSpan>& spans,
              Duration step,
              const std::function<void(WallTime, const SimulatedSpan&)>& with) {
  if (spans.empty()) return;
  WallTime time = spans.front().begin;
  for (const SimulatedSpan& span : spans) {
    for (; time < span.end; time += step) with(time, span);
  }
}

/// Means over `count` equal parts of the whole time, in executors.
struct Means {
  std::vector<double> target;
  std::vector<double> demand;
};

Means MeansOf(const SimulatedPolicy& policy, std::size_t count) {
  Means means{std::vector<double>(count), std::vector<double>(count)};
  const std::vector<SimulatedSpan>& spans = policy.simulation.spans;
  if (spans.empty()) return means;
  const WallTime from = spans.front().begin;
  const double part = InSeconds(spans.back().end - from) / static_cast<double>(count);
  for (const SimulatedSpan& span : spans) {
    const double begin = InSeconds(span.begin - from) / part;
    const double end = InSeconds(span.end - from) / part;
    for (auto i = static_cast<std::size_t>(begin); i < count && static_cast<double>(i) < end; ++i) {
      const double share =
          std::min(end, static_cast<double>(i + 1)) - std::max(begin, static_cast<double>(i));
      means.target[i] += share * span.target * policy.executors_per_replica;
      means.demand[i] += share * span.demand * policy.executors_per_replica;
    }
  }
  return means;
}

/// What the cells of a chart look like.
struct Glyphs {
  const char* met;
  const char* beyond;
  const char* unmet;
  const char* axis;
  const char* corner;
  const char* line;
};
constexpr Glyphs kBlocks{"█", "░", "×", "│", "└", "─"};
constexpr Glyphs kAscii{"#", ".", "!", "|", "+", "-"};

void AppendChart(const Means& means, double top, const Glyphs& glyphs, std::string& text) {
  for (int row = kPlotHeight - 1; row >= 0; --row) {
    const double height = top * row / kPlotHeight;
    std::string label = row == kPlotHeight - 1 ? Short(top) : "";
    std::string line =
        std::string(kAxisWidth - 2 - std::min<std::size_t>(label.size(), kAxisWidth - 2), ' ') +
        label + " " + glyphs.axis;
    std::string blanks;
    for (std::size_t i = 0; i < means.target.size(); ++i) {
      const bool wanted = means.target[i] > height;
      const bool demanded = means.demand[i] > height;
      if (!wanted && !demanded) {
        blanks += ' ';
        continue;
      }
      line += std::exchange(blanks, "");
      line += wanted ? (demanded ? glyphs.met : glyphs.beyond) : glyphs.unmet;
    }
    text += line + "\n";
  }
  text += std::string(kAxisWidth - 3, ' ') + "0 " + glyphs.corner;
  for (std::size_t i = 0; i < means.target.size(); ++i) text += glyphs.line;
  text += "\n";
}

Json FiguresJson(const SimulationFigures& figures) {
  return {{"executor_hours", figures.executor_hours},
          {"demanded_executor_hours", figures.demanded_executor_hours},
          {"waiting_executor_hours", figures.waiting_executor_hours},
          {"mean_executors", MeanExecutors(figures)},
          {"peak_replicas", figures.peak_replicas},
          {"increases", figures.increases},
          {"decreases", figures.decreases},
          {"short_share", figures.short_share},
          {"at_min_share", figures.at_min_share},
          {"at_max_share", figures.at_max_share},
          {"held_seconds", InSeconds(figures.held)},
          {"unavailable_seconds", InSeconds(figures.unavailable)}};
}

}  // namespace

std::string FiguresTable(const std::vector<SimulatedPolicy>& policies) {
  Rows rows;
  const auto add = [&](const char* name,
                       const std::function<std::string(const SimulatedPolicy&)>& value) {
    rows.push_back({name});
    for (const SimulatedPolicy& policy : policies) rows.back().push_back(value(policy));
  };
  const auto figure = [&](const char* name,
                          const std::function<std::string(const SimulationFigures&)>& value) {
    add(name, [&](const SimulatedPolicy& policy) { return value(policy.simulation.figures); });
  };
  add("", [](const SimulatedPolicy& policy) { return policy.name; });
  figure("executor-hours", [](const auto& f) { return Short(f.executor_hours); });
  figure("demanded executor-hours", [](const auto& f) { return Short(f.demanded_executor_hours); });
  figure("mean executors", [](const auto& f) { return Short(MeanExecutors(f)); });
  figure("peak replicas", [](const auto& f) { return std::to_string(f.peak_replicas); });
  figure("target changes", [](const auto& f) {
    return std::to_string(f.increases + f.decreases) + " (" + std::to_string(f.increases) +
           " up, " + std::to_string(f.decreases) + " down)";
  });
  figure("waiting executor-hours", [](const auto& f) { return Short(f.waiting_executor_hours); });
  figure("time short", [](const auto& f) { return Share(f.short_share); });
  figure("time at min", [](const auto& f) { return Share(f.at_min_share); });
  figure("time at max", [](const auto& f) { return Share(f.at_max_share); });
  figure("time held", [](const auto& f) { return Seconds(f.held); });
  figure("time without a target", [](const auto& f) { return Seconds(f.unavailable); });
  return TextTable(rows, "");
}

std::string ChangesTable(const std::vector<SimulatedPolicy>& policies, std::size_t most) {
  std::vector<std::pair<const SimulatedPolicy*, const SimulatedChange*>> all;
  for (const SimulatedPolicy& policy : policies) {
    for (const SimulatedChange& change : policy.simulation.changes) {
      all.emplace_back(&policy, &change);
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.second->time < b.second->time;
  });
  Rows rows{{"TIME", "POLICY", "REPLICAS", "WHY"}};
  for (const auto& [policy, change] : all) {
    if (rows.size() > most) break;
    const std::string before = change->before ? std::to_string(*change->before) + " -> " : "";
    rows.push_back({FormatTime(change->time),
                    policy->name,
                    before + Target(change->target, change->available),
                    change->why});
  }
  std::string text = TextTable(rows, "");
  if (all.size() > most) {
    text += "... and " + std::to_string(all.size() - most) +
            " more changes; --output json has them all\n";
  }
  return text;
}

std::string StepsTable(const std::vector<SimulatedPolicy>& policies, Duration step) {
  Rows rows{{"TIME"}};
  for (const SimulatedPolicy& policy : policies) {
    std::size_t row = 0;
    for (const char* column : {"", " DEMAND", " RUNNING"}) rows[0].push_back(policy.name + column);
    EachStep(policy.simulation.spans, step, [&](WallTime time, const SimulatedSpan& span) {
      if (++row == rows.size()) rows.push_back({FormatTime(time)});
      rows[row].push_back(Target(span.target, span.available));
      rows[row].push_back(Short(span.demand));
      rows[row].push_back(std::to_string(span.running));
    });
  }
  return TextTable(rows, "");
}

std::string Plot(const std::vector<SimulatedPolicy>& policies, int width, bool ascii) {
  const Glyphs& glyphs = ascii ? kAscii : kBlocks;
  const auto columns = static_cast<std::size_t>(std::max(width - kAxisWidth, 20));
  std::vector<Means> means;
  double most_wanted = 1;
  double most_demanded = 0;
  for (const SimulatedPolicy& policy : policies) {
    means.push_back(MeansOf(policy, columns));
    most_wanted = std::max(most_wanted, std::ranges::max(means.back().target));
    most_demanded = std::max(most_demanded, std::ranges::max(means.back().demand));
  }
  // Demand far beyond all targets would squeeze what there is to see.
  const double top = std::ceil(std::max(most_wanted, std::min(most_demanded, 2 * most_wanted)));
  std::string text;
  for (std::size_t i = 0; i < policies.size(); ++i) {
    text += "executors of " + policies[i].name + "   " + glyphs.met + " demand met  " +
            glyphs.beyond + " beyond demand  " + glyphs.unmet + " demand beyond the target\n";
    AppendChart(means[i], top, glyphs, text);
    const std::vector<SimulatedSpan>& spans = policies[i].simulation.spans;
    if (spans.empty()) continue;
    const std::string from = FormatTime(spans.front().begin);
    const std::string to = FormatTime(spans.back().end);
    const std::size_t used = from.size() + to.size();
    text += std::string(kAxisWidth, ' ') + from +
            std::string(columns > used ? columns - used : 1, ' ') + to + "\n";
  }
  return text;
}

std::string SimulationJson(const std::vector<SimulatedPolicy>& policies,
                           const adapter::SimulationOptions& options,
                           bool timeline,
                           Duration step) {
  Json items = Json::array();
  for (const SimulatedPolicy& policy : policies) {
    Json item{{"policy", policy.name}, {"executors_per_replica", policy.executors_per_replica}};
    item["figures"] = FiguresJson(policy.simulation.figures);
    if (timeline && step > Duration::zero()) {
      Json& steps = item["steps"] = Json::array();
      EachStep(policy.simulation.spans, step, [&](WallTime time, const SimulatedSpan& span) {
        steps.push_back({{"time", FormatTime(time)},
                         {"target_replicas", span.target},
                         {"running_replicas", span.running},
                         {"demand_replicas", span.demand},
                         {"available", span.available},
                         {"held", span.held}});
      });
    } else if (timeline) {
      Json& changes = item["changes"] = Json::array();
      for (const SimulatedChange& change : policy.simulation.changes) {
        changes.push_back(
            {{"time", FormatTime(change.time)},
             {"target_replicas_before", change.before ? Json(*change.before) : Json()},
             {"target_replicas", change.target},
             {"available", change.available},
             {"why", change.why}});
      }
    }
    items.push_back(std::move(item));
  }
  const Json json{{"from", FormatTime(options.from)},
                  {"to", FormatTime(options.to)},
                  {"startup_seconds", InSeconds(options.startup)},
                  {"policies", std::move(items)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace stoker::cli
