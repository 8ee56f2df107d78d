#include "adapter/cluster_watch.h"

#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <utility>

#include "core/guarded.h"
#include "upstream/kubernetes/json.h"

namespace stoker::adapter {

struct ClusterWatch::State : std::enable_shared_from_this<State> {
  explicit State(const Deps& dependencies) : deps(dependencies) {}

  void Poll() {
    const capacity::ExpanderConfig config = deps.config();
    Result<capacity::AutoscalerStatus> status = Guarded([&] { return Read(config); });
    if (stop.stop_requested()) return;
    Tell(status ? "" : status.error().message);
    if (status) {
      const std::scoped_lock lock(mutex);
      health.Update(*status, deps.clock.WallNow());
    }
    deps.timers.PostAt(deps.clock.MonotonicNow() + kEvery, [self = shared_from_this()] {
      if (!self->stop.stop_requested()) self->deps.pool.Post([self] { self->Poll(); });
    });
  }

  Result<capacity::AutoscalerStatus> Read(const capacity::ExpanderConfig& config) {
    const auto object = deps.client.Get({.group = "",
                                         .version = "v1",
                                         .plural = "configmaps",
                                         .name_space = config.status_namespace,
                                         .name = config.status_config_map},
                                        deps.clock.MonotonicNow() + kTimeout,
                                        stop.get_token());
    if (!object) return Fail(object.error().error);
    return capacity::ParseAutoscalerStatus(kubernetes::Text(*object, {"data", "status"}));
  }

  /// A line for each change; polls run one after the other.
  void Tell(const std::string& problem) {
    if (problem == told) return;
    if (problem.empty()) {
      deps.logger.Info("the autoscaler's status can be read");
    } else {
      deps.logger.Warn(
          "the autoscaler's status cannot be read; node groups that fail from now on are not "
          "avoided",
          {{"problem", problem}});
    }
    told = problem;
  }

  const Deps deps;
  std::stop_source stop;
  std::string told;
  mutable std::mutex mutex;  // not held across a request
  capacity::GroupHealth health;
};

ClusterWatch::ClusterWatch(const Deps& deps) : state_(std::make_shared<State>(deps)) {}

ClusterWatch::~ClusterWatch() { Stop(); }

void ClusterWatch::Start() {
  state_->deps.pool.Post([state = state_] { state->Poll(); });
}

void ClusterWatch::Stop() { state_->stop.request_stop(); }

capacity::GroupFailures ClusterWatch::Failures() const {
  const Duration avoid = state_->deps.config().avoid_failed;
  const std::scoped_lock lock(state_->mutex);
  return state_->health.Failures(state_->deps.clock.WallNow(), avoid);
}

}  // namespace stoker::adapter
