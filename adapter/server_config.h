#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/node.h"
#include "config/params.h"
#include "core/clock.h"

namespace stoker::adapter {

/// Certificate files of a listener. Rotated files are picked up without a restart.
struct ListenTls {
  std::string cert;
  std::string key;
  std::string client_ca;             ///< empty: client certificates are not asked for
  bool require_client_cert = false;  ///< false with client_ca: optional, verified when shown
};

struct GrpcListener {
  std::string listen = "0.0.0.0:6000";
  std::optional<ListenTls> tls;
  Duration max_connection_age = std::chrono::minutes(30);
};

/// Where the Cluster Autoscaler asks; it insists on TLS and shows no certificate.
struct ExpanderListener {
  std::string listen = "0.0.0.0:6001";
  ListenTls tls;
};

struct HttpListener {
  std::string listen = "0.0.0.0:8080";
  std::optional<ListenTls> tls;
  std::string tokens_file;  ///< one bearer token a line; read at every use
  bool auth_off = false;    ///< `auth: off`, said in so many words
};

struct InlineConfig {
  bool enabled = false;
  bool trust_network =
      false;  ///< trust: network; else mtls: the caller must show a client certificate
  int max_objects_per_namespace = 100;
  int max_signals = 10;
  int max_spec_bytes = 16384;
};

/// Signals that are set over HTTP.
struct ManualConfig {
  bool enabled = false;
  /// Answer triggers and control requests as the test server of KEDA's e2e tests does; no tokens.
  bool keda_e2e = false;
};

/// Where the sibling replicas are.
struct PeersConfig {
  std::string service;                 ///< HOST or HOST:PORT of a headless Service
  std::vector<std::string> addresses;  ///< or HOST:PORT each
  std::string ca;           ///< PEM file; empty: the system's roots. For https, as these two:
  std::string server_name;  ///< that siblings' certificates bear; empty: the host asked for

  friend bool operator==(const PeersConfig&, const PeersConfig&) = default;
};

/// The `server:` section.
struct ServerConfig {
  GrpcListener grpc;
  std::optional<ExpanderListener> expander;  ///< absent: off
  HttpListener http;
  std::string probes_listen = "0.0.0.0:8081";
  InlineConfig inline_objects;
  ManualConfig manual;
  std::optional<PeersConfig> peers;
  bool per_object_metrics = true;
};

/// Reads `server:`; a null node gives the defaults. False when a diagnostic was added.
bool ReadServerConfig(const config::Node& node,
                      ServerConfig& out,
                      config::Diagnostics& diagnostics);

/// The keys of `server:`, for docs and schema.
const std::vector<config::ParamInfo>& ServerParams();

}  // namespace stoker::adapter
