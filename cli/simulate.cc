#include "cli/simulate.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <utility>

#include "adapter/compile.h"
#include "adapter/reading_store.h"
#include "adapter/signal_csv.h"
#include "adapter/simulation.h"
#include "cli/simulation_text.h"
#include "cli/workshop.h"
#include "config/document.h"
#include "core/text.h"
#include "core/units.h"

namespace stoker::cli {
namespace {

using adapter::CompiledPolicy;

constexpr std::size_t kMostChanges = 40;
/// Two years of polls every 15 seconds.
constexpr std::int64_t kMostSlots = 4'500'000;

Result<std::shared_ptr<const adapter::CompiledConfig>> Compile(
    const std::vector<std::string>& paths, Workshop& workshop) {
  config::Diagnostics diagnostics;
  const Result<config::Document> document =
      config::LoadDocument(paths, workshop.files, workshop.environment, diagnostics);
  std::shared_ptr<const adapter::CompiledConfig> compiled;
  if (document) {
    compiled =
        adapter::CompileConfig(*document, workshop.registry, workshop.deps, nullptr, diagnostics);
  }
  if (compiled) return compiled;
  return Fail(ErrorCode::kInvalidArgument,
              diagnostics.empty() ? document.error().message : diagnostics.ToString());
}

Result<std::vector<const CompiledPolicy*>> Choose(const adapter::CompiledConfig& config,
                                                  const std::vector<std::string>& names) {
  std::vector<const CompiledPolicy*> chosen;
  std::vector<std::string_view> known;
  for (const auto& [name, policy] : config.policies) {
    known.push_back(name);
    if (names.empty()) chosen.push_back(&policy);
  }
  for (const std::string& name : names) {
    const auto found = config.policies.find(name);
    if (found == config.policies.end()) {
      const std::string_view nearest = NearestWord(name, known);
      return Fail(ErrorCode::kInvalidArgument,
                  "there is no policy '" + name + "' in the configuration" +
                      (nearest.empty() ? "" : "; did you mean '" + std::string(nearest) + "'?"));
    }
    chosen.push_back(&found->second);
  }
  if (chosen.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "the configuration has no policy to simulate");
  }
  return chosen;
}

/// "now", "-7d" or RFC 3339.
Result<WallTime> ParseWhen(const std::string& text, WallTime now, const char* option) {
  if (text == "now") return now;
  if (text.starts_with('-')) {
    if (const Result<Duration> ago = ParseDuration(std::string_view(text).substr(1))) {
      return now - *ago;
    }
  } else if (const Result<WallTime> time = ParseTime(text)) {
    return *time;
  }
  return Fail(ErrorCode::kInvalidArgument,
              std::string(option) + ": expected 2026-01-05T08:00:00Z, now, or an age as -7d");
}

/// Finds what the signals' polls found.
class Past {
 public:
  Past(const SimulateOptions& options, const adapter::CompiledConfig& config, Workshop& workshop)
      : options_(options),
        config_(config),
        workshop_(workshop),
        deadline_(workshop.clock.MonotonicNow() + options.timeout) {}

  Status ReadCsv() {
    const Result<std::string> text = workshop_.files.Read(options_.csv);
    if (!text) return Fail(ErrorCode::kInvalidArgument, text.error().message);
    Result<adapter::SignalColumns> columns = adapter::ParseSignalCsv(*text, options_.csv);
    if (!columns) return Fail(columns.error());
    columns_ = std::move(*columns);
    return {};
  }

  /// From and to; slots are whole multiples of `shortest` and `longest`.
  Result<std::pair<WallTime, WallTime>> Range(Duration shortest, Duration longest) const {
    const WallTime now = workshop_.clock.WallNow();
    WallTime from{};
    WallTime to = now;
    if (!columns_.empty()) {
      // Everything has been polled at the first common slot.
      const std::vector<Reading>& rows = columns_.begin()->second;
      from = adapter::SlotAt(rows.front().time, longest);
      if (from < rows.front().time) from += longest;
      to = rows.back().time + shortest;
    } else if (options_.from.empty()) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "say what to replay: --csv FILE, or --from (and --to) to ask the signals' sources");
    }
    if (!options_.from.empty()) {
      const Result<WallTime> given = ParseWhen(options_.from, now, "--from");
      if (!given) return Fail(given.error());
      from = *given;
    }
    if (!options_.to.empty()) {
      const Result<WallTime> given = ParseWhen(options_.to, now, "--to");
      if (!given) return Fail(given.error());
      to = *given;
    }
    if (to <= from) {
      return Fail(ErrorCode::kInvalidArgument,
                  "nothing to simulate between " + FormatTime(from) + " and " + FormatTime(to) +
                      "; --to must be later");
    }
    if ((to - from) / shortest > kMostSlots) {
      return Fail(ErrorCode::kInvalidArgument,
                  "over " + std::to_string(kMostSlots) +
                      " polls of a signal; simulate a shorter time, or raise interval");
    }
    return std::pair{from, to};
  }

  /// Readings of signal `index`, from what the first decision looks back on.
  Result<std::vector<Reading>> Of(const CompiledPolicy& compiled,
                                  std::size_t index,
                                  WallTime from,
                                  WallTime to) {
    const policy::Policy& policy = *compiled.policy;
    const Duration interval = policy.signals[index].timing.interval;
    return Of(compiled,
              index,
              {adapter::SlotAt(from - adapter::SimulationHistory(policy), interval),
               adapter::SlotAt(to - Duration(1), interval),
               interval});
  }

  /// What its forecasts are made from; nothing where it is not forecast.
  Result<std::vector<Reading>> HistoryOf(const CompiledPolicy& compiled,
                                         std::size_t index,
                                         WallTime from,
                                         WallTime to) {
    const policy::Policy& policy = *compiled.policy;
    if (!policy::IsForecast(policy, index)) return std::vector<Reading>{};
    const Duration step = policy.forecast->step;
    return Of(compiled,
              index,
              {adapter::SlotAt(from - policy.forecast->window, step),
               adapter::SlotAt(to - Duration(1), step),
               step});
  }

  /// Polls of the slots in `span`.
  Result<std::vector<Reading>> Of(const CompiledPolicy& compiled,
                                  std::size_t index,
                                  const scalers::SlotSpan& span) {
    const policy::Policy& policy = *compiled.policy;
    const policy::PolicySignal& signal = policy.signals[index];
    const scalers::SignalDefinition& definition = compiled.signals[index];
    for (const std::string& name : {policy.name + "." + signal.name, signal.name}) {
      const auto column = columns_.find(name);
      if (column == columns_.end()) continue;
      used_.insert(name);
      const Duration row_age = options_.row_age.value_or(signal.timing.max_age);
      shortest_row_age_ = std::min(shortest_row_age_, row_age);
      return adapter::ReadingsAt(column->second, span, row_age);
    }
    const std::string who =
        "policy " + policy.name + ", signal " + signal.name + " (" + signal.type + ")";
    // With a CSV at hand no upstream is asked; a schedule has none.
    if (columns_.empty() || definition.connection.empty()) {
      Result<std::vector<Reading>> readings = Ask(definition, span);
      if (!readings) return Fail(readings.error().code, who + ": " + readings.error().message);
      if (!readings->empty()) return readings;
    }
    if (!options_.recorded.empty()) return Recorded(policy.name, signal, span);
    return Fail(ErrorCode::kInvalidArgument,
                who + (columns_.empty() ? " cannot tell its past; " : " has no column; ") +
                    "give a CSV with a column '" + signal.name +
                    "', or --recorded CONNECTION to read stoker_signal_value from a Prometheus");
  }

  /// Remarks about the CSV.
  [[nodiscard]] std::vector<std::string> Notes() const {
    std::vector<std::string> notes;
    for (const auto& [name, rows] : columns_) {
      if (!used_.contains(name)) {
        notes.push_back("column '" + name + "' is no signal of the policies and is not used");
      }
    }
    if (columns_.empty() || used_.empty()) return notes;
    Duration gap{0};
    const std::vector<Reading>& rows = columns_.begin()->second;
    for (std::size_t i = 1; i < rows.size(); ++i) {
      gap = std::max(gap, rows[i].time - rows[i - 1].time);
    }
    if (gap > shortest_row_age_) {
      notes.push_back("rows are up to " + FormatDuration(gap) + " apart and count for " +
                      FormatDuration(shortest_row_age_) +
                      "; polls after that are faults, see --row-age");
    }
    return notes;
  }

 private:
  Result<std::vector<Reading>> Ask(const scalers::SignalDefinition& definition,
                                   const scalers::SlotSpan& span) {
    const std::string key = definition.source_key + "\n" + FormatDuration(span.interval) + "\n" +
                            FormatTime(span.first);
    const auto known = asked_.find(key);
    if (known != asked_.end()) return known->second;
    Result<std::vector<Reading>> readings =
        definition.make_source()->PastReadings(span, deadline_, {});
    if (readings) asked_[key] = *readings;
    return readings;
  }

  /// What Stoker itself exported of the signal.
  Result<std::vector<Reading>> Recorded(const std::string& policy,
                                        const policy::PolicySignal& signal,
                                        const scalers::SlotSpan& span) {
    const std::map<std::string, std::string> keys = {
        {"type", "prometheus"},
        {"connection", options_.recorded},
        // Names are letters, digits and hyphens or underscores: nothing to escape.
        {"query",
         "max(stoker_signal_value{policy=\"" + policy + "\",signal=\"" + signal.name + "\"})"},
        {"threshold", "1"}};
    config::Diagnostics diagnostics;
    const std::optional<scalers::SignalDefinition> definition = workshop_.registry.ParseSignal(
        config::Node::FromMetadata(keys),
        {config_.connections, "", /*inline_object=*/false, workshop_.deps},
        diagnostics);
    if (!definition) {
      return Fail(ErrorCode::kInvalidArgument, "--recorded: " + diagnostics.items()[0].message);
    }
    return Ask(*definition, span);
  }

  const SimulateOptions& options_;
  const adapter::CompiledConfig& config_;
  Workshop& workshop_;
  const MonoTime deadline_;
  adapter::SignalColumns columns_;
  std::set<std::string> used_;
  Duration shortest_row_age_ = Duration::max();
  std::map<std::string, std::vector<Reading>> asked_;
};

Status TrySimulate(const SimulateOptions& options, Terminal& terminal) {
  Workshop workshop;
  const auto config = Compile(options.config, workshop);
  if (!config) return Fail(config.error());
  const auto chosen = Choose(**config, options.policies);
  if (!chosen) return Fail(chosen.error());

  Duration shortest = Duration::max();
  Duration longest{0};
  for (const CompiledPolicy* compiled : *chosen) {
    for (const policy::PolicySignal& signal : compiled->policy->signals) {
      shortest = std::min(shortest, signal.timing.interval);
      longest = std::max(longest, signal.timing.interval);
    }
  }
  Past past(options, **config, workshop);
  if (!options.csv.empty()) {
    if (const Status read = past.ReadCsv(); !read) return read;
  }
  const auto range = past.Range(shortest, longest);
  if (!range) return Fail(range.error());
  const adapter::SimulationOptions simulation{
      .from = range->first, .to = range->second, .startup = options.startup};

  std::vector<SimulatedPolicy> policies;
  for (const CompiledPolicy* compiled : *chosen) {
    const policy::Policy& policy = *compiled->policy;
    std::vector<std::vector<Reading>> readings;
    std::vector<std::vector<Reading>> histories;
    for (std::size_t i = 0; i < policy.signals.size(); ++i) {
      Result<std::vector<Reading>> of_signal =
          past.Of(*compiled, i, simulation.from, simulation.to);
      if (!of_signal) return Fail(of_signal.error());
      readings.push_back(std::move(*of_signal));
      Result<std::vector<Reading>> history =
          past.HistoryOf(*compiled, i, simulation.from, simulation.to);
      if (!history) return Fail(history.error());
      histories.push_back(std::move(*history));
    }
    policies.push_back({policy.name,
                        policy.replicas.executors_per_replica,
                        adapter::Simulate(policy, readings, simulation, histories)});
  }
  for (const std::string& note : past.Notes()) terminal.err << "note: " << note << '\n';

  const Duration step = options.step.value_or(shortest);
  const bool all = options.timeline == "all";
  if (options.json) {
    terminal.out << SimulationJson(
        policies, simulation, options.timeline != "none", all ? step : Duration::zero());
    return {};
  }
  terminal.out << FormatTime(simulation.from) << " to " << FormatTime(simulation.to) << ", startup "
               << FormatDuration(options.startup) << "\n\n"
               << FiguresTable(policies);
  if (options.plot) terminal.out << '\n' << Plot(policies, options.width, options.ascii);
  if (all) {
    terminal.out << '\n' << StepsTable(policies, step);
  } else if (options.timeline == "changes") {
    terminal.out << '\n' << ChangesTable(policies, kMostChanges);
  }
  return {};
}

/// Columns of the terminal that stdout is.
int TerminalWidth() {
  winsize size{};
  constexpr int kWidest = 200;  // wider than that nobody reads
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return std::min<int>(size.ws_col, kWidest);
}

/// The command line's texts, where they are no plain strings or numbers.
struct Texts {
  std::string startup = "60s";
  std::string step;
  std::string row_age;
  std::string timeout = "60s";
  std::string output = "table";
  bool no_plot = false;
};

const char* IsDurationText() { return "DURATION"; }

std::string CheckDuration(const std::string& text) {
  const Result<Duration> duration = ParseDuration(text);
  return duration ? std::string() : duration.error().message;
}

}  // namespace

int Simulate(const SimulateOptions& options, Terminal& terminal) {
  const Status status = TrySimulate(options, terminal);
  if (status) return kOk;
  terminal.err << "stoker simulate: " << status.error().message << '\n';
  return status.error().code == ErrorCode::kInvalidArgument ? kUsage : kUpstream;
}

void AddSimulateCommand(CLI::App& app, Terminal& terminal, Run& run) {
  auto options = std::make_shared<SimulateOptions>();
  auto texts = std::make_shared<Texts>();
  CLI::App* command = app.add_subcommand(
      "simulate", "Replay the past through policies: what they would have wanted, cost and missed");
  const CLI::Validator duration(CheckDuration, IsDurationText());
  command
      ->add_option("-c,--config",
                   options->config,
                   "Configuration file or folder of *.yaml; may be given several times")
      ->required()
      ->allow_extra_args(false)
      ->envname("STOKER_CONFIG");
  command
      ->add_option("-p,--policy",
                   options->policies,
                   "Policy to simulate; several stand side by side. Default: all")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command
      ->add_option("--csv", options->csv, "Values over time, a column per signal: time,backlog,...")
      ->type_name("FILE");
  command
      ->add_option("--from",
                   options->from,
                   "Begin here: 2026-01-05T08:00:00Z, or an age as -7d. Without --csv the "
                   "signals' sources are asked for their past")
      ->type_name("TIME");
  command->add_option("--to", options->to, "End here. Default: now, or the last row of the CSV")
      ->type_name("TIME");
  command
      ->add_option("--recorded",
                   options->recorded,
                   "Prometheus connection with Stoker's own metrics, for signals that cannot tell "
                   "their past")
      ->type_name("CONNECTION");
  command->add_option("--startup", texts->startup, "From an executor wanted to one that runs")
      ->check(duration)
      ->capture_default_str();
  command
      ->add_option("--row-age",
                   texts->row_age,
                   "How long a row of the CSV counts; polls after that are faults. Default: the "
                   "signal's maxAge")
      ->check(duration);
  command->add_option("--timeout", texts->timeout, "For asking about the past")
      ->check(duration)
      ->capture_default_str();
  command->add_option("-o,--output", texts->output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str()
      ->group("Output");
  command
      ->add_option("--timeline",
                   options->timeline,
                   "changes (of the target, each with its reason), all (every --step) or none")
      ->check(CLI::IsMember({"changes", "all", "none"}))
      ->capture_default_str()
      ->group("Output");
  command->add_option("--step", texts->step, "Of --timeline all. Default: the shortest interval")
      ->check(duration)
      ->group("Output");
  command
      ->add_flag(
          "--plot,!--no-plot", options->plot, "Draw executors and demand. Default: on a terminal")
      ->group("Output");
  command->add_flag("--ascii", options->ascii, "Draw with ASCII characters alone")->group("Output");
  command
      ->add_option("--width", options->width, "Columns to draw in. Default: the terminal's, or 80")
      ->check(CLI::Range(40, 1000))
      ->group("Output");
  command->footer(
      "Figures, each a policy's own:\n"
      "  executor-hours          executors paid for: from wanted until released\n"
      "  demanded executor-hours what the signals ask for, before headroom, bounds, scaleDown\n"
      "  waiting executor-hours  demand that found no running executor: still starting, or not\n"
      "                          wanted by the policy\n"
      "  time short              share of time with demand above what runs\n"
      "  time held               with a signal's last good reading serving, see onFault\n"
      "  time without a target   UNAVAILABLE to KEDA; the last target goes on\n"
      "The workload follows the target at once: KEDA's and the HPA's own delays are not in it.\n\n"
      "In a CSV, times are RFC 3339 or seconds since 1970; a column is a signal's name or\n"
      "POLICY.SIGNAL; an empty cell is an empty answer, `fault` a failed poll. Schedules need no\n"
      "column. Exit 0, 2 for bad usage or input, 3 when a source cannot be asked.\n\n"
      "Examples:\n"
      "  stoker simulate -c stoker.yaml --policy etl --policy etl-slow --csv backlog.csv\n"
      "  stoker simulate -c stoker.yaml --policy etl --from -7d\n"
      "  stoker simulate -c stoker.yaml --from -24h --recorded main --output json");
  command->callback([=, &terminal, &run] {
    run = [=, &terminal] {
      options->startup = *ParseDuration(texts->startup);
      options->timeout = *ParseDuration(texts->timeout);
      if (!texts->step.empty()) options->step = *ParseDuration(texts->step);
      if (!texts->row_age.empty()) options->row_age = *ParseDuration(texts->row_age);
      if (options->step && *options->step <= Duration::zero()) {
        terminal.err << "stoker simulate: --step must be above 0s\n";
        return static_cast<int>(kUsage);
      }
      options->json = texts->output == "json";
      if (command->count("--plot") == 0) options->plot = terminal.out_is_terminal;
      if (command->count("--width") == 0 && terminal.out_is_terminal) {
        options->width = TerminalWidth();
      }
      return Simulate(*options, terminal);
    };
  });
}

}  // namespace stoker::cli
