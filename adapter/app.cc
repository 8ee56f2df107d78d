#include "adapter/app.h"

#include <atomic>
#include <mutex>
#include <utility>

#include "adapter/capacity_controller.h"
#include "adapter/cluster_watch.h"
#include "adapter/compile.h"
#include "adapter/engine.h"
#include "adapter/grpc/expander_server.h"
#include "adapter/grpc/grpc_server.h"
#include "adapter/http/api.h"
#include "adapter/http/hints_api.h"
#include "adapter/http/http_server.h"
#include "adapter/http/manual_api.h"
#include "adapter/http/peers_api.h"
#include "adapter/metrics.h"
#include "adapter/peers.h"
#include "capacity/choice_log.h"
#include "config/document.h"
#include "config/watcher.h"
#include "config/yaml_json.h"
#include "core/environment.h"
#include "core/net_address.h"
#include "core/thread_executor.h"
#include "scalers/registry.h"
#include "upstream/http/beast_transport.h"
#include "upstream/http/name_resolver.h"
#include "upstream/http/observed_transport.h"
#include "upstream/kubernetes/client.h"
#include "upstream/kubernetes/lease.h"

namespace stoker::adapter {

const char* const kEmbeddedFolder = "stoker-inbox";

const char* const kEmbeddedConfig =
    R"(# Stoker's embedded configuration: no cluster, no Prometheus, no S3.
apiVersion: stoker/v1
server:
  grpc: {listen: "127.0.0.1:6000"}
  http: {listen: "127.0.0.1:8080", auth: off}
  probes: {listen: "127.0.0.1:8081"}
policies:
  quickstart:
    replicas: {min: 0, max: 20}
    signals:
      # A replica for every 2 files in the folder.
      inbox: {type: directory, path: stoker-inbox, targetSize: 2}
      # 3 replicas during every other minute.
      hours: {type: cron, timezone: UTC, start: "*/2 * * * *", end: "1-59/2 * * * *", desiredReplicas: 3}
)";

namespace {

/// More polls at a time than upstreams should see from one adapter; connections bound their own
/// share.
constexpr int kPollThreads = 32;
constexpr int kTimerThreads = 2;
/// Siblings that do not answer hold one each for a while.
constexpr int kPeerThreads = 4;
/// The autoscaler asks one question at a time.
constexpr int kExpanderThreads = 1;

Result<config::Document> Load(const AppOptions& options,
                              const FileSystem& files,
                              const Environment& environment,
                              config::ParsedFiles& parsed,
                              config::Diagnostics& diagnostics) {
  if (!options.config_paths.empty()) {
    return config::LoadDocument(options.config_paths, files, environment, diagnostics, &parsed);
  }
  return config::ParseDocument(kEmbeddedConfig, "embedded configuration", environment, diagnostics);
}

bool SameListeners(const ServerConfig& a, const ServerConfig& b) {
  const auto same_tls = [](const std::optional<ListenTls>& x, const std::optional<ListenTls>& y) {
    if (x.has_value() != y.has_value()) return false;
    return !x || (x->cert == y->cert && x->key == y->key && x->client_ca == y->client_ca &&
                  x->require_client_cert == y->require_client_cert);
  };
  const bool same_expander = a.expander.has_value() == b.expander.has_value() &&
                             (!a.expander || (a.expander->listen == b.expander->listen &&
                                              same_tls(a.expander->tls, b.expander->tls)));
  return a.grpc.listen == b.grpc.listen && same_tls(a.grpc.tls, b.grpc.tls) &&
         a.grpc.max_connection_age == b.grpc.max_connection_age && same_expander &&
         a.http.listen == b.http.listen && same_tls(a.http.tls, b.http.tls) &&
         a.http.auth_off == b.http.auth_off && a.http.tokens_file == b.http.tokens_file &&
         a.probes_listen == b.probes_listen && a.per_object_metrics == b.per_object_metrics &&
         a.peers == b.peers && a.manual.keda_e2e == b.manual.keda_e2e;
}

/// Names this process among replicas; another one at each start.
std::string MakeInstance(Random& random) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string id;
  for (int i = 0; i < 32; ++i) {
    id += kHex[static_cast<std::size_t>(random.Uniform() * double(kHex.size()))];
  }
  return id;
}

/// For people: of a pod it begins with the pod's name.
std::string HolderName(const Environment& environment, Random& random) {
  const std::string pod = environment.Get("HOSTNAME").value_or("");
  return pod.empty() ? MakeInstance(random) : pod + "_" + MakeInstance(random);
}

}  // namespace

/// Members are in the order they come up; they go down in reverse, see Stop.
struct App::Impl {
  Impl(const AppOptions& options_in, Logger& logger_in)
      : options(options_in), logger(logger_in), metrics(clock, options_in.version) {
    scalers::RegisterBuiltinScalers(registry);
  }

  const AppOptions options;
  Logger& logger;
  SystemClock clock;
  SystemRandom random;
  SystemEnvironment environment;
  SystemFileSystem files;
  http::BeastTransportFactory transports{clock, files};
  Metrics metrics;
  scalers::Registry registry;
  scalers::PushedValues pushed;
  scalers::ScalerDeps scaler_deps{
      clock, random, environment, files, transports, metrics, logger, pushed};
  ThreadExecutor pool{kPollThreads};
  ThreadExecutor timers{kTimerThreads};
  http::SystemNameResolver resolver;
  std::shared_ptr<HttpTransport> peer_transport;
  std::unique_ptr<ThreadExecutor> peer_pool;
  std::unique_ptr<Peers> peers;  ///< null without server.peers
  std::unique_ptr<Engine> engine;
  std::atomic<bool> applied{false};
  std::atomic<bool> ready{false};
  std::atomic<bool> draining{false};
  std::mutex reload_mutex;
  config::ParsedFiles parsed;  // guarded by reload_mutex
  std::unique_ptr<BearerAuth> auth;
  std::unique_ptr<Api> api;
  std::unique_ptr<ManualApi> manual;
  std::unique_ptr<HttpServer> probes;
  std::unique_ptr<HttpServer> http;
  std::unique_ptr<GrpcServer> grpc;
  capacity::ChoiceLog choices;
  std::unique_ptr<ThreadExecutor> expander_pool;
  std::unique_ptr<ExpanderServer> expander;  ///< null without server.expander
  std::mutex cluster_mutex;
  std::unique_ptr<kubernetes::Client> cluster;  ///< guarded by cluster_mutex; null until needed
  std::unique_ptr<kubernetes::Lease> lease;     ///< likewise, and until we may write
  std::unique_ptr<ClusterWatch> watch;  ///< null without server.expander, or a cluster to ask
  std::unique_ptr<CapacityController> capacity;
  std::unique_ptr<config::Watcher> watcher;
  bool stopped = false;

  Status Start();
  Status MakePeers(const ServerConfig& server);
  Status StartExpander(const ExpanderListener& listener);
  void MakeWatch();
  capacity::GroupFailures Failures() const;
  void MakeCapacity();
  Result<kubernetes::Client*> Cluster();
  bool HoldsLease();
  void Reload();
  void Stop();
  Status Ready();
};

Status App::Impl::Ready() {
  if (draining) return Fail(ErrorCode::kUnavailable, "shutting down");
  if (!ready) {
    if (!applied || !engine->FirstPollsAttempted()) {
      return Fail(ErrorCode::kUnavailable, "first polls are still under way");
    }
    ready = true;
  }
  return {};
}

Status App::Impl::MakePeers(const ServerConfig& server) {
  const PeersConfig& config = *server.peers;
  TlsOptions tls;
  tls.ca_file = config.ca;
  tls.server_name = config.server_name;
  if (server.http.tls) {
    if (tls.server_name.empty() && !config.service.empty()) {
      const Result<ListenAddress> with_port = ParseListenAddress(config.service);
      tls.server_name = with_port ? with_port->host : config.service;
    }
    if (!server.http.tls->client_ca.empty()) {
      tls.cert_file = server.http.tls->cert;
      tls.key_file = server.http.tls->key;
    }
  }
  Result<std::shared_ptr<HttpTransport>> transport = transports.Create(tls);
  if (!transport) return Fail(transport.error());
  peer_transport =
      std::make_shared<http::ObservedTransport>(std::move(*transport), "peers", metrics);
  peer_pool = std::make_unique<ThreadExecutor>(kPeerThreads);
  peers = std::make_unique<Peers>(
      Peers::Options{.instance = MakeInstance(random),
                     .service = config.service,
                     .addresses = config.addresses,
                     .secure = server.http.tls.has_value(),
                     .token = [this] { return auth->FirstToken(); }},
      Peers::Deps{clock, timers, *peer_pool, *peer_transport, resolver, pushed, metrics, logger});
  return {};
}

void App::Impl::MakeWatch() {
  const Result<kubernetes::Client*> client = Cluster();
  if (!client) {
    logger.Warn("no cluster to ask: node groups that fail are not avoided",
                {{"problem", client.error().message}});
    return;
  }
  watch = std::make_unique<ClusterWatch>(
      ClusterWatch::Deps{**client,
                         [this] { return engine->config()->capacity.expander; },
                         clock,
                         timers,
                         pool,
                         logger});
}

capacity::GroupFailures App::Impl::Failures() const {
  return watch ? watch->Failures() : capacity::GroupFailures();
}

Status App::Impl::StartExpander(const ExpanderListener& listener) {
  expander_pool = std::make_unique<ThreadExecutor>(kExpanderThreads);
  const auto rules = [this] {
    // A reload that takes the expander away does so at the next start only.
    static const auto kNone = std::make_shared<const capacity::ExpanderRules>();
    const std::shared_ptr<const capacity::ExpanderRules> now = engine->config()->expander_rules;
    return now ? now : kNone;
  };
  if (watch) watch->Start();
  const auto failures = [this] { return Failures(); };
  Result<std::unique_ptr<ExpanderServer>> server = ExpanderServer::Start(
      listener,
      ExpanderDependencies{rules, failures, choices, metrics, *expander_pool, clock, logger},
      files);
  if (!server) return Fail(server.error());
  expander = std::move(*server);
  return {};
}

/// Not before somebody needs it: a laptop's kubeconfig is of no interest to most.
Result<kubernetes::Client*> App::Impl::Cluster() {
  const std::scoped_lock lock(cluster_mutex);
  if (!cluster) {
    Result<std::unique_ptr<kubernetes::Client>> client =
        kubernetes::Client::Load({.yaml = config::YamlToJson},
                                 {clock,
                                  random,
                                  environment,
                                  files,
                                  transports,
                                  metrics,
                                  std::make_shared<http::SystemWaiter>()});
    if (!client) return Fail(client.error());
    cluster = std::move(*client);
  }
  return cluster.get();
}

bool App::Impl::HoldsLease() {
  const Result<kubernetes::Client*> client = Cluster();
  if (!client) return false;
  const std::scoped_lock lock(cluster_mutex);
  if (!lease) {
    const capacity::LeaseName& name = engine->config()->capacity.lease;
    lease = std::make_unique<kubernetes::Lease>(
        kubernetes::LeaseOptions{
            .name_space = name.name_space.empty() ? (*client)->name_space() : name.name_space,
            .name = name.name,
            .identity = HolderName(environment, random)},
        kubernetes::Lease::Deps{**client, clock, pool, random, logger});
    lease->Start();
  }
  return lease->held();
}

void App::Impl::MakeCapacity() {
  const auto own = [this] {
    const std::vector<capacity::ChoiceRecord> recent = choices.Recent();
    // The autoscaler keeps asking one replica: of several, one cannot tell that none was asked.
    const bool alone = !engine->config()->server.peers;
    capacity::OwnView view{.expander = expander != nullptr && alone, .last_choice = std::nullopt};
    if (!recent.empty()) view.last_choice = recent.front().time;
    return view;
  };
  capacity = std::make_unique<CapacityController>(
      CapacityController::Deps{*engine,
                               [this] { return engine->config()->capacity; },
                               [this] { return Cluster(); },
                               [this] { return HoldsLease(); },
                               own,
                               [this] { return Failures(); },
                               clock,
                               pool,
                               metrics,
                               logger});
}

Status App::Impl::Start() {
  const std::scoped_lock lock(reload_mutex);  // a change seen meanwhile is read when we are up
  if (!options.config_paths.empty()) {
    // Before the files are read, so that no change falls between.
    watcher = std::make_unique<config::Watcher>(
        options.config_paths, files, clock, timers, options.reload_period, [this] { Reload(); });
  }
  config::Diagnostics diagnostics;
  const Result<config::Document> document = Load(options, files, environment, parsed, diagnostics);
  if (!document) return Fail(document.error());
  const std::shared_ptr<const CompiledConfig> config =
      CompileConfig(*document, registry, scaler_deps, nullptr, diagnostics);
  if (!config) return Fail(diagnostics.ToError());
  metrics.OnConfigReload(true);

  const ServerConfig& server = config->server;
  auth = std::make_unique<BearerAuth>(server.http, files);
  if (server.peers) {
    if (Status made = MakePeers(server); !made) return made;
  }
  engine = std::make_unique<Engine>(Engine::Deps{
      clock, timers, pool, metrics, metrics, logger, registry, scaler_deps, peers.get()});
  api = std::make_unique<Api>(Api::Deps{*engine, metrics, *auth, server.per_object_metrics});
  OnPushed on_pushed;
  if (peers) {
    on_pushed = [this](const std::string& name, const scalers::PushedValue&) {
      peers->PublishValue(name);
    };
  }
  manual = std::make_unique<ManualApi>(
      ManualApi::Deps{*engine, pushed, clock, logger, std::move(on_pushed)});
  manual->AddRoutes(*api);
  if (server.manual.keda_e2e) manual->AddKedaE2eRoutes(*api);
  AddPeerRoutes(*api, peers.get());
  if (server.expander) MakeWatch();
  MakeCapacity();
  AddHintsRoute(*api, *engine, capacity.get(), choices);

  Result<std::unique_ptr<HttpServer>> probe_server =
      HttpServer::Start({.listen = server.probes_listen, .tls = std::nullopt, .threads = 2},
                        ProbeRoutes([this] { return Ready(); }),
                        logger);
  if (!probe_server) return Fail(probe_server.error());
  probes = std::move(*probe_server);
  Result<std::unique_ptr<HttpServer>> http_server = HttpServer::Start(
      {.listen = server.http.listen, .tls = server.http.tls},
      [this](const ApiRequest& request) { return api->Handle(request); },
      logger);
  if (!http_server) return Fail(http_server.error());
  http = std::move(*http_server);
  // Siblings are asked for windows when the first sources come, and may ask us from then on.
  if (peers) peers->Start(engine->poller(), http->port());
  engine->Apply(config);
  Result<std::unique_ptr<GrpcServer>> grpc_server = GrpcServer::Start(
      server.grpc, GrpcDependencies{*engine, metrics, timers, clock, random, files, logger});
  if (!grpc_server) return Fail(grpc_server.error());
  grpc = std::move(*grpc_server);
  if (server.expander) {
    if (Status started = StartExpander(*server.expander); !started) return started;
  }
  applied = true;  // only now is there somebody to answer who finds us ready

  capacity->Start();

  logger.Info("stoker is up",
              {{"version", options.version},
               {"grpc", server.grpc.listen},
               {"grpc_port", std::to_string(grpc->port())},
               {"expander", expander ? std::to_string(expander->port()) : "off"},
               {"http_port", std::to_string(http->port())},
               {"probes_port", std::to_string(probes->port())},
               {"policies", std::to_string(config->policies.size())},
               {"inline", server.inline_objects.enabled ? "on" : "off"}});
  return {};
}

void App::Impl::Reload() {
  const std::scoped_lock lock(reload_mutex);
  const std::shared_ptr<const CompiledConfig> current = engine->config();
  config::Diagnostics diagnostics;
  const Result<config::Document> document = Load(options, files, environment, parsed, diagnostics);
  std::shared_ptr<const CompiledConfig> next;
  if (document) next = CompileConfig(*document, registry, scaler_deps, current.get(), diagnostics);
  if (!next) {
    metrics.OnConfigReload(false);
    logger.Error("configuration refused; the one before stays in force until this is mended",
                 {{"errors", document ? diagnostics.ToString() : document.error().message}});
    return;
  }
  engine->Apply(next);
  metrics.OnConfigReload(true);
  logger.Info("configuration reloaded", {{"policies", std::to_string(next->policies.size())}});
  if (next->capacity.lease != current->capacity.lease) {
    logger.Warn(
        "capacity.lease changed; it takes effect after a restart of all replicas, and until then "
        "those that restarted may write beside the others");
  }
  if (!SameListeners(current->server, next->server)) {
    logger.Warn(
        "listeners, TLS files, auth, peers, metrics or kedaE2e of `server` changed; they take "
        "effect after a restart");
  }
}

void App::Impl::Stop() {
  if (std::exchange(stopped, true)) return;
  draining = true;
  watcher.reset();
  if (capacity) capacity->Stop();
  if (lease) lease->Stop();
  if (watch) watch->Stop();
  if (expander) expander->Drain(options.drain);
  if (expander_pool) expander_pool->Stop();
  if (grpc) grpc->Drain(options.drain);
  if (engine) engine->Stop();
  if (peers) peers->Stop();
  if (http) http->Stop();
  if (probes) probes->Stop();
  timers.Stop();
  pool.Stop();
  if (peer_pool) peer_pool->Stop();
}

App::App(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

App::~App() { impl_->Stop(); }

Result<std::unique_ptr<App>> App::Start(const AppOptions& options, Logger& logger) {
  auto impl = std::make_unique<Impl>(options, logger);
  std::unique_ptr<App> app(new App(std::move(impl)));
  if (Status started = app->impl_->Start(); !started) return Fail(started.error());
  return app;
}

void App::Reload() { impl_->Reload(); }
void App::Stop() { impl_->Stop(); }
int App::grpc_port() const { return impl_->grpc->port(); }
int App::expander_port() const { return impl_->expander ? impl_->expander->port() : 0; }
int App::http_port() const { return impl_->http->port(); }
int App::probes_port() const { return impl_->probes->port(); }

}  // namespace stoker::adapter
