#pragma once

#include <functional>
#include <string>

#include "adapter/decisions.h"
#include "adapter/http/api.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/result.h"
#include "scalers/pushed_values.h"

namespace stoker::adapter {

/// Told of a value that was set on this replica and is in force, so that the siblings learn it. On
/// an HTTP thread; must not wait. What a sibling forwards goes to PushedValues::Set itself.
using OnPushed = std::function<void(const std::string& name, const scalers::PushedValue& value)>;

/// Manual signals over HTTP: sets their values, and shows what is in force. Thread-safe.
class ManualApi {
 public:
  /// References outlive this; `on_pushed` may be empty.
  struct Deps {
    const Decisions& decisions;
    scalers::PushedValues& values;
    const Clock& clock;
    Logger& logger;
    OnPushed on_pushed;
  };
  explicit ManualApi(Deps deps) : deps_(std::move(deps)) {}
  ManualApi(const ManualApi&) = delete;
  ManualApi& operator=(const ManualApi&) = delete;

  /// Adds GET /api/v1/manual, and GET and PUT /api/v1/manual/{signal}. This outlives the API.
  void AddRoutes(Api& api);
  /// Adds the control requests of KEDA's e2e test server; anybody may send them.
  void AddKedaE2eRoutes(Api& api);

  /// Makes `value` (finite, >= 0) the one in force, whatever the clocks of the replicas say, and
  /// gives back what is in force then.
  scalers::PushedValue Set(const std::string& name, double value);

 private:
  [[nodiscard]] HttpReply List(const ApiCall& call) const;
  [[nodiscard]] HttpReply Get(const ApiCall& call) const;
  HttpReply Put(const ApiCall& call);
  HttpReply SetKedaE2e(const ApiCall& call);
  /// kNotFound, with the nearest name, when no policy has a manual signal of that name.
  [[nodiscard]] Status CheckName(const std::string& name) const;

  const Deps deps_;
};

}  // namespace stoker::adapter
