#pragma once

#include <memory>

#include "adapter/decisions.h"
#include "adapter/metrics.h"
#include "adapter/server_config.h"
#include "core/clock.h"
#include "core/environment.h"
#include "core/executor.h"
#include "core/log.h"
#include "core/result.h"

namespace stoker::adapter {

/// What the gRPC side works with. All must outlive it and the work it posts to `executor`, which
/// must keep running until the server has drained.
struct GrpcDependencies {
  Decisions& decisions;
  Metrics& metrics;
  Executor& executor;
  const Clock& clock;
  Random& random;
  const FileSystem& files;  ///< certificates
  Logger& logger;
};

/// The gRPC listener: externalscaler.ExternalScaler, grpc.health.v1 ("" and the service's own name)
/// and reflection. Answers as soon as Start returns. Thread-safe.
class GrpcServer final {
 public:
  /// kInvalidArgument when a certificate file is unusable, kUnavailable when the address is taken.
  static Result<std::unique_ptr<GrpcServer>> Start(const GrpcListener& listener,
                                                   const GrpcDependencies& dependencies);
  /// Drains without patience.
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  /// The bound port, also when the configuration says port 0; 1 for a unix socket.
  [[nodiscard]] int port() const;

  /// Goes away politely: health turns NOT_SERVING, streams end with OK, no new connections; calls
  /// in flight get `grace` to finish and are then cancelled. Returns when all is over. Idempotent.
  void Drain(Duration grace);

 private:
  struct Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoker::adapter
