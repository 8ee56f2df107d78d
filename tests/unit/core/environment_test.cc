#include "core/environment.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// A folder of its own that goes away with the test.
class SystemFileSystemTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "stoker-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { fs::remove_all(root_); }
  std::string Write(const std::string& name, const std::string& content) {
    std::ofstream(root_ / name, std::ios::binary) << content;
    return (root_ / name).string();
  }

  fs::path root_;
  SystemFileSystem files_;
};

TEST_F(SystemFileSystemTest, ReadsBytesAsTheyAre) {
  const std::string bytes("a\0b\r\n", 5);
  EXPECT_EQ(files_.Read(Write("f", bytes)).value(), bytes);
  EXPECT_EQ(files_.Read(Write("empty", "")).value(), "");
}

TEST_F(SystemFileSystemTest, SaysWhatIsMissing) {
  const std::string path = (root_ / "none").string();
  for (const Error& error :
       {files_.Read(path).error(), files_.List(path).error(), files_.Stat(path).error()}) {
    EXPECT_EQ(error.code, ErrorCode::kNotFound);
    EXPECT_THAT(error.message, HasSubstr(path));
  }
  EXPECT_EQ(files_.Read(root_.string()).error().code, ErrorCode::kUnavailable);
}

TEST_F(SystemFileSystemTest, ListsInNameOrderThroughLinks) {
  Write("b.yaml", "12");
  fs::create_directory(root_ / "a");
  fs::create_symlink("b.yaml", root_ / "c.yaml");
  fs::create_symlink("nowhere", root_ / "d.yaml");
  const auto entries = files_.List(root_.string());
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 3U);
  EXPECT_EQ((*entries)[0].name, "a");
  EXPECT_TRUE((*entries)[0].is_directory);
  EXPECT_EQ((*entries)[1].name, "b.yaml");
  EXPECT_EQ((*entries)[2].name, "c.yaml");
  EXPECT_EQ((*entries)[2].size_bytes, 2U);
  EXPECT_FALSE((*entries)[2].is_directory);
}

TEST_F(SystemFileSystemTest, StatsFilesAndFolders) {
  const std::string path = Write("f", "123");
  EXPECT_EQ(files_.Stat(path)->name, "f");
  EXPECT_EQ(files_.Stat(path)->size_bytes, 3U);
  EXPECT_TRUE(files_.Stat(root_.string())->is_directory);
}

TEST(SystemEnvironment, TellsUnsetFromEmpty) {
  ASSERT_EQ(setenv("STOKER_TEST__EMPTY", "", 1), 0);
  ASSERT_EQ(setenv("STOKER_TEST__A", "x=y", 1), 0);
  const SystemEnvironment environment;
  EXPECT_EQ(environment.Get("STOKER_TEST__EMPTY"), "");
  EXPECT_EQ(environment.Get("STOKER_TEST__NONE"), std::nullopt);
  const auto found = environment.WithPrefix("STOKER_TEST__");
  EXPECT_EQ(found.size(), 2U);
  EXPECT_EQ(found.at("STOKER_TEST__A"), "x=y");
  unsetenv("STOKER_TEST__EMPTY");
  unsetenv("STOKER_TEST__A");
}

TEST(SystemRandom, StaysInRange) {
  SystemRandom random;
  for (int i = 0; i < 1000; ++i) {
    const double value = random.Uniform();
    EXPECT_GE(value, 0);
    EXPECT_LT(value, 1);
  }
}

}  // namespace
}  // namespace stoker
