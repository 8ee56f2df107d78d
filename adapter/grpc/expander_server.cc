#include "adapter/grpc/expander_server.h"

#include <string>
#include <utility>

#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include "adapter/grpc/expander_service.h"
#include "adapter/grpc/server_options.h"
#include "adapter/grpc/tls_credentials.h"

namespace stoker::adapter {
namespace {

constexpr int kMaxRequestBytes = 128 << 20;  // what the autoscaler itself takes as an answer
constexpr Duration kMaxConnectionAge = std::chrono::minutes(30);
// Nobody shows a certificate here: what is received must not take the memory of KEDA's port. The
// autoscaler asks one question at a time.
constexpr std::size_t kMaxReceiving = 144U << 20U;
constexpr int kMaxStreamsPerConnection = 2;

}  // namespace

struct ExpanderServer::Impl {
  explicit Impl(const ExpanderDependencies& dependencies) : service(dependencies) {}

  // These outlive the server.
  std::shared_ptr<grpc::ServerCredentials> credentials;
  ExpanderService service;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

Result<std::unique_ptr<ExpanderServer>> ExpanderServer::Start(
    const ExpanderListener& listener,
    const ExpanderDependencies& dependencies,
    const FileSystem& files) {
  auto impl = std::make_unique<Impl>(dependencies);
  auto credentials =
      ReloadingTlsCredentials(listener.tls, files, dependencies.clock, dependencies.logger);
  if (!credentials) {
    return Fail(credentials.error().code, "server.expander." + credentials.error().message);
  }
  impl->credentials = *std::move(credentials);

  grpc::ServerBuilder builder;
  builder.AddListeningPort(listener.listen, impl->credentials, &impl->port);
  builder.RegisterService(&impl->service);
  ApplyServerOptions(kMaxConnectionAge, builder);
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.SetResourceQuota(grpc::ResourceQuota("expander").Resize(kMaxReceiving));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  impl->server = builder.BuildAndStart();
  if (!impl->server || impl->port == 0) {
    return Fail(ErrorCode::kUnavailable,
                "cannot listen on " + listener.listen +
                    " for the autoscaler: the address is in use or not this machine's; stop the "
                    "other process or change server.expander.listen");
  }
  if (auto* health = impl->server->GetHealthCheckService()) {
    health->SetServingStatus(grpcplugin::Expander::service_full_name(), true);
  }
  return std::unique_ptr<ExpanderServer>(new ExpanderServer(std::move(impl)));
}

ExpanderServer::ExpanderServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ExpanderServer::~ExpanderServer() { Drain(Duration::zero()); }

int ExpanderServer::port() const { return impl_->port; }

void ExpanderServer::Drain(Duration grace) {
  if (auto* health = impl_->server->GetHealthCheckService()) health->Shutdown();
  impl_->server->Shutdown(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                       gpr_time_from_millis(grace.count(), GPR_TIMESPAN)));
}

}  // namespace stoker::adapter
