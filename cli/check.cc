#include <algorithm>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "adapter/compile.h"
#include "adapter/manifest_lint.h"
#include "adapter/trigger.h"
#include "cli/command.h"
#include "cli/workshop.h"
#include "config/document.h"

namespace stoker::cli {
namespace {

struct CheckOptions {
  std::vector<std::string> paths;
  std::vector<std::string> config;
  std::string output = "text";
  bool strict = false;
};

/// A remark, whatever it is about.
struct Remark {
  bool is_error = true;
  config::Position position;
  std::string path;
  std::string message;
};

void AddDiagnostics(const config::Diagnostics& diagnostics, std::vector<Remark>& remarks) {
  for (const config::Diagnostic& item : diagnostics.items()) {
    remarks.push_back({true, item.position, item.path, item.message});
  }
}

std::shared_ptr<const adapter::CompiledConfig> CheckConfig(const std::vector<std::string>& paths,
                                                           Workshop& workshop,
                                                           std::vector<Remark>& remarks) {
  config::Diagnostics diagnostics;
  std::shared_ptr<const adapter::CompiledConfig> compiled;
  const Result<config::Document> document =
      config::LoadDocument(paths, workshop.files, workshop.environment, diagnostics);
  if (document) {
    compiled =
        adapter::CompileConfig(*document, workshop.registry, workshop.deps, nullptr, diagnostics);
  }
  AddDiagnostics(diagnostics, remarks);
  if (!document && diagnostics.empty()) {
    remarks.push_back({true, {}, "", document.error().message});
  }
  return compiled;
}

/// What can be said of trigger metadata: all of it with a configuration, its form without.
adapter::ManifestChecks ChecksAgainst(const adapter::CompiledConfig* config, Workshop& workshop) {
  adapter::ManifestChecks checks;
  checks.metadata = [config, &workshop](const adapter::ManifestChecks::Metadata& metadata,
                                        const std::string& name_space) -> Status {
    const Result<adapter::Trigger> trigger = adapter::ReadTrigger(metadata);
    if (!trigger) return Fail(trigger.error());
    if (config == nullptr) return {};
    if (!trigger->is_inline()) return adapter::CheckPolicyUse(*trigger, name_space, *config);
    if (!config->server.inline_objects.enabled) {
      return Fail(ErrorCode::kPermissionDenied,
                  "inline triggers are off in this configuration (server.inline.enabled)");
    }
    const Result<adapter::CompiledPolicy> compiled =
        adapter::CompileInline(*trigger, name_space, *config, workshop.registry, workshop.deps);
    if (!compiled) return Fail(compiled.error());
    return {};
  };
  checks.bounds = [config](const adapter::ManifestChecks::Metadata& metadata,
                           const std::string&) -> std::optional<adapter::ManifestChecks::Bounds> {
    if (config == nullptr) return std::nullopt;
    const Result<adapter::Trigger> trigger = adapter::ReadTrigger(metadata);
    if (!trigger) return std::nullopt;
    const auto found = config->policies.find(trigger->policy);
    if (found == config->policies.end()) return std::nullopt;
    const policy::Replicas& replicas = found->second.policy->replicas;
    if (trigger->headroom) {
      const auto& capacity = found->second.policy->capacity;
      if (!capacity) return std::nullopt;
      const policy::Mechanism mechanism = capacity->mechanism.value_or(policy::Mechanism::kNone);
      return adapter::ManifestChecks::Bounds{
          .min = 0,
          .max = capacity->max_executors,
          .twice = mechanism == policy::Mechanism::kBuffer ||
                   mechanism == policy::Mechanism::kProvisioningRequest};
    }
    return adapter::ManifestChecks::Bounds{
        std::max(replicas.min, trigger->min.value_or(0)),
        std::min(replicas.max, trigger->max.value_or(replicas.max))};
  };
  return checks;
}

void Print(const std::vector<Remark>& remarks, const std::string& output, std::ostream& out) {
  if (output == "json") {
    nlohmann::ordered_json items = nlohmann::ordered_json::array();
    for (const Remark& remark : remarks) {
      items.push_back({{"severity", remark.is_error ? "error" : "warning"},
                       {"file", remark.position.source ? *remark.position.source : ""},
                       {"line", remark.position.line},
                       {"column", remark.position.column},
                       {"path", remark.path},
                       {"message", remark.message}});
    }
    out << nlohmann::ordered_json{{"items", items}}.dump(
               2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
        << '\n';
    return;
  }
  for (const Remark& remark : remarks) {
    if (remark.position.source) out << config::ToString(remark.position) << ": ";
    out << (remark.is_error ? "error: " : "warning: ");
    if (!remark.path.empty()) out << remark.path << ": ";
    out << remark.message << '\n';
  }
}

/// Files to look at: the path itself, or a folder's YAML.
Result<std::vector<std::string>> FilesOf(const std::string& path, const FileSystem& files) {
  return config::ListConfigFiles({path}, files);
}

bool IsConfig(const config::Node& document) {
  const config::Node* version = document.Find("apiVersion");
  if (version != nullptr && version->IsScalar()) {
    return version->scalar().starts_with("stoker/");
  }
  // Without apiVersion it can be no Kubernetes manifest, so take it for a configuration and say so.
  return document.Find("kind") == nullptr;
}

int Check(const CheckOptions& options, Terminal& terminal) {
  Workshop workshop;
  std::vector<Remark> remarks;
  std::vector<std::vector<std::string>> configs;  // each checked by itself
  std::vector<config::Node> manifests;
  if (!options.config.empty()) configs.push_back(options.config);
  for (const std::string& path : options.paths) {
    const Result<std::vector<std::string>> files = FilesOf(path, workshop.files);
    if (!files) {
      terminal.err << "stoker check: " << files.error().message << '\n';
      return kUsage;
    }
    std::vector<std::string> config_files;
    for (const std::string& file : *files) {
      const Result<std::string> text = workshop.files.Read(file);
      if (!text) {
        terminal.err << "stoker check: " << text.error().message << '\n';
        return kUsage;
      }
      config::Diagnostics diagnostics;
      const Result<std::vector<config::Node>> documents =
          config::ParseYamlStream(*text, file, diagnostics);
      AddDiagnostics(diagnostics, remarks);
      if (!documents) continue;
      const bool is_config =
          documents->empty() || std::any_of(documents->begin(), documents->end(), IsConfig);
      if (is_config) {
        config_files.push_back(file);
      } else {
        manifests.insert(manifests.end(), documents->begin(), documents->end());
      }
    }
    if (!config_files.empty()) configs.push_back(std::move(config_files));
  }

  std::shared_ptr<const adapter::CompiledConfig> config;
  for (const std::vector<std::string>& files : configs) {
    std::shared_ptr<const adapter::CompiledConfig> compiled = CheckConfig(files, workshop, remarks);
    if (!config) config = std::move(compiled);
  }
  // Manifests are held against a configuration only when there is no doubt which.
  if (configs.size() != 1) config = nullptr;
  const adapter::ManifestChecks checks = ChecksAgainst(config.get(), workshop);
  for (const config::Node& manifest : manifests) {
    for (const adapter::Finding& finding : adapter::LintManifest(manifest, checks)) {
      remarks.push_back({finding.severity == adapter::Finding::Severity::kError,
                         finding.position,
                         finding.path,
                         finding.message});
    }
  }

  Print(remarks, options.output, terminal.out);
  const auto errors = std::count_if(
      remarks.begin(), remarks.end(), [](const Remark& remark) { return remark.is_error; });
  const auto warnings = static_cast<std::ptrdiff_t>(remarks.size()) - errors;
  terminal.err << configs.size() << " configuration(s), " << manifests.size()
               << " manifest document(s): " << errors << " error(s), " << warnings
               << " warning(s)\n";
  if (!manifests.empty() && config == nullptr) {
    terminal.err << "note: policies named in manifests were not looked up; pass one configuration "
                    "with --config\n";
  }
  return errors > 0 || (options.strict && warnings > 0) ? kNo : kOk;
}

}  // namespace

void AddCheckCommand(CLI::App& app, Terminal& terminal, Run& run) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command = app.add_subcommand(
      "check",
      "Check configurations, and ScaledObject manifests against them; sends nothing anywhere");
  command
      ->add_option("FILE",
                   options->paths,
                   "Configurations (apiVersion stoker/v1) and Kubernetes manifests, in any mix; a "
                   "folder's *.yaml count as one configuration")
      ->required();
  command->add_option("-c,--config", options->config, "Configuration to hold manifests against");
  command->add_option("-o,--output", options->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->add_flag("--strict", options->strict, "Warnings count as errors");
  command->footer(
      "Prints `FILE:LINE:COL: error|warning: KEY: problem; mend` a line. Exit 0 when there is no\n"
      "error, 1 when there is one, 2 when a file cannot be read.\n\n"
      "Examples:\n"
      "  stoker check stoker.yaml\n"
      "  stoker check scaledobject.yaml --config stoker.yaml");
  command->callback([options, &terminal, &run] {
    run = [options, &terminal] { return Check(*options, terminal); };
  });
}

}  // namespace stoker::cli
