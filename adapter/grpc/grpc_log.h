#pragma once

#include "core/clock.h"
#include "core/log.h"

namespace stoker::adapter {

/// While one lives, what the gRPC library has to say goes to `logger`, in our form: above all TLS
/// handshakes that failed, each reason at most once a minute, for scanners and probes are many. The
/// library has one log for the whole process, so the newest of these gets it. Thread-safe.
class GrpcLog final {
 public:
  GrpcLog(Logger& logger, const Clock& clock);
  ~GrpcLog();
  GrpcLog(const GrpcLog&) = delete;
  GrpcLog& operator=(const GrpcLog&) = delete;

 private:
  Logger& logger_;
};

}  // namespace stoker::adapter
