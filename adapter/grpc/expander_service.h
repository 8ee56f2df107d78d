#pragma once

#include <memory>

#include "adapter/grpc/expander_server.h"
#include "core/clock.h"
#include "expander.grpc.pb.h"

namespace stoker::adapter {

/// grpcplugin.Expander: the Cluster Autoscaler's question which node groups to scale up.
/// Thread-safe.
///
/// The autoscaler takes an error for "all options", and an empty list for "none": so an error is
/// what every trouble ends in, and a list is never empty. It gives up after 5 s and does not ask
/// twice.
class ExpanderService final : public grpcplugin::Expander::CallbackService {
 public:
  /// A request that takes longer to read is answered with all its options. Far more than it takes,
  /// which is milliseconds (docs/explanation/performance.md), and far less than the autoscaler
  /// waits: on a machine without time to spare a late choice is still the better one.
  static constexpr Duration kWithin = std::chrono::seconds(1);
  /// Calls under way at a time; one autoscaler makes one.
  static constexpr int kMaxCalls = 8;

  explicit ExpanderService(const ExpanderDependencies& dependencies);
  ~ExpanderService() override;

  grpc::ServerUnaryReactor* BestOptions(grpc::CallbackServerContext* context,
                                        const grpcplugin::BestOptionsRequest* request,
                                        grpcplugin::BestOptionsResponse* response) override;

 private:
  struct Core;
  std::shared_ptr<Core> core_;
};

}  // namespace stoker::adapter
