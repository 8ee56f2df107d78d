#include "rightsizing/report.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "core/units.h"
#include "rightsizing/text.h"

namespace stoker::rightsizing {
namespace {

using Row = std::vector<std::string>;

/// Columns under each other, two blanks apart and two before the first.
std::string Table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += " " + row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - row[i].size() + 1, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string PodText(const Pod& pod) {
  const PodMemory& memory = pod.memory;
  std::string text = CountText(pod.cores, "core") + "; " + SizeText(memory.heap_bytes) +
                     " heap + " + SizeText(memory.overhead_bytes) + " overhead";
  if (memory.off_heap_bytes > 0) text += " + " + SizeText(memory.off_heap_bytes) + " off-heap";
  if (memory.pyspark_bytes > 0) text += " + " + SizeText(memory.pyspark_bytes) + " PySpark";
  return text + " = " + SizeText(memory.Total()) + ", request and limit";
}

std::string Percent(std::int64_t part, std::int64_t whole) {
  if (whole <= 0) return "0%";
  return DecimalText(static_cast<double>(part) / static_cast<double>(whole) * 100, 0) + "%";
}

std::string Headline(const Plan& plan) {
  const std::string& name = plan.input.executor.name;
  return CountText(plan.executors, name.empty() ? "executor" : name + " executor") + " for " +
         SizeText(plan.input.data_bytes) + " of " + std::string(Name(plan.input.kind)) +
         ", target " + FormatDuration(plan.input.target_duration) + ".\n" + plan.reason + "\n";
}

std::string AdviceText(const Plan& plan) {
  std::string text;
  for (const Advice& advice : plan.advice) {
    text += (advice.severity == Advice::Severity::kWarning ? "warning: " : "note: ") + advice.text +
            "\n";
  }
  return text;
}

std::string DurationText(const Plan& plan) {
  std::string text = SecondsText(plan.duration_seconds);
  if (plan.duration_low_seconds < plan.duration_high_seconds) {
    text += " (" + SecondsText(plan.duration_low_seconds) + " to " +
            SecondsText(plan.duration_high_seconds) + ")";
  }
  return text;
}

std::string ExecutorsText(const Plan& plan) {
  if (!plan.dynamic_allocation) {
    return std::to_string(plan.executors) + ", always: batches must keep up";
  }
  return std::to_string(plan.executors) + ": min " + std::to_string(plan.min_executors) +
         ", initial " + std::to_string(plan.initial_executors) + ", max " +
         std::to_string(plan.max_executors);
}

std::string NodesText(const NodePlan& nodes) {
  const Packing& packing = nodes.packing;
  std::string text = std::to_string(packing.nodes + nodes.driver_nodes) + " x " + nodes.shape.name +
                     ", " + CountText(packing.per_node, "executor") + " on each";
  if (nodes.driver_nodes > 0) text += " but the driver's";
  return text + "; unused " +
         Percent(packing.stranded.cpu_millis, nodes.allocatable.cpu_millis * packing.nodes) +
         " of CPU, " +
         Percent(packing.stranded.memory_bytes, nodes.allocatable.memory_bytes * packing.nodes) +
         " of memory";
}

std::string CostText(const Plan& plan) {
  const Cost& cost = *plan.cost;
  const bool runs = plan.input.kind != WorkloadKind::kStreaming;  // that one never ends
  const auto both = [&](double run, double hour) {
    return (runs ? DollarText(run) + " a run, " : "") + DollarText(hour) + " an hour";
  };
  std::string text = both(cost.per_run, cost.per_hour);
  if (plan.input.spot) {
    text += " on spot; on demand " + both(cost.on_demand_per_run, cost.on_demand_per_hour);
  }
  return text;
}

std::vector<Row> Rows(const Plan& plan) {
  std::vector<Row> rows{{"Executors", ExecutorsText(plan)},
                        {"Each", PodText(plan.executor)},
                        {"",
                         SizeText(plan.task_memory_bytes) + " for a running task; " +
                             SizeText(plan.executor.ephemeral_bytes) + " of scratch disk"},
                        {"Driver", PodText(plan.driver)},
                        {"Total",
                         CountText(plan.total_cores, "core") + ", " +
                             SizeText(plan.total.memory_bytes) + ", with the driver"}};
  if (plan.nodes) rows.push_back({"Nodes", NodesText(*plan.nodes)});
  rows.push_back({"Duration", DurationText(plan)});
  rows.push_back({"",
                  CountText(plan.tasks, "task") + " of " + SecondsText(plan.task_seconds) + " in " +
                      CountText(plan.waves, "wave") + " of " + std::to_string(plan.slots) + "; " +
                      RateText(plan.throughput_bytes_per_core_second) + " by core, " +
                      plan.throughput_source});
  rows.push_back({"Shuffle",
                  CountText(plan.shuffle_partitions, "partition") + " of " +
                      SizeText(plan.shuffle_partition_bytes)});
  if (plan.cost) {
    rows.push_back({"Cost", CostText(plan)});
    rows.push_back({"", plan.cost->basis});
  } else {
    rows.push_back({"Cost", "not known: give --node-type, or a price with --price-file"});
  }
  return rows;
}

}  // namespace

std::string Report(const Plan& plan, bool steps) {
  std::string text = Headline(plan) + "\n" + Table(Rows(plan));
  if (steps) {
    std::vector<Row> rows;
    for (const Step& step : plan.steps) {
      rows.push_back({step.name, step.formula, "= " + step.value});
    }
    text += "\nArithmetic\n" + Table(rows);
  }
  const std::string advice = AdviceText(plan);
  return advice.empty() ? text : text + "\n" + advice;
}

std::string Summary(const Plan& plan) {
  std::string text = Headline(plan);
  text += "It takes " + DurationText(plan);
  if (plan.cost) text += " and costs " + CostText(plan);
  return text + ".\n" + AdviceText(plan);
}

std::string Comparison(const std::vector<Candidate>& candidates) {
  const auto cost = [](const Candidate& candidate) {
    return candidate.plan && candidate.plan->cost && candidate.plan->meets_target
               ? candidate.plan->cost->per_run
               : std::numeric_limits<double>::infinity();
  };
  double least = std::numeric_limits<double>::infinity();
  for (const Candidate& candidate : candidates) least = std::min(least, cost(candidate));
  std::vector<Row> rows{{" ",
                         "",
                         "EXECUTORS",
                         "CORES",
                         "MEMORY",
                         "NODES",
                         "DURATION",
                         "$/HOUR",
                         "$/RUN",
                         "BOUND BY"}};
  std::string refusals;
  bool marked = false;
  for (const Candidate& candidate : candidates) {
    if (!candidate.plan) {
      refusals += candidate.name + ": " + candidate.plan.error().message + "\n";
      continue;
    }
    const Plan& plan = *candidate.plan;
    const bool best = std::isfinite(least) && cost(candidate) <= least;
    marked = marked || best;
    rows.push_back({best ? "*" : " ",
                    candidate.name,
                    std::to_string(plan.executors),
                    std::to_string(plan.total_cores),
                    SizeText(plan.total.memory_bytes),
                    plan.nodes
                        ? std::to_string(plan.nodes->packing.nodes + plan.nodes->driver_nodes) +
                              " x " + plan.nodes->shape.name
                        : "-",
                    SecondsText(plan.duration_seconds),
                    plan.cost ? DollarText(plan.cost->per_hour).substr(1) : "-",
                    plan.cost ? DollarText(plan.cost->per_run).substr(1) : "-",
                    std::string(Name(plan.binding))});
  }
  std::string text = Table(rows);
  if (marked) text += "  * cheapest run within the target\n";
  return refusals.empty() ? text : text + "\n" + refusals;
}

}  // namespace stoker::rightsizing
