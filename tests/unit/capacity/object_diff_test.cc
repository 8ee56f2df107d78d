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

TEST(ObjectDiff, CutsLongValues) {
  const std::string line = ObjectDiff({{"a", std::string(500, 'x')}}, {{"a", "y"}}).at(0);
  EXPECT_LT(line.size(), 80U);
}

}  // namespace
}  // namespace stoker::capacity
