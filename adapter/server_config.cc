#include "adapter/server_config.h"

#include <utility>

#include "core/net_address.h"

namespace stoker::adapter {
namespace {

using config::Diagnostics;
using config::Node;
using config::ParamTable;

const ParamTable<ListenTls>& CertificateTable() {
  static const auto kTable =
      ParamTable<ListenTls>()
          .Add("cert",
               &ListenTls::cert,
               {.help = "PEM file with the server's certificate chain; read again when it changes.",
                .required = true,
                .non_empty = true})
          .Add("key",
               &ListenTls::key,
               {.help = "PEM file with its private key.", .required = true, .non_empty = true});
  return kTable;
}

const ParamTable<ListenTls>& TlsTable() {
  static const auto kTable =
      ParamTable<ListenTls>(CertificateTable())
          .Add("clientCa",
               &ListenTls::client_ca,
               {.help =
                    "PEM file with the CAs of client certificates. Without it none is asked for."})
          .Add("requireClientCert",
               &ListenTls::require_client_cert,
               {.help = "Refuse clients that show no certificate (needs `clientCa`).",
                .fallback = "false"});
  return kTable;
}

void ReadListen(const Node& node, std::string& out, Diagnostics& diagnostics) {
  std::string text;
  if (!config::ReadValue(node, {.help = "", .non_empty = true}, text, diagnostics)) return;
  if (!ParseListenAddress(text)) {
    diagnostics.Add(node,
                    "expected HOST:PORT such as 0.0.0.0:6000 or [::]:6000, got " + node.Quoted());
    return;
  }
  out = std::move(text);
}

template <class T>
ParamTable<T> WithListen(ParamTable<T> table, std::string T::*field, std::string_view fallback) {
  table.AddCustom(
      "listen",
      {.help = "Address to listen on; port 0 takes a free one.", .fallback = std::string(fallback)},
      [field](const Node& node, T& out, Diagnostics& diagnostics) {
        ReadListen(node, out.*field, diagnostics);
      },
      config::ParamType::kString);
  return table;
}

struct ProbesSection {
  std::string listen = "0.0.0.0:8081";
};
struct MetricsSection {
  bool per_object = true;
};
struct ExpanderSection {
  bool enabled = false;
  std::string listen = ExpanderListener().listen;
  std::optional<ListenTls> tls;
};
struct Sections {
  GrpcListener grpc;
  ExpanderSection expander;
  HttpListener http;
  ProbesSection probes;
  InlineConfig inline_objects;
  ManualConfig manual;
  std::optional<PeersConfig> peers;
  MetricsSection metrics;
};

const ParamTable<HttpListener>& AuthTable() {
  static const auto kTable = ParamTable<HttpListener>().Add(
      "tokensFile",
      &HttpListener::tokens_file,
      {.help = "File with one bearer token a line.", .required = true, .non_empty = true});
  return kTable;
}

void ReadAuth(const Node& node, HttpListener& out, Diagnostics& diagnostics) {
  if (node.IsScalar() && (node.scalar() == "off" || node.scalar() == "false")) {
    out.auth_off = true;
    return;
  }
  if (!node.IsMap()) {
    diagnostics.Add(node, "expected `off` or {tokensFile: FILE}");
    return;
  }
  AuthTable().Read(node, out, diagnostics);
}

const ParamTable<PeersConfig>& PeersTable() {
  static const auto kTable =
      ParamTable<PeersConfig>()
          .Add(
              "service",
              &PeersConfig::service,
              {.help = "Headless Service of the replicas, `NAME` or `NAME:PORT` (default: the port "
                       "of `http.listen`), looked up every 10 s. Let it publish addresses that "
                       "are not ready.",
               .example = "stoker-headless.stoker.svc"})
          .Add("addresses",
               &PeersConfig::addresses,
               {.help = "Instead of `service`: HOST:PORT of every replica; this one may be among "
                        "them."})
          .Add("ca",
               &PeersConfig::ca,
               {.help = "PEM file with the CAs of the replicas' certificates, when `http.tls` is "
                        "set. Default: the system's."})
          .Add("serverName",
               &PeersConfig::server_name,
               {.help = "Name that their certificates bear. Default: the service's."});
  return kTable;
}

/// `node` is the server's.
void CheckPeers(const Sections& sections, const Node& node, Diagnostics& diagnostics) {
  const PeersConfig& peers = *sections.peers;
  const Node& at = *node.Find("peers");
  if (peers.service.empty() == peers.addresses.empty()) {
    diagnostics.Add(at,
                    "give either service, a headless Service, or addresses, a list of HOST:PORT");
  }
  for (const std::string& address : peers.addresses) {
    const Result<ListenAddress> parsed = ParseListenAddress(address);
    if (parsed && parsed->port != 0) continue;
    diagnostics.Add(at, "addresses must be HOST:PORT such as 10.0.0.5:8080");
    break;
  }
  const Result<ListenAddress> own = ParseListenAddress(sections.http.listen);
  if (sections.http.tokens_file.empty() && !sections.http.auth_off && own && !own->IsLoopback()) {
    diagnostics.Add(at,
                    "siblings need a bearer token: set http.auth.tokensFile, the same in all "
                    "replicas, or http.auth: off");
  }
}

const ParamTable<Sections>& ServerTable() {
  static const ParamTable<Sections> kTable = [] {
    auto grpc =
        WithListen(ParamTable<GrpcListener>(), &GrpcListener::listen, "0.0.0.0:6000")
            .AddObject("tls",
                       &GrpcListener::tls,
                       TlsTable(),
                       {.help = "Serve TLS. KEDA needs `caCert` in a TriggerAuthentication."})
            .Add("maxConnectionAge",
                 &GrpcListener::max_connection_age,
                 {.help = "Connections end after this long, so that KEDA looks the replicas up "
                          "again and spreads over them.",
                  .fallback = "30m",
                  .min = 10});
    auto expander =
        WithListen(ParamTable<ExpanderSection>(), &ExpanderSection::listen, "0.0.0.0:6001")
            .Add("enabled",
                 &ExpanderSection::enabled,
                 {.help = "Answer the Cluster Autoscaler, which must run with `--expander=grpc`.",
                  .fallback = "false"})
            .AddObject("tls",
                       &ExpanderSection::tls,
                       CertificateTable(),
                       {.help = "Required: the autoscaler speaks TLS only. Its "
                                "`--grpc-expander-cert` is this certificate's CA."});
    auto http =
        WithListen(ParamTable<HttpListener>(), &HttpListener::listen, "0.0.0.0:8080")
            .AddObject("tls", &HttpListener::tls, TlsTable(), {.help = "Serve TLS."})
            .AddCustom("auth",
                       {.help = "Bearer tokens for `/api/v1`, or `off`. Without it `/api/v1` is "
                                "open on loopback only.",
                        .choices = {"off"}},
                       ReadAuth);
    auto probes = WithListen(ParamTable<ProbesSection>(), &ProbesSection::listen, "0.0.0.0:8081");
    auto inline_objects =
        ParamTable<InlineConfig>()
            .Add("enabled",
                 &InlineConfig::enabled,
                 {.help = "Allow triggers that bring their own signal or policy.",
                  .fallback = "false"})
            .AddChoice(
                "trust",
                &InlineConfig::trust_network,
                {{"mtls", false}, {"network", true}},
                {.help = "Who may use them: `mtls`, callers with a verified client certificate; "
                         "`network`, anybody who reaches the port (only behind a NetworkPolicy).",
                 .fallback = "mtls"})
            .Add("maxObjectsPerNamespace",
                 &InlineConfig::max_objects_per_namespace,
                 {.help = "Inline objects one namespace may have.", .fallback = "100", .min = 0})
            .Add("maxSignals",
                 &InlineConfig::max_signals,
                 {.help = "Signals one `policySpec` may have.", .fallback = "10", .min = 1})
            .Add("maxSpecBytes",
                 &InlineConfig::max_spec_bytes,
                 {.help = "Length of a `policySpec`, in bytes.", .fallback = "16384", .min = 64});
    auto manual =
        ParamTable<ManualConfig>()
            .Add("enabled",
                 &ManualConfig::enabled,
                 {.help = "Allow policies with signals of type `manual`.", .fallback = "false"})
            .Add("kedaE2e",
                 &ManualConfig::keda_e2e,
                 {.help = "For test clusters: stand in for the external scaler of KEDA's own "
                          "end-to-end tests, which anybody may set without a token. Takes effect "
                          "at the next start.",
                  .fallback = "false"});
    auto metrics = ParamTable<MetricsSection>().Add(
        "perObject",
        &MetricsSection::per_object,
        {.help = "Series per scaled object on /metrics.", .fallback = "true"});
    return ParamTable<Sections>()
        .AddObject("grpc", &Sections::grpc, grpc, {.help = "The external scaler that KEDA asks."})
        .AddObject("expander",
                   &Sections::expander,
                   expander,
                   {.help = "The gRPC expander that the Cluster Autoscaler asks."})
        .AddObject("http", &Sections::http, http, {.help = "HTTP API and /metrics."})
        .AddObject("probes", &Sections::probes, probes, {.help = "/healthz and /readyz alone."})
        .AddObject("inline",
                   &Sections::inline_objects,
                   inline_objects,
                   {.help = "Triggers with a signal or policy of their own."})
        .AddObject("manual", &Sections::manual, manual, {.help = "Signals that are set over HTTP."})
        .AddObject("peers",
                   &Sections::peers,
                   PeersTable(),
                   {.help = "Sibling replicas, which then give the same answers."})
        .AddObject("metrics", &Sections::metrics, metrics, {.help = "What /metrics shows."});
  }();
  return kTable;
}

void CheckTls(const std::optional<ListenTls>& tls, const Node& node, Diagnostics& diagnostics) {
  if (tls && tls->require_client_cert && tls->client_ca.empty()) {
    diagnostics.Add(node,
                    "requireClientCert needs clientCa, the file with the CAs to verify against");
  }
}

}  // namespace

bool ReadServerConfig(const Node& node, ServerConfig& out, Diagnostics& diagnostics) {
  if (node.IsNull()) return true;
  const std::size_t before = diagnostics.items().size();
  Sections sections;
  ServerTable().Read(node, sections, diagnostics);
  CheckTls(sections.grpc.tls, node, diagnostics);
  CheckTls(sections.http.tls, node, diagnostics);
  if (sections.expander.enabled && !sections.expander.tls) {
    diagnostics.Add(*node.Find("expander"),
                    "the autoscaler speaks TLS only; give tls: {cert: FILE, key: FILE}");
  }
  if (sections.expander.enabled && sections.expander.tls) {
    out.expander =
        ExpanderListener{std::move(sections.expander.listen), *std::move(sections.expander.tls)};
  }
  if (sections.peers) CheckPeers(sections, node, diagnostics);
  out.grpc = std::move(sections.grpc);
  out.http = std::move(sections.http);
  out.probes_listen = std::move(sections.probes.listen);
  if (sections.manual.keda_e2e && !sections.manual.enabled) {
    diagnostics.Add(node.position(), node.path(), "manual.kedaE2e needs manual.enabled: true");
  }
  out.inline_objects = sections.inline_objects;
  out.manual = sections.manual;
  out.peers = std::move(sections.peers);
  out.per_object_metrics = sections.metrics.per_object;
  return diagnostics.items().size() == before;
}

const std::vector<config::ParamInfo>& ServerParams() {
  static const auto kInfos = [] {
    std::vector<config::ParamInfo> infos = ServerTable().infos();
    for (config::ParamInfo& info : infos) {
      for (config::ParamInfo& child : info.children) {
        if (child.key == "auth") child.children = AuthTable().infos();
      }
    }
    return infos;
  }();
  return kInfos;
}

}  // namespace stoker::adapter
