#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/poller.h"
#include "adapter/reading_exchange.h"
#include "core/clock.h"
#include "core/executor.h"
#include "core/http_transport.h"
#include "core/log.h"
#include "core/result.h"
#include "scalers/pushed_values.h"
#include "upstream/http/name_resolver.h"

namespace stoker::adapter {

/// Sibling replicas: what one reads, all know.
///
/// After a poll the slot's reading goes to every sibling, some 100 ms' worth at a time and one
/// request at a time each. Per sibling only the names of sources and the slot from which on it may
/// not know them are kept, and the readings come out of the windows when they are sent: so a
/// sibling that is down costs next to nothing, and hears all that is still in the windows when it
/// is back. A process that a sibling has not met before (its instance is another) is told
/// everything. All of it is joined there (reading_store.h), so that messages may be lost, come
/// twice, late, or in any order.
///
/// Siblings are the addresses of a headless Service, looked up every 10 s, or a fixed list. Which
/// of them is this process itself shows in the answer's instance.
///
/// Thread-safe. Requests are sent on `pool`, which must not be the one that polls: a pool full of
/// slow upstreams must not keep replicas apart. Stop, and stop the executors, before what the
/// references mean goes.
class Peers final : public ReadingExchange {
 public:
  static constexpr std::string_view kReadingsPath = "/api/v1/peers/readings";
  static constexpr std::string_view kWindowsPath = "/api/v1/peers/windows";

  struct Options {
    std::string instance;                ///< of this process; another at each start
    std::string service;                 ///< HOST or HOST:PORT; "" when `addresses` are given
    std::vector<std::string> addresses;  ///< HOST:PORT each
    bool secure = false;                 ///< https
    std::function<std::string()> token;  ///< to present; "" for none
  };
  struct Deps {
    const Clock& clock;
    Executor& timers;
    Executor& pool;
    HttpTransport& transport;
    http::NameResolver& resolver;
    scalers::PushedValues& pushed;
    PeersObserver& observer;
    Logger& logger;
  };
  Peers(Options options, const Deps& deps);
  ~Peers() override;
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  /// Begin looking for siblings; `port` is the default of `service`. Before the poller's first
  /// source. Sources that come within 3 s from here on wait that long for their windows, later ones
  /// 200 ms.
  void Start(Poller& poller, int port);
  /// End for good: nothing is sent any more, and requests in flight are cancelled.
  void Stop();

  void Publish(const std::string& id, WallTime since) override;
  void Fetch(const std::string& id, std::function<void()> done) override;
  /// Somebody set this value here.
  void PublishValue(const std::string& name);

  /// What siblings post to kReadingsPath and kWindowsPath: the answer's body. kInvalidArgument for
  /// what they should not.
  Result<std::string> TakeReadings(std::string_view body);
  Result<std::string> GiveWindows(std::string_view body);

 private:
  struct Sibling;
  struct Batch;
  struct Core;
  std::shared_ptr<Core> core_;
};

}  // namespace stoker::adapter
