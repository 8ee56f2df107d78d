#include "adapter/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <locale>
#include <string>
#include <thread>
#include <vector>

#include "core/text.h"
#include "tests/testing/fakes.h"
#include "tests/unit/adapter/sample_decisions.h"

namespace stoker::adapter {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MetricsTest : public ::testing::Test {
 protected:
  testing::FakeClock clock_{"2026-01-05T00:00:00Z"};
  Metrics metrics_{clock_, "1.2.3"};
  SampleDecisions world_ = SampleWorld();
};

TEST_F(MetricsTest, ObjectsShowTheirDecision) {
  const std::string text = metrics_.Render(world_, true);
  const std::string labels = R"({namespace="team-a",scaled_object="nightly",policy="etl"} )";
  EXPECT_THAT(text, HasSubstr("stoker_target_replicas" + labels + "15\n"));
  EXPECT_THAT(text, HasSubstr("stoker_target_executors" + labels + "30\n"));
  EXPECT_THAT(text, HasSubstr("stoker_active" + labels + "1\n"));
  EXPECT_THAT(text, HasSubstr("stoker_held" + labels + "1\n"));
}

TEST_F(MetricsTest, ADecisionInErrorHasNoTargetRatherThanZero) {
  EXPECT_THAT(metrics_.Render(world_, true), Not(HasSubstr("team-c")));
}

TEST_F(MetricsTest, SignalsShowWhatTheDecisionUsed) {
  const std::string text = metrics_.Render(world_, true);
  const std::string backlog = R"({policy="etl",signal="backlog",type="s3"} )";
  const std::string busy = R"({policy="etl",signal="busy",type="prometheus"} )";
  EXPECT_THAT(text, HasSubstr("stoker_signal_value" + backlog + "60\n"));
  EXPECT_THAT(text, HasSubstr("stoker_signal_demand_replicas" + backlog + "12\n"));
  EXPECT_THAT(text, HasSubstr("stoker_signal_up" + backlog + "1\n"));
  EXPECT_THAT(text, HasSubstr("stoker_signal_winner" + backlog + "1\n"));
  EXPECT_THAT(text, HasSubstr("stoker_signal_age_seconds" + busy + "130\n"));
  EXPECT_THAT(text, HasSubstr("stoker_signal_up" + busy + "0\n"));
  EXPECT_THAT(text, HasSubstr("stoker_signal_winner" + busy + "0\n"));
}

TEST_F(MetricsTest, PoliciesAndInlineObjectsShowWhatBoundsThem) {
  policy::Decision capped = SampleDecision();
  capped.bound = policy::Bound::kMax;
  world_.policies[0].decision = Shared(capped);
  world_.objects[1].decision = world_.objects[2].decision;  // the inline one, at fault
  const std::string text = metrics_.Render(world_, true);
  EXPECT_THAT(text, HasSubstr("stoker_decision_bound{policy=\"etl\",bound=\"max\"} 1\n"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "stoker_decision_bound{policy=\"stoker-prometheus-0badcafe\",bound=\"fault\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("policy=\"night\""))) << "it has decided nothing yet";
  EXPECT_THAT(text, Not(HasSubstr("bound=\"none\""))) << "only what holds now";
  EXPECT_THAT(metrics_.Render(world_, false), Not(HasSubstr("bound=\"fault\"")));
}

// What alerts compare with: interpolated from a bound at 2.5 s, polls of 1.1 s looked like over 2
// s.
TEST_F(MetricsTest, WhatAlertsCompareWithIsABucketsBound) {
  metrics_.OnPoll("main", "s3", "ok", std::chrono::milliseconds(1));
  metrics_.OnGrpcRequest("GetMetrics", "OK", std::chrono::milliseconds(1));
  const std::string text = metrics_.Render(world_, true);
  for (const char* bound : {"2", "3"}) {
    EXPECT_THAT(
        text,
        HasSubstr("stoker_poll_duration_seconds_bucket{connection=\"main\",type=\"s3\",le=\"" +
                  std::string(bound) + "\"} 1\n"));
  }
  EXPECT_THAT(
      text,
      HasSubstr(
          "stoker_grpc_request_duration_seconds_bucket{method=\"GetMetrics\",le=\"0.5\"} 1\n"));
}

TEST_F(MetricsTest, WhatIsNotKnownHasNoSeries) {
  policy::Decision decision;
  decision.signals.resize(2);
  decision.signals[0].name = "waiting";
  decision.signals[1].name = "odd";
  decision.signals[1].value = std::numeric_limits<double>::quiet_NaN();
  decision.signals[1].demand = std::numeric_limits<double>::infinity();
  world_.policies = {{"etl", false, nullptr, Shared(decision)}};
  world_.objects.clear();
  const std::string text = metrics_.Render(world_, true);
  EXPECT_THAT(text, Not(HasSubstr("stoker_signal_value")));
  EXPECT_THAT(text, Not(HasSubstr("stoker_signal_demand_replicas")));
  EXPECT_THAT(text, Not(HasSubstr("stoker_signal_age_seconds")));
  EXPECT_THAT(text, HasSubstr(R"(stoker_signal_up{policy="etl",signal="waiting",type=""} 0)"));
  EXPECT_THAT(text, Not(HasSubstr("Nan")));
  EXPECT_THAT(text, Not(HasSubstr("Inf\n")));
}

TEST_F(MetricsTest, PerObjectSeriesCanBeSwitchedOff) {
  const std::string text = metrics_.Render(world_, false);
  EXPECT_THAT(text, Not(HasSubstr("scaled_object")));
  EXPECT_THAT(text, Not(HasSubstr("stoker-prometheus-0badcafe")));
  EXPECT_THAT(text, HasSubstr(R"(stoker_signal_value{policy="etl")"));
}

TEST_F(MetricsTest, TheTriggerAskedAboutLastSpeaksForItsLabels) {
  ObjectView old = world_.objects[0];
  old.last_asked -= std::chrono::minutes(5);
  policy::Decision stale = SampleDecision();
  stale.target_replicas = 7;
  old.decision = Shared(stale);
  world_.objects.push_back(old);
  const std::string text = metrics_.Render(world_, true);
  const std::string series =
      R"(stoker_target_replicas{namespace="team-a",scaled_object="nightly",policy="etl"} )";
  EXPECT_THAT(text, HasSubstr(series + "15\n"));
  EXPECT_THAT(text, Not(HasSubstr(series + "7\n")));
}

TEST_F(MetricsTest, CountersCount) {
  metrics_.OnPoll("main", "prometheus", "ok", std::chrono::milliseconds(30));
  metrics_.OnPoll("main", "prometheus", "ok", std::chrono::milliseconds(40));
  metrics_.OnUpstreamRequest("main", 503);
  metrics_.OnUpstreamRequest("main", 0);
  metrics_.OnGrpcRequest("GetMetrics", "OK", std::chrono::milliseconds(2));
  metrics_.OnDecision("etl", policy::Bound::kMax);
  const std::string text = metrics_.Render(world_, true);
  EXPECT_THAT(
      text, HasSubstr(R"(stoker_polls_total{connection="main",result="ok",type="prometheus"} 2)"));
  EXPECT_THAT(
      text,
      HasSubstr(R"(stoker_poll_duration_seconds_sum{connection="main",type="prometheus"} 0.07)"));
  EXPECT_THAT(text, HasSubstr(R"(stoker_upstream_requests_total{code="503",connection="main"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(stoker_upstream_requests_total{code="0",connection="main"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(stoker_grpc_requests_total{code="OK",method="GetMetrics"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(stoker_decisions_total{bound="max",policy="etl"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(stoker_build_info{version="1.2.3"} 1)"));
}

TEST_F(MetricsTest, AFailedReloadKeepsTheTimeOfTheLastGoodOne) {
  metrics_.OnConfigReload(true);
  clock_.Advance(std::chrono::hours(1));
  metrics_.OnConfigReload(false);
  const std::string text = metrics_.Render(world_, true);
  EXPECT_THAT(text, HasSubstr("stoker_config_last_reload_successful 0\n"));
  EXPECT_THAT(text, HasSubstr("stoker_config_last_reload_success_timestamp_seconds 1767571200\n"));
}

TEST_F(MetricsTest, LabelSetsOfACounterAreBounded) {
  for (int i = 0; i < 1500; ++i) {
    metrics_.OnDecision("policy" + std::to_string(i), policy::Bound::kNone);
  }
  const std::string text = metrics_.Render(world_, true);
  EXPECT_THAT(text, HasSubstr(R"(stoker_decisions_total{bound="none",policy="policy999"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(stoker_decisions_total{bound="other",policy="other"} 500)"));
}

TEST_F(MetricsTest, LabelValuesAreEscaped) {
  world_.objects = {SampleObject("team", "a\"b\\c\nd", "etl")};
  EXPECT_THAT(metrics_.Render(world_, true), HasSubstr(R"(scaled_object="a\"b\\c\nd")"));
}

/// Writes decimals with a comma and groups thousands, as a German locale does.
class CommaNumbers : public std::numpunct<char> {
 protected:
  [[nodiscard]] char do_decimal_point() const override { return ','; }
  [[nodiscard]] char do_thousands_sep() const override { return '.'; }
  [[nodiscard]] std::string do_grouping() const override { return "\3"; }
};

TEST_F(MetricsTest, NumbersDoNotDependOnTheLocale) {
  policy::Decision decision = SampleDecision();
  decision.signals[0].value = 1234567.5;
  world_.policies = {{"etl", false, nullptr, Shared(decision)}};
  // The locale owns the facet.
  const std::locale saved =
      std::locale::global(std::locale(std::locale::classic(), new CommaNumbers));
  const std::string text = metrics_.Render(world_, true);
  std::locale::global(saved);
  EXPECT_THAT(
      text, HasSubstr(R"(stoker_signal_value{policy="etl",signal="backlog",type="s3"} 1234567.5)"));
}

TEST_F(MetricsTest, MayBeUsedFromManyThreads) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        metrics_.OnPoll("c" + std::to_string(i % 7), "s3", "ok", Duration(i));
        if (i % 50 == 0) {
          EXPECT_FALSE(metrics_.Render(world_, true).empty());
        }
      }
    });
  }
  threads.clear();
  const std::string text = metrics_.Render(world_, true);
  EXPECT_THAT(text,
              HasSubstr(R"(stoker_poll_duration_seconds_count{connection="c0",type="s3"} 116)"));
}

TEST_F(MetricsTest, TenThousandObjectsAreOneSeriesEach) {
  world_.objects.clear();
  for (int i = 0; i < 10'000; ++i) {
    world_.objects.push_back(SampleObject("team", "job" + std::to_string(i), "etl"));
  }
  const std::string text = metrics_.Render(world_, true);
  std::size_t series = 0;
  for (const std::string_view line : Split(text, '\n')) {
    if (line.starts_with("stoker_target_replicas{")) ++series;
  }
  EXPECT_EQ(series, 10'000U);
}

TEST_F(MetricsTest, PoliciesShowWhetherTheClusterCanBeTold) {
  metrics_.OnCapacity(
      {.wanted_nodes = {}, .buffer_replicas = {}, .up = {{"etl", true}, {"night", false}}});
  const std::string text = metrics_.Render(world_, true);
  EXPECT_THAT(text, HasSubstr("stoker_capacity_up{policy=\"etl\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("stoker_capacity_up{policy=\"night\"} 0\n"));
}

TEST(Metrics, ShowTheLeadTimeOnlyWhereItIsMeasured) {
  const testing::FakeClock clock;
  const Metrics metrics(clock, "0.0.0");
  SampleDecisions world = SampleWorld();
  const std::string text = metrics.Render(world, true);
  EXPECT_THAT(text, HasSubstr("stoker_lead_time_seconds{policy=\"etl\",quantile=\"0.9\"} 195\n"));
  EXPECT_THAT(text, HasSubstr("stoker_lead_time_seconds{policy=\"etl\",quantile=\"0.5\"} 95\n"));
  policy::Decision assumed = SampleDecision();
  assumed.headroom->lead = {};
  world.policies[0].decision = Shared(assumed);
  EXPECT_THAT(metrics.Render(world, true), Not(HasSubstr("lead_time")));
}

// Their replicas are no executors: a sum over objects would count those to come twice.
TEST(Metrics, PlaceholdersHaveNoTargetExecutors) {
  const testing::FakeClock clock;
  const Metrics metrics(clock, "0.0.0");
  SampleDecisions world;
  world.objects.push_back(SampleObject("team-a", "room", "etl"));
  world.objects.back().decision = Shared(policy::HeadroomDecision(SampleDecision()));
  const std::string text = metrics.Render(world, true);
  EXPECT_THAT(text,
              HasSubstr("stoker_target_replicas{namespace=\"team-a\",scaled_object=\"room\""
                        ",policy=\"etl\"} 6\n"));
  EXPECT_THAT(text, Not(HasSubstr("stoker_target_executors")));
}

}  // namespace
}  // namespace stoker::adapter
