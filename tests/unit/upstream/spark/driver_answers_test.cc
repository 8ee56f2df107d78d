#include "upstream/spark/driver_answers.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace stoker::spark {
namespace {

std::string ReadCapture(const std::string& name) {
  std::ifstream file("tests/unit/upstream/spark/captures/" + name + ".json");
  EXPECT_TRUE(file) << name;
  return (std::stringstream() << file.rdbuf()).str();
}

/// What real drivers answered, with two executors of one slot unless the name says otherwise.
class Capture : public ::testing::TestWithParam<std::string> {};

struct Read {
  std::vector<Application> applications;
  Need need;
  SlotsByProfile executors;
  nlohmann::json spark;  ///< numberMaxNeededExecutors at that time
};

Read ReadAll(const std::string& name) {
  const auto json = nlohmann::json::parse(ReadCapture(name));
  const auto applications = ParseApplications(json.at("applications").dump());
  const auto stages = ParseStages(json.at("stages").dump());
  const auto executors = ParseExecutors(json.at("executors").dump());
  const auto environment = ParseEnvironment(json.at("environment").dump());
  EXPECT_TRUE(applications && stages && executors && environment);
  if (!applications || !stages || !executors || !environment) return {};
  SlotsByProfile slots = *executors;
  slots.insert(environment->slots.begin(), environment->slots.end());
  return {*applications,
          NeededExecutors(*stages, slots, environment->allocation_ratio),
          *executors,
          json.at("maxNeededExecutors")};
}

TEST_P(Capture, GivesWhatSparkItselfCounts) {
  for (const char* name : {"waiting", "no-executors", "shuffle", "one", "idle"}) {
    SCOPED_TRACE(name);
    const Read read = ReadAll(GetParam() + "-" + name);
    EXPECT_EQ(read.need.executors, read.spark.get<double>());
  }
}

TEST_P(Capture, IsReadAsItWas) {
  const Read waiting = ReadAll(GetParam() + "-waiting");
  ASSERT_EQ(waiting.applications.size(), 1U);
  EXPECT_TRUE(waiting.applications[0].id.starts_with("app-"));
  EXPECT_EQ(waiting.applications[0].name, "analytics-job");
  EXPECT_EQ(waiting.need.pending + waiting.need.running, 10);
  EXPECT_EQ(waiting.executors, (SlotsByProfile{{0, 1}}));
  const Read none = ReadAll(GetParam() + "-no-executors");
  EXPECT_EQ(none.need.executors, 4) << "7 tasks, two cores an executor";
  EXPECT_TRUE(none.executors.empty());
  const Read fixed = ReadAll(GetParam() + "-static");
  EXPECT_TRUE(fixed.spark.is_null());
  EXPECT_EQ(fixed.need.executors, 10);
  EXPECT_EQ(fixed.need.running, 2);
}

TEST_P(Capture, MetricsHoldSparksOwnCount) {
  const std::string metrics = ReadCapture(GetParam() + "-metrics");
  EXPECT_EQ(ParseMetrics(metrics).value(), 4.0);
}

INSTANTIATE_TEST_SUITE_P(Spark,
                         Capture,
                         ::testing::Values("3.5.9", "4.3.0"),
                         [](const auto& param) { return param.param.substr(0, 1); });

TEST(ParseApplications, LeavesOutWhatHasEnded) {
  const auto list = ParseApplications(
      R"([{"id":"a","name":"x","attempts":[{"completed":true}]},
          {"id":"b","name":"y","attempts":[{"completed":false},{"completed":true}]}])");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ(list->front().id, "b");
}

TEST(ParseStages, LeavesOutWhatIsNotActive) {
  const auto stages = ParseStages(
      R"([{"status":"PENDING","numTasks":5,"numCompletedIndices":0,"numActiveTasks":0},
          {"status":"ACTIVE","numTasks":7,"numCompletedIndices":2,"numActiveTasks":3,
           "numCompleteTasks":4,"resourceProfileId":2}])");
  ASSERT_TRUE(stages);
  ASSERT_EQ(stages->size(), 1U);
  EXPECT_EQ(stages->front().profile, 2);
  EXPECT_EQ(stages->front().tasks, 7);
  EXPECT_EQ(stages->front().done, 2) << "a copy that ended second is complete, too";
  EXPECT_EQ(stages->front().running, 3);
}

TEST(ParseExecutors, TakesTheMostOfAProfile) {
  const auto slots = ParseExecutors(
      R"([{"id":"driver","maxTasks":8},{"id":"1","maxTasks":2},{"id":"2","maxTasks":4},
          {"id":"3","maxTasks":0},{"id":"4","maxTasks":3,"resourceProfileId":1}])");
  EXPECT_EQ(slots.value(), (SlotsByProfile{{0, 4}, {1, 3}}));
}

SlotsByProfile SlotsOf(const std::string& environment) {
  const auto read = ParseEnvironment(environment);
  EXPECT_TRUE(read) << environment;
  return read ? read->slots : SlotsByProfile{};
}

TEST(ParseEnvironment, CountsSlotsAsSparkDoes) {
  EXPECT_EQ(SlotsOf(R"({"sparkProperties":[]})"), (SlotsByProfile{{0, 1}}));
  EXPECT_EQ(
      SlotsOf(R"({"sparkProperties":[["spark.executor.cores","5"],["spark.task.cpus","2"]]})"),
      (SlotsByProfile{{0, 2}}));
  const auto profile = [](const std::string& executor, const std::string& task) {
    return SlotsOf(R"({"sparkProperties":[["spark.executor.cores","4"]],"resourceProfiles":[{"id":0,
        "executorResources":{)" +
                   executor + R"(},"taskResources":{)" + task + "}}]}")[0];
  };
  EXPECT_EQ(profile(R"("cores":{"amount":8})", R"("cpus":{"amount":1.0})"), 8);
  EXPECT_EQ(profile(R"("memory":{"amount":1024})", R"("cpus":{"amount":2.0})"), 2);
  EXPECT_EQ(profile("", ""), 4);
  EXPECT_EQ(profile(R"("gpu":{"amount":2})", R"("gpu":{"amount":1.0})"), 2) << "GPUs are scarcer";
  EXPECT_EQ(profile(R"("gpu":{"amount":1})", R"("gpu":{"amount":0.3})"), 3) << "a share of one";
  EXPECT_EQ(profile(R"("gpu":{"amount":9})", R"("gpu":{"amount":1.0})"), 4) << "cores are scarcer";
  EXPECT_EQ(profile(R"("cores":{"amount":1})", R"("cpus":{"amount":2.0})"), 1) << "never none";
}

TEST(ParseEnvironment, ReadsTheRatio) {
  EXPECT_EQ(ParseEnvironment(R"({"sparkProperties":[]})")->allocation_ratio, 1);
  const std::string key = "spark.dynamicAllocation.executorAllocationRatio";
  const auto ratio = [&](const std::string& text) {
    return ParseEnvironment(R"({"sparkProperties":[[")" + key + R"(",")" + text + R"("]]})");
  };
  EXPECT_EQ(ratio("0.25")->allocation_ratio, 0.25);
  for (const char* bad : {"0", "-1", "1.5", "half", "", "nan"}) EXPECT_FALSE(ratio(bad)) << bad;
}

TEST(ParseMetrics, HasNoCountWithoutDynamicAllocation) {
  EXPECT_EQ(ParseMetrics(R"({"gauges":{"a.driver.DAGScheduler.job.allJobs":{"value":1}}})").value(),
            std::nullopt);
}

TEST(DriverAnswers, OtherThingsAreRefused) {
  for (const char* body : {"",
                           "[",
                           "{}",
                           "null",
                           "[1]",
                           "[{}]",
                           "<html>Spark is starting</html>",
                           R"([{"id":"","name":"a","attempts":[{"completed":false}]}])",
                           R"([{"id":"a","name":"a","attempts":[]}])"}) {
    EXPECT_FALSE(ParseApplications(body)) << body;
    EXPECT_FALSE(ParseStages(body)) << body;
    EXPECT_FALSE(ParseExecutors(body)) << body;
    EXPECT_FALSE(ParseEnvironment(body)) << body;
    EXPECT_FALSE(ParseMetrics(body)) << body;
  }
  const auto stage = [](const std::string& keys) {
    return ParseStages(R"([{"status":"ACTIVE",)" + keys + "}]");
  };
  EXPECT_TRUE(stage(R"("numTasks":1,"numCompletedIndices":0,"numActiveTasks":0)"));
  EXPECT_FALSE(stage(R"("numTasks":-1,"numCompletedIndices":0,"numActiveTasks":0)"));
  EXPECT_FALSE(stage(R"("numTasks":1e30,"numCompletedIndices":0,"numActiveTasks":0)"));
  EXPECT_FALSE(stage(R"("numTasks":1,"numCompletedIndices":"0","numActiveTasks":0)"));
  EXPECT_FALSE(stage(R"("numTasks":1,"numActiveTasks":0)"));
  EXPECT_FALSE(
      stage(R"("numTasks":1,"numCompletedIndices":0,"numActiveTasks":0,"resourceProfileId":-1)"));
  const std::string gauge =
      R"("a.driver.ExecutorAllocationManager.executors.numberMaxNeededExecutors")";
  for (const char* value : {R"({"value":-1})", R"({"value":"1"})", "{}", "1"}) {
    EXPECT_FALSE(ParseMetrics(R"({"gauges":{)" + gauge + ":" + value + "}}")) << value;
  }
}

}  // namespace
}  // namespace stoker::spark
