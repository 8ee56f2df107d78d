#include "cli/hints.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <ostream>
#include <utility>

#include "adapter/cluster_observer.h"
#include "capacity/diagnosis.h"
#include "capacity/object_diff.h"
#include "cli/api_client.h"
#include "cli/workshop.h"
#include "config/document.h"
#include "config/yaml_json.h"
#include "core/text.h"
#include "core/units.h"
#include "rightsizing/plan_json.h"
#include "upstream/kubernetes/json.h"

namespace stoker::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMostExecutors = 100'000;
constexpr std::chrono::seconds kClusterPatience{20};

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// What went wrong, for the user, one line a mistake.
Result<std::shared_ptr<const adapter::CompiledConfig>> ReadConfig(
    const std::vector<std::string>& paths, Workshop& workshop) {
  config::Diagnostics diagnostics;
  const Result<config::Document> document =
      config::LoadDocument(paths, workshop.files, workshop.environment, diagnostics);
  if (!document) return Fail(document.error());
  std::shared_ptr<const adapter::CompiledConfig> compiled =
      adapter::CompileConfig(*document, workshop.registry, workshop.deps, nullptr, diagnostics);
  if (!compiled) return Fail(diagnostics.ToError());
  return compiled;
}

Status CheckPolicies(const adapter::CompiledConfig& config, const HintsOptions& options) {
  std::vector<std::string_view> names;
  for (const auto& entry : config.policies) names.push_back(entry.first);
  for (const std::string& name : options.policies) {
    if (config.policies.contains(name)) continue;
    const std::string_view nearest = NearestWord(name, names);
    return Fail(ErrorCode::kInvalidArgument,
                "--policy: the configuration has no policy '" + name + "'" +
                    (nearest.empty() ? "" : "; did you mean '" + std::string(nearest) + "'?"));
  }
  return {};
}

/// A policy that was not named and does not say what an executor requests has no part in hints.
bool Takes(const policy::Policy& policy, const HintsOptions& options) {
  if (options.policies.empty()) return policy.capacity && policy.capacity->executor;
  return std::find(options.policies.begin(), options.policies.end(), policy.name) !=
         options.policies.end();
}

std::string NumberText(const Json& value) {
  return value.is_null() ? "-" : FormatNumber(value.get<double>());
}

/// One item of /api/v1/hints.
std::string ItemText(const Json& item) {
  const std::string mechanism = AnswerText(item, "mechanism");
  std::string text = AnswerText(item, "policy") + ": ";
  text += item.at("headroom_executors").is_null()
              ? std::string("the headroom is not known")
              : "room for " + NumberText(item.at("headroom_executors")) + " executors";
  text += " (mechanism " + mechanism + ")\n";
  if (!item.at("wanted_executors").is_null()) {
    const double lead =
        item.at("lead_seconds").is_null() ? 0 : item.at("lead_seconds").get<double>();
    text += "  wanted " + NumberText(item.at("wanted_executors")) + ", within " +
            FormatDuration(std::chrono::seconds(std::llround(lead))) + " " +
            NumberText(item.at("wanted_ahead_executors")) + "; running " +
            NumberText(item.at("running_executors")) + ", pending " +
            NumberText(item.at("pending_executors")) + "\n";
  }
  if (!item.at("object").is_null()) {
    text += "  " + AnswerText(item, "object");
    if (!item.at("object_executors").is_null()) {
      text += " makes room for " + NumberText(item.at("object_executors"));
    }
    text += "\n";
  }
  for (const Json& line : item.at("diff")) {
    text += "  not yet: " + AnswerText(Json{{"text", line}}, "text") + "\n";
  }
  if (!item.at("error").is_null()) text += "  error: " + AnswerText(item, "error") + "\n";
  for (const Json& missing : item.at("missing")) {
    text += "  " + AnswerText(missing, "reason") + ": " + AnswerText(missing, "message") + "\n";
  }
  return text;
}

Fetched<HintsExplanation> AskServer(const HintsOptions& options,
                                    Workshop& workshop,
                                    Terminal& terminal) {
  const Result<std::shared_ptr<HttpTransport>> transport =
      workshop.transports.Create({.ca_file = options.ca_file});
  if (!transport) return Wrong(kUsage, transport.error().message);
  const Fetched<std::string> token = ReadToken(options.token_file, workshop.files);
  if (!token) return tl::make_unexpected(token.error());
  const ApiClient client(**transport, workshop.clock, options.server, *token);
  const Fetched<std::string> json = client.Get("/api/v1/hints?limit=1000");
  if (!json) return tl::make_unexpected(json.error());
  Result<HintsExplanation> told = FormatHints(*json, options.policies);
  if (!told) {
    const bool no_such = told.error().code == ErrorCode::kNotFound;
    return Wrong(no_such ? kUsage : kUpstream, told.error().message);
  }
  terminal.out << (options.output == "json" ? *json : told->text);
  return *std::move(told);
}

Result<std::unique_ptr<kubernetes::Client>> Cluster(const HintsOptions& options,
                                                    Workshop& workshop) {
  return kubernetes::Client::Load(
      {.kubeconfig = options.kubeconfig, .context = options.context, .yaml = config::YamlToJson},
      {workshop.clock,
       workshop.random,
       workshop.environment,
       workshop.files,
       workshop.transports,
       workshop.observer,
       std::make_shared<http::SystemWaiter>(),
       &workshop.commands});
}

/// Whether nothing is missing. The cluster alone knows nothing of what is wanted.
Fetched<bool> AskCluster(const capacity::HintInput& input,
                         const HintsOptions& options,
                         Workshop& workshop,
                         Terminal& terminal) {
  Result<std::unique_ptr<kubernetes::Client>> client = Cluster(options, workshop);
  if (!client) return Wrong(kUpstream, client.error().message);
  adapter::ClusterQuestion question{.namespaces = {},
                                    .status_namespace = input.config.expander.status_namespace,
                                    .status_config_map = input.config.expander.status_config_map};
  for (const capacity::Headroom& headroom : input.headrooms) {
    question.namespaces.insert(headroom.name_space);
  }
  const adapter::ClusterAnswer answer =
      adapter::ObserveCluster(**client,
                              question,
                              workshop.clock.WallNow(),
                              workshop.clock.MonotonicNow() + kClusterPatience,
                              {});
  if (!answer.answered && !answer.unknown.empty()) {
    return Wrong(kUpstream, answer.unknown.front());
  }
  Json items = Json::array();
  std::string text;
  bool complete = true;
  for (const capacity::Headroom& headroom : input.headrooms) {
    std::vector<capacity::Finding> findings =
        capacity::Diagnose(answer.view, headroom, input.config.node_shapes, {});
    for (const std::string& unknown : answer.unknown) {
      findings.push_back({capacity::Blocker::kUnknown, unknown});
    }
    complete = complete && findings.empty();
    Json missing = Json::array();
    text += headroom.policy + ": " + (findings.empty() ? "nothing is missing\n" : "\n");
    for (const capacity::Finding& finding : findings) {
      const std::string reason(capacity::BlockerName(finding.blocker));
      missing.push_back({{"reason", reason}, {"message", finding.message}});
      text += "  " + reason + ": " + AnswerText(missing.back(), "message") + "\n";
    }
    items.push_back({{"policy", headroom.policy}, {"missing", std::move(missing)}});
  }
  terminal.out << (options.output == "json" ? rightsizing::JsonText(Json{{"items", items}}) : text);
  return complete;
}

/// What the API calls an object of ours.
kubernetes::Resource ResourceOf(const nlohmann::json& object) {
  constexpr std::array<std::pair<std::string_view, const char*>, 9> kPlurals{
      {{"CapacityBuffer", "capacitybuffers"},
       {"CapacityQuota", "capacityquotas"},
       {"ConfigMap", "configmaps"},
       {"Deployment", "deployments"},
       {"PodTemplate", "podtemplates"},
       {"PriorityClass", "priorityclasses"},
       {"ProvisioningRequest", "provisioningrequests"},
       {"ResourceQuota", "resourcequotas"},
       {"ScaledObject", "scaledobjects"}}};
  const std::string version = kubernetes::Text(object, {"apiVersion"});
  const std::size_t slash = version.find('/');
  kubernetes::Resource resource;
  resource.group = slash == std::string::npos ? "" : version.substr(0, slash);
  resource.version = slash == std::string::npos ? version : version.substr(slash + 1);
  for (const auto& [kind, plural] : kPlurals) {
    if (kind == kubernetes::Text(object, {"kind"})) resource.plural = plural;
  }
  resource.name_space = kubernetes::Text(object, {"metadata", "namespace"});
  resource.name = kubernetes::Text(object, {"metadata", "name"});
  return resource;
}

}  // namespace

Result<capacity::HintInput> ReadHintInput(const adapter::CompiledConfig& config,
                                          const HintsOptions& options) {
  if (const Status status = CheckPolicies(config, options); !status) return Fail(status.error());
  capacity::HintInput input;
  input.config = config.capacity;
  input.expander = config.server.expander.has_value();
  if (const auto& tls = config.server.grpc.tls) {
    input.scaler_tls =
        tls->require_client_cert ? capacity::ScalerTls::kMutual : capacity::ScalerTls::kServer;
  }
  if (!options.expander_address.empty()) input.expander_address = options.expander_address;
  if (!options.scaler_address.empty()) input.scaler_address = options.scaler_address;
  for (const auto& [name, compiled] : config.policies) {
    if (!Takes(*compiled.policy, options)) continue;
    Result<capacity::Headroom> headroom =
        capacity::MakeHeadroom(*compiled.policy, config.capacity, options.name_space);
    if (!headroom) return Fail(headroom.error());
    input.headrooms.push_back(*std::move(headroom));
  }
  return input;
}

Result<HintsExplanation> FormatHints(std::string_view json,
                                     const std::vector<std::string>& policies) {
  try {
    HintsExplanation all;
    std::vector<std::string> missing = policies;
    const Json document = Json::parse(json);
    for (const Json& item : document.at("items")) {
      const std::string policy = AnswerText(item, "policy");
      if (!policies.empty() &&
          std::find(policies.begin(), policies.end(), policy) == policies.end()) {
        continue;
      }
      std::erase(missing, policy);
      all.text += (all.text.empty() ? "" : "\n") + ItemText(item);
      all.complete = all.complete && item.at("error").is_null() && item.at("missing").empty();
    }
    if (!missing.empty()) {
      return Fail(
          ErrorCode::kNotFound,
          "--policy: the server has no policy '" + missing.front() + "' that makes room ahead");
    }
    if (all.text.empty()) all.text = "no policy makes room ahead: none has `capacity`\n";
    return all;
  } catch (const Json::exception&) {
    return Fail(ErrorCode::kInvalidArgument,
                "the answer is not from a Stoker HTTP API of this version; check that --server "
                "names server.http.listen");
  }
}

Result<std::vector<std::string>> DiffHint(const capacity::Hint& hint,
                                          Sizes sizes,
                                          kubernetes::Client& client,
                                          MonoTime deadline) {
  std::vector<std::string> lines;
  for (const Json& item : hint.json.at("items")) {
    nlohmann::json desired = nlohmann::json::parse(item.dump());
    if (sizes == Sizes::kIgnore && desired["kind"] == "CapacityBuffer") {
      desired["spec"].erase("replicas");
    }
    const kubernetes::Resource resource = ResourceOf(desired);
    const std::string what = kubernetes::Text(desired, {"kind"}) + " " +
                             (resource.name_space.empty() ? "" : resource.name_space + "/") +
                             resource.name + ": ";
    const auto live = client.Get(resource, deadline, {});
    if (!live && live.error().reason == kubernetes::Reason::kNotFound) {
      lines.push_back(what + "create");
    } else if (!live) {
      return Fail(live.error().error);
    } else {
      for (const std::string& line : capacity::ObjectDiff(desired, *live)) {
        lines.push_back(what + line);
      }
    }
  }
  return lines;
}

int Hints(const HintsOptions& options, Terminal& terminal) {
  Workshop workshop;
  const auto fail = [&](const Failure& failure) {
    terminal.err << "stoker hints: " << failure.message << '\n';
    return failure.exit_code;
  };
  if (options.explain && options.config.empty()) {
    const Fetched<HintsExplanation> told = AskServer(options, workshop, terminal);
    if (!told) return fail(told.error());
    return told->complete ? kOk : kNo;
  }
  if (options.config.empty()) return fail({kUsage, "give --config, the configuration to read"});
  if (!options.explain && options.format.empty()) {
    return fail(
        {kUsage, "give --format, one of " + Join(capacity::HintFormatNames()) + ", or --explain"});
  }
  const auto config = ReadConfig(options.config, workshop);
  if (!config) return fail({kUsage, config.error().message});
  Result<capacity::HintInput> input = ReadHintInput(**config, options);
  if (!input) return fail({kUsage, input.error().message});
  if (options.explain) {
    if (input->headrooms.empty()) {
      return fail({kUsage,
                   "no policy says what an executor requests; set "
                   "policies.NAME.capacity.executor"});
    }
    const Fetched<bool> complete = AskCluster(*input, options, workshop, terminal);
    if (!complete) return fail(complete.error());
    return *complete ? kOk : kNo;
  }
  for (capacity::Headroom& headroom : input->headrooms) {
    headroom.executors =
        std::min<std::int64_t>(options.executors.value_or(1), headroom.max_executors);
  }
  const Result<capacity::Hint> hint =
      capacity::MakeHint(*input, *capacity::HintFormatByName(options.format));
  if (!hint) return fail({kUsage, hint.error().message});
  if (!options.diff) {
    terminal.out << (options.output == "json" ? rightsizing::JsonText(hint->json) : hint->text);
    return kOk;
  }
  if (!hint->json.contains("items")) {
    return fail({kUsage, "--diff compares objects; " + options.format + " writes none"});
  }
  if (!options.executors && options.format == "provisioning-request") {
    return fail({kUsage,
                 "a provisioning request of every size is an object of its own; say which one to "
                 "compare, --executors N"});
  }
  Result<std::unique_ptr<kubernetes::Client>> client = Cluster(options, workshop);
  if (!client) return fail({kUpstream, client.error().message});
  const Result<std::vector<std::string>> lines =
      DiffHint(*hint,
               options.executors ? Sizes::kCompare : Sizes::kIgnore,
               **client,
               workshop.clock.MonotonicNow() + kClusterPatience);
  if (!lines) return fail({kUpstream, lines.error().message});
  if (options.output == "json") {
    terminal.out << rightsizing::JsonText(Json{{"diff", *lines}});
  } else {
    for (const std::string& line : *lines) terminal.out << line << '\n';
  }
  return lines->empty() ? kOk : kNo;
}

void AddHintsCommand(CLI::App& app, Terminal& terminal, Run& run) {
  auto options = std::make_shared<HintsOptions>();
  CLI::App* command = app.add_subcommand(
      "hints", "Tell the cluster of executors to come: manifests and settings for the autoscaler");
  command
      ->add_option(
          "--format", options->format, "What to write: " + Join(capacity::HintFormatNames()))
      ->check(CLI::IsMember(capacity::HintFormatNames()));
  command->add_flag(
      "--explain",
      options->explain,
      "Say what is wanted, there and missing, and why: what the running server knows, "
      "or with --config what the cluster shows");
  command->add_flag("--diff",
                    options->diff,
                    "Show what applying the objects of --format would change in the cluster");
  command->add_option("-c,--config", options->config, "Configuration; may be given several times")
      ->envname("STOKER_CONFIG");
  command->add_option(
      "--policy", options->policies, "Only this policy; may be given several times");
  command
      ->add_option(
          "--executors",
          options->executors,
          "Executors to make room for, in capacity-buffer and provisioning-request; at most "
          "what capacity.maxExecutors says. Without it 1, and --diff compares no sizes")
      ->check(CLI::Range(0, kMostExecutors));
  command
      ->add_option(
          "-n,--namespace", options->name_space, "Namespace of objects whose policy names none")
      ->capture_default_str();
  command->add_option(
      "--expander-address",
      options->expander_address,
      "Where the autoscaler reaches Stoker's expander; default as the chart has it");
  command->add_option("--scaler-address",
                      options->scaler_address,
                      "Where KEDA reaches Stoker; default as the chart has it");
  command->add_option("--server", options->server, "The server's HTTP address")
      ->capture_default_str();
  command->add_option("--token-file",
                      options->token_file,
                      "File with a bearer token (see server.http.auth.tokensFile)");
  command->add_option("--ca", options->ca_file, "PEM file to verify an https server with");
  command->add_option("--kubeconfig", options->kubeconfig, "Default: where kubectl looks");
  command->add_option("--context", options->context, "Of the kubeconfig; default: its current one");
  command->add_option("-o,--output", options->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->footer(
      "Exit codes: 0 written, nothing missing, no difference; 1 something is missing, or differs;\n"
      "2 bad usage, or the configuration asks for no such thing; 3 the server or the cluster "
      "cannot\n"
      "be reached.\n\n"
      "Examples:\n"
      "  stoker hints --config stoker.yaml --format cluster-autoscaler-helm\n"
      "  stoker hints --config stoker.yaml --format placeholder --policy etl | kubectl apply -f -\n"
      "  stoker hints --config stoker.yaml --format quota --diff\n"
      "  stoker hints --explain");
  command->callback([options, &terminal, &run] {
    run = [options, &terminal] { return Hints(*options, terminal); };
  });
}

}  // namespace stoker::cli
