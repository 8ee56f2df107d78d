#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "config/node.h"
#include "policy/decision.h"
#include "policy/policy.h"

namespace stoker::policy {
namespace {

using namespace std::chrono_literals;

struct Outcome {
  std::optional<ParsedPolicy> parsed;
  std::string complaints;
};

Outcome Parse(const std::string& yaml, bool confidential = false) {
  config::Diagnostics diagnostics;
  auto node = config::ParseYaml(yaml, "stoker.yaml", diagnostics);
  if (!node) {
    ADD_FAILURE() << diagnostics.ToString();
    return {};
  }
  if (confidential) node->set_confidential();
  Outcome outcome;
  outcome.parsed = ParsePolicy("etl", *node, diagnostics);
  EXPECT_EQ(outcome.parsed.has_value(), diagnostics.empty());
  if (outcome.parsed) CheckPolicy(outcome.parsed->policy, *node, diagnostics);
  outcome.complaints = diagnostics.ToString();
  return outcome;
}

const std::string kSignals = "signals: {backlog: {type: s3}, busy: {type: prometheus}}\n";

TEST(ParsePolicy, ReadsEveryKey) {
  const Outcome outcome = Parse(
      "namespaces: [etl, lab]\n"
      "replicas: {min: 1, max: 20, executorsPerReplica: 4, headroom: 25%}\n"
      "combine: sum\n"
      "scaleDown: {stabilization: 5m, step: 10%/1m}\n"
      "onFault: {hold: 10m, then: ignore}\n"
      "metricMode: combined\n" +
      kSignals);
  ASSERT_TRUE(outcome.parsed) << outcome.complaints;
  EXPECT_EQ(outcome.complaints, "");
  const Policy& policy = outcome.parsed->policy;
  EXPECT_EQ(policy.name, "etl");
  EXPECT_EQ(policy.namespaces, (std::vector<std::string>{"etl", "lab"}));
  EXPECT_EQ(policy.replicas.min, 1);
  EXPECT_EQ(policy.replicas.max, 20);
  EXPECT_EQ(policy.replicas.executors_per_replica, 4);
  EXPECT_DOUBLE_EQ(policy.replicas.headroom, 0.25);
  EXPECT_EQ(policy.combine, Combine::kSum);
  EXPECT_FALSE(policy.expression);
  EXPECT_EQ(policy.scale_down.stabilization, 5min);
  EXPECT_TRUE(policy.scale_down.step.percent);
  EXPECT_EQ(policy.scale_down.step.amount, 10);
  EXPECT_EQ(policy.scale_down.step.period, 1min);
  EXPECT_EQ(policy.on_fault.hold, 10min);
  EXPECT_EQ(policy.on_fault.then, FaultPolicy::Then::kIgnore);
  EXPECT_EQ(policy.metric_mode, MetricMode::kCombined);
  EXPECT_TRUE(policy.signals.empty());
  ASSERT_EQ(outcome.parsed->signals.size(), 2U);
  EXPECT_EQ(outcome.parsed->signals[0].name, "backlog");
  EXPECT_EQ(outcome.parsed->signals[1].node.Find("type")->scalar(), "prometheus");
}

TEST(ParsePolicy, HasDefaults) {
  const Outcome outcome = Parse(kSignals);
  ASSERT_TRUE(outcome.parsed) << outcome.complaints;
  const Policy& policy = outcome.parsed->policy;
  EXPECT_EQ(policy.namespaces, std::vector<std::string>{"*"});
  EXPECT_EQ(policy.replicas.max, 50);
  EXPECT_EQ(policy.combine, Combine::kMax);
  EXPECT_EQ(policy.on_fault.hold, 30min);
  EXPECT_EQ(policy.scale_down.stabilization, 0s);
  EXPECT_EQ(StepReach(policy), 0s);
}

TEST(ParsePolicy, ReadsStepsInReplicas) {
  const Outcome outcome = Parse("scaleDown: {step: 5/30s}\n" + kSignals);
  ASSERT_TRUE(outcome.parsed) << outcome.complaints;
  const ScaleDownStep& step = outcome.parsed->policy.scale_down.step;
  EXPECT_FALSE(step.percent);
  EXPECT_EQ(step.amount, 5);
  EXPECT_EQ(step.period, 30s);
  EXPECT_EQ(StepText(step), "5/30s");
}

TEST(ParsePolicy, CompilesExpressions) {
  const Outcome outcome = Parse("combine: max(backlog, busy * 0.5)\n" + kSignals);
  ASSERT_TRUE(outcome.parsed) << outcome.complaints;
  EXPECT_EQ(outcome.parsed->policy.combine, Combine::kExpression);
  EXPECT_EQ(CombineText(outcome.parsed->policy), "max(backlog, busy * 0.5)");
  const std::vector<double> demands{3, 10};
  EXPECT_EQ(outcome.parsed->policy.expression->Evaluate(demands).value(), 5);
  // The name of one signal is an expression too.
  const Outcome one = Parse("combine: busy\n" + kSignals);
  ASSERT_TRUE(one.parsed) << one.complaints;
  EXPECT_EQ(one.parsed->policy.combine, Combine::kExpression);
}

struct Mistake {
  const char* yaml;
  const char* complaint;
};
void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.yaml; }

class PolicyMistake : public ::testing::TestWithParam<Mistake> {};

TEST_P(PolicyMistake, IsExplained) {
  std::string yaml = GetParam().yaml;
  if (yaml.find("signals") == std::string::npos) yaml += "\n" + kSignals;
  EXPECT_EQ(Parse(yaml).complaints, GetParam().complaint);
}

INSTANTIATE_TEST_SUITE_P(
    Policy,
    PolicyMistake,
    ::testing::Values(
        Mistake{"replicas: {min: 5, max: 3}",
                "stoker.yaml:1:17: replicas.min: min is over max; lower it or raise max"},
        Mistake{
            "scaleDown: {step: 10%}",
            "stoker.yaml:1:19: scaleDown.step: expected a step down per period of 1s to 24h, as "
            "10%/1m (over 0% to 100%) or 5/30s (replicas), got '10%'"},
        Mistake{"scaleDown: {step: 1%/1h}",
                "stoker.yaml:1:19: scaleDown.step: from max it would take over 24h to come down; "
                "allow larger steps, or lower max"},
        Mistake{"combine: maxx",
                "stoker.yaml:1:10: combine: expected max, sum, min, avg or an expression over the "
                "signal names: 'maxx' at character 1 is no signal of this policy; did you mean "
                "'max'?"},
        Mistake{"combine: bakclog + busy",
                "stoker.yaml:1:10: combine: expected max, sum, min, avg or an expression over the "
                "signal names: 'bakclog' at character 1 is no signal of this policy; did you mean "
                "'backlog'?"},
        Mistake{"signals: {max: {type: s3}}",
                "stoker.yaml:1:11: signals.max: this name is a function in expressions; rename the "
                "signal"},
        Mistake{"signals: {Backlog: {type: s3}}",
                "stoker.yaml:1:11: signals.Backlog: a signal's name must be lower-case letters, "
                "digits and '_', and start with a letter"},
        Mistake{"signals: {}", "stoker.yaml:1:10: signals: a policy needs at least one signal"},
        Mistake{"replicas: {headroom: 2000%}",
                "stoker.yaml:1:22: replicas.headroom: expected a headroom from 0% to 1000%, got "
                "'2000%'"},
        Mistake{"metricMode: per-signal\ncombine: sum",
                "stoker.yaml:1:13: metricMode: per-signal needs combine: max"},
        Mistake{"metricMode: per-signal\nreplicas: {headroom: 5%}",
                "stoker.yaml:1:13: metricMode: per-signal takes no headroom"},
        Mistake{
            "metricMode: per-signal\nscaleDown: {stabilization: 5m}",
            "stoker.yaml:1:13: metricMode: per-signal takes no scaleDown.stabilization; set the "
            "HPA's"},
        Mistake{
            "metricMode: per-signal\nscaleDown: {step: 5/1m}",
            "stoker.yaml:1:13: metricMode: per-signal takes no scaleDown.step; set the HPA's"}));

TEST(ParsePolicy, RefusesWhatIsOutOfRange) {
  for (const char* yaml : {"replicas: {max: 0}",
                           "replicas: {min: -1}",
                           "replicas: {max: 100001}",
                           "replicas: {executorsPerReplica: 0}",
                           "replicas: {headroom: -5%}",
                           "replicas: {headroom: 1}",
                           "scaleDown: {stabilization: 25h}",
                           "scaleDown: {step: 0%/1m}",
                           "scaleDown: {step: 101%/1m}",
                           "scaleDown: {step: 5/0s}",
                           "scaleDown: {step: 2.5/1m}",
                           "scaleDown: {step: 5/500ms}",
                           "scaleDown: {step: /1m}",
                           "scaleDown: {step: [5]}",
                           "scaleDown: {step: nan%/1m}",
                           "combine: ''",
                           "combine: backlog = 1",
                           "combine: [max]",
                           "metricMode: both",
                           "signals: []",
                           "signals: text",
                           "namespaces: []",
                           "onFault: {then: give-up}",
                           "replcias: {max: 3}"}) {
    std::string text = yaml;
    if (text.find("signals") == std::string::npos) text += "\n" + kSignals;
    EXPECT_NE(Parse(text).complaints, "") << yaml;
  }
  EXPECT_NE(Parse("combine: max").complaints, "");  // no signals
}

TEST(ParsePolicy, CollectsAllMistakes) {
  const std::string complaints =
      Parse("replicas: {max: many}\nscaleDown: {step: fast}\nsignals: {A: {}, max: {}}").complaints;
  EXPECT_EQ(std::count(complaints.begin(), complaints.end(), '\n'), 3) << complaints;
}

TEST(ParsePolicy, DoesNotRepeatConfidentialText) {
  const std::string complaints =
      Parse("combine: s3cret + busy\n" + kSignals, true).complaints +
      Parse("scaleDown: {step: s3cret}\n" + kSignals, true).complaints +
      Parse("metricMode: s3cret\n" + kSignals, true).complaints +
      Parse("replicas: {headroom: s3cret}\n" + kSignals, true).complaints;
  EXPECT_NE(complaints, "");
  EXPECT_EQ(complaints.find("s3cret"), std::string::npos) << complaints;
}

TEST(ParsePolicy, SurvivesRandomPieces) {
  std::mt19937 random(3);  // NOLINT: the same text every time
  const std::vector<std::string> values{"5",
                                        "-1",
                                        "10%",
                                        "10%/1m",
                                        "5/30s",
                                        "max",
                                        "sum",
                                        "a+",
                                        "~",
                                        "[]",
                                        "{}",
                                        "{a: {}}",
                                        "1e9",
                                        "''",
                                        "fail"};
  const std::vector<std::string> keys{
      "namespaces", "combine", "metricMode", "signals", "onFault", "replicas", "scaleDown"};
  const std::vector<std::string> inner{
      "min", "max", "headroom", "stabilization", "step", "hold", "then", "backlog"};
  for (int i = 0; i < 2000; ++i) {
    std::string yaml;
    for (const std::string& key : keys) {
      if (random() % 2 == 0) continue;
      yaml += key + ": ";
      yaml += random() % 3 == 0 ? values[random() % values.size()]
                                : "{" + inner[random() % inner.size()] + ": " +
                                      values[random() % values.size()] + "}";
      yaml += "\n";
    }
    if (!yaml.empty()) Parse(yaml);
  }
}

TEST(ParseCapacity, ReadsEveryKey) {
  const Outcome outcome = Parse(kSignals +
                                "capacity:\n"
                                "  mechanism: buffer\n"
                                "  executor:\n"
                                "    cpu: 3500m\n"
                                "    memory: 18Gi\n"
                                "    ephemeralStorage: 50Gi\n"
                                "    nodeSelector: {pool: spot}\n"
                                "    tolerations:\n"
                                "      - {key: spot, operator: Exists, effect: NoExecute, "
                                "tolerationSeconds: 60}\n"
                                "  running: {type: pods}\n"
                                "  pending: {type: prometheus}\n"
                                "  leadTime: 5m\n"
                                "  maxExecutors: 40\n"
                                "  namespace: spark\n"
                                "  name: etl-room\n");
  ASSERT_TRUE(outcome.parsed) << outcome.complaints;
  const Capacity& capacity = outcome.parsed->policy.capacity.value();
  EXPECT_EQ(capacity.mechanism, Mechanism::kBuffer);
  EXPECT_EQ(capacity.executor->cpu_millis, 3500);
  EXPECT_EQ(capacity.executor->memory_bytes, 18LL << 30);
  EXPECT_EQ(capacity.executor->ephemeral_storage_bytes, 50LL << 30);
  EXPECT_EQ(capacity.executor->node_selector.at("pool"), "spot");
  ASSERT_EQ(capacity.executor->tolerations.size(), 1);
  EXPECT_EQ(capacity.executor->tolerations[0].op, "Exists");
  EXPECT_EQ(capacity.executor->tolerations[0].seconds, 60);
  EXPECT_EQ(capacity.lead_time->fixed, 5min);
  EXPECT_EQ(capacity.max_executors, 40);
  EXPECT_EQ(capacity.name_space, "spark");
  EXPECT_EQ(capacity.name, "etl-room");
  EXPECT_EQ(outcome.parsed->running->Find("type")->scalar(), "pods");
  EXPECT_EQ(outcome.parsed->pending->Find("type")->scalar(), "prometheus");
}

TEST(ParseCapacity, LeavesWhatIsNotSaidToTheSection) {
  const Outcome outcome = Parse(kSignals + "capacity: {executor: {preset: medium}}\n");
  ASSERT_TRUE(outcome.parsed) << outcome.complaints;
  const Capacity& capacity = outcome.parsed->policy.capacity.value();
  EXPECT_FALSE(capacity.mechanism);
  EXPECT_FALSE(capacity.lead_time);
  EXPECT_EQ(capacity.executor->preset, "medium");
  EXPECT_EQ(capacity.max_executors, 100);
  EXPECT_FALSE(Parse(kSignals + "capacity: {leadTime: measured}\n")
                   .parsed->policy.capacity->lead_time->fixed);
}

TEST(PolicyParams, NamesEveryKeyWithHelp) {
  std::string keys;
  for (const config::ParamInfo& info : PolicyParams()) {
    keys += info.key + " ";
    EXPECT_FALSE(info.param.help.empty()) << info.key;
    if (info.key == "replicas" || info.key == "scaleDown" || info.key == "onFault" ||
        info.key == "capacity") {
      EXPECT_FALSE(info.children.empty()) << info.key;
    }
  }
  EXPECT_EQ(keys,
            "namespaces replicas combine scaleDown onFault metricMode capacity forecast signals ");
}

}  // namespace
}  // namespace stoker::policy
