#include "upstream/kubernetes/pod_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fakes.h"

namespace stoker::kubernetes {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

TEST(PodList, ReadsWhatADriverHas) {
  const auto page = ParsePodList(R"({
    "kind": "PodList", "apiVersion": "v1",
    "metadata": {"resourceVersion": "12", "continue": "abc=", "remainingItemCount": 3},
    "items": [{
      "metadata": {"name": "etl-driver", "namespace": "team", "labels": {"spark-role": "driver", "a": "b"},
                   "deletionTimestamp": "2026-01-05T10:00:00Z"},
      "spec": {"containers": [
        {"name": "spark", "ports": [{"name": "driver-rpc-port", "containerPort": 7078, "protocol": "TCP"},
                                    {"name": "spark-ui", "containerPort": 4040}]},
        {"name": "proxy", "ports": [{"containerPort": 15090}, {"name": "odd", "containerPort": 99999}]}]},
      "status": {"phase": "Running", "podIP": "10.1.2.3"}}]})");
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->next, "abc=");
  ASSERT_THAT(page->pods, SizeIs(1));
  const Pod& pod = page->pods[0];
  EXPECT_EQ(pod.name, "etl-driver");
  EXPECT_EQ(pod.name_space, "team");
  EXPECT_THAT(pod.labels, ElementsAre(Pair("a", "b"), Pair("spark-role", "driver")));
  EXPECT_EQ(pod.phase, "Running");
  EXPECT_EQ(pod.ip, "10.1.2.3");
  EXPECT_THAT(pod.ports, ElementsAre(Pair("driver-rpc-port", 7078), Pair("spark-ui", 4040)));
  EXPECT_EQ(pod.deletion_time, testing::At("2026-01-05T10:00:00Z"));
}

TEST(PodList, WhatIsMissingIsEmpty) {
  const auto page = ParsePodList(
      R"({"kind":"PodList","metadata":{},"items":[{"metadata":{"name":"new"},"spec":{"containers":[{}]}}]})");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->next, "");
  ASSERT_THAT(page->pods, SizeIs(1));
  EXPECT_EQ(page->pods[0].phase, "");
  EXPECT_EQ(page->pods[0].ip, "");
  EXPECT_THAT(page->pods[0].labels, IsEmpty());
  EXPECT_THAT(page->pods[0].ports, IsEmpty());
  EXPECT_FALSE(page->pods[0].deletion_time);
}

TEST(PodList, MayBeEmptyOrNull) {
  for (const char* json : {R"({"kind":"PodList","metadata":{},"items":[]})",
                           R"({"kind":"PodList","metadata":{},"items":null})"}) {
    const auto page = ParsePodList(json);
    ASSERT_TRUE(page) << json;
    EXPECT_THAT(page->pods, IsEmpty()) << json;
  }
}

TEST(PodList, AnythingElseIsAnError) {
  for (const char* json : {"",
                           "{",
                           "[]",
                           "null",
                           "<html>",
                           R"({"kind":"Status"})",
                           R"({"kind":"PodList"})",
                           R"({"kind":"PodList","items":{}})"}) {
    const auto page = ParsePodList(json);
    ASSERT_FALSE(page) << json;
    EXPECT_EQ(page.error().code, ErrorCode::kUnavailable);
  }
}

}  // namespace
}  // namespace stoker::kubernetes
