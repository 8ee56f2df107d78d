#include "rightsizing/emit.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/units.h"
#include "rightsizing/plan_json.h"
#include "rightsizing/text.h"

namespace stoker::rightsizing {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::pair<std::string_view, Format>, 5> kFormats{
    {{"helm-values", Format::kHelmValues},
     {"spark-submit", Format::kSparkSubmit},
     {"spark-defaults", Format::kSparkDefaults},
     {"spark-application", Format::kSparkApplication},
     {"spark-connect", Format::kSparkConnect}}};

/// What for, why and what to heed, as comment lines.
std::string Heading(const Plan& plan) {
  std::string text = "# " + SizeText(plan.input.data_bytes) + " of " +
                     std::string(Name(plan.input.kind)) + ", target " +
                     FormatDuration(plan.input.target_duration) + ": " + plan.reason + "\n";
  for (const Advice& advice : plan.advice) {
    if (advice.severity == Advice::Severity::kWarning) text += "# Warning: " + advice.text + ".\n";
  }
  return text;
}

/// The settings without those that have a place of their own. A name that ends in "." stands for
/// all that start with it.
Json OtherSettings(const Plan& plan, std::initializer_list<std::string_view> elsewhere) {
  Json settings = Json::object();
  for (const auto& [key, value] : plan.spark_conf) {
    const bool has_place =
        std::any_of(elsewhere.begin(), elsewhere.end(), [&, &name = key](std::string_view other) {
          return other.ends_with('.') ? name.starts_with(other) : name == other;
        });
    if (!has_place) settings[key] = value;
  }
  return settings;
}

/// The plan as a Connect server is told it. To Spark that is a Java program, whatever its clients
/// are written in, so that it does not count spark.executor.pyspark.memory into an executor's pod
/// (ResourceProfile.getResourcesForClusterManager); the overhead must hold it.
Plan ForConnect(Plan plan) {
  plan.executor.memory.overhead_bytes += plan.executor.memory.pyspark_bytes;
  for (auto& [key, value] : plan.spark_conf) {
    if (key == "spark.executor.memoryOverhead") {
      value = FormatSparkBytes(plan.executor.memory.overhead_bytes);
    }
  }
  return plan;
}

std::string HelmValues(const Plan& plan) {
  Json connect;
  Json& executor = connect["executor"];
  if (!plan.dynamic_allocation) executor["instances"] = plan.executors;
  executor["cores"] = plan.executor.cores;
  executor["memory"] = FormatSparkBytes(plan.executor.memory.heap_bytes);
  executor["memoryOverhead"] = FormatSparkBytes(plan.executor.memory.overhead_bytes);
  Json& allocation = connect["dynamicAllocation"];
  allocation["enabled"] = plan.dynamic_allocation;
  if (plan.dynamic_allocation) {
    allocation["minExecutors"] = plan.min_executors;
    allocation["initialExecutors"] = plan.initial_executors;
    allocation["maxExecutors"] = plan.max_executors;
  }
  // The server's own pod, which Kubernetes sizes and not Spark; a CPU limit would only slow it.
  const std::string memory = FormatKubernetesBytes(plan.driver.memory.Total());
  connect["resources"]["requests"]["cpu"] = FormatCpuMillis(plan.driver.cpu_request_millis);
  connect["resources"]["requests"]["memory"] = memory;
  connect["resources"]["limits"]["memory"] = memory;
  connect["sparkConf"] = OtherSettings(plan,
                                       {"spark.executor.instances",
                                        "spark.executor.cores",
                                        "spark.executor.memory",
                                        "spark.executor.memoryOverhead",
                                        "spark.dynamicAllocation.enabled",
                                        "spark.dynamicAllocation.minExecutors",
                                        "spark.dynamicAllocation.initialExecutors",
                                        "spark.dynamicAllocation.maxExecutors",
                                        "spark.kubernetes.driver."});  // the server is no such pod
  return Heading(plan) + YamlText(Json{{"connect", connect}});
}

std::string SparkApplication(const Plan& plan) {
  const SparkVersion& version = plan.input.spark_version;
  const std::string release =
      std::to_string(version.major) + "." + std::to_string(version.minor) + ".0";
  const auto pod = [](const Pod& of) {
    return Json{{"cores", of.cores},
                {"memory", FormatSparkBytes(of.memory.heap_bytes)},
                {"memoryOverhead", FormatSparkBytes(of.memory.overhead_bytes)}};
  };
  Json spec;
  spec["type"] = plan.input.pyspark ? "Python" : "Scala";
  spec["mode"] = "cluster";
  spec["sparkVersion"] = release;
  spec["image"] = "spark:" + release;
  if (plan.input.pyspark) {
    spec["mainApplicationFile"] = "local:///opt/spark/work-dir/main.py";
  } else {
    spec["mainClass"] = "example.Main";
    spec["mainApplicationFile"] = "local:///opt/spark/work-dir/application.jar";
  }
  spec["driver"] = pod(plan.driver);
  spec["executor"] = pod(plan.executor);
  if (plan.executor.cpu_request_millis != std::int64_t{1000} * plan.executor.cores) {
    spec["executor"]["coreRequest"] = FormatCpuMillis(plan.executor.cpu_request_millis);
  }
  if (plan.dynamic_allocation) {
    spec["dynamicAllocation"] = {{"enabled", true},
                                 {"shuffleTrackingEnabled", true},
                                 {"minExecutors", plan.min_executors},
                                 {"initialExecutors", plan.initial_executors},
                                 {"maxExecutors", plan.max_executors}};
  } else {
    spec["executor"]["instances"] = plan.executors;
  }
  spec["sparkConf"] = OtherSettings(plan,
                                    {"spark.executor.instances",
                                     "spark.executor.cores",
                                     "spark.executor.memory",
                                     "spark.executor.memoryOverhead",
                                     "spark.driver.cores",
                                     "spark.driver.memory",
                                     "spark.driver.memoryOverhead",
                                     "spark.kubernetes.executor.request.cores",
                                     "spark.dynamicAllocation.enabled",
                                     "spark.dynamicAllocation.shuffleTracking.enabled",
                                     "spark.dynamicAllocation.minExecutors",
                                     "spark.dynamicAllocation.initialExecutors",
                                     "spark.dynamicAllocation.maxExecutors"});
  Json manifest;
  manifest["apiVersion"] = "sparkoperator.k8s.io/v1beta2";
  manifest["kind"] = "SparkApplication";
  manifest["metadata"]["name"] = "spark-application";
  manifest["spec"] = spec;
  return Heading(plan) + "# Yours to set: metadata.name, spec.image and what it runs.\n" +
         YamlText(manifest);
}

/// As one word of a POSIX shell.
std::string Quoted(std::string_view text) {
  constexpr std::string_view kSafe =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,@%+-";
  if (!text.empty() && text.find_first_not_of(kSafe) == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string Command(const Plan& plan, const std::string& program) {
  std::string text = Heading(plan) + program;
  for (const auto& [key, value] : plan.spark_conf) {
    text += " \\\n  --conf " + Quoted(key + "=" + value);
  }
  return text;
}

/// A .properties file: the key ends at the first blank, and a backslash is written twice.
std::string SparkDefaults(const Plan& plan) {
  std::size_t width = 0;
  for (const auto& entry : plan.spark_conf) width = std::max(width, entry.first.size());
  std::string text = Heading(plan);
  for (const auto& [key, value] : plan.spark_conf) {
    text += key + std::string(width - key.size() + 2, ' ');
    for (const char c : value) text += c == '\\' ? std::string("\\\\") : std::string(1, c);
    text += "\n";
  }
  return text;
}

Result<std::string> SparkConnect(const Plan& plan) {
  const SparkVersion& version = plan.input.spark_version;
  if (version < SparkVersion{3, 4}) {
    return Fail(ErrorCode::kInvalidArgument,
                "Spark Connect came with 3.4: give --spark-version 3.4 or newer, or another "
                "--format");
  }
  std::string program = "\"${SPARK_HOME:?}/sbin/start-connect-server.sh\"";
  if (version.major == 3) {  // 4.0 brings it along
    program += " \\\n  --packages \"org.apache.spark:spark-connect_2.12:${SPARK_VERSION:?such as " +
               std::to_string(version.major) + "." + std::to_string(version.minor) + ".0}\"";
  }
  return Command(plan, program) + "\n";
}

}  // namespace

std::optional<Format> FormatByName(std::string_view name) {
  for (const auto& [known, format] : kFormats) {
    if (known == name) return format;
  }
  return std::nullopt;
}

Result<std::string> Emit(const Plan& plan, Format format) {
  switch (format) {
    case Format::kHelmValues:
      return HelmValues(ForConnect(plan));
    case Format::kSparkSubmit:
      return Command(plan, "spark-submit") + " \\\n  \"${APPLICATION:?your .py or .jar}\"\n";
    case Format::kSparkDefaults:
      return SparkDefaults(plan);
    case Format::kSparkApplication:
      return SparkApplication(plan);
    case Format::kSparkConnect:
      return SparkConnect(ForConnect(plan));
  }
  return Fail(ErrorCode::kInternal, "a format without a writer");
}

}  // namespace stoker::rightsizing
