#include "adapter/grpc/grpc_server.h"

#include <algorithm>
#include <string>
#include <utility>

#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include "adapter/grpc/external_scaler_service.h"
#include "adapter/grpc/grpc_log.h"
#include "adapter/grpc/server_options.h"
#include "adapter/grpc/tls_credentials.h"

namespace stoker::adapter {

struct GrpcServer::Impl {
  Impl(const ExternalScalerOptions& options, const GrpcDependencies& dependencies)
      : log(dependencies.logger, dependencies.clock), service(options, dependencies) {}

  // These outlive the server.
  GrpcLog log;
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  ExternalScalerService service;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

Result<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcListener& listener,
                                                      const GrpcDependencies& dependencies) {
  // Streams end before their connection does, see ApplyServerOptions.
  ExternalScalerOptions options;
  options.stream_lifetime = std::min(options.stream_lifetime, listener.max_connection_age * 2 / 3);
  auto impl = std::make_unique<Impl>(options, dependencies);
  if (listener.tls) {
    auto reloading = ReloadingTlsCredentials(
        *listener.tls, dependencies.files, dependencies.clock, dependencies.logger);
    if (!reloading) {
      return Fail(reloading.error().code, "server.grpc." + reloading.error().message);
    }
    impl->credentials = *std::move(reloading);
  }

  grpc::ServerBuilder builder;
  builder.AddListeningPort(listener.listen, impl->credentials, &impl->port);
  builder.RegisterService(&impl->service);
  ApplyServerOptions(listener.max_connection_age, builder);
  impl->server = builder.BuildAndStart();
  if (!impl->server || impl->port == 0) {
    return Fail(
        ErrorCode::kUnavailable,
        "cannot listen on " + listener.listen +
            " for gRPC: the address is in use or not this machine's; stop the other process "
            "or change server.grpc.listen");
  }
  if (auto* health = impl->server->GetHealthCheckService()) {
    health->SetServingStatus(externalscaler::ExternalScaler::service_full_name(), true);
  }
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GrpcServer::~GrpcServer() { Drain(Duration::zero()); }

int GrpcServer::port() const { return impl_->port; }

void GrpcServer::Drain(Duration grace) {
  if (auto* health = impl_->server->GetHealthCheckService()) health->Shutdown();
  impl_->service.EndStreams();
  impl_->server->Shutdown(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                       gpr_time_from_millis(grace.count(), GPR_TIMESPAN)));
}

}  // namespace stoker::adapter
