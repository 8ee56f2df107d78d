#include "cli/hints.h"

#include <algorithm>
#include <memory>
#include <ostream>
#include <utility>

#include "cli/workshop.h"
#include "config/document.h"
#include "core/text.h"
#include "rightsizing/plan_json.h"

namespace stoker::cli {
namespace {

constexpr int kMostExecutors = 100'000;

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

}  // namespace

Result<capacity::HintInput> ReadHintInput(const adapter::CompiledConfig& config,
                                          const HintsOptions& options) {
  if (const Status status = CheckPolicies(config, options); !status) return Fail(status.error());
  capacity::HintInput input;
  input.config = config.capacity;
  input.expander = config.server.expander.has_value();
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

int Hints(const HintsOptions& options, Terminal& terminal) {
  const auto fail = [&](const Error& error) {
    terminal.err << "stoker hints: " << error.message << '\n';
    return kUsage;
  };
  Workshop workshop;
  const auto config = ReadConfig(options.config, workshop);
  if (!config) return fail(config.error());
  Result<capacity::HintInput> input = ReadHintInput(**config, options);
  if (!input) return fail(input.error());
  for (capacity::Headroom& headroom : input->headrooms) {
    headroom.executors =
        std::min<std::int64_t>(options.executors.value_or(1), headroom.max_executors);
  }
  const Result<capacity::Hint> hint =
      capacity::MakeHint(*input, *capacity::HintFormatByName(options.format));
  if (!hint) return fail(hint.error());
  terminal.out << (options.output == "json" ? rightsizing::JsonText(hint->json) : hint->text);
  return kOk;
}

void AddHintsCommand(CLI::App& app, Terminal& terminal, Run& run) {
  auto options = std::make_shared<HintsOptions>();
  CLI::App* command = app.add_subcommand(
      "hints", "Tell the cluster of executors to come: manifests and settings for the autoscaler");
  command
      ->add_option(
          "--format", options->format, "What to write: " + Join(capacity::HintFormatNames()))
      ->check(CLI::IsMember(capacity::HintFormatNames()))
      ->required();
  command->add_option("-c,--config", options->config, "Configuration; may be given several times")
      ->envname("STOKER_CONFIG")
      ->required();
  command->add_option(
      "--policy", options->policies, "Only this policy; may be given several times");
  command
      ->add_option(
          "--executors",
          options->executors,
          "Executors to make room for, in capacity-buffer and provisioning-request; at most "
          "what capacity.maxExecutors says. Without it 1")
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
  command->add_option("-o,--output", options->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->footer(
      "Exit codes: 0 written, 2 bad usage, or the configuration asks for no such thing.\n\n"
      "Examples:\n"
      "  stoker hints --config stoker.yaml --format cluster-autoscaler-helm\n"
      "  stoker hints --config stoker.yaml --format placeholder --policy etl | kubectl apply -f -");
  command->callback([options, &terminal, &run] {
    run = [options, &terminal] { return Hints(*options, terminal); };
  });
}

}  // namespace stoker::cli
