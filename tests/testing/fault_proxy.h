#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/http_transport.h"

namespace stoker::testing {

/// What happens to one request on its way through a FaultProxy.
struct Fault {
  enum class Kind {
    kPass,      ///< goes through
    kAnswer,    ///< is answered with `answer`
    kTruncate,  ///< goes through; the connection breaks in the middle of the answer's body
    kCut,       ///< goes through; the answer is cut short but looks whole (its length says so)
  };
  Kind kind = Kind::kPass;
  HttpResponse answer{};
  Duration delay{0};  ///< passes first
};

/// An HTTP server on 127.0.0.1 that hands requests on to a transport as they came (target, Host and
/// all headers, so signatures stay sound) and breaks those that the plan names. Serves until
/// destroyed.
class FaultProxy {
 public:
  /// `number` counts requests from 1.
  using Plan = std::function<Fault(int number)>;

  /// `upstream_url`: scheme and authority only.
  FaultProxy(std::shared_ptr<HttpTransport> upstream, std::string upstream_url);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  /// "http://127.0.0.1:PORT"
  [[nodiscard]] std::string url() const;
  /// Replaces the plan and counts from 1 again.
  void set_plan(Plan plan);
  [[nodiscard]] int requests() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoker::testing
