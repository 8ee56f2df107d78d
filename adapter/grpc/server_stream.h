#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <grpcpp/grpcpp.h>

namespace stoker::adapter {

/// One server-to-client stream of gRPC's callback API: at most one write in flight, the newest
/// waiting message wins, and it ends exactly once, after the write in flight. Thread-safe; must be
/// owned by a shared_ptr. gRPC's own share is taken by Bind() and given up when the call is over,
/// so whoever else holds one (a timer, a decision's callback) can never touch freed memory.
template <class Response>
class ServerStream : public grpc::ServerWriteReactor<Response>,
                     public std::enable_shared_from_this<ServerStream<Response>> {
 public:
  /// The reactor to return from the handler. Call once.
  grpc::ServerWriteReactor<Response>* Bind() {
    const std::scoped_lock lock(mutex_);
    self_ = this->shared_from_this();
    return this;
  }

  /// Sends `response`, after the write in flight if there is one; replaces one still waiting.
  /// Dropped when the stream has ended.
  void Send(Response response) {
    {
      const std::scoped_lock lock(mutex_);
      if (end_) return;
      if (writing_) {
        waiting_ = std::move(response);
        return;
      }
      in_flight_ = std::move(response);
      writing_ = true;
    }
    this->StartWrite(&in_flight_);
  }

  /// Ends the stream; only the first status counts. What is waiting is still sent before an OK.
  void End(const grpc::Status& status) {
    {
      const std::scoped_lock lock(mutex_);
      if (end_) return;
      end_ = status;
      if (!status.ok()) waiting_.reset();
      if (writing_) return;  // OnWriteDone finishes
    }
    this->Finish(status);
  }

  [[nodiscard]] bool ended() const {
    const std::scoped_lock lock(mutex_);
    return end_.has_value();
  }

 protected:
  /// The call is over (on a gRPC thread): release what this stream holds. Nothing is sent
  /// afterwards.
  virtual void OnClosed(const grpc::Status& status) = 0;

 private:
  void OnWriteDone(bool ok) final {
    std::optional<grpc::Status> finish;
    {
      const std::scoped_lock lock(mutex_);
      if (!ok) {
        waiting_.reset();
        if (!end_) end_ = grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone");
      }
      if (waiting_) {
        in_flight_ = *std::exchange(waiting_, std::nullopt);
      } else {
        writing_ = false;
        finish = end_;
      }
      if (!finish && !writing_) return;
    }
    if (finish) {
      this->Finish(*finish);
    } else {
      this->StartWrite(&in_flight_);
    }
  }

  void OnCancel() final { End(grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone")); }

  void OnDone() final {
    std::shared_ptr<ServerStream> self;  // its end may destroy this
    grpc::Status status;
    {
      const std::scoped_lock lock(mutex_);
      self = std::move(self_);
      status = end_.value_or(grpc::Status::CANCELLED);
    }
    OnClosed(status);
  }

  mutable std::mutex mutex_;
  bool writing_ = false;
  Response in_flight_;  // unchanged while a write is in flight
  std::optional<Response> waiting_;
  std::optional<grpc::Status> end_;
  std::shared_ptr<ServerStream> self_;
};

}  // namespace stoker::adapter
