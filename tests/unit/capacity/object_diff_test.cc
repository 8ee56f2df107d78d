#include "capacity/object_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::capacity {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ObjectDiff, IsEmptyWhereOthersHaveMore) {
  const json desired{{"spec", {{"replicas", 3}, {"list", {{{"a", 1}}}}}}};
  const json live{{"spec", {{"replicas", 3}, {"list", {{{"a", 1}, {"b", 2}}}}}}, {"status", 1}};
  EXPECT_THAT(ObjectDiff(desired, live), IsEmpty());
}

TEST(ObjectDiff, NamesFieldsWithBothValues) {
  const json desired{{"spec", {{"replicas", 5}, {"name", "b"}, {"new", {{"x", true}}}}}};
  const json live{{"spec", {{"replicas", 3}, {"name", "a"}}}};
  EXPECT_THAT(
      ObjectDiff(desired, live),
      ElementsAre("spec.name: a -> b", "spec.new: none -> {\"x\":true}", "spec.replicas: 3 -> 5"));
}

TEST(ObjectDiff, ComparesListsOfAnotherLengthAsAWhole) {
  EXPECT_THAT(ObjectDiff({{"a", {1, 2}}}, {{"a", {1}}}), ElementsAre("a: [1] -> [1,2]"));
  EXPECT_THAT(ObjectDiff({{"a", {1, 2}}}, {{"a", {1, 3}}}), ElementsAre("a[1]: 3 -> 2"));
}

// What the API server writes back, or the object would be written again in every round.
TEST(ObjectDiff, ComparesAmountsByWhatTheyAre) {
  const auto with = [](const char* key, json amounts) {
    return json{{"spec", {{key, std::move(amounts)}, {"name", "1024Gi"}}}};
  };
  EXPECT_THAT(ObjectDiff(with("requests", {{"memory", "1024Gi"}, {"cpu", "4000m"}}),
                         with("requests", {{"memory", "1Ti"}, {"cpu", "4"}})),
              IsEmpty());
  EXPECT_THAT(ObjectDiff(with("hard", {{"pods", "2000"}}), with("hard", {{"pods", "2k"}})),
              IsEmpty());
  EXPECT_THAT(ObjectDiff(with("limits", {{"memory", "2Gi"}}), with("limits", {{"memory", "2G"}})),
              ElementsAre("spec.limits.memory: 2G -> 2Gi"));
  EXPECT_THAT(ObjectDiff({{"spec", {{"name", "1024Gi"}}}}, {{"spec", {{"name", "1Ti"}}}}),
              ElementsAre("spec.name: 1Ti -> 1024Gi"))
      << "that is a name";
}

TEST(ObjectDiff, CutsLongValues) {
  const std::string line = ObjectDiff({{"a", std::string(500, 'x')}}, {{"a", "y"}}).at(0);
  EXPECT_LT(line.size(), 80U);
}

}  // namespace
}  // namespace stoker::capacity
