#include "adapter/manifest_lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace stoker::adapter {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What the linter says about a manifest, one formatted line each.
std::vector<std::string> Lint(const std::string& manifest, const ManifestChecks& checks = {}) {
  config::Diagnostics diagnostics;
  const auto documents = config::ParseYamlStream(manifest, "app.yaml", diagnostics);
  EXPECT_TRUE(documents) << diagnostics.ToString();
  std::vector<std::string> lines;
  for (const config::Node& document : documents.value()) {
    for (const Finding& finding : LintManifest(document, checks)) lines.push_back(Format(finding));
  }
  return lines;
}

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

const char kGood[] = R"(apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: workers
  namespace: spark
spec:
  scaleTargetRef:
    name: spark-worker
  minReplicaCount: 0
  maxReplicaCount: 50
  fallback:
    failureThreshold: 3
    replicas: 1
    behavior: currentReplicasIfHigher
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleUp: {tolerance: "0"}
        scaleDown: {tolerance: "0"}
  triggers:
    - type: external-push
      metricType: AverageValue
      metadata:
        scalerAddress: stoker.stoker.svc:6000
        policy: etl
)";

const char kGoodJob[] = R"(apiVersion: keda.sh/v1alpha1
kind: ScaledJob
metadata: {name: jobs, namespace: spark}
spec:
  jobTargetRef: {template: {}}
  triggers:
    - type: external
      metadata: {scalerAddress: "stoker:6000", policy: etl}
)";

TEST(ManifestLint, GoodManifestsAreFine) {
  EXPECT_THAT(Lint(kGood), IsEmpty());
  EXPECT_THAT(Lint(kGoodJob), IsEmpty());
}

TEST(ManifestLint, OtherDocumentsAreNotLookedAt) {
  EXPECT_THAT(Lint("apiVersion: apps/v1\nkind: Deployment\nspec: {triggers: [{type: external}]}\n"),
              IsEmpty());
  EXPECT_THAT(Lint("just text\n---\n[a, b]\n---\n"), IsEmpty());
  EXPECT_THAT(Lint(Replace(kGood, "keda.sh/v1alpha1", "example.com/v1")), IsEmpty());
  // Triggers of other types are KEDA's business.
  EXPECT_THAT(Lint("apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\n"
                   "spec: {triggers: [{type: cpu, metricType: Utilization}]}\n"),
              IsEmpty());
  for (const char* broken :
       {"spec: 3", "spec: {triggers: external}", "spec: {triggers: [a]}", ""}) {
    EXPECT_THAT(Lint(std::string("apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\n") + broken),
                IsEmpty());
  }
}

TEST(ManifestLint, LooksIntoLists) {
  std::string indented = "apiVersion: v1\nkind: List\nitems:\n  -\n    ";
  for (const char c : Replace(kGood, "AverageValue", "Value")) {
    indented += c;
    if (c == '\n') indented += "    ";
  }
  EXPECT_THAT(Lint(indented), ElementsAre(HasSubstr("metricType: must be AverageValue")));
}

TEST(ManifestLint, MetricType) {
  EXPECT_THAT(Lint(Replace(kGood, "      metricType: AverageValue\n", "")), IsEmpty());
  EXPECT_THAT(Lint(Replace(kGood, "AverageValue", "Value")),
              ElementsAre(HasSubstr("app.yaml:22:19: error: spec.triggers[0].metricType: must be "
                                    "AverageValue or left out")));
  EXPECT_THAT(
      Lint(Replace(kGoodJob, "type: external\n", "type: external\n      metricType: Value\n")),
      ElementsAre(HasSubstr("KEDA starts no jobs")));
}

TEST(ManifestLint, MissingFallback) {
  const std::string manifest = Replace(kGood,
                                       "  fallback:\n    failureThreshold: 3\n    replicas: 1\n"
                                       "    behavior: currentReplicasIfHigher\n",
                                       "");
  EXPECT_THAT(Lint(manifest),
              ElementsAre(HasSubstr(": warning: spec: without fallback KEDA keeps the replicas")));
  EXPECT_THAT(Lint(manifest)[0],
              HasSubstr("fallback: {failureThreshold: 3, replicas: 1, behavior: "
                        "currentReplicasIfHigher}"));
}

TEST(ManifestLint, FallbackThatShrinks) {
  const std::string behavior = "    behavior: currentReplicasIfHigher\n";
  EXPECT_THAT(Lint(Replace(kGood, behavior, "")),
              ElementsAre(HasSubstr("warning: spec.fallback: static shrinks the workload to 1 ")));
  EXPECT_THAT(Lint(Replace(kGood, behavior, "    behavior: static\n")),
              ElementsAre(HasSubstr("app.yaml:14:15: warning: spec.fallback.behavior: static")));
  EXPECT_THAT(Lint(Replace(kGood, behavior, "    behavior: currentReplicasIfLower\n")),
              ElementsAre(HasSubstr("error: spec.fallback.behavior: currentReplicasIfLower")));
  EXPECT_THAT(Lint(Replace(kGood, "replicas: 1\n", "replicas: 0\n")),
              ElementsAre(HasSubstr("error: spec.fallback.replicas: 0 lets KEDA scale to zero")));
  // Nothing to shrink: it falls back to the most there can be.
  EXPECT_THAT(Lint(Replace(Replace(kGood, behavior, ""), "replicas: 1\n", "replicas: 50\n")),
              IsEmpty());
  EXPECT_THAT(Lint(Replace(kGood, behavior, "    behavior: currentReplicas\n")), IsEmpty());
}

TEST(ManifestLint, BrokenFallback) {
  EXPECT_THAT(Lint(Replace(kGood, "    failureThreshold: 3\n", "")),
              ElementsAre(HasSubstr("error: spec.fallback: failureThreshold is missing")));
  EXPECT_THAT(Lint(Replace(kGood, "IfHigher", "IfHighest")),
              ElementsAre(HasSubstr("error: spec.fallback.behavior: KEDA knows static")));
  EXPECT_THAT(Lint(Replace(kGood, "replicas: 1\n", "replicas: some\n")),
              ElementsAre(HasSubstr("spec.fallback.replicas: must be a whole number")));
}

TEST(ManifestLint, Tolerance) {
  EXPECT_THAT(Lint(Replace(kGood, "        scaleDown: {tolerance: \"0\"}\n", "")),
              ElementsAre(AllOf(HasSubstr("warning: spec: the HPA ignores changes within 10 %"),
                                HasSubstr("behavior: {scaleDown: {tolerance: \"0\"}}"))));
  EXPECT_THAT(Lint(Replace(kGood, "scaleUp: {tolerance: \"0\"}", "scaleUp: {tolerance: \"0.1\"}")),
              ElementsAre(HasSubstr("scaleUp.tolerance: the HPA ignores changes within this")));
  // With fewer than ten replicas one more is always over 10 %.
  EXPECT_THAT(Lint(Replace(Replace(kGood, "maxReplicaCount: 50", "maxReplicaCount: 9"),
                           "        scaleDown: {tolerance: \"0\"}\n",
                           "")),
              IsEmpty());
}

TEST(ManifestLint, TargetWithoutScaleSubresource) {
  EXPECT_THAT(Lint(Replace(kGood, "name: spark-worker", "name: pi\n    kind: SparkApplication")),
              ElementsAre(HasSubstr("error: spec.scaleTargetRef.kind: a SparkApplication has no "
                                    "scale subresource")));
  EXPECT_THAT(Lint(Replace(kGood, "name: spark-worker", "name: w\n    kind: StatefulSet")),
              IsEmpty());
}

TEST(ManifestLint, PushInAScaledJob) {
  EXPECT_THAT(Lint(Replace(kGoodJob, "type: external\n", "type: external-push\n")),
              ElementsAre(HasSubstr("app.yaml:7:13: warning: spec.triggers[0].type: KEDA does not "
                                    "listen to external-push in a ScaledJob")));
}

TEST(ManifestLint, MetadataNeedsOneKind) {
  EXPECT_THAT(Lint(Replace(kGood, "        policy: etl\n", "")),
              ElementsAre(HasSubstr("needs exactly one of policy, type and policySpec")));
  EXPECT_THAT(Lint(Replace(kGood, "policy: etl\n", "policy: etl\n        type: cron\n")),
              ElementsAre(HasSubstr("needs exactly one of policy, type and policySpec")));
  EXPECT_THAT(Lint(Replace(kGood, "        scalerAddress: stoker.stoker.svc:6000\n", "")),
              ElementsAre(HasSubstr("scalerAddress is missing")));
  EXPECT_THAT(Lint(Replace(kGood, "policy: etl", "policySpec: {combine: max}")),
              ElementsAre(HasSubstr("metadata.policySpec: every value of trigger metadata must")));
  EXPECT_THAT(Lint("apiVersion: keda.sh/v1alpha1\nkind: ScaledJob\nspec: {triggers: [{type: "
                   "external}]}\n"),
              ElementsAre(HasSubstr("metadata is missing")));
}

TEST(ManifestLint, CredentialsInMetadata) {
  for (const char* key : {"password", "awsSecretAccessKey", "bearerToken", "apiKeyFromEnv"}) {
    const auto lines = Lint(
        Replace(kGood, "policy: etl\n", std::string("policy: etl\n        ") + key + ": s3cr3t\n"));
    EXPECT_THAT(lines,
                ElementsAre(AllOf(HasSubstr(std::string("app.yaml:26:9: error: "
                                                        "spec.triggers[0].metadata.") +
                                            key + ": credentials do not belong"),
                                  Not(HasSubstr("s3cr3t")))))
        << key;
  }
  EXPECT_THAT(Lint(Replace(kGood, "policy: etl\n", "policy: etl\n        caCert: PEM\n")),
              ElementsAre(HasSubstr("KEDA reads certificates from a TriggerAuthentication")));
  EXPECT_THAT(Lint(Replace(kGood, "policy: etl\n", "policy: etl\n        unsafeSsl: \"true\"\n")),
              ElementsAre(HasSubstr("unsafeSsl alone does not switch TLS on")));
}

TEST(ManifestLint, AsksTheParserOfMetadata) {
  ManifestChecks checks;
  ManifestChecks::Metadata seen;
  std::string seen_namespace;
  ErrorCode code = ErrorCode::kInvalidArgument;
  checks.metadata = [&](const ManifestChecks::Metadata& metadata,
                        const std::string& name_space) -> Status {
    seen = metadata;
    seen_namespace = name_space;
    return Fail(code, "unknown policy; did you mean 'elt'?");
  };
  EXPECT_THAT(
      Lint(kGood, checks),
      ElementsAre("app.yaml:24:9: error: spec.triggers[0].metadata: unknown policy; did you "
                  "mean 'elt'?"));
  EXPECT_EQ(seen.at("policy"), "etl");
  EXPECT_EQ(seen_namespace, "spark");

  // Without a namespace there is no telling who may.
  const std::string anywhere = Replace(kGood, "  namespace: spark\n", "");
  EXPECT_EQ(Lint(anywhere, checks).size(), 1U);
  code = ErrorCode::kPermissionDenied;
  EXPECT_THAT(Lint(anywhere, checks), IsEmpty());
  EXPECT_EQ(Lint(kGood, checks).size(), 1U);

  // Values of the target's environment are not known.
  EXPECT_THAT(Lint(Replace(kGood, "policy: etl", "policyFromEnv: POLICY"), checks), IsEmpty());
}

TEST(ManifestLint, ComparesBounds) {
  ManifestChecks checks;
  ManifestChecks::Bounds bounds{0, 50};
  checks.bounds = [&](const ManifestChecks::Metadata&, const std::string&) { return bounds; };
  EXPECT_THAT(Lint(kGood, checks), IsEmpty());
  bounds = {0, 80};
  EXPECT_THAT(Lint(kGood, checks),
              ElementsAre(HasSubstr("warning: spec: maxReplicaCount 50 caps the policy's "
                                    "replicas.max 80; set both to the same")));
  bounds = {60, 80};
  EXPECT_THAT(Lint(kGood, checks),
              ElementsAre(HasSubstr("error: spec: maxReplicaCount 50 is below the policy's "
                                    "replicas.min 60")));
  bounds = {0, 200};
  EXPECT_THAT(Lint(Replace(kGood, "  maxReplicaCount: 50\n", ""), checks),
              ElementsAre(HasSubstr("maxReplicaCount 100 (KEDA's default) caps")));
  bounds = {1, 50};
  EXPECT_THAT(Lint(Replace(kGood, "minReplicaCount: 0", "minReplicaCount: 3"), checks),
              ElementsAre(HasSubstr("minReplicaCount 3 keeps more than the policy's")));
  EXPECT_THAT(Lint(Replace(kGood, "minReplicaCount: 0", "minReplicaCount: 51")),
              ElementsAre(HasSubstr("minReplicaCount is above maxReplicaCount")));
}

const char kPlaceholder[] = R"(apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: placeholders, namespace: spark}
spec:
  scaleTargetRef: {name: spark-placeholder}
  minReplicaCount: 0
  maxReplicaCount: 40
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {scaleUp: {tolerance: "0"}, scaleDown: {tolerance: "0"}}
  triggers:
    - type: external-push
      metadata: {scalerAddress: "stoker.stoker.svc:6000", policy: etl, output: headroom}
)";

TEST(ManifestLint, PlaceholdersNeedNoFallback) { EXPECT_THAT(Lint(kPlaceholder), IsEmpty()); }

TEST(ManifestLint, ComparesThePlaceholdersBounds) {
  ManifestChecks checks;
  checks.bounds = [](const ManifestChecks::Metadata&, const std::string&) {
    return ManifestChecks::Bounds{.min = 0, .max = 60};
  };
  EXPECT_THAT(
      Lint(kPlaceholder, checks),
      ElementsAre(HasSubstr("maxReplicaCount 40 caps the policy's capacity.maxExecutors 60; "
                            "set both to the same")));
  EXPECT_THAT(Lint(Replace(Replace(kPlaceholder, "minReplicaCount: 0", "minReplicaCount: 2"),
                           "maxReplicaCount: 40",
                           "maxReplicaCount: 60"),
                   checks),
              ElementsAre(HasSubstr("minReplicaCount 2 keeps more than the policy's least headroom "
                                    "0; set both to the same")));
}

TEST(ManifestLint, PlaceholdersBesideABufferMakeRoomTwice) {
  ManifestChecks checks;
  checks.bounds = [](const ManifestChecks::Metadata&, const std::string&) {
    return ManifestChecks::Bounds{.min = 0, .max = 40, .twice = true};
  };
  EXPECT_THAT(Lint(kPlaceholder, checks),
              ElementsAre(AllOf(HasSubstr("warning: spec.triggers[0].metadata.output: "),
                                HasSubstr("room is made twice"))));
}

TEST(ManifestLint, PlaceholdersStandAlone) {
  EXPECT_THAT(Lint(std::string(kPlaceholder) + "    - type: cpu\n"),
              ElementsAre(HasSubstr("error: spec.triggers[0]: output: headroom stands alone")));
  EXPECT_THAT(Lint(Replace(kPlaceholder, "kind: ScaledObject", "kind: ScaledJob")),
              ::testing::Contains(HasSubstr("a ScaledJob would start jobs")));
}

}  // namespace
}  // namespace stoker::adapter
