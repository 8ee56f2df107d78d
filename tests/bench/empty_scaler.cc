// The yardstick: externalscaler.ExternalScaler on the same callback API and the same server options
// as Stoker's, with handlers that answer a constant. Prints "listening on PORT" and serves until
// its standard input ends.

#include <cstdio>
#include <iostream>
#include <string>

#include <grpcpp/grpcpp.h>

#include "adapter/grpc/server_options.h"
#include "adapter/server_config.h"
#include "externalscaler.grpc.pb.h"

namespace stoker::bench {
namespace {

constexpr char kMetric[] = "stoker-p0";

grpc::ServerUnaryReactor* Ok(grpc::CallbackServerContext* context) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

class EmptyScaler final : public externalscaler::ExternalScaler::CallbackService {
  grpc::ServerUnaryReactor* GetMetricSpec(
      grpc::CallbackServerContext* context,
      const externalscaler::ScaledObjectRef* /*request*/,
      externalscaler::GetMetricSpecResponse* response) override {
    externalscaler::MetricSpec* spec = response->add_metricspecs();
    spec->set_metricname(kMetric);
    spec->set_targetsize(1);
    spec->set_targetsizefloat(1);
    return Ok(context);
  }
  grpc::ServerUnaryReactor* GetMetrics(grpc::CallbackServerContext* context,
                                       const externalscaler::GetMetricsRequest* /*request*/,
                                       externalscaler::GetMetricsResponse* response) override {
    externalscaler::MetricValue* value = response->add_metricvalues();
    value->set_metricname(kMetric);
    value->set_metricvalue(3);
    value->set_metricvaluefloat(3);
    return Ok(context);
  }
  grpc::ServerUnaryReactor* IsActive(grpc::CallbackServerContext* context,
                                     const externalscaler::ScaledObjectRef* /*request*/,
                                     externalscaler::IsActiveResponse* response) override {
    response->set_result(true);
    return Ok(context);
  }
};

int Main() {
  EmptyScaler service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  adapter::ApplyServerOptions(adapter::GrpcListener{}.max_connection_age, builder);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) {
    std::fprintf(stderr, "empty_scaler: cannot listen on loopback\n");
    return 1;
  }
  std::printf("listening on %d\n", port);
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
  }
  server->Shutdown();
  return 0;
}

}  // namespace
}  // namespace stoker::bench

int main() { return stoker::bench::Main(); }
