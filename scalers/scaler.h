#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "config/node.h"
#include "config/params.h"
#include "core/clock.h"
#include "core/environment.h"
#include "core/http_transport.h"
#include "core/log.h"
#include "core/result.h"
#include "core/signal.h"
#include "scalers/pushed_values.h"

namespace stoker::scalers {

/// What a poll is told.
struct PollContext {
  WallTime slot{};      ///< the aligned slot this poll is for; schedules answer for this moment
  MonoTime deadline{};  ///< the poll must have returned by then
  std::stop_token stop;
  /// A counting source may stop here: a larger value cannot change any subscriber's target. Absent:
  /// count exactly.
  std::optional<double> enough;
};

/// What a successful poll found. A failed poll is an Error instead.
struct Observation {
  bool empty = false;     ///< the upstream answered and had nothing to say, or only NaN or Inf
  double value = 0;       ///< finite unless empty
  bool at_least = false;  ///< counting stopped at PollContext::enough
  std::optional<WallTime> next_change;  ///< when a schedule next changes
  ScheduledChanges upcoming;            ///< its changes after the slot, as far ahead as anyone asks
  std::vector<std::string> warnings;    ///< the upstream's own warnings
  std::string detail;                   ///< for `stoker explain`, e.g. "101 requests", "3 series"
};

/// The reading that a poll of `slot` with this outcome is.
Reading ToReading(WallTime slot, const Result<Observation>& outcome);

/// The slots first, first + interval, ... up to and with last.
struct SlotSpan {
  WallTime first{};
  WallTime last{};
  Duration interval{0};  ///< > 0
};

/// Something that can be polled: one query, one prefix, one schedule. Its members are never called
/// twice at a time for one source, but from changing threads; they must keep their deadline. Owned
/// by the poller.
class Source {
 public:
  virtual ~Source() = default;
  virtual Result<Observation> Poll(const PollContext& context) = 0;

  /// What polls of the slots in `span` would have found, oldest first, where the upstream (or, for
  /// a schedule, arithmetic) can still tell: for the window of a process that has just started, and
  /// for `stoker simulate`. Slots nobody can tell of are left out, so a source whose past is gone
  /// (a count of objects) gives none.
  virtual Result<std::vector<Reading>> PastReadings(const SlotSpan& /*span*/,
                                                    MonoTime /*deadline*/,
                                                    const std::stop_token& /*stop*/) {
    return std::vector<Reading>{};
  }
};

/// Settings every connection has.
struct ConnectionSettings {
  SignalTiming timing;
  int max_concurrent = 8;               ///< polls in flight on this connection
  std::vector<std::string> namespaces;  ///< who may use it inline and by policy; empty: everybody
};

/// A named, credentialed upstream, shared by all signals on it. Thread-safe, immutable from
/// outside.
class Connection {
 public:
  Connection(std::string type, std::string name, ConnectionSettings settings)
      : type_(std::move(type)), name_(std::move(name)), settings_(std::move(settings)) {}
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] const std::string& type() const { return type_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const ConnectionSettings& settings() const { return settings_; }
  /// Whether `name_space` may use this connection ("" is Stoker itself: always).
  [[nodiscard]] bool AllowsNamespace(std::string_view name_space) const;
  /// Whether metadata that names an address (`serverAddress`, `awsRegion`) means this connection.
  /// The address itself is never used.
  [[nodiscard]] virtual bool MatchesAddress(std::string_view address) const = 0;

 private:
  std::string type_;
  std::string name_;
  ConnectionSettings settings_;
};

/// All connections of one configuration, looked up by type and name.
class ConnectionSet {
 public:
  void Add(std::shared_ptr<Connection> connection);
  [[nodiscard]] const std::vector<std::shared_ptr<Connection>>& all() const { return connections_; }
  /// Connection `name` of `type`, if `name_space` may use it: kNotFound (with the nearest name) or
  /// kPermissionDenied otherwise. An empty name is the only connection of that type.
  [[nodiscard]] Result<std::shared_ptr<Connection>> Find(std::string_view type,
                                                         std::string_view name,
                                                         std::string_view name_space) const;
  /// The first connection of `type` allowed to `name_space` that MatchesAddress.
  [[nodiscard]] Result<std::shared_ptr<Connection>> FindByAddress(
      std::string_view type, std::string_view address, std::string_view name_space) const;

 private:
  std::vector<std::shared_ptr<Connection>> connections_;
};

/// What scalers are built with. All references outlive every connection and source.
struct ScalerDeps {
  const Clock& clock;
  Random& random;
  const Environment& environment;
  const FileSystem& files;
  HttpTransportFactory& transports;
  UpstreamObserver& observer;
  Logger& logger;
  PushedValues& pushed;  ///< what people set over HTTP
};

/// A signal as configured, ready to be polled and judged.
struct SignalDefinition {
  std::string type;
  std::string connection;  ///< "" when the type has none
  /// The type of `connection`: polls count against the limits of both. Set by the registry, to the
  /// signal's own type, unless the type's parser did.
  std::string connection_type;
  /// Equal keys are one source, polled once for all: type, connection, tenant and query; not
  /// thresholds. Never shown to people (it may hold metadata values).
  std::string source_key;
  SignalTiming timing;
  DemandRule demand;
  OnEmpty on_empty = OnEmpty::kHold;
  std::optional<FaultPolicy> on_fault;  ///< absent: the policy's
  int max_concurrent = 8;               ///< of the connection
  bool countable = false;               ///< the source honours PollContext::enough
  std::string pushed_name;              ///< of a manual signal: its name in PushedValues
  /// Builds the source; called once per source_key.
  std::function<std::unique_ptr<Source>()> make_source;
};

/// What a signal's parser may look at.
struct SignalContext {
  const ConnectionSet& connections;
  std::string name_space;  ///< of the object; "" for a policy in the config file
  bool inline_object = false;
  const ScalerDeps& deps;
};

/// The connection of `type` that a signal means, by its name or by an address that KEDA's
/// `address_key` gives. Adds a diagnostic and returns nullptr when there is none, it is not open to
/// the object's namespace, or both are given. Both empty: the only one of that type.
std::shared_ptr<Connection> FindConnection(std::string_view type,
                                           std::string_view name,
                                           std::string_view address_key,
                                           std::string_view address,
                                           const config::Node& node,
                                           const SignalContext& context,
                                           config::Diagnostics& diagnostics);

/// One signal type: data, so that parsing, docs, JSON schema and "did you mean" come from one
/// place.
struct SignalType {
  std::string name;     ///< the `type:` people write
  std::string summary;  ///< one line for the docs
  std::string status;   ///< "stable" or "alpha"
  bool allowed_inline = true;
  std::string connection_type;  ///< "" when none
  std::vector<config::ParamInfo>
      params;  ///< its own keys; the common ones are added by the registry
  /// Reads the type's own keys from `node` (the registry has taken `type` and the common keys out)
  /// and fills `definition`, `timing` with its connection's; what the common keys say is put on
  /// top. Adds diagnostics; never throws.
  std::function<void(const config::Node& node,
                     const SignalContext& context,
                     SignalDefinition& definition,
                     config::Diagnostics& diagnostics)>
      parse;
};

/// One connection type.
struct ConnectionType {
  std::string name;
  std::string summary;
  std::vector<config::ParamInfo> params;
  /// Returns nullptr when it added a diagnostic.
  std::function<std::shared_ptr<Connection>(const std::string& name,
                                            const config::Node& node,
                                            const ScalerDeps& deps,
                                            config::Diagnostics& diagnostics)>
      create;
};

}  // namespace stoker::scalers
