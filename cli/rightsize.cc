#include "cli/rightsize.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <optional>
#include <ostream>
#include <utility>

#include "cli/command.h"
#include "cli/version.h"
#include "core/text.h"
#include "core/units.h"
#include "rightsizing/catalogue.h"
#include "rightsizing/emit.h"
#include "rightsizing/evidence.h"
#include "rightsizing/plan_json.h"
#include "rightsizing/presets.h"
#include "rightsizing/report.h"
#include "rightsizing/sizing.h"

namespace stoker::cli {
namespace {

using rightsizing::Candidate;
using rightsizing::Format;
using rightsizing::Input;
using rightsizing::NodeShape;
using rightsizing::Plan;

/// What cost is counted by where no node is given.
constexpr const char* kReferenceNode = "m5.2xlarge";

/// Everything as typed; Resolve reads it.
struct Arguments {
  std::string data_size;
  std::string preset = "medium";
  std::string preset_file;
  std::string executor_cores;
  std::string executor_memory;
  std::string executor_overhead;
  std::string cluster_cores;
  std::string cluster_memory;
  std::string node_type;
  std::string node;
  std::string nodes;
  std::string daemon_sets;
  std::string price_file;
  std::string target_duration = "15m";
  std::string workload = "etl";
  std::string throughput;
  std::string shuffle_ratio;
  std::string partition_size;
  std::string result_size;
  std::string evidence;
  std::string off_heap;
  std::string pyspark_memory;
  std::string spark_version = "4.0";
  std::vector<std::string> settings;
  bool pyspark = false;
  bool spot = false;
  std::string compare;
  bool explain = false;
  std::string output;
  std::string format;
  bool helm_values = false;
};

tl::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

/// Reads options one after the other; the first mistake stays, with the option's name.
class Reader {
 public:
  /// Reads `text` with `parse` into `field`, where it was given.
  template <class Parse, class Field>
  void Read(const char* option, const std::string& text, const Parse& parse, Field& field) {
    if (!status_ || text.empty()) return;
    auto value = parse(text);
    if (value) {
      field = *std::move(value);
    } else {
      status_ = Invalid(std::string(option) + ": " + value.error().message);
    }
  }
  void Check(const Status& status) {
    if (status_) status_ = status;
  }
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  Status status_;
};

/// Also in Kubernetes' spelling: "4Gi".
Result<std::int64_t> ParseSize(std::string_view text) {
  return ParseBytes(text.ends_with('i') ? std::string(text) + "B" : std::string(text));
}

Result<std::int64_t> ParseAmount(std::string_view text) {
  Result<std::int64_t> bytes = ParseSize(text);
  if (bytes && *bytes == 0) return Invalid("must be more than 0");
  return bytes;
}

/// A bare number is GiB.
Result<std::int64_t> ParseClusterMemory(std::string_view text) {
  return ParseAmount(ParseNumber(text) ? std::string(text) + "g" : std::string(text));
}

Result<std::int64_t> ParseCpu(std::string_view text) {
  Result<std::int64_t> millis = ParseCpuMillis(text);
  if (millis && *millis == 0) return Invalid("must be more than 0");
  return millis;
}

Result<std::int64_t> ParseCount(std::string_view text) {
  Result<std::int64_t> count = ParseInteger(text);
  if (count && *count < 1) return Invalid("must be at least 1");
  return count;
}

Result<int> ParseCores(std::string_view text) {
  const Result<std::int64_t> count = ParseCount(text);
  if (!count) return Fail(count.error());
  if (*count > 512) return Invalid("must be at most 512");
  return static_cast<int>(*count);
}

/// "12MB" or "12MB/s".
Result<double> ParseThroughput(std::string_view text) {
  if (text.ends_with("/s")) text.remove_suffix(2);
  const Result<std::int64_t> bytes = ParseSize(text);
  if (!bytes) return Invalid("expected bytes by core and second, such as 12MB/s");
  return static_cast<double>(*bytes);
}

Result<rightsizing::WorkloadKind> ParseWorkload(std::string_view text) {
  using Kind = rightsizing::WorkloadKind;
  for (const Kind kind :
       {Kind::kEtl, Kind::kSql, Kind::kMl, Kind::kStreaming, Kind::kInteractive}) {
    if (rightsizing::Name(kind) == text) return kind;
  }
  return Invalid("expected etl, sql, ml, streaming or interactive");
}

Result<rightsizing::SparkVersion> ParseSparkVersion(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, '.');
  const Result<std::int64_t> major = ParseInteger(parts.front());
  const Result<std::int64_t> minor = parts.size() > 1 ? ParseInteger(parts[1]) : 0;
  if (!major || !minor || parts.size() > 3 || *major < 0 || *major > 99 || *minor < 0 ||
      *minor > 99) {
    return Invalid("expected a version such as 3.5");
  }
  return rightsizing::SparkVersion{static_cast<int>(*major), static_cast<int>(*minor)};
}

/// "8,32Gi" or "8,32Gi,100Gi": CPU, memory and local disk.
Result<NodeShape> ParseNode(std::string_view text) {
  constexpr const char* kExpected = "expected CPU,MEMORY such as 8,32Gi";
  const std::vector<std::string_view> parts = Split(text, ',');
  if (parts.size() < 2 || parts.size() > 3) return Invalid(kExpected);
  NodeShape node{.name = std::string(text)};
  const Result<std::int64_t> cpu = ParseCpu(Trim(parts[0]));
  const Result<std::int64_t> memory = ParseAmount(Trim(parts[1]));
  if (!cpu) return Invalid("CPU: " + cpu.error().message);
  if (!memory) return Invalid("memory: " + memory.error().message);
  node.cpu_millis = *cpu;
  node.memory_bytes = *memory;
  if (parts.size() == 3) {
    const Result<std::int64_t> disk = ParseAmount(Trim(parts[2]));
    if (!disk) return Invalid("disk: " + disk.error().message);
    node.ephemeral_bytes = *disk;
  }
  return node;
}

Result<rightsizing::DaemonSets> ParseDaemonSets(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, ',');
  if (parts.size() != 2) return Invalid("expected CPU,MEMORY such as 200m,256Mi");
  const Result<std::int64_t> cpu = ParseCpuMillis(Trim(parts[0]));
  const Result<std::int64_t> memory = ParseSize(Trim(parts[1]));
  if (!cpu) return Fail(cpu.error());
  if (!memory) return Fail(memory.error());
  return rightsizing::DaemonSets{.cpu_millis = *cpu, .memory_bytes = *memory};
}

/// "spark.KEY=VALUE".
Result<std::pair<std::string, std::string>> ParseSetting(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return Invalid("expected spark.KEY=VALUE");
  return std::pair{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

/// What was asked, and the data that names are looked up in.
class Question {
 public:
  static Result<Question> Resolve(const Arguments& arguments, const FileSystem& files) {
    Question question;
    Reader reader;
    question.ReadFiles(arguments, files, reader);
    question.ReadExecutor(arguments, reader);
    question.ReadWork(arguments, reader);
    question.ReadCluster(arguments, reader);
    if (!reader.status()) return Fail(reader.status().error());
    return question;
  }

  [[nodiscard]] Result<Plan> Answer() const { return rightsizing::Size(input_); }

  /// The plan with `name`, a preset or a node type, in place of what was given.
  Result<Plan> AnswerWith(std::string_view name) {
    Input input = input_;
    if (Result<rightsizing::Preset> preset = presets_.Find(name)) {
      input.executor = *std::move(preset);
      return rightsizing::Size(input);
    }
    Result<NodeShape> node = catalogue_.Find(name);
    if (!node) return Invalid("no preset of this name, and " + node.error().message);
    input.node = *std::move(node);
    return rightsizing::Size(input);
  }

 private:
  void ReadFiles(const Arguments& arguments, const FileSystem& files, Reader& reader) {
    if (!arguments.preset_file.empty()) {
      reader.Check(presets_.AddPath(arguments.preset_file, files));
    }
    if (!arguments.price_file.empty()) {
      reader.Check(catalogue_.AddPath(arguments.price_file, files));
    }
    reader.Read(
        "--evidence",
        arguments.evidence,
        [&](const std::string& path) -> Result<rightsizing::Evidence> {
          const Result<std::string> text = files.Read(path);
          if (!text) return Fail(text.error());
          return rightsizing::ParseEvidence(*text, path);
        },
        input_.evidence);
  }

  void ReadExecutor(const Arguments& arguments, Reader& reader) {
    rightsizing::Preset& executor = input_.executor;
    reader.Read(
        "--executor-preset",
        arguments.preset,
        [&](const std::string& name) { return presets_.Find(name); },
        executor);
    reader.Read("--executor-cores", arguments.executor_cores, ParseCores, executor.cores);
    reader.Read("--executor-memory", arguments.executor_memory, ParseAmount, executor.heap_bytes);
    reader.Read("--executor-memory-overhead",
                arguments.executor_overhead,
                ParseAmount,
                executor.overhead_bytes);
    if (!arguments.executor_cores.empty() || !arguments.executor_memory.empty()) {
      executor.name = "custom";
    }
    reader.Read("--off-heap", arguments.off_heap, ParseAmount, input_.off_heap_bytes);
    input_.pyspark = arguments.pyspark || !arguments.pyspark_memory.empty();
    reader.Read("--pyspark-memory", arguments.pyspark_memory, ParseAmount, input_.pyspark_bytes);
    reader.Read(
        "--spark-version", arguments.spark_version, ParseSparkVersion, input_.spark_version);
    for (const std::string& setting : arguments.settings) {
      reader.Read("--conf", setting, ParseSetting, input_.settings.emplace_back());
    }
  }

  void ReadWork(const Arguments& arguments, Reader& reader) {
    reader.Read("--data-size", arguments.data_size, ParseSize, input_.data_bytes);
    reader.Read(
        "--target-duration", arguments.target_duration, ParseDuration, input_.target_duration);
    reader.Read("--workload", arguments.workload, ParseWorkload, input_.kind);
    reader.Read("--throughput",
                arguments.throughput,
                ParseThroughput,
                input_.throughput_bytes_per_core_second);
    reader.Read("--shuffle-ratio", arguments.shuffle_ratio, ParseNumber, input_.shuffle_ratio);
    reader.Read("--partition-size", arguments.partition_size, ParseAmount, input_.partition_bytes);
    reader.Read("--result-size", arguments.result_size, ParseAmount, input_.result_bytes);
  }

  void ReadCluster(const Arguments& arguments, Reader& reader) {
    if (!arguments.node_type.empty() && !arguments.node.empty()) {
      reader.Check(Invalid("--node-type and --node exclude each other"));
    }
    const auto find = [&](const std::string& name) { return catalogue_.Find(name); };
    reader.Read("--cluster-cores", arguments.cluster_cores, ParseCpu, input_.cluster_cpu_millis);
    reader.Read("--cluster-memory",
                arguments.cluster_memory,
                ParseClusterMemory,
                input_.cluster_memory_bytes);
    reader.Read("--node-type", arguments.node_type, find, input_.node);
    reader.Read("--node", arguments.node, ParseNode, input_.node);
    reader.Read("--nodes", arguments.nodes, ParseCount, input_.node_count);
    reader.Read("--daemonsets", arguments.daemon_sets, ParseDaemonSets, input_.daemon_sets);
    if (!input_.node) {
      reader.Read("--price-file", std::string(kReferenceNode), find, input_.reference_node);
    }
    input_.spot = arguments.spot;
  }

  rightsizing::Presets presets_;
  rightsizing::Catalogue catalogue_;
  Input input_;
};

void AddOptions(CLI::App& app, Arguments& arguments) {
  const auto option =
      [&](const char* name, std::string& field, const char* help, const char* type) {
        return app.add_option(name, field, help)->type_name(type);
      };
  option(
      "--data-size", arguments.data_size, "What the job reads: 500GB, 1.5TB (binary units)", "SIZE")
      ->required()
      ->group("Job");
  option("--workload", arguments.workload, "etl, sql, ml, streaming or interactive", "KIND")
      ->capture_default_str()
      ->group("Job");
  option("--target-duration",
         arguments.target_duration,
         "How long it may run; streaming: the trigger interval, with --data-size per interval",
         "TIME")
      ->capture_default_str()
      ->group("Job");
  option("--throughput",
         arguments.throughput,
         "Measured bytes by core and second over the whole job, such as 12MB/s",
         "RATE")
      ->group("Job");
  option("--shuffle-ratio", arguments.shuffle_ratio, "Bytes shuffled by byte read", "NUMBER")
      ->group("Job");
  option("--partition-size", arguments.partition_size, "Size of a task's input [128m]", "SIZE")
      ->group("Job");
  option("--result-size", arguments.result_size, "What is collected to the driver", "SIZE")
      ->group("Job");
  option("--evidence", arguments.evidence, "Measurements of past runs, JSON", "FILE")->group("Job");

  option("--executor-preset", arguments.preset, "small, medium, large, xlarge or your own", "NAME")
      ->capture_default_str()
      ->group("Executor");
  option("--preset-file", arguments.preset_file, "Presets of your own, YAML", "FILE")
      ->group("Executor");
  option("--executor-cores", arguments.executor_cores, "Instead of the preset's", "COUNT")
      ->group("Executor");
  option("--executor-memory", arguments.executor_memory, "Heap, instead of the preset's", "SIZE")
      ->group("Executor");
  option("--executor-memory-overhead",
         arguments.executor_overhead,
         "Instead of max(10% of the heap, 384m), 40% for PySpark",
         "SIZE")
      ->group("Executor");
  app.add_flag("--pyspark", arguments.pyspark, "A Python application: its workers need overhead")
      ->group("Executor");
  option("--pyspark-memory", arguments.pyspark_memory, "spark.executor.pyspark.memory", "SIZE")
      ->group("Executor");
  option("--off-heap", arguments.off_heap, "spark.memory.offHeap.size", "SIZE")->group("Executor");
  option("--spark-version", arguments.spark_version, "Decides which settings are known", "VERSION")
      ->capture_default_str()
      ->group("Executor");
  app.add_option("--conf", arguments.settings, "A Spark setting to take along; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->group("Executor");

  option(
      "--cluster-cores", arguments.cluster_cores, "All that driver and executors may take", "CPU")
      ->group("Cluster");
  option("--cluster-memory", arguments.cluster_memory, "Likewise; a bare number is GiB", "SIZE")
      ->group("Cluster");
  option("--node-type", arguments.node_type, "Pack on nodes of this type: m5.2xlarge", "NAME")
      ->group("Cluster");
  option("--node", arguments.node, "Or on nodes of this size: 8,32Gi", "CPU,MEMORY[,DISK]")
      ->group("Cluster");
  option("--nodes", arguments.nodes, "At most so many of them", "COUNT")->group("Cluster");
  option("--daemonsets",
         arguments.daemon_sets,
         "What DaemonSets request on each node [200m,256Mi]",
         "CPU,MEMORY")
      ->group("Cluster");
  option("--price-file", arguments.price_file, "Node types and prices of your own, YAML", "FILE")
      ->group("Cluster");
  app.add_flag("--spot", arguments.spot, "Executors on spot nodes, the driver on demand")
      ->group("Cluster");

  option(
      "--compare", arguments.compare, "Presets or node types side by side: small,medium", "NAMES")
      ->group("Answer");
  app.add_flag("--explain", arguments.explain, "Show the arithmetic")->group("Answer");
  option("--output", arguments.output, "table, text, json or yaml [table]", "ENCODING")
      ->group("Answer");
  option("--format",
         arguments.format,
         "To paste: helm-values, spark-submit, "
         "spark-defaults,\nspark-application or spark-connect",
         "FORM")
      ->group("Answer");
  app.add_flag("--helm-values", arguments.helm_values, "The same as --format helm-values")
      ->group("Answer");
}

/// What is printed: one of the encodings, or something to paste.
struct Form {
  std::string output = "table";
  std::optional<Format> format;
};

Result<Form> ParseForm(const Arguments& arguments) {
  Form form;
  const std::string wanted = arguments.helm_values ? "helm-values" : arguments.format;
  if (!arguments.output.empty()) form.output = arguments.output;
  constexpr std::array<std::string_view, 4> kOutputs{"table", "text", "json", "yaml"};
  if (std::find(kOutputs.begin(), kOutputs.end(), form.output) == kOutputs.end()) {
    return Invalid("--output: expected table, text, json or yaml");
  }
  if (wanted.empty()) return form;
  if (arguments.helm_values && !arguments.format.empty()) {
    return Invalid("--helm-values and --format exclude each other");
  }
  if (!arguments.compare.empty() && wanted != "json") {
    return Invalid("--compare and --format exclude each other: paste one of them");
  }
  if (!arguments.output.empty()) return Invalid("--output and --format exclude each other");
  if (wanted == "json") {
    form.output = "json";
    return form;
  }
  form.format = rightsizing::FormatByName(wanted);
  if (form.format) return form;
  return Invalid(
      "--format: expected helm-values, spark-submit, spark-defaults, spark-application, "
      "spark-connect or json");
}

Result<std::string> Render(const Plan& plan, const Form& form, bool explain) {
  if (form.format) return rightsizing::Emit(plan, *form.format);
  if (form.output == "json") return rightsizing::JsonText(rightsizing::PlanJson(plan, explain));
  if (form.output == "yaml") return rightsizing::YamlText(rightsizing::PlanJson(plan, explain));
  if (form.output == "text") return rightsizing::Summary(plan);
  return rightsizing::Report(plan, explain);
}

/// Several answers side by side; those that cannot be are told. Fails when none can.
Result<std::string> Compare(Question& question, const Arguments& arguments, const Form& form) {
  std::vector<Candidate> candidates;
  for (const std::string_view part : Split(arguments.compare, ',')) {
    const std::string_view name = Trim(part);
    if (name.empty()) return Invalid("--compare: expected names such as small,medium,large");
    candidates.push_back({std::string(name), question.AnswerWith(name)});
  }
  const bool any =
      std::any_of(candidates.begin(), candidates.end(), [](const Candidate& candidate) {
        return candidate.plan.has_value();
      });
  if (!any) {
    return Invalid("--compare: " + candidates.front().name + ": " +
                   candidates.front().plan.error().message);
  }
  if (form.output == "table" || form.output == "text") return rightsizing::Comparison(candidates);
  nlohmann::ordered_json items = nlohmann::ordered_json::array();
  for (const Candidate& candidate : candidates) {
    nlohmann::ordered_json item{{"name", candidate.name}};
    if (candidate.plan) {
      item.update(rightsizing::PlanJson(*candidate.plan, arguments.explain));
    } else {
      item["error"] = {{"code", ErrorCodeName(candidate.plan.error().code)},
                       {"message", candidate.plan.error().message}};
    }
    items.push_back(std::move(item));
  }
  const nlohmann::ordered_json answer{{"items", items}};
  return form.output == "json" ? rightsizing::JsonText(answer) : rightsizing::YamlText(answer);
}

Result<std::string> Answer(const Arguments& arguments, const FileSystem& files) {
  const Result<Form> form = ParseForm(arguments);
  if (!form) return Fail(form.error());
  Result<Question> question = Question::Resolve(arguments, files);
  if (!question) return Fail(question.error());
  if (!arguments.compare.empty()) return Compare(*question, arguments, *form);
  const Result<Plan> plan = question->Answer();
  if (!plan) return Fail(plan.error());
  return Render(*plan, *form, arguments.explain);
}

}  // namespace

int Rightsize(std::vector<std::string> arguments,
              const FileSystem& files,
              std::ostream& out,
              std::ostream& err) {
  try {
    CLI::App app(
        "Sizes Spark executors: how many, how large, on which nodes, for how long and how much, "
        "and why.",
        "rightsize");
    app.set_version_flag("--version", std::string("rightsize ") + kVersion);
    app.footer(
        "Sizes are binary, as Spark reads them: 1g = 1GB = 1GiB = 1,073,741,824 bytes.\n"
        "Exit codes: 0 ok, 2 bad usage or input.\n\n"
        "Examples:\n"
        "  rightsize --data-size 1TB --executor-preset medium\n"
        "  rightsize --data-size 10TB --executor-preset large --cluster-cores 500 --cluster-memory "
        "2000\n"
        "  rightsize --data-size 1TB --compare m5.2xlarge,r5.xlarge --spot\n"
        "  rightsize --data-size 5TB --executor-preset medium --helm-values > values.yaml");
    Arguments parsed;
    AddOptions(app, parsed);
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
      app.parse(std::move(arguments));
    } catch (const CLI::Success& done) {  // --help, --version
      return app.exit(done, out, err);
    } catch (const CLI::ParseError& error) {
      err << "rightsize: " << error.what() << "; run `rightsize --help` for usage\n";
      return kUsage;
    }
    const Result<std::string> answer = Answer(parsed, files);
    if (!answer) {
      err << "rightsize: " << answer.error().message << '\n';
      return kUsage;
    }
    out << *answer << std::flush;
    return kOk;
  } catch (const std::exception& error) {
    err << "rightsize: internal error: " << error.what() << '\n';
    return kUsage;
  }
}

}  // namespace stoker::cli
