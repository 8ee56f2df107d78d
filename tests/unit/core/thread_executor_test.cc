#include "core/thread_executor.h"

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace stoker {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(ThreadExecutor, RunsPostedWorkOnItsThreads) {
  ThreadExecutor executor(2);
  std::promise<std::thread::id> ran;
  executor.Post([&] { ran.set_value(std::this_thread::get_id()); });
  EXPECT_NE(ran.get_future().get(), std::this_thread::get_id());
}

TEST(ThreadExecutor, RunsTimedWorkInOrderAndNotBefore) {
  const SystemClock clock;
  ThreadExecutor executor(1);
  std::mutex mutex;
  std::vector<int> order;
  std::promise<void> done;
  const MonoTime start = clock.MonotonicNow();
  const auto note = [&](int i) {
    const std::scoped_lock lock(mutex);
    order.push_back(i);
    if (order.size() == 3) done.set_value();
  };
  executor.PostAt(start + milliseconds(20), [&] { note(3); });
  executor.PostAt(start + milliseconds(10), [&] { note(2); });
  executor.PostAt(start - milliseconds(10), [&] { note(1); });
  done.get_future().wait();
  EXPECT_GE(clock.MonotonicNow() - start, milliseconds(20));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(ThreadExecutor, DropsWhatHasNotBegunWhenStopped) {
  std::atomic<int> ran = 0;
  const auto token = std::make_shared<int>(0);
  ThreadExecutor executor(1);
  executor.PostAt(SystemClock().MonotonicNow() + hours(1), [&ran, token] { ++ran; });
  executor.Stop();
  executor.Post([&ran, token] { ++ran; });
  executor.Stop();
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(token.use_count(), 1);  // captures are gone too
}

TEST(ThreadExecutor, WaitsForWorkThatHasBegun) {
  std::atomic<bool> finished = false;
  std::promise<void> begun;
  std::promise<void> go;
  auto executor = std::make_unique<ThreadExecutor>(1);
  executor->Post([&] {
    begun.set_value();
    go.get_future().wait();
    finished = true;
  });
  begun.get_future().wait();
  go.set_value();
  executor.reset();
  EXPECT_TRUE(finished);
}

TEST(ThreadExecutor, LetsWorkPostMore) {
  ThreadExecutor executor(1);
  std::promise<void> done;
  executor.Post([&] { executor.Post([&] { done.set_value(); }); });
  done.get_future().wait();
}

}  // namespace
}  // namespace stoker
