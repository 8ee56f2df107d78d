#include "adapter/grpc/server_options.h"

#include <algorithm>
#include <limits>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

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

void ApplyServerOptions(Duration max_connection_age, grpc::ServerBuilder& builder) {
  EnablePluginsOnce();
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  // A connection's age is enforced in two steps: at the age no new calls, after the grace no old
  // ones. Streams that live shorter than the grace are never cut.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Millis(max_connection_age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Millis(max_connection_age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Millis(kMaxConnectionIdle));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Millis(kKeepaliveEvery));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Millis(kMinPingInterval));
  // Two processes on one port would each get half of KEDA's calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace stoker::adapter
