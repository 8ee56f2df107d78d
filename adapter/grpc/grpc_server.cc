#include "adapter/grpc/grpc_server.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include <grpc/support/time.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include "adapter/grpc/external_scaler_service.h"
#include "adapter/grpc/grpc_log.h"
#include "adapter/grpc/tls_credentials.h"

namespace stoker::adapter {
namespace {

constexpr int kMaxRequestBytes = 1 << 20;
constexpr int kMaxStreamsPerConnection = 10'000;  // KEDA sends all its objects' streams down one
// KEDA leaves connections behind when a trigger's address or certificates change; this ends them.
constexpr Duration kMaxConnectionIdle = std::chrono::hours(1);
constexpr Duration kKeepaliveEvery = std::chrono::minutes(1);
constexpr Duration kKeepaliveTimeout = std::chrono::seconds(20);
constexpr Duration kMinPingInterval = std::chrono::seconds(10);

int Millis(Duration duration) {
  return static_cast<int>(
      std::min<Duration::rep>(duration.count(), std::numeric_limits<int>::max()));
}

// Both are switches of the process in gRPC 1.51, for servers built later.
void EnablePluginsOnce() {
  [[maybe_unused]] static const bool kEnabled = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
}

}  // namespace

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
  EnablePluginsOnce();

  // A connection's age is enforced in two steps: at the age no new calls, after the grace no old
  // ones. Streams that live shorter than the grace are never cut.
  const Duration age = listener.max_connection_age;
  ExternalScalerOptions options;
  options.stream_lifetime = std::min(options.stream_lifetime, age * 2 / 3);
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
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Millis(age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Millis(age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Millis(kMaxConnectionIdle));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Millis(kKeepaliveEvery));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Millis(kMinPingInterval));
  // Two processes on one port would each get half of KEDA's calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
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
