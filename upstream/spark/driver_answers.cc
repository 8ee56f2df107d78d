#include "upstream/spark/driver_answers.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "core/units.h"

namespace stoker::spark {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

/// Beyond what any application has, and far from where sums lose digits.
constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;
constexpr int kMaxSlots = 1'000'000;

tl::unexpected<Error> NotSpark(std::string_view part) {
  return Fail(ErrorCode::kUnavailable,
              "the answer is not what Spark gives for " + std::string(part));
}

/// A count that Spark always gives. False when it is missing or no count.
bool ReadCount(const element& json, const char* key, std::int64_t& out) {
  return json.at_key(key).get(out) == simdjson::SUCCESS && out >= 0 && out <= kMaxCount;
}

/// The resource profile, which Spark names since 3.1.
bool ReadProfile(const element& json, int& out) {
  element value;
  if (json.at_key("resourceProfileId").get(value) != simdjson::SUCCESS) return true;
  std::int64_t id = 0;
  if (value.get(id) != simdjson::SUCCESS || id < 0 || id > std::numeric_limits<int>::max()) {
    return false;
  }
  out = static_cast<int>(id);
  return true;
}

std::optional<double> PositiveNumber(std::string_view text) {
  const Result<double> number = ParseNumber(text);
  return number && *number > 0 ? std::optional(*number) : std::nullopt;
}

/// Resource name -> amount, of the executors or the tasks of a profile.
std::map<std::string, double> Amounts(const element& profile, const char* whose) {
  std::map<std::string, double> amounts;
  object resources;
  if (profile.at_key(whose).get(resources) != simdjson::SUCCESS) return amounts;
  for (const auto& [name, request] : resources) {
    double amount = 0;
    if (request.at_key("amount").get(amount) == simdjson::SUCCESS && amount > 0) {
      amounts.emplace(name, amount);
    }
  }
  return amounts;
}

/// As ResourceProfile.calculateTasksAndLimitingResource: the scarcest resource decides. A task that
/// takes a share of one piece (of a GPU) does not take it from two.
int Slots(const std::map<std::string, double>& executor,
          const std::map<std::string, double>& task,
          double cores,
          double cpus) {
  const auto find = [](const std::map<std::string, double>& amounts, const char* name, double or_) {
    const auto found = amounts.find(name);
    return found == amounts.end() ? or_ : found->second;
  };
  double slots = std::floor(find(executor, "cores", cores) / find(task, "cpus", cpus));
  for (const auto& [name, each] : task) {
    const auto have = executor.find(name);
    if (name == "cpus" || have == executor.end()) continue;
    slots = std::min(slots,
                     each < 1 ? std::floor(have->second) * std::floor(1 / each)
                              : std::floor(have->second / each));
  }
  return static_cast<int>(std::clamp(slots, 1.0, static_cast<double>(kMaxSlots)));
}

/// The text of a pair ["spark.executor.cores", "4"] in sparkProperties.
std::optional<std::string_view> Property(const element& root, std::string_view key) {
  array properties;
  if (root.at_key("sparkProperties").get(properties) != simdjson::SUCCESS) return std::nullopt;
  for (const element& json : properties) {
    std::string_view name;
    std::string_view value;
    if (json.at(0).get(name) == simdjson::SUCCESS && name == key &&
        json.at(1).get(value) == simdjson::SUCCESS) {
      return value;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<Application>> ParseApplications(std::string_view body) {
  simdjson::dom::parser parser;
  array list;
  if (parser.parse(body.data(), body.size()).get(list) != simdjson::SUCCESS) {
    return NotSpark("applications");
  }
  std::vector<Application> applications;
  for (const element& json : list) {
    std::string_view id;
    std::string_view name;
    bool completed = false;
    if (json.at_key("id").get(id) != simdjson::SUCCESS || id.empty() ||
        json.at_key("name").get(name) != simdjson::SUCCESS ||
        json.at_key("attempts").at(0).at_key("completed").get(completed) != simdjson::SUCCESS) {
      return NotSpark("applications");
    }
    if (!completed) applications.push_back({std::string(id), std::string(name)});
  }
  return applications;
}

Result<std::vector<Stage>> ParseStages(std::string_view body) {
  simdjson::dom::parser parser;
  array list;
  if (parser.parse(body.data(), body.size()).get(list) != simdjson::SUCCESS) {
    return NotSpark("stages");
  }
  std::vector<Stage> stages;
  for (const element& json : list) {
    std::string_view status;
    Stage stage;
    // A speculative copy that ends after the first is complete, too; an index is complete once.
    if (json.at_key("status").get(status) != simdjson::SUCCESS ||
        !ReadCount(json, "numTasks", stage.tasks) ||
        !ReadCount(json, "numCompletedIndices", stage.done) ||
        !ReadCount(json, "numActiveTasks", stage.running) || !ReadProfile(json, stage.profile)) {
      return NotSpark("stages");
    }
    if (status == "ACTIVE") stages.push_back(stage);
  }
  return stages;
}

Result<SlotsByProfile> ParseExecutors(std::string_view body) {
  simdjson::dom::parser parser;
  array list;
  if (parser.parse(body.data(), body.size()).get(list) != simdjson::SUCCESS) {
    return NotSpark("executors");
  }
  SlotsByProfile slots;
  for (const element& json : list) {
    std::string_view id;
    std::int64_t tasks = 0;
    int profile = kDefaultProfile;
    if (json.at_key("id").get(id) != simdjson::SUCCESS || !ReadCount(json, "maxTasks", tasks) ||
        tasks > kMaxSlots || !ReadProfile(json, profile)) {
      return NotSpark("executors");
    }
    if (id == "driver" || tasks == 0) continue;
    int& most = slots[profile];
    most = std::max(most, static_cast<int>(tasks));
  }
  return slots;
}

Result<Environment> ParseEnvironment(std::string_view body) {
  simdjson::dom::parser parser;
  element root;
  array properties;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS ||
      root.at_key("sparkProperties").get(properties) != simdjson::SUCCESS) {
    return NotSpark("the environment");
  }
  Environment environment;
  double cores = 1;
  double cpus = 1;
  const auto read = [&](std::string_view key, double& out) {
    const std::optional<std::string_view> text = Property(root, key);
    if (!text) return true;
    const std::optional<double> number = PositiveNumber(*text);
    if (number) out = *number;
    return number.has_value();
  };
  if (!read("spark.executor.cores", cores) || !read("spark.task.cpus", cpus) ||
      !read("spark.dynamicAllocation.executorAllocationRatio", environment.allocation_ratio) ||
      environment.allocation_ratio > 1) {
    return NotSpark("the environment");
  }
  environment.slots[kDefaultProfile] = Slots({}, {}, cores, cpus);

  array profiles;  // since Spark 3.1
  if (root.at_key("resourceProfiles").get(profiles) != simdjson::SUCCESS) return environment;
  for (const element& json : profiles) {
    std::int64_t id = 0;
    if (!ReadCount(json, "id", id) || id > std::numeric_limits<int>::max()) {
      return NotSpark("the environment");
    }
    environment.slots[static_cast<int>(id)] =
        Slots(Amounts(json, "executorResources"), Amounts(json, "taskResources"), cores, cpus);
  }
  return environment;
}

Result<std::optional<double>> ParseMetrics(std::string_view body) {
  simdjson::dom::parser parser;
  element root;
  object gauges;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS ||
      root.at_key("gauges").get(gauges) != simdjson::SUCCESS) {
    return NotSpark("the driver's metrics");
  }
  for (const auto& [name, gauge] : gauges) {
    // After spark.metrics.namespace, or the application's id.
    if (!name.ends_with(".driver.ExecutorAllocationManager.executors.numberMaxNeededExecutors")) {
      continue;
    }
    double value = 0;
    if (gauge.at_key("value").get(value) != simdjson::SUCCESS || !(value >= 0) ||
        value > static_cast<double>(kMaxCount)) {
      return NotSpark("the driver's metrics");
    }
    return value;
  }
  return std::nullopt;
}

}  // namespace stoker::spark
