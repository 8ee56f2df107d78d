#include "scalers/s3/s3_scaler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "scalers/connection_params.h"
#include "scalers/object_keys.h"
#include "upstream/aws/credentials.h"
#include "upstream/aws/region.h"
#include "upstream/http/observed_transport.h"
#include "upstream/http/url.h"
#include "upstream/s3/client.h"
#include "upstream/s3/counter.h"

namespace stoker::scalers {
namespace {

using config::Diagnostics;
using config::Node;
using config::ParamTable;

constexpr char kType[] = "s3";

// ---- the connection

struct KeyFiles {
  std::string access_key_id_file;
  std::string secret_access_key_file;
};

struct ConnectionKeys {
  ConnectionSettings common{.timing = {.interval = std::chrono::seconds(30),
                                       .timeout = std::chrono::seconds(10),
                                       .max_age = std::chrono::minutes(5)}};
  std::string region;
  std::string endpoint;
  bool path_style = false;
  std::optional<KeyFiles> credentials;  ///< absent: AWS' default chain
  std::vector<std::string> buckets;
  std::optional<TlsOptions> tls;
};

const ParamTable<KeyFiles>& KeyFilesTable() {
  static const auto kTable =
      ParamTable<KeyFiles>()
          .Add("accessKeyIdFile",
               &KeyFiles::access_key_id_file,
               {.help = "File that holds the access key id.", .required = true, .non_empty = true})
          .Add("secretAccessKeyFile",
               &KeyFiles::secret_access_key_file,
               {.help = "File that holds the secret access key.",
                .required = true,
                .non_empty = true});
  return kTable;
}

const ParamTable<ConnectionKeys>& ConnectionTable() {
  static const auto kTable = [] {
    return ParamTable<ConnectionKeys>()
        .Add("region",
             &ConnectionKeys::region,
             {.help = "AWS region of the buckets. Default: AWS_REGION, and us-east-1 with an "
                      "endpoint.",
              .example = "eu-west-1"})
        .Add("endpoint",
             &ConnectionKeys::endpoint,
             {.help = "URL of another server that speaks S3's protocol. Default: Amazon's.",
              .example = "https://minio.storage:9000"})
        .Add("pathStyle",
             &ConnectionKeys::path_style,
             {.help = "Ask for host/bucket instead of bucket.host; most other servers need it.",
              .fallback = "false"})
        .AddCustom("credentials",
                   {.help = "`default`, AWS' chain (environment, IRSA, shared profile, Pod "
                            "Identity, IMDSv2), or files.",
                    .fallback = "default",
                    .choices = {"default"}},
                   [](const Node& node, ConnectionKeys& out, Diagnostics& diagnostics) {
                     if (node.IsScalar() && node.scalar() == "default") return;
                     if (!node.IsMap()) {
                       diagnostics.Add(
                           node,
                           "expected 'default' or {accessKeyIdFile, secretAccessKeyFile}; "
                           "keys themselves do not belong in a configuration");
                       return;
                     }
                     KeyFiles files;
                     if (KeyFilesTable().Read(node, files, diagnostics)) out.credentials = files;
                   })
        .Add("buckets",
             &ConnectionKeys::buckets,
             {.help = "Buckets that signals may name; empty: all.", .fallback = "[]"})
        .AddObject("tls",
                   &ConnectionKeys::tls,
                   TlsTable(/*client_certificate=*/false),
                   {.help = "For an https endpoint."})
        .Include(&ConnectionKeys::common, ConnectionSettingsTable(ConnectionKeys{}.common.timing));
  }();
  return kTable;
}

/// With the keys of `credentials` where that is a map.
std::vector<config::ParamInfo> ConnectionParams() {
  std::vector<config::ParamInfo> infos = ConnectionTable().infos();
  for (config::ParamInfo& info : infos) {
    if (info.key == "credentials") info.children = KeyFilesTable().infos();
  }
  return infos;
}

class S3Connection final : public Connection {
 public:
  S3Connection(std::string name,
               ConnectionSettings settings,
               std::string region,
               std::vector<std::string> buckets,
               std::shared_ptr<http::Waiter> waiter,
               const s3::ClientOptions& options,
               const s3::ClientDeps& deps)
      : Connection(kType, std::move(name), std::move(settings)),
        region_(std::move(region)),
        buckets_(std::move(buckets)),
        waiter_(std::move(waiter)),
        client_(options, deps) {}

  [[nodiscard]] bool MatchesAddress(std::string_view address) const override {
    return address == region_;
  }
  [[nodiscard]] bool AllowsBucket(const std::string& bucket) const {
    return buckets_.empty() || std::ranges::find(buckets_, bucket) != buckets_.end();
  }
  [[nodiscard]] s3::Client& client() { return client_; }

 private:
  const std::string region_;
  const std::vector<std::string> buckets_;
  const std::shared_ptr<http::Waiter> waiter_;  ///< outlives client_
  s3::Client client_;
};

/// The region to use, or empty with a diagnostic.
std::string ChooseRegion(const ConnectionKeys& keys,
                         const Node& node,
                         const Environment& environment,
                         Diagnostics& diagnostics) {
  std::string region = keys.region;
  for (const char* variable : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (region.empty()) region = environment.Get(variable).value_or("");
  }
  if (region.empty() && !keys.endpoint.empty()) region = "us-east-1";
  if (region.empty()) {
    diagnostics.Add(node, "no region; set region, or AWS_REGION in the environment");
  } else if (!aws::IsRegion(region)) {
    const Node* given = node.Find("region");
    diagnostics.Add(
        given != nullptr ? *given : node,
        "a region's name has lower case letters, digits and hyphens, as eu-west-1 does");
    region.clear();
  }
  return region;
}

std::shared_ptr<Connection> CreateConnection(const std::string& name,
                                             const Node& node,
                                             const ScalerDeps& deps,
                                             const std::shared_ptr<http::Waiter>& waiter,
                                             Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.items().size();
  ConnectionKeys keys;
  if (!ConnectionTable().Read(node, keys, diagnostics)) return nullptr;
  const std::string region = ChooseRegion(keys, node, deps.environment, diagnostics);
  if (!keys.endpoint.empty() && !s3::IsEndpoint(keys.endpoint)) {
    diagnostics.Add(*node.Find("endpoint"),
                    "expected a URL as https://host:port, without user and query");
  }
  if (keys.tls && keys.endpoint.starts_with("http://")) {
    diagnostics.Add(*node.Find("tls"),
                    "tls is set, but endpoint begins with http://; make it https://");
  }
  for (const std::string& bucket : keys.buckets) {
    if (s3::IsBucketName(bucket)) continue;
    diagnostics.Add(*node.Find("buckets"),
                    "'" + bucket +
                        "' is no bucket's name; buckets are names of 3 to 63 letters, digits, "
                        "dots and hyphens");
  }
  const auto transport = deps.transports.Create(keys.tls.value_or(TlsOptions{}));
  // Credentials come from other servers, to which the endpoint's authorities do not apply.
  const auto credentials_transport = deps.transports.Create(TlsOptions{});
  if (!transport || !credentials_transport) {
    const auto& error = transport ? credentials_transport.error() : transport.error();
    diagnostics.Add(node, error.message);
  }
  if (diagnostics.items().size() != before) return nullptr;

  const aws::CredentialsDeps credentials_deps{
      deps.clock, deps.environment, deps.files, *credentials_transport, deps.logger};
  std::shared_ptr<aws::CredentialsProvider> credentials =
      keys.credentials ? aws::FileCredentials(credentials_deps,
                                              keys.credentials->access_key_id_file,
                                              keys.credentials->secret_access_key_file)
                       : aws::DefaultCredentials(credentials_deps, region);
  return std::make_shared<S3Connection>(
      name,
      std::move(keys.common),
      region,
      std::move(keys.buckets),
      waiter,
      s3::ClientOptions{.connection = name,
                        .region = region,
                        .endpoint = keys.endpoint,
                        .path_style = keys.path_style},
      s3::ClientDeps{deps.clock,
                     deps.random,
                     *waiter,
                     std::make_shared<http::ObservedTransport>(*transport, name, deps.observer),
                     std::move(credentials)});
}

// ---- the signal

struct SignalKeys {
  std::string connection;
  std::string aws_region;
  std::string bucket;
  std::string prefix;
  std::string delimiter;
  ObjectKeys objects{.skip_empty = true};
  int max_requests = 1000;
};

/// Keys that people know from other scalers of AWS.
constexpr std::pair<const char*, const char*> kForeignKeys[] = {
    {"awsAccessKeyID", "credentials belong to the connection; set its credentials"},
    {"awsSecretAccessKey", "credentials belong to the connection; set its credentials"},
    {"awsSessionToken", "credentials belong to the connection; set its credentials"},
    {"awsEndpoint", "set endpoint in the connection"},
    {"identityOwner", "Stoker uses its own identity; set credentials in the connection"},
};

const ParamTable<SignalKeys>& SignalTable() {
  static const auto kTable = [] {
    ParamTable<SignalKeys> table;
    table
        .Add("connection",
             &SignalKeys::connection,
             {.help = "Name of an s3 connection. Default: the only one.", .non_empty = true})
        .Add("awsRegion",
             &SignalKeys::aws_region,
             {.help = "KEDA's spelling: means the allowed connection of this region.",
              .non_empty = true})
        .Add("bucket",
             &SignalKeys::bucket,
             {.help = "The bucket; the connection may restrict which.",
              .required = true,
              .aliases = {"bucketName"},
              .example = "spark-jobs"})
        .Add("prefix",
             &SignalKeys::prefix,
             {.help = "Count only keys that begin so. Default: the whole bucket.",
              .example = "pending/"})
        .Add("delimiter",
             &SignalKeys::delimiter,
             {.help = "Count only keys without it after the prefix: / for the top level.",
              .example = "/"})
        .Add("maxRequests",
             &SignalKeys::max_requests,
             {.help = "Requests that one poll may make, 1,000 keys each.",
              .fallback = "1000",
              .min = 1,
              .max = 100'000});
    table.Include(&SignalKeys::objects, ObjectKeysTable("key", /*skip_empty=*/true));
    for (const auto& [key, remedy] : kForeignKeys) table.AddRefused(key, remedy);
    return table;
  }();
  return kTable;
}

class S3Source final : public Source {
 public:
  S3Source(std::shared_ptr<S3Connection> connection, SignalKeys keys)
      : connection_(std::move(connection)), keys_(std::move(keys)) {}

  Result<Observation> Poll(const PollContext& context) override {
    const s3::CountRequest request{
        .bucket = keys_.bucket,
        .prefix = keys_.prefix,
        .delimiter = keys_.delimiter,
        .measure = keys_.objects.bytes() ? s3::Measure::kBytes : s3::Measure::kObjects,
        .counts =
            [this, now = context.slot](const s3::Object& object) {
              const std::string_view name =
                  std::string_view(object.key).substr(keys_.prefix.size());
              return keys_.objects.Counts(name, object.size_bytes, object.last_modified, now);
            },
        .enough = context.enough,
        .max_requests = keys_.max_requests};
    const Result<s3::Count> count =
        s3::CountObjects(connection_->client(), request, context.deadline, context.stop);
    if (!count) return Fail(count.error());
    Observation observation;
    observation.value = count->value;
    observation.at_least = count->at_least;
    observation.detail =
        std::to_string(count->requests) + (count->requests == 1 ? " request" : " requests");
    return observation;
  }

 private:
  const std::shared_ptr<S3Connection> connection_;
  const SignalKeys keys_;
};

void ParseSignal(const Node& node,
                 const SignalContext& context,
                 SignalDefinition& definition,
                 Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.items().size();
  SignalKeys keys;
  if (!SignalTable().Read(node, keys, diagnostics)) return;
  keys.objects.ReadDemand(definition.demand, diagnostics);
  if (!s3::IsBucketName(keys.bucket)) {
    diagnostics.Add(node, "'bucket' must be a name of 3 to 63 letters, digits, dots and hyphens");
  }
  if (diagnostics.items().size() != before) return;
  const auto connection = std::static_pointer_cast<S3Connection>(FindConnection(
      kType, keys.connection, "awsRegion", keys.aws_region, node, context, diagnostics));
  if (!connection) return;
  if (!connection->AllowsBucket(keys.bucket)) {
    diagnostics.Add(node,
                    "s3 connection " + connection->name() +
                        " does not allow this bucket; add it to the connection's buckets",
                    ErrorCode::kPermissionDenied);
    return;
  }
  definition.connection = connection->name();
  const auto part = [](const std::string& text) {
    return std::to_string(text.size()) + " " + text + "\n";
  };
  definition.source_key = std::string(kType) + "\n" + part(connection->name()) + part(keys.bucket) +
                          part(keys.prefix) + part(keys.delimiter) +
                          std::to_string(keys.max_requests) + "\n" + keys.objects.SourceKey();
  definition.timing = connection->settings().timing;
  definition.max_concurrent = connection->settings().max_concurrent;
  definition.countable = true;
  definition.make_source = [connection, keys] {
    return std::make_unique<S3Source>(connection, keys);
  };
}

}  // namespace

void RegisterS3(Registry& registry, std::shared_ptr<http::Waiter> waiter) {
  registry.Add(
      ConnectionType{.name = kType,
                     .summary = "Amazon S3, or what speaks its protocol: MinIO, Ceph, Versity.",
                     .params = ConnectionParams(),
                     .create = [waiter = std::move(waiter)](const std::string& name,
                                                            const Node& node,
                                                            const ScalerDeps& deps,
                                                            Diagnostics& diagnostics) {
                       return CreateConnection(name, node, deps, waiter, diagnostics);
                     }});
  registry.Add(SignalType{.name = kType,
                          .summary = "How many objects, or bytes, lie under a prefix of a bucket.",
                          .status = "stable",
                          .connection_type = kType,
                          .params = SignalTable().infos(),
                          .parse = ParseSignal});
}

}  // namespace stoker::scalers
