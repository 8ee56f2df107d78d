#include "scalers/spark/spark_scaler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/text.h"
#include "scalers/connection_params.h"
#include "scalers/spark/driver_url.h"
#include "scalers/spark/published_need.h"
#include "upstream/http/url.h"
#include "upstream/kubernetes/client.h"
#include "upstream/spark/driver_client.h"

namespace stoker::scalers {
namespace {

using config::Diagnostics;
using config::Node;
using config::ParamTable;

constexpr char kType[] = "spark";
constexpr int kUiPort = 4040;

// ---- the connection

struct DiscoverKeys {
  std::string pod_label = "spark-role=driver";
};

struct ConnectionKeys {
  ConnectionSettings common;
  std::optional<DiscoverKeys> discover;
  std::string driver_url;
  std::optional<TlsOptions> tls;
};

const ParamTable<ConnectionKeys>& ConnectionTable() {
  static const auto kTable = [] {
    const auto discover = ParamTable<DiscoverKeys>().Add("podLabel",
                                                         &DiscoverKeys::pod_label,
                                                         {.help = "Label selector of driver pods.",
                                                          .fallback = DiscoverKeys{}.pod_label,
                                                          .non_empty = true});
    return ParamTable<ConnectionKeys>()
        .Add("driverUrl",
             &ConnectionKeys::driver_url,
             {.help = "Where a driver's UI is, with {application} and {namespace} of the signal "
                      "filled in.",
              .non_empty = true,
              .example = "http://{application}-ui-svc.{namespace}.svc:4040"})
        .AddObject("discover",
                   &ConnectionKeys::discover,
                   discover,
                   {.help = "Instead of driverUrl: look for driver pods in the signal's namespace. "
                            "Needs a Role there with verb list on pods.",
                    .example = "{podLabel: spark-role=driver}"})
        .AddObject("tls",
                   &ConnectionKeys::tls,
                   TlsTable(/*client_certificate=*/true),
                   {.help = "For an https driverUrl."})
        .Include(&ConnectionKeys::common, ConnectionSettingsTable());
  }();
  return kTable;
}

/// Drivers, by a URL or by their pods: one of `url` and `pods` is set.
class SparkConnection final : public Connection {
 public:
  struct Pods {
    std::string label;
    /// An error where this is no pod of a cluster, which is no mistake of the configuration.
    Result<std::unique_ptr<kubernetes::Client>> client;
  };
  SparkConnection(std::string name,
                  ConnectionSettings settings,
                  std::optional<DriverUrl> url,
                  std::optional<Pods> pods,
                  std::unique_ptr<spark::Client> client)
      : Connection(kType, std::move(name), std::move(settings)),
        url_(std::move(url)),
        pods_(std::move(pods)),
        client_(std::move(client)) {}

  /// KEDA has no trigger for Spark whose address this could be.
  [[nodiscard]] bool MatchesAddress(std::string_view /*address*/) const override { return false; }

  [[nodiscard]] const std::optional<DriverUrl>& url() const { return url_; }
  [[nodiscard]] const std::optional<Pods>& pods() const { return pods_; }
  [[nodiscard]] const spark::Client& client() const { return *client_; }

 private:
  const std::optional<DriverUrl> url_;
  const std::optional<Pods> pods_;
  const std::unique_ptr<spark::Client> client_;
};

std::shared_ptr<Connection> CreateConnection(const std::string& name,
                                             const Node& node,
                                             const ScalerDeps& deps,
                                             const std::shared_ptr<http::Waiter>& waiter,
                                             Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.items().size();
  ConnectionKeys keys;
  if (!ConnectionTable().Read(node, keys, diagnostics)) return nullptr;
  if (keys.driver_url.empty() != keys.discover.has_value()) {
    diagnostics.Add(node, "give one of driverUrl and discover");
  }
  std::optional<DriverUrl> url;
  if (!keys.driver_url.empty()) {
    const Result<DriverUrl> parsed = DriverUrl::Parse(keys.driver_url);
    if (parsed) {
      url = *parsed;
    } else {
      diagnostics.Add(*node.Find("driverUrl"), parsed.error().message);
    }
  }
  const TlsOptions tls = keys.tls.value_or(TlsOptions{});
  if (keys.tls && !keys.driver_url.starts_with("https://")) {
    diagnostics.Add(*node.Find("tls"), "tls needs a driverUrl that begins with https://");
  }
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    diagnostics.Add(*node.Find("tls"), "cert and key go together; give both or none");
  }
  Result<std::unique_ptr<spark::Client>> client =
      spark::Client::Create({.connection = name, .tls = tls},
                            {deps.clock, deps.random, deps.transports, deps.observer, waiter});
  if (!client) diagnostics.Add(node, client.error().message);
  if (diagnostics.items().size() != before) return nullptr;

  std::optional<SparkConnection::Pods> pods;
  if (keys.discover) {
    pods = {keys.discover->pod_label,
            kubernetes::Client::InCluster({deps.clock,
                                           deps.random,
                                           deps.environment,
                                           deps.files,
                                           deps.transports,
                                           deps.observer,
                                           waiter})};
  }
  return std::make_shared<SparkConnection>(
      name, std::move(keys.common), std::move(url), std::move(pods), std::move(*client));
}

// ---- the signal

struct SignalKeys {
  std::string connection;
  std::string prometheus;
  std::string application;
  std::string name_space;
  std::string selector;
  double activation_threshold = 0;
};

const ParamTable<SignalKeys>& SignalTable() {
  static const auto kTable =
      ParamTable<SignalKeys>()
          .Add("connection",
               &SignalKeys::connection,
               {.help = "Name of a spark connection. Default: the only one.", .non_empty = true})
          .Add("prometheus",
               &SignalKeys::prometheus,
               {.help = "Instead of a spark connection: name of a prometheus connection, which "
                        "scrapes the drivers' metrics.",
                .non_empty = true})
          .Add("application",
               &SignalKeys::application,
               {.help = "Which application. Default: all that the connection's drivers run. With "
                        "prometheus its spark.metrics.namespace, or its id without one.",
                .non_empty = true,
                .example = "analytics-job"})
          .Add("namespace",
               &SignalKeys::name_space,
               {.help = "Where its driver is. In trigger metadata always the object's own.",
                .non_empty = true})
          .Add("selector",
               &SignalKeys::selector,
               {.help = "With prometheus: label matchers of the drivers' metrics.",
                .non_empty = true,
                .example = R"(namespace="data")"})
          .Add("activationThreshold",
               &SignalKeys::activation_threshold,
               {.help = "The signal lifts the target above 0 only while more executors are needed.",
                .fallback = "0",
                .min = 0});
  return kTable;
}

/// KubernetesConf.getAppNameLabel: an application's name as the label spark-app-name has it.
std::string AppNameLabel(std::string_view name) {
  std::string label;
  for (const char c : ToLower(Trim(name))) {
    const bool keep = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (keep || !label.ends_with('-')) label += keep ? c : '-';
  }
  label.resize(std::min<std::size_t>(label.size(), 63));
  if (label.ends_with('-')) label.pop_back();
  if (label.starts_with('-')) label.erase(0, 1);
  return label;
}

enum class Match : std::uint8_t { kNo, kYes, kUnknown };

/// Whether a driver pod's labels say that it runs `application`.
Match MatchPod(const kubernetes::Pod& pod, const std::string& application) {
  if (application.empty()) return Match::kYes;
  const auto is = [&](const char* label, const std::string& value) {
    const auto found = pod.labels.find(label);
    return found != pod.labels.end() && found->second == value;
  };
  if (is("spark-app-selector", application) ||             // its id
      is("sparkoperator.k8s.io/app-name", application) ||  // its SparkApplication
      is("spark-app-name", application) || is("spark-app-name", AppNameLabel(application))) {
    return Match::kYes;
  }
  return pod.labels.contains("spark-app-name") ? Match::kNo : Match::kUnknown;
}

std::string Count(std::int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string Detail(const spark::Demand& demand) {
  std::string text;
  if (demand.counted_by_spark > 0) {
    text = demand.counted_by_spark == demand.applications ? "Spark's own count; "
                                                          : "Spark's own count for some; ";
  }
  if (demand.counted_by_spark < demand.applications) {
    text +=
        "pending " + std::to_string(demand.pending) + ", running " + Count(demand.running, "task");
    if (demand.max_slots > 0) {
      text += " over ";
      if (demand.min_slots != demand.max_slots) text += std::to_string(demand.min_slots) + " to ";
      text += Count(demand.max_slots, "slot") + " an executor";
    }
    text += "; ";
  }
  return text + Count(demand.applications, "application");
}

/// Asks the drivers.
class DriverSource final : public Source {
 public:
  DriverSource(std::shared_ptr<SparkConnection> connection,
               std::string url,
               std::string name_space,
               std::string application)
      : connection_(std::move(connection)),
        url_(std::move(url)),
        name_space_(std::move(name_space)),
        application_(std::move(application)),
        reader_(connection_->client()) {}

  Result<Observation> Poll(const PollContext& context) override {
    const Result<std::vector<spark::Driver>> drivers = FindDrivers(context);
    if (!drivers) return Fail(drivers.error());
    const Result<spark::Demand> demand = reader_.Read(*drivers, context.deadline, context.stop);
    if (!demand) return Fail(demand.error());
    Observation observation;
    observation.empty = demand->applications == 0;
    observation.value = demand->executors;
    if (!observation.empty) {
      observation.detail = Detail(*demand);
    } else {
      observation.detail = drivers->empty() ? "no driver pod runs it" : "no driver runs it";
    }
    return observation;
  }

 private:
  [[nodiscard]] Result<std::vector<spark::Driver>> FindDrivers(const PollContext& context) const {
    std::vector<spark::Driver> drivers;
    if (!connection_->pods()) {
      // A URL with {application} leads to its driver, whatever that calls itself.
      drivers.push_back(
          {.url = url_,
           .label = "the driver",
           .application = connection_->url()->needs_application() ? "" : application_});
      return drivers;
    }
    const auto fail = [&](const Error& error) {
      return Fail(error.code, "connection " + connection_->name() + ": " + error.message);
    };
    const SparkConnection::Pods& pods = *connection_->pods();
    if (!pods.client) return fail(pods.client.error());
    const Result<std::vector<kubernetes::Pod>> list =
        (*pods.client)
            ->ListPods(name_space_, {.labels = pods.label}, context.deadline, context.stop);
    if (!list) return fail(list.error());
    for (const kubernetes::Pod& pod : *list) {
      // A pod on a node that is lost (Unknown) may well run on.
      if (pod.ip.empty() || (pod.phase != "Running" && pod.phase != "Unknown")) continue;
      const Match match = MatchPod(pod, application_);
      if (match == Match::kNo) continue;
      const auto port = pod.ports.find("spark-ui");
      const std::string address =
          (pod.ip.find(':') == std::string::npos ? pod.ip : "[" + pod.ip + "]") + ":" +
          std::to_string(port == pod.ports.end() ? kUiPort : port->second);
      drivers.push_back({.url = "http://" + address,
                         .label = "driver pod at " + address,
                         .application = match == Match::kYes ? "" : application_,
                         .may_be_gone = pod.deletion_time.has_value()});
    }
    return drivers;
  }

  const std::shared_ptr<SparkConnection> connection_;
  const std::string url_;  ///< unless they are discovered
  const std::string name_space_;
  const std::string application_;
  spark::DemandReader reader_;
};

/// The namespace that a signal means; empty with a diagnostic when it must say and does not.
std::optional<std::string> ChooseNamespace(const SignalKeys& keys,
                                           bool needed,
                                           const Node& node,
                                           const SignalContext& context,
                                           Diagnostics& diagnostics) {
  const bool own = context.inline_object || !context.name_space.empty();
  if (own && !keys.name_space.empty() && keys.name_space != context.name_space) {
    diagnostics.Add(node.position(),
                    node.path(),
                    "'namespace' is not the object's own; remove it, objects see the drivers of "
                    "their own namespace",
                    ErrorCode::kPermissionDenied);
    return std::nullopt;
  }
  if (!needed) {
    if (!own && !keys.name_space.empty()) {
      diagnostics.Add(node, "'namespace' does nothing, as driverUrl has no {namespace}; remove it");
      return std::nullopt;
    }
    return "";
  }
  const std::string& name_space = own ? context.name_space : keys.name_space;
  if (!IsDnsLabel(name_space)) {
    diagnostics.Add(node,
                    name_space.empty()
                        ? "missing 'namespace'; name the namespace that the drivers run in"
                        : "'namespace' must be a namespace's name");
    return std::nullopt;
  }
  return name_space;
}

/// What both ways have in common.
void Fill(const Connection& connection,
          const std::string& query,
          const SignalKeys& keys,
          SignalDefinition& definition) {
  definition.connection = connection.name();
  definition.connection_type = connection.type();
  definition.source_key =
      std::string(kType) + "\n" + connection.type() + "\n" + connection.name() + "\n" + query;
  definition.timing = connection.settings().timing;
  definition.max_concurrent = connection.settings().max_concurrent;
  definition.demand.activation = keys.activation_threshold;
  definition.demand.per = DemandRule::Per::kExecutor;
  // That an application is gone is known; where it is not known, the poll fails.
  definition.on_empty = OnEmpty::kZero;
}

void ParseDriverSignal(const SignalKeys& keys,
                       const Node& node,
                       const SignalContext& context,
                       SignalDefinition& definition,
                       Diagnostics& diagnostics) {
  if (!keys.selector.empty()) {
    diagnostics.Add(node, "'selector' goes with 'prometheus'; remove it");
    return;
  }
  const auto connection = std::static_pointer_cast<SparkConnection>(
      FindConnection(kType, keys.connection, "", "", node, context, diagnostics));
  if (!connection) return;
  const std::optional<DriverUrl>& url = connection->url();
  const std::optional<std::string> name_space =
      ChooseNamespace(keys, !url || url->needs_namespace(), node, context, diagnostics);
  if (!name_space) return;
  std::string driver_url;
  if (url) {
    if (url->needs_application() && keys.application.empty()) {
      diagnostics.Add(node, "missing 'application'; driverUrl has {application} in it");
      return;
    }
    const Result<std::string> made = url->For(*name_space, keys.application);
    if (!made) {
      diagnostics.Add(node, made.error().message);
      return;
    }
    driver_url = *made;
  }
  Fill(*connection, *name_space + "\n" + keys.application, keys, definition);
  definition.make_source =
      [connection, driver_url, name_space = *name_space, application = keys.application] {
        return std::make_unique<DriverSource>(connection, driver_url, name_space, application);
      };
}

void ParsePublishedSignal(const SignalKeys& keys,
                          const Node& node,
                          const SignalContext& context,
                          SignalDefinition& definition,
                          Diagnostics& diagnostics) {
  if (!keys.connection.empty()) {
    diagnostics.Add(node, "'connection' and 'prometheus' are both given; keep one");
    return;
  }
  if (!keys.name_space.empty()) {
    diagnostics.Add(node, "'namespace' does not go with 'prometheus'; put it into 'selector'");
    return;
  }
  if (keys.application.empty() && keys.selector.empty()) {
    diagnostics.Add(
        node,
        "give 'application' or 'selector'; else every application that Prometheus knows "
        "would count");
    return;
  }
  const auto connection = std::static_pointer_cast<PrometheusConnection>(FindConnection(
      PrometheusConnection::kType, keys.prometheus, "", "", node, context, diagnostics));
  if (!connection) return;
  const Result<std::string> query = MakeNeedQuery(keys.application, keys.selector);
  if (!query) {
    diagnostics.Add(node, query.error().message);
    return;
  }
  Fill(*connection, *query, keys, definition);
  definition.make_source = [connection, query = *query] {
    return MakePublishedNeed(connection, query);
  };
}

void ParseSignal(const Node& node,
                 const SignalContext& context,
                 SignalDefinition& definition,
                 Diagnostics& diagnostics) {
  SignalKeys keys;
  if (!SignalTable().Read(node, keys, diagnostics)) return;
  const auto parse = keys.prometheus.empty() ? ParseDriverSignal : ParsePublishedSignal;
  parse(keys, node, context, definition, diagnostics);
}

}  // namespace

void RegisterSpark(Registry& registry, std::shared_ptr<http::Waiter> waiter) {
  registry.Add(ConnectionType{.name = kType,
                              .summary = "The drivers of running Spark applications.",
                              .params = ConnectionTable().infos(),
                              .create = [waiter = std::move(waiter)](const std::string& name,
                                                                     const Node& node,
                                                                     const ScalerDeps& deps,
                                                                     Diagnostics& diagnostics) {
                                return CreateConnection(name, node, deps, waiter, diagnostics);
                              }});
  registry.Add(SignalType{.name = kType,
                          .summary = "The executors that running Spark applications need.",
                          .status = "stable",
                          .connection_type = kType,
                          .params = SignalTable().infos(),
                          .parse = ParseSignal});
}

}  // namespace stoker::scalers
