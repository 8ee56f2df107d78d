#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

// Files of the source tree that say what Stoker says. Tests run with the tree as working folder.

namespace stoker::golden {

inline constexpr char kMend[] =
    ": if the change is meant, run the golden tests from the source tree with "
    "STOKER_UPDATE_GOLDEN=1 and review the difference";

inline bool Updating() { return std::getenv("STOKER_UPDATE_GOLDEN") != nullptr; }

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

inline void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// The file is exactly `text`.
inline void ExpectFile(const std::string& path, const std::string& text) {
  if (Updating()) WriteFile(path, text);
  EXPECT_EQ(ReadFile(path), text) << path << kMend;
}

/// The part of the page between `<!-- golden: NAME -->` and `<!-- golden end -->` is exactly
/// `text`.
inline void ExpectSection(const std::string& path,
                          const std::string& name,
                          const std::string& text) {
  const std::string page = ReadFile(path);
  const std::string begin = "<!-- golden: " + name + " -->\n";
  const std::size_t found = page.find(begin);
  ASSERT_NE(found, std::string::npos) << path << " has lost its line " << begin;
  const std::size_t from = found + begin.size();
  const std::size_t to = page.find("<!-- golden end -->", from);
  ASSERT_NE(to, std::string::npos) << path << " has lost the end of " << begin;
  if (Updating()) {
    WriteFile(path, page.substr(0, from) + text + page.substr(to));
  } else {
    EXPECT_EQ(page.substr(from, to - from), text) << path << kMend;
  }
}

}  // namespace stoker::golden
