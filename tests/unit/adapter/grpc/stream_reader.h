#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "externalscaler.grpc.pb.h"

namespace stoker::testing {

/// Reads a server stream on a thread of its own. Waits are bounded, so that a wrong server fails a
/// test instead of hanging it.
template <class Response>
class StreamReader {
 public:
  /// `open`: given a context, opens the stream.
  template <class Open>
  explicit StreamReader(Open open) {
    reader_ = open(&context_);
    thread_ = std::thread([this] {
      Response response;
      while (reader_->Read(&response)) {
        const std::scoped_lock lock(mutex_);
        messages_.push_back(response);
        changed_.notify_all();
      }
      const grpc::Status status = reader_->Finish();
      const std::scoped_lock lock(mutex_);
      status_ = status;
      changed_.notify_all();
    });
  }
  ~StreamReader() {
    context_.TryCancel();
    thread_.join();
  }
  StreamReader(const StreamReader&) = delete;
  StreamReader& operator=(const StreamReader&) = delete;

  void Cancel() { context_.TryCancel(); }

  /// True when `count` messages have come; false after ten seconds or when the stream ended before.
  [[nodiscard]] bool Await(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return messages_.size() >= count || status_; });
    return messages_.size() >= count;
  }

  /// The stream's end; DEADLINE_EXCEEDED with a text of ours when it has none within ten seconds.
  [[nodiscard]] grpc::Status AwaitEnd() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return status_.has_value(); })) {
      return {grpc::StatusCode::DEADLINE_EXCEEDED, "the test waited in vain"};
    }
    return *status_;
  }

  [[nodiscard]] std::vector<Response> messages() const {
    const std::scoped_lock lock(mutex_);
    return messages_;
  }

 private:
  static constexpr auto kPatience = std::chrono::seconds(10);

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<Response>> reader_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Response> messages_;
  std::optional<grpc::Status> status_;
  std::thread thread_;
};

}  // namespace stoker::testing
