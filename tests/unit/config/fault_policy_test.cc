#include "config/fault_policy.h"

#include <string>

#include <gtest/gtest.h>

namespace stoker::config {
namespace {

using Then = FaultPolicy::Then;

std::string Read(std::string_view text, FaultPolicy& out) {
  Diagnostics diagnostics;
  const Result<Node> node = ParseYaml(text, "a.yaml", diagnostics);
  if (node) {
    const bool good = ReadFaultPolicy(*node, out, diagnostics);
    EXPECT_EQ(good, diagnostics.empty());
  }
  return diagnostics.ToString();
}

TEST(ReadFaultPolicy, TakesEveryForm) {
  FaultPolicy policy;
  EXPECT_EQ(Read("hold: 5m", policy), "");
  EXPECT_EQ(policy.hold, std::chrono::minutes(5));
  EXPECT_EQ(policy.then, Then::kFail);
  EXPECT_EQ(Read("then: ignore", policy), "");
  EXPECT_EQ(policy.then, Then::kIgnore);
  EXPECT_EQ(policy.hold, std::chrono::minutes(5));
  EXPECT_EQ(Read("{hold: 0s, then: {replicas: 4}}", policy), "");
  EXPECT_EQ(policy.then, Then::kReplicas);
  EXPECT_EQ(policy.replicas, 4);
  EXPECT_EQ(Read("then: fail", policy), "");
  EXPECT_EQ(policy.then, Then::kFail);
}

TEST(ReadFaultPolicy, SaysWhatItTakes) {
  FaultPolicy policy;
  EXPECT_EQ(Read("then: 4", policy),
            "a.yaml:1:7: then: expected fail, ignore or {replicas: N}, got '4'");
  EXPECT_EQ(Read("then: {replica: 4}", policy),
            "a.yaml:1:8: then: unknown key 'replica'; did you mean 'replicas'?\n"
            "a.yaml:1:7: then: missing required key 'replicas'");
  EXPECT_EQ(Read("then: {replicas: -1}", policy),
            "a.yaml:1:18: then.replicas: must be at least 0, got '-1'");
  EXPECT_EQ(Read("hold: -1m", policy),
            "a.yaml:1:7: hold: a duration cannot be negative, got '-1m'");
}

TEST(ReadFaultThen, TakesANumberInMetadata) {
  FaultPolicy policy;
  Diagnostics diagnostics;
  const Node good = Node::FromMetadata({{"then", "3"}});
  EXPECT_TRUE(ReadFaultThen(*good.Find("then"), policy, diagnostics));
  EXPECT_EQ(policy.then, Then::kReplicas);
  EXPECT_EQ(policy.replicas, 3);
  const Node bad = Node::FromMetadata({{"then", "s3cret"}});
  EXPECT_FALSE(ReadFaultThen(*bad.Find("then"), policy, diagnostics));
  EXPECT_EQ(diagnostics.ToString(),
            "metadata: then: expected fail, ignore or a number of replicas");
}

}  // namespace
}  // namespace stoker::config
