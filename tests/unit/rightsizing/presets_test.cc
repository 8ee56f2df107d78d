#include "rightsizing/presets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rightsizing/memory.h"
#include "tests/testing/fakes.h"

namespace stoker::rightsizing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;

std::vector<std::string> Names(const Presets& presets) {
  std::vector<std::string> names;
  for (const Preset& preset : presets.all()) names.push_back(preset.name);
  return names;
}

TEST(Presets, BuiltInOnesHaveTheSizesPeopleKnow) {
  const Presets presets;
  const auto known = [](const char* name, int cores, std::int64_t gibi) {
    return AllOf(Field(&Preset::name, name),
                 Field(&Preset::cores, cores),
                 Field(&Preset::heap_bytes, gibi * kGibibyte),
                 Field(&Preset::overhead_bytes, std::nullopt));
  };
  EXPECT_THAT(presets.all(),
              ElementsAre(known("small", 1, 1),
                          known("medium", 2, 4),
                          known("large", 4, 8),
                          known("xlarge", 8, 16)));
  for (const Preset& preset : presets.all()) EXPECT_NE(preset.description, "") << preset.name;
}

TEST(Presets, UsersAddTheirsAndReplaceOurs) {
  Presets presets;
  ASSERT_TRUE(
      presets.Add("presets:\n"
                  "  large: {cores: 5, memory: 20g, memoryOverhead: 3g}\n"
                  "  huge: {cores: 16, memory: 30.5GiB, description: wide joins}\n",
                  "mine.yaml"));
  EXPECT_THAT(Names(presets), ElementsAre("small", "medium", "large", "xlarge", "huge"));
  const Result<Preset> large = presets.Find("large");
  ASSERT_TRUE(large);
  EXPECT_EQ(large->cores, 5);
  EXPECT_EQ(large->heap_bytes, 20 * kGibibyte);
  EXPECT_EQ(large->overhead_bytes, 3 * kGibibyte);
  EXPECT_EQ(large->description, "");
  EXPECT_EQ(presets.Find("huge")->description, "wide joins");
}

TEST(Presets, AllMistakesOfAFileAreNamedWithTheirPlace) {
  Presets presets;
  const Status added = presets.Add(
      "presets:\n"
      "  none: {cores: 0, memory: 4g}\n"
      "  tiny: {cores: 1, memory: 256m}\n"
      "  bare: {cores: 1, memory: 4}\n"
      "  typo: {core: 1, memory: 4g}\n",
      "mine.yaml");
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      added.error().message,
      "mine.yaml:2:17: presets.none.cores: must be at least 1, got '0'\n"
      "mine.yaml:3:28: presets.tiny.memory: must be at least 450m, got '256m'\n"
      "mine.yaml:4:28: presets.bare.memory: a size needs a unit, such as 4g or 512m, got '4'\n"
      "mine.yaml:5:10: presets.typo: unknown key 'core'; did you mean 'cores'?\n"
      "mine.yaml:5:9: presets.typo: missing required key 'cores'");
  EXPECT_EQ(presets.all().size(), 4u) << "nothing of a bad file is taken";
  EXPECT_FALSE(presets.Add("presets: [small]\n", "list.yaml"));
  EXPECT_FALSE(presets.Add("", "empty.yaml"));
  EXPECT_FALSE(presets.Add("presets: {a: {cores: 1, memory: 1g}}\n---\n{}\n", "two.yaml"));
}

TEST(Presets, UnknownNameIsAnsweredWithTheNearest) {
  const Presets presets;
  EXPECT_EQ(presets.Find("medum").error().message,
            "unknown preset 'medum'; did you mean 'medium'?");
  EXPECT_EQ(presets.Find("gigantic").error().message,
            "unknown preset 'gigantic'; there are small, medium, large, xlarge");
}

TEST(Presets, AFolderIsReadInNameOrder) {
  testing::FakeFileSystem files;
  files.Write("/etc/presets/b.yaml", "presets: {x: {cores: 2, memory: 2g}}");
  files.Write("/etc/presets/a.yml", "presets: {x: {cores: 1, memory: 1g}}");
  files.Write("/etc/presets/notes.txt", "not YAML: [");
  Presets presets;
  ASSERT_TRUE(presets.AddPath("/etc/presets", files));
  EXPECT_EQ(presets.Find("x")->cores, 2);
  EXPECT_FALSE(presets.AddPath("/etc/absent.yaml", files));
}

}  // namespace
}  // namespace stoker::rightsizing
