// What the query of the spark signal gives, by Prometheus' own engine (promtool, of Debian's
// package prometheus): a number, or why there is none.

#include <gtest/gtest.h>

#include <string>

#include "scalers/spark/published_need.h"
#include "tests/testing/process.h"

namespace stoker::scalers {
namespace {

const std::string kTarget = R"(job="spark", pod="etl-driver", instance="10.0.0.1:4040")";

std::string Series(const std::string& name, const std::string& labels, const std::string& values) {
  return "      - series: '" + name + "{" + labels + "}'\n        values: '" + values + "'\n";
}

/// The gauge in both its forms.
std::string Gauge(const std::string& application,
                  const std::string& values,
                  const std::string& labels = kTarget) {
  const std::string name = "metrics_" + application +
                           "_driver_ExecutorAllocationManager_executors_numberMaxNeededExecutors_";
  return Series(name + "Value", labels + ", type=\"gauges\"", values) +
         Series(name + "Number", labels + ", type=\"gauges\"", values);
}

class NeedQuery : public ::testing::Test {
 protected:
  /// Whether `expression`, with the query for QUERY, gives `value` at 20m; "" for no result. One
  /// sample a minute.
  void Expect(const std::string& series,
              const std::string& value,
              const std::string& application = "",
              std::string expression = "QUERY") {
    const auto query = MakeNeedQuery(application, application.empty() ? "job='spark'" : "");
    ASSERT_TRUE(query);
    for (std::size_t at = 0; (at = expression.find("QUERY", at)) != std::string::npos;) {
      expression.replace(at, 5, "(" + *query + ")");
      at += query->size();
    }
    const testing::TempFolder folder;
    const std::string file = folder.Write(
        "test.yml",
        "tests:\n  - interval: 1m\n    input_series:\n" + series +
            "    promql_expr_test:\n      - eval_time: 20m\n        expr: |\n          " +
            expression + "\n        exp_samples: " +
            (value.empty() ? "[]" : "[{labels: '{}', value: " + value + "}]") + "\n");
    const auto promtool = testing::Process::Start({"/usr/bin/promtool", "test", "rules", file},
                                                  folder.path() + "/out");
    ASSERT_TRUE(promtool) << promtool.error().message;
    EXPECT_EQ((*promtool)->Wait(std::chrono::seconds(60)), 0) << (*promtool)->Output();
  }
  void ExpectGone(const std::string& series, const std::string& application = "") {
    Expect(series, "1", application, "count(QUERY != QUERY)");  // NaN alone is unlike itself
  }

  const std::string up_ = Series("up", kTarget, "1x30");
  const std::string other_up_ = Series("up", R"(job="node", instance="10.0.0.9:9100")", "1x30");
};

TEST_F(NeedQuery, CountsBothFormsOnce) { Expect(up_ + Gauge("analytics", "7x30"), "7"); }

TEST_F(NeedQuery, AddsUpApplications) {
  Expect(up_ + Gauge("a", "7x30") + Gauge("b", "2x30"), "9");
  Expect(up_ + Gauge("a", "7x30") + Gauge("b", "2x30"), "7", "a");
}

TEST_F(NeedQuery, AnApplicationThatEndedIsGone) {
  ExpectGone(other_up_ + Series("up", kTarget, "1x10 stale") + Gauge("a", "7x10 stale"));
  ExpectGone(up_ + Gauge("a", "7x10 stale"), "a");
  ExpectGone(other_up_, "a");
}

TEST_F(NeedQuery, ADriverThatCannotBeScrapedIsNot) {
  Expect(Series("up", kTarget, "1x10 0x20") + Gauge("a", "7x10 stale"), "-1");
  Expect(Series("up", kTarget, "1x10 0x20") + Gauge("a", "7x10 stale"), "-1", "a");
}

TEST_F(NeedQuery, NeverGivesAPartOfTheSum) {
  const std::string second = R"(job="spark", pod="b-driver", instance="10.0.0.2:4040")";
  Expect(up_ + Gauge("a", "7x30") + Series("up", second, "1x10 0x20") +
             Gauge("b", "2x10 stale", second),
         "-1");
}

TEST_F(NeedQuery, WhoHadTheAddressBeforeDoesNotMatter) {
  const std::string next = R"(job="spark", pod="next-driver", instance="10.0.0.1:4040")";
  ExpectGone(other_up_ + Series("up", kTarget, "1x10 stale") + Gauge("a", "7x10 stale") +
             Series("up", next, "_x18 0x10"));
}

TEST_F(NeedQuery, APrometheusThatJustCameBackCannotTell) {
  Expect(Series("up", R"(job="node", instance="10.0.0.9:9100")", "1x5 _x13 1x10"), "");
  Expect(Gauge("other", "1x30", R"(job="other")"), "");
}

}  // namespace
}  // namespace stoker::scalers
