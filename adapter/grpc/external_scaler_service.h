#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "adapter/grpc/grpc_server.h"
#include "core/clock.h"
#include "externalscaler.grpc.pb.h"

namespace stoker::adapter {

struct ExternalScalerOptions {
  /// A unary call waits this long for a first reading, KEDA's calls having no deadline of their
  /// own.
  Duration answer_within = std::chrono::milliseconds(500);
  /// An active StreamIsActive repeats `true` this often. Each one restarts KEDA's cooldown, so
  /// slowly.
  Duration heartbeat = std::chrono::seconds(60);
  /// Streams end with OK after this long, give or take a tenth: only an OK lets KEDA reopen
  /// promptly, and an end by the connection's age is an error.
  Duration stream_lifetime = std::chrono::minutes(20);
};

/// `metric` without KEDA's trigger prefix ("s0-"), which old versions send along.
std::string_view StripTriggerPrefix(std::string_view metric);

/// externalscaler.ExternalScaler: KEDA's questions, answered from memory. Thread-safe. No exception
/// leaves a handler; errors carry the codes of adapter/status.h.
class ExternalScalerService final : public externalscaler::ExternalScaler::CallbackService {
 public:
  ExternalScalerService(const ExternalScalerOptions& options, const GrpcDependencies& dependencies);
  ~ExternalScalerService() override;

  grpc::ServerUnaryReactor* GetMetricSpec(grpc::CallbackServerContext* context,
                                          const externalscaler::ScaledObjectRef* request,
                                          externalscaler::GetMetricSpecResponse* response) override;
  grpc::ServerUnaryReactor* GetMetrics(grpc::CallbackServerContext* context,
                                       const externalscaler::GetMetricsRequest* request,
                                       externalscaler::GetMetricsResponse* response) override;
  grpc::ServerUnaryReactor* IsActive(grpc::CallbackServerContext* context,
                                     const externalscaler::ScaledObjectRef* request,
                                     externalscaler::IsActiveResponse* response) override;
  grpc::ServerWriteReactor<externalscaler::IsActiveResponse>* StreamIsActive(
      grpc::CallbackServerContext* context,
      const externalscaler::ScaledObjectRef* request) override;
  grpc::ServerWriteReactor<externalscaler::GetMetricSpecResponse>* StreamMetricSpec(
      grpc::CallbackServerContext* context,
      const externalscaler::ScaledObjectRef* request) override;

  /// Ends every stream with OK, and each later one at once. Unary calls go on.
  void EndStreams();

  struct Core;  // shared with calls and streams, which may outlast the service by a moment

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace stoker::adapter
