#include "config/watcher.h"

#include <atomic>
#include <future>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "core/thread_executor.h"
#include "tests/testing/fakes.h"

namespace stoker::config {
namespace {

using std::chrono::seconds;

class WatcherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.files.Write("/c/a.yaml", "one");
    Watch("/c");
  }
  void Watch(const std::string& path) {
    watcher_.reset();
    watcher_ = std::make_unique<Watcher>(std::vector<std::string>{path},
                                         world_.files,
                                         world_.clock,
                                         world_.executor,
                                         seconds(10),
                                         [this] { ++changes_; });
  }
  void Look() { world_.clock.Advance(seconds(10)); }

  testing::FakeWorld world_;
  int changes_ = 0;
  std::unique_ptr<Watcher> watcher_;
};

TEST_F(WatcherTest, SaysNothingWhileContentStays) {
  for (int i = 0; i < 5; ++i) Look();
  world_.files.Write("/c/a.yaml", "one", testing::At("2026-01-06T00:00:00Z"));
  world_.files.Write("/c/notes.txt", "not configuration");
  for (int i = 0; i < 5; ++i) Look();
  EXPECT_EQ(changes_, 0);
}

TEST_F(WatcherTest, ReportsOnceTwoLooksAgree) {
  world_.files.Write("/c/a.yaml", "two");
  Look();
  EXPECT_EQ(changes_, 0);
  Look();
  EXPECT_EQ(changes_, 1);
  for (int i = 0; i < 5; ++i) Look();
  EXPECT_EQ(changes_, 1);
}

TEST_F(WatcherTest, WaitsUntilWritingEnds) {
  for (const char* text : {"t", "tw", "two"}) {
    world_.files.Write("/c/a.yaml", text);
    Look();
  }
  EXPECT_EQ(changes_, 0);
  Look();
  EXPECT_EQ(changes_, 1);
}

TEST_F(WatcherTest, ForgetsAChangeThatWasTakenBack) {
  world_.files.Write("/c/a.yaml", "two");
  Look();
  world_.files.Write("/c/a.yaml", "one");
  Look();
  world_.files.Write("/c/a.yaml", "two");
  Look();
  EXPECT_EQ(changes_, 0);
}

TEST_F(WatcherTest, SeesFilesComeGoAndChangeNames) {
  world_.files.Write("/c/b.yaml", "");
  Look();
  Look();
  EXPECT_EQ(changes_, 1);
  world_.files.Remove("/c/b.yaml");
  world_.files.Write("/c/c.yaml", "");
  Look();
  Look();
  EXPECT_EQ(changes_, 2);
}

TEST_F(WatcherTest, KeepsTheOldWhileReadingFails) {
  testing::FakeFileSystem& files = world_.files;
  files.Remove("/c/a.yaml");  // the folder is gone with it
  for (int i = 0; i < 3; ++i) Look();
  EXPECT_EQ(changes_, 0);
  files.Write("/c/a.yaml", "one");
  for (int i = 0; i < 3; ++i) Look();
  EXPECT_EQ(changes_, 0);
  files.Remove("/c/a.yaml");
  Look();
  files.Write("/c/a.yaml", "two");
  Look();
  Look();
  EXPECT_EQ(changes_, 1);
}

TEST(WatcherOnThreads, ReportsAndStops) {
  testing::FakeFileSystem files;
  files.Write("/c/a.yaml", "one");
  const SystemClock clock;
  ThreadExecutor executor(2);
  std::atomic<int> calls = 0;
  std::promise<void> changed;
  {
    const Watcher watcher({"/c"}, files, clock, executor, std::chrono::milliseconds(1), [&] {
      if (calls++ == 0) changed.set_value();
    });
    files.Write("/c/a.yaml", "two");
    changed.get_future().wait();
    files.Write("/c/a.yaml", "three");
  }
  const int at_the_end = calls;
  std::promise<void> later;
  executor.PostAt(clock.MonotonicNow() + std::chrono::milliseconds(5), [&] { later.set_value(); });
  later.get_future().wait();
  EXPECT_EQ(calls, at_the_end);
}

TEST_F(WatcherTest, IsSilentOnceDestroyed) {
  world_.files.Write("/c/a.yaml", "two");
  Look();
  watcher_.reset();
  Look();
  Look();
  EXPECT_EQ(changes_, 0);
  EXPECT_EQ(world_.executor.pending(), 0U);
}

}  // namespace
}  // namespace stoker::config
