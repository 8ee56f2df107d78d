#pragma once

#include <functional>
#include <memory>

#include "adapter/metrics.h"
#include "adapter/server_config.h"
#include "capacity/choice_log.h"
#include "capacity/expander.h"
#include "core/clock.h"
#include "core/environment.h"
#include "core/executor.h"
#include "core/log.h"
#include "core/result.h"

namespace stoker::adapter {

/// What the expander works with. All must outlive the server and the work it posts to `executor`,
/// which must keep running until the server has drained.
struct ExpanderDependencies {
  /// In force now; never null. From memory: a handler waits for nothing.
  std::function<std::shared_ptr<const capacity::ExpanderRules>()> rules;
  /// Groups that failed lately, from memory, too.
  std::function<capacity::GroupFailures()> failures;
  capacity::ChoiceLog& log;
  Metrics& metrics;
  Executor& executor;  ///< not gRPC's threads, which KEDA's calls share
  const Clock& clock;
  Logger& logger;
};

/// The expander's own gRPC listener, for another peer than KEDA with other limits: TLS without
/// client certificates, and messages with thousands of pods. Answers as soon as Start returns.
/// Thread-safe.
class ExpanderServer final {
 public:
  /// kInvalidArgument when a certificate file is unusable, kUnavailable when the address is taken.
  static Result<std::unique_ptr<ExpanderServer>> Start(const ExpanderListener& listener,
                                                       const ExpanderDependencies& dependencies,
                                                       const FileSystem& files);
  /// Drains without patience.
  ~ExpanderServer();
  ExpanderServer(const ExpanderServer&) = delete;
  ExpanderServer& operator=(const ExpanderServer&) = delete;

  /// The bound port, also when the configuration says port 0.
  [[nodiscard]] int port() const;

  /// No new connections; calls in flight get `grace`. Returns when all is over. Idempotent.
  void Drain(Duration grace);

 private:
  struct Impl;
  explicit ExpanderServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoker::adapter
