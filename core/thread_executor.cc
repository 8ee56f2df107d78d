#include "core/thread_executor.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace stoker {

struct ThreadExecutor::Impl {
  std::mutex mutex;
  std::condition_variable ready_changed;
  std::condition_variable timers_changed;
  std::deque<Work> ready;
  std::multimap<MonoTime, Work> timers;
  bool stopping = false;
  std::vector<std::thread> workers;
  std::thread timer;

  void RunWorker() {
    std::unique_lock lock(mutex);
    while (true) {
      ready_changed.wait(lock, [this] { return stopping || !ready.empty(); });
      if (stopping) return;
      Work work = std::move(ready.front());
      ready.pop_front();
      lock.unlock();
      work();
      work = nullptr;  // destroy captures outside the lock
      lock.lock();
    }
  }

  void RunTimer() {
    const SystemClock clock;
    std::unique_lock lock(mutex);
    while (!stopping) {
      if (timers.empty()) {
        timers_changed.wait(lock);
        continue;
      }
      const MonoTime next = timers.begin()->first;
      if (clock.MonotonicNow() < next) {
        timers_changed.wait_until(lock, next);
        continue;
      }
      ready.push_back(std::move(timers.begin()->second));
      timers.erase(timers.begin());
      ready_changed.notify_one();
    }
  }
};

ThreadExecutor::ThreadExecutor(int threads) : impl_(std::make_unique<Impl>()) {
  for (int i = 0; i < threads; ++i) impl_->workers.emplace_back([this] { impl_->RunWorker(); });
  impl_->timer = std::thread([this] { impl_->RunTimer(); });
}

ThreadExecutor::~ThreadExecutor() { Stop(); }

void ThreadExecutor::Post(Work work) {
  const std::scoped_lock lock(impl_->mutex);
  if (impl_->stopping) return;
  impl_->ready.push_back(std::move(work));
  impl_->ready_changed.notify_one();
}

void ThreadExecutor::PostAt(MonoTime when, Work work) {
  const std::scoped_lock lock(impl_->mutex);
  if (impl_->stopping) return;
  impl_->timers.emplace(when, std::move(work));
  impl_->timers_changed.notify_one();
}

void ThreadExecutor::Stop() {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->ready_changed.notify_all();
  impl_->timers_changed.notify_all();
  for (std::thread& worker : impl_->workers) {
    if (worker.joinable()) worker.join();
  }
  if (impl_->timer.joinable()) impl_->timer.join();
  std::deque<Work> ready;
  std::multimap<MonoTime, Work> timers;
  const std::scoped_lock lock(impl_->mutex);
  ready.swap(impl_->ready);
  timers.swap(impl_->timers);
}

}  // namespace stoker
