#include "adapter/grpc/grpc_log.h"

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include <grpc/support/log.h>

namespace stoker::adapter {
namespace {

constexpr Duration kSameReasonEvery = std::chrono::minutes(1);
constexpr std::size_t kMaxReasons = 64;

struct Route {
  std::mutex mutex;
  Logger* logger = nullptr;
  const Clock* clock = nullptr;
  std::map<std::string, MonoTime, std::less<>> told;
};

// The library takes a plain function, so there is nowhere else to keep this.
Route& TheRoute() {
  static Route route;
  return route;
}

// "... error:0A0000C7:SSL routines::peer did not return a certificate." -> what stands after the
// last "::"
std::string HandshakeReason(std::string_view message) {
  const std::size_t colons = message.rfind("::");
  std::string reason(colons == std::string_view::npos ? message : message.substr(colons + 2));
  if (reason.ends_with('.')) reason.pop_back();
  // OpenSSL's words for a client that does not speak TLS at all.
  if (reason == "wrong version number" || reason == "http request")
    reason = "the client speaks no TLS";
  return reason;
}

void Write(gpr_log_func_args* args) {
  const std::string_view message = args->message;
  // A port that is taken: GrpcServer::Start says so itself.
  if (message.find("No address added") != std::string_view::npos) return;
  const bool handshake = message.find("Handshake failed") != std::string_view::npos;
  std::string detail =
      handshake ? HandshakeReason(message) : std::string(message.substr(0, message.find('\n')));

  Route& route = TheRoute();
  const std::scoped_lock lock(route.mutex);
  if (route.logger == nullptr) return;
  const MonoTime now = route.clock->MonotonicNow();
  if (const auto told = route.told.find(detail);
      told != route.told.end() && now - told->second < kSameReasonEvery) {
    return;
  }
  if (route.told.size() >= kMaxReasons) route.told.clear();
  route.told[detail] = now;
  if (handshake) {
    route.logger->Warn(
        "a TLS handshake failed: that client gets no answer until its certificates and "
        "server.grpc.tls or server.expander.tls agree",
        {{"reason", std::move(detail)}});
  } else {
    route.logger->Warn("the gRPC library complains; calls may fail",
                       {{"detail", std::move(detail)}});
  }
}

}  // namespace

GrpcLog::GrpcLog(Logger& logger, const Clock& clock) : logger_(logger) {
  Route& route = TheRoute();
  const std::scoped_lock lock(route.mutex);
  route.logger = &logger;
  route.clock = &clock;
  route.told.clear();
  gpr_set_log_function(&Write);
}

GrpcLog::~GrpcLog() {
  Route& route = TheRoute();
  const std::scoped_lock lock(route.mutex);
  if (route.logger != &logger_) return;  // a newer one has it
  gpr_set_log_function(nullptr);
  route.logger = nullptr;
}

}  // namespace stoker::adapter
