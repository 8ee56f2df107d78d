#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/environment.h"
#include "core/http_transport.h"
#include "core/result.h"
#include "upstream/http/retry.h"
#include "upstream/spark/driver_answers.h"

namespace stoker::spark {

/// Where a driver's UI is, and which of its applications count.
struct Driver {
  std::string url;          ///< http(s)://host:port, perhaps with a path; no slash at the end
  std::string label;        ///< what messages call it; the host may be a metadata value
  std::string application;  ///< its id or its name; "": whatever runs there
  /// Whether nobody at the address means that the driver has gone; else that is a fault.
  bool may_be_gone = true;
};

struct ClientOptions {
  std::string connection;  ///< its name, for messages and the observer
  TlsOptions tls{};
  http::RetryOptions retry{};
};

/// References outlive the client.
struct ClientDeps {
  const Clock& clock;
  Random& random;
  HttpTransportFactory& transports;
  UpstreamObserver& observer;
  std::shared_ptr<http::Waiter> waiter;
};

/// Asks drivers over HTTP, trying again with jitter within the deadline. There is no circuit
/// breaker: drivers fail one by one, and each is asked a few requests an interval. Thread-safe.
class Client {
 public:
  static Result<std::unique_ptr<Client>> Create(ClientOptions options, const ClientDeps& deps);

  struct Answer {
    enum class Kind : std::uint8_t {
      kBody,      ///< 200
      kNotThere,  ///< the driver says that there is no such thing
      kNobody,    ///< there is no driver at that address, and it may be gone
    };
    Kind kind = Kind::kBody;
    std::string body;
  };
  /// GET `path` below the driver's URL. 404 is kNotThere and, with `optional`, a redirect too: the
  /// UI sends whom asks outside of /api/v1 for what it lacks to its own first page. All else than
  /// an Answer is an error: kPermissionDenied for 401 and 403, else kUnavailable,
  /// kDeadlineExceeded, kResourceExhausted or kCancelled.
  Result<Answer> Get(const Driver& driver,
                     std::string_view path,
                     bool optional,
                     MonoTime deadline,
                     const std::stop_token& stop) const;

  /// "connection apps: LABEL: ..."
  [[nodiscard]] Error Explain(const Driver& driver, const Error& error) const;

 private:
  Client(ClientOptions options, const ClientDeps& deps, std::shared_ptr<HttpTransport> transport);

  const ClientOptions options_;
  const std::shared_ptr<http::Waiter> waiter_;
  const std::shared_ptr<HttpTransport> transport_;
  const http::Retrier retrier_;
};

/// What the applications of some drivers need together.
struct Demand {
  int applications = 0;  ///< that run; with none of them the rest is 0
  double executors = 0;
  int counted_by_spark = 0;  ///< applications whose driver publishes numberMaxNeededExecutors
  std::int64_t pending = 0;  ///< tasks, of the other applications
  std::int64_t running = 0;
  int min_slots = 0;  ///< tasks at a time of an executor, where there are tasks; 0 where not
  int max_slots = 0;
};

/// Asks what applications need: numberMaxNeededExecutors where the driver publishes it, which is
/// Spark's own answer and knows of speculation, else NeededExecutors of its active stages. What
/// does not change while an application runs is asked once and kept, so that a poll makes two
/// requests a driver as a rule, three where Spark does not count. Not thread-safe.
class DemandReader {
 public:
  explicit DemandReader(const Client& client) : client_(client) {}

  /// The sum over `drivers`; an error when any of them, or any answer, is at fault.
  Result<Demand> Read(const std::vector<Driver>& drivers,
                      MonoTime deadline,
                      const std::stop_token& stop);

 private:
  /// What is known of an application.
  struct Known {
    /// Its driver has no /metrics/json/. That the page lacks the gauge is no such knowledge: Spark
    /// adds it only after it has waited for the first executors.
    bool no_metrics = false;
    std::optional<Environment> environment;  ///< once it had to be asked
    SlotsByProfile slots;                    ///< of executors that were seen
  };
  struct Poll;

  Status AddApplication(const Driver& driver, const std::string& id, Poll& poll) const;
  Result<bool> FindSlots(const Driver& driver,
                         const std::string& path,
                         const std::vector<Stage>& stages,
                         Known& known,
                         Poll& poll) const;

  const Client& client_;
  std::map<std::string, Known> known_;  ///< by driver's URL and application's id; of the last poll
};

}  // namespace stoker::spark
