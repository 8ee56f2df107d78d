#include "scalers/prometheus/prometheus_scaler.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <utility>

#include "core/text.h"
#include "core/units.h"
#include "scalers/connection_params.h"
#include "scalers/prometheus/prometheus_connection.h"
#include "upstream/http/url.h"

namespace stoker::scalers {
namespace {

using config::Diagnostics;
using config::Node;
using config::ParamTable;

constexpr const char* kType = PrometheusConnection::kType;

// ---- the connection

struct Basic {
  std::string username_file;
  std::string password_file;
};

struct SigV4 {
  std::string region;
};

struct AuthKeys {
  std::optional<Basic> basic;
  std::string bearer_token_file;
  std::optional<SigV4> sigv4;
  std::map<std::string, std::string> headers;
};

struct ConnectionKeys {
  ConnectionSettings common;
  std::string url;
  AuthKeys auth;
  std::optional<TlsOptions> tls;
};

const ParamTable<ConnectionKeys>& ConnectionTable() {
  static const auto kTable = [] {
    const auto basic =
        ParamTable<Basic>()
            .Add("usernameFile",
                 &Basic::username_file,
                 {.help = "File that holds the user name.", .required = true, .non_empty = true})
            .Add("passwordFile",
                 &Basic::password_file,
                 {.help = "File that holds the password.", .required = true, .non_empty = true});
    const auto sigv4 = ParamTable<SigV4>().Add(
        "region",
        &SigV4::region,
        {.help = "AWS region of the workspace.", .required = true, .non_empty = true});
    const auto auth =
        ParamTable<AuthKeys>()
            .AddObject("basic", &AuthKeys::basic, basic, {.help = "A user name and password."})
            .Add("bearerTokenFile",
                 &AuthKeys::bearer_token_file,
                 {.help = "File that holds a bearer token.", .non_empty = true})
            .AddObject("sigv4",
                       &AuthKeys::sigv4,
                       sigv4,
                       {.help = "Amazon Managed Prometheus, with AWS' default credential chain."})
            .Add("headers",
                 &AuthKeys::headers,
                 {.help = "More headers, e.g. a tenant; may go with any other kind.",
                  .example = "{X-Scope-OrgID: a}"});
    return ParamTable<ConnectionKeys>()
        .Add("url",
             &ConnectionKeys::url,
             {.help = "Where its HTTP API is, with the path before /api/v1 if any.",
              .required = true,
              .non_empty = true,
              .example = "http://prometheus.monitoring:9090"})
        .AddObject("auth",
                   &ConnectionKeys::auth,
                   auth,
                   {.help = "At most one of basic, bearerTokenFile and sigv4."})
        .AddObject("tls",
                   &ConnectionKeys::tls,
                   TlsTable(/*client_certificate=*/true),
                   {.help = "For https."})
        .Include(&ConnectionKeys::common, ConnectionSettingsTable());
  }();
  return kTable;
}

/// Headers that the request itself makes, or that would carry a secret in the configuration.
void CheckHeaders(const AuthKeys& auth, const Node& node, Diagnostics& diagnostics) {
  static constexpr std::string_view kOurs[] = {
      "host", "content-length", "content-type", "transfer-encoding", "connection"};
  for (const auto& [name, value] : auth.headers) {
    if (EqualsIgnoreCase(name, "authorization") || EqualsIgnoreCase(name, "cookie")) {
      diagnostics.Add(node,
                      "auth.headers must not hold " + name +
                          ", a secret; use auth.basic or auth.bearerTokenFile, which read files");
    } else if (std::ranges::any_of(
                   kOurs, [&](std::string_view ours) { return EqualsIgnoreCase(name, ours); })) {
      diagnostics.Add(node, "auth.headers cannot set " + name + "; remove it");
    }
  }
}

std::shared_ptr<Connection> CreateConnection(const std::string& name,
                                             const Node& node,
                                             const ScalerDeps& deps,
                                             Diagnostics& diagnostics,
                                             const std::shared_ptr<http::Waiter>& waiter) {
  const std::size_t before = diagnostics.items().size();
  ConnectionKeys keys;
  if (!ConnectionTable().Read(node, keys, diagnostics)) return nullptr;

  const AuthKeys& auth = keys.auth;
  const int kinds =
      (auth.basic ? 1 : 0) + (auth.bearer_token_file.empty() ? 0 : 1) + (auth.sigv4 ? 1 : 0);
  if (kinds > 1) {
    diagnostics.Add(*node.Find("auth"), "give only one of basic, bearerTokenFile and sigv4");
  }
  CheckHeaders(auth, node, diagnostics);
  const TlsOptions tls = keys.tls.value_or(TlsOptions{});
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    diagnostics.Add(*node.Find("tls"), "cert and key go together; give both or none");
  }
  const Result<http::Url> url = http::ParseUrl(keys.url);
  if (url && keys.tls && !url->secure()) {
    diagnostics.Add(*node.Find("tls"), "tls is set, but url begins with http://; make it https://");
  }

  prom::ClientOptions options{
      .connection = name, .url = keys.url, .interval = keys.common.timing.interval, .tls = tls};
  if (auth.basic) {
    options.auth.username_file = auth.basic->username_file;
    options.auth.password_file = auth.basic->password_file;
  }
  options.auth.bearer_token_file = auth.bearer_token_file;
  if (auth.sigv4) options.auth.sigv4_region = auth.sigv4->region;
  for (const auto& [header, value] : auth.headers) options.auth.headers.push_back({header, value});
  Result<std::unique_ptr<prom::Client>> client = prom::Client::Create(std::move(options),
                                                                      {deps.clock,
                                                                       deps.random,
                                                                       deps.environment,
                                                                       deps.files,
                                                                       deps.transports,
                                                                       deps.observer,
                                                                       deps.logger,
                                                                       waiter});
  if (!client) diagnostics.Add(*node.Find("url"), client.error().message);
  if (diagnostics.items().size() != before) return nullptr;
  return std::make_shared<PrometheusConnection>(
      name, std::move(keys.common), *url, std::move(*client));
}

// ---- the signal

enum class OnSeveral : std::uint8_t { kError, kSum, kMax, kMin, kAvg, kFirst };

const std::vector<std::pair<std::string, OnSeveral>>& OnSeveralNames() {
  static const std::vector<std::pair<std::string, OnSeveral>> kNames = {
      {"error", OnSeveral::kError},
      {"sum", OnSeveral::kSum},
      {"max", OnSeveral::kMax},
      {"min", OnSeveral::kMin},
      {"avg", OnSeveral::kAvg},
      {"first", OnSeveral::kFirst}};
  return kNames;
}

const std::string& NameOf(OnSeveral policy) {
  return std::ranges::find(OnSeveralNames(), policy, [](const auto& pair) { return pair.second; })
      ->first;
}

struct SignalKeys {
  std::string connection;
  std::string server_address;
  std::string query;
  double threshold = 0;
  double activation_threshold = 0;
  OnSeveral on_several = OnSeveral::kError;
};

/// Keys of KEDA's prometheus trigger that are set elsewhere here.
constexpr std::pair<const char*, const char*> kForeignKeys[] = {
    {"authModes", "Stoker signs in as its connection says; set auth in the connection"},
    {"awsRegion", "set auth.sigv4.region in the connection"},
    {"cortexOrgID", "set auth.headers.X-Scope-OrgID in the connection"},
    {"customHeaders", "set auth.headers in the connection"},
    {"identityOwner", "Stoker uses its own identity; set auth.sigv4 in the connection"},
    {"metricName", "KEDA no longer uses it; remove it"},
    {"namespace", "select the namespace in the query"},
    {"queryParameters", "Stoker sends query, time and timeout alone; remove it"},
    {"unsafeSsl", "set tls.insecureSkipVerify in the connection"},
};

const ParamTable<SignalKeys>& SignalTable() {
  static const auto kTable = [] {
    ParamTable<SignalKeys> table;
    table
        .Add("connection",
             &SignalKeys::connection,
             {.help = "Name of a prometheus connection. Default: the only one.", .non_empty = true})
        .Add("serverAddress",
             &SignalKeys::server_address,
             {.help = "KEDA's spelling: means the allowed connection with this url; the address "
                      "itself is never used.",
              .non_empty = true})
        .Add("query",
             &SignalKeys::query,
             {.help = "PromQL, an instant query that gives one number.",
              .required = true,
              .non_empty = true,
              .example = "sum(spark_waiting_tasks)"})
        .Add("threshold",
             &SignalKeys::threshold,
             {.help = "How much of the value one replica is for.",
              .required = true,
              .min = 0,
              .above_min = true})
        .Add("activationThreshold",
             &SignalKeys::activation_threshold,
             {.help = "The signal lifts the target above 0 only while the value is greater.",
              .fallback = "0"})
        .AddChoice("onSeveral",
                   &SignalKeys::on_several,
                   OnSeveralNames(),
                   {.help = "What to make of a result with several series.", .fallback = "error"});
    for (const auto& [key, remedy] : kForeignKeys) table.AddRefused(key, remedy);
    return table;
  }();
  return kTable;
}

double Reduce(std::span<const double> values, OnSeveral policy) {
  double value = values.front();
  for (const double other : values.subspan(1)) {
    switch (policy) {
      case OnSeveral::kSum:
      case OnSeveral::kAvg:
        value += other;
        break;
      case OnSeveral::kMax:
        value = std::max(value, other);
        break;
      case OnSeveral::kMin:
        value = std::min(value, other);
        break;
      case OnSeveral::kError:
      case OnSeveral::kFirst:
        break;
    }
  }
  return policy == OnSeveral::kAvg ? value / static_cast<double>(values.size()) : value;
}

/// `@ start()` and `@ end()` mean the moment itself in an instant query, and a range's ends in a
/// range query. Text in quotes may look the same; then the past is not told either.
bool LooksAtItsRange(std::string_view query) {
  for (std::size_t at = query.find('@'); at != std::string_view::npos;
       at = query.find('@', at + 1)) {
    const std::string_view rest = Trim(query.substr(at + 1));
    if (rest.starts_with("start") || rest.starts_with("end")) return true;
  }
  return false;
}

class PrometheusSource final : public Source {
 public:
  PrometheusSource(std::shared_ptr<PrometheusConnection> connection,
                   std::string query,
                   OnSeveral on_several)
      : connection_(std::move(connection)), query_(std::move(query)), on_several_(on_several) {}

  Result<Observation> Poll(const PollContext& context) override {
    Result<prom::QueryResult> result =
        connection_->client().Query(query_, context.slot, context.deadline, context.stop);
    if (!result) return Fail(result.error());

    std::vector<double> values;
    for (const prom::Sample& sample : result->samples) values.push_back(sample.value);
    Result<Observation> observation =
        Observe(values, result->type == prom::QueryResult::Type::kScalar);
    if (!observation) return observation;
    observation->warnings = std::move(result->warnings);
    for (const std::string& info : result->infos) observation->warnings.push_back("info: " + info);
    return observation;
  }

  Result<std::vector<Reading>> PastReadings(const SlotSpan& span,
                                            MonoTime deadline,
                                            const std::stop_token& stop) override {
    std::vector<Reading> readings;
    if (LooksAtItsRange(query_)) return readings;
    const Result<std::vector<std::vector<double>>> past =
        connection_->PastValues(query_, span, deadline, stop);
    if (!past) return Fail(past.error());
    WallTime slot = span.first;
    for (const std::vector<double>& at_slot : *past) {
      // The order of the series, which decides here, is another in range queries.
      const bool first_unknown = on_several_ == OnSeveral::kFirst && at_slot.size() > 1;
      if (!first_unknown) readings.push_back(ToReading(slot, Observe(at_slot, /*scalar=*/false)));
      slot += span.interval;
    }
    return readings;
  }

 private:
  /// What a result of these values means.
  [[nodiscard]] Result<Observation> Observe(std::span<const double> values, bool scalar) const {
    Observation observation;
    if (values.empty()) {
      observation.empty = true;
      observation.detail = "no series";
      return observation;
    }
    observation.detail = scalar ? "a scalar" : std::to_string(values.size()) + " series";
    if (values.size() > 1) {
      if (on_several_ == OnSeveral::kError) {
        return Fail(ErrorCode::kInvalidArgument,
                    "connection " + connection_->name() + ": the query gives " +
                        std::to_string(values.size()) +
                        " series where one number is needed; wrap it in sum() or max(), or set "
                        "onSeveral");
      }
      observation.detail += ", " + NameOf(on_several_);
      if (on_several_ == OnSeveral::kFirst) values = values.first(1);
    }
    const auto odd =
        std::ranges::count_if(values, [](double value) { return !std::isfinite(value); });
    observation.value = odd == 0 ? Reduce(values, on_several_) : 0;
    if (odd != 0) {
      observation.detail += ", " + std::to_string(odd) + " of them NaN or Inf";
    } else if (!std::isfinite(observation.value)) {
      observation.detail += ", too large to add up";
    } else {
      return observation;
    }
    observation.empty = true;
    observation.value = 0;
    return observation;
  }

  const std::shared_ptr<PrometheusConnection> connection_;
  const std::string query_;
  const OnSeveral on_several_;
};

void ParseSignal(const Node& node,
                 const SignalContext& context,
                 SignalDefinition& definition,
                 Diagnostics& diagnostics) {
  SignalKeys keys;
  if (!SignalTable().Read(node, keys, diagnostics)) return;
  const auto connection = std::static_pointer_cast<PrometheusConnection>(FindConnection(
      kType, keys.connection, "serverAddress", keys.server_address, node, context, diagnostics));
  if (!connection) return;
  definition.connection = connection->name();
  // '\n' stands in no connection's name, so that no two sources share a key.
  definition.source_key = std::string(kType) + "\n" + connection->name() + "\n" +
                          NameOf(keys.on_several) + "\n" + keys.query;
  definition.timing = connection->settings().timing;
  definition.max_concurrent = connection->settings().max_concurrent;
  definition.demand.target_size = keys.threshold;
  definition.demand.activation = keys.activation_threshold;
  definition.make_source = [connection, query = keys.query, on_several = keys.on_several] {
    return std::make_unique<PrometheusSource>(connection, query, on_several);
  };
}

}  // namespace

void RegisterPrometheus(Registry& registry, std::shared_ptr<http::Waiter> waiter) {
  registry.Add(ConnectionType{
      .name = kType,
      .summary = "A Prometheus, or what speaks its query API: Thanos, Mimir, VictoriaMetrics, "
                 "Amazon Managed Prometheus.",
      .params = ConnectionTable().infos(),
      .create =
          [waiter = std::move(waiter)](const std::string& name,
                                       const Node& node,
                                       const ScalerDeps& deps,
                                       Diagnostics& diagnostics) {
            return CreateConnection(name, node, deps, diagnostics, waiter);
          },
  });
  registry.Add(SignalType{
      .name = kType,
      .summary = "The value of a Prometheus query.",
      .status = "stable",
      .connection_type = kType,
      .params = SignalTable().infos(),
      .parse = ParseSignal,
  });
}

}  // namespace stoker::scalers
