#include "rightsizing/emit.h"

#include <gtest/gtest.h>

#include "config/node.h"
#include "rightsizing/plan_json.h"
#include "rightsizing/report.h"
#include "rightsizing/sizing.h"
#include "tests/unit/rightsizing/inputs.h"

namespace stoker::rightsizing {
namespace {

using Json = nlohmann::ordered_json;

config::Node MustParse(const std::string& text) {
  config::Diagnostics diagnostics;
  Result<config::Node> node = config::ParseYaml(text, "emitted", diagnostics);
  EXPECT_TRUE(node.has_value()) << diagnostics.ToString() << text;
  return node ? *std::move(node) : config::Node();
}

/// The scalars of the YAML tree are those of the JSON.
void ExpectSame(const config::Node& node, const Json& json) {
  if (json.is_object()) {
    ASSERT_EQ(node.entries().size(), json.size()) << node.path();
    for (const auto& entry : node.entries()) ExpectSame(entry.value, json.at(entry.key));
  } else if (json.is_array()) {
    ASSERT_EQ(node.items().size(), json.size()) << node.path();
    for (std::size_t i = 0; i < json.size(); ++i) ExpectSame(node.items()[i], json[i]);
  } else if (json.is_string()) {
    EXPECT_EQ(node.scalar(), json.get<std::string>());
  } else if (json.is_null()) {
    EXPECT_TRUE(node.IsNull()) << node.path();
  } else {
    EXPECT_EQ(node.scalar(), json.dump());
  }
}

TEST(YamlText, ReadsBackWhateverTheStrings) {
  const Json json{
      {"plain", "abc"},
      {"amounts", {"4g", "1500m", "4Gi", "12e3", "0x1f", "1_000", "1:30", "007"}},
      {"words", {"true", "NO", "null", "Yes", "~", "-", "", " ", "y"}},
      {"special", {"a: b", "# c", "- d", "{e}", "[f]", "'g'", "\"h\"", "i\nj", "*k", "&l"}},
      {"on", true},
      {"number", 1.5},
      {"nothing", nullptr},
      {"empty", {{"list", Json::array()}, {"map", Json::object()}}},
      {"nested", {{{"a", 1}, {"b", {{"c", 2}}}}, {{"d", {1, 2}}}}}};
  ExpectSame(MustParse(YamlText(json)), json);
}

TEST(YamlText, BytesThatAreNoTextDoNotThrow) {
  EXPECT_NE(YamlText({{"key", "\xff\xfe"}}).find("\xEF\xBF\xBD"), std::string::npos);
  EXPECT_NE(JsonText({{"key", "\xff\xfe"}}).find("\xEF\xBF\xBD"), std::string::npos);
}

TEST(Emit, ValuesOfTheUserStayOneWord) {
  const Result<Plan> plan = Size({.data_bytes = kGibibyte,
                                  .executor = Medium(),
                                  .settings = {{"spark.app.name", "it's $HOME \\ #1"}}});
  ASSERT_TRUE(plan.has_value());
  EXPECT_NE(
      Emit(*plan, Format::kSparkSubmit)->find("--conf 'spark.app.name=it'\\''s $HOME \\ #1' \\\n"),
      std::string::npos);
  EXPECT_NE(Emit(*plan, Format::kSparkDefaults)->find("  it's $HOME \\\\ #1\n"), std::string::npos);
  const config::Node values = MustParse(*Emit(*plan, Format::kHelmValues));
  EXPECT_EQ(values.Find("connect")->Find("sparkConf")->Find("spark.app.name")->scalar(),
            "it's $HOME \\ #1");
}

TEST(Emit, HelmValuesHoldTheFourPartsInTheirSyntax) {
  const Result<Plan> plan = Size({.data_bytes = kGibibyte * 1024, .executor = Large()});
  ASSERT_TRUE(plan.has_value());
  const config::Node values = MustParse(*Emit(*plan, Format::kHelmValues));
  const config::Node& connect = *values.Find("connect");
  ASSERT_EQ(connect.entries().size(), 4U);
  EXPECT_EQ(connect.Find("executor")->Find("memory")->scalar(), "8g");
  EXPECT_EQ(connect.Find("executor")->Find("memoryOverhead")->scalar(), "819m");
  EXPECT_EQ(connect.Find("executor")->Find("memoryLimit"), nullptr);
  EXPECT_EQ(connect.Find("dynamicAllocation")->Find("maxExecutors")->scalar(), "25");
  EXPECT_EQ(connect.Find("resources")->Find("requests")->Find("memory")->scalar(), "2432Mi");
  EXPECT_EQ(connect.Find("sparkConf")->Find("spark.executor.memory"), nullptr);
}

TEST(EmitProperty, EveryFileParsesAndSaysWhatThePlanSays) {
  Draw draw(8);
  int plans = 0;
  for (int round = 0; round < 500; ++round) {
    const Result<Plan> plan = Size(draw.Input());
    if (!plan) continue;
    ++plans;
    const config::Node values = MustParse(*Emit(*plan, Format::kHelmValues));
    ASSERT_EQ(values.Find("connect")->Find("executor")->Find("cores")->scalar(),
              std::to_string(plan->executor.cores));
    const config::Node manifest = MustParse(*Emit(*plan, Format::kSparkApplication));
    ASSERT_EQ(manifest.Find("kind")->scalar(), "SparkApplication");
    // Each setting is in one place: a field, or sparkConf.
    const Json json = Json::parse(JsonText(PlanJson(*plan, true)));
    ASSERT_EQ(json.at("num_executors").get<std::int64_t>(), plan->executors);
    ASSERT_EQ(json.at("spark_conf").size(), plan->spark_conf.size());
    ExpectSame(MustParse(YamlText(json)), json);
    const std::string defaults = *Emit(*plan, Format::kSparkDefaults);
    for (const auto& [key, value] : plan->spark_conf) {
      ASSERT_NE(defaults.find("\n" + key + " "), std::string::npos) << key;
    }
    ASSERT_FALSE(Report(*plan, true).empty());
    ASSERT_FALSE(Summary(*plan).empty());
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
  EXPECT_GT(plans, 170);
}

TEST(Emit, SparkConnectNeedsItsVersion) {
  Input input{.data_bytes = kGibibyte, .executor = Medium()};
  input.spark_version = {.major = 3, .minor = 3};
  const Result<std::string> old = Emit(*Size(input), Format::kSparkConnect);
  ASSERT_FALSE(old.has_value());
  EXPECT_NE(old.error().message.find("3.4"), std::string::npos);
}

TEST(Comparison, MarksTheCheapestWithinTheTarget) {
  Input input{.data_bytes = kGibibyte * 1024, .executor = Large(), .node = M5Xlarge2()};
  const Result<Plan> cheap = Size(input);
  input.node->price->on_demand_per_hour = 9;
  const Result<Plan> dear = Size(input);
  const std::string text = Comparison(
      {{"dear", dear}, {"cheap", cheap}, {"none", Fail(ErrorCode::kInvalidArgument, "too small")}});
  EXPECT_NE(text.find("*  cheap"), std::string::npos) << text;
  EXPECT_EQ(text.find("*  dear"), std::string::npos) << text;
  EXPECT_NE(text.find("none: too small"), std::string::npos) << text;
}

// Spark counts it into the pods of Python applications only, and a Connect server is none.
TEST(Emit, AConnectServersOverheadHoldsThePythonMemory) {
  const Result<Plan> plan =
      Size({.data_bytes = kGibibyte,
            .executor = {.name = "p", .cores = 2, .heap_bytes = 4 * kGibibyte},
            .pyspark = true,
            .pyspark_bytes = kGibibyte});
  ASSERT_TRUE(plan);
  const auto holds = [&](Format format, const std::string& text) {
    return Emit(*plan, format)->find(text) != std::string::npos;
  };
  EXPECT_EQ(plan->executor.memory.overhead_bytes, 1638 * kMebibyte);
  EXPECT_TRUE(holds(Format::kSparkSubmit, "spark.executor.memoryOverhead=1638m"));
  EXPECT_TRUE(holds(Format::kSparkConnect, "spark.executor.memoryOverhead=2662m"));
  EXPECT_TRUE(holds(Format::kHelmValues, "memoryOverhead: 2662m"));
}

}  // namespace
}  // namespace stoker::rightsizing
