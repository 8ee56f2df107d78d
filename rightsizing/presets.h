#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/node.h"
#include "core/environment.h"
#include "core/result.h"
#include "rightsizing/workload.h"

namespace stoker::rightsizing {

/// Executor sizes by name: small, medium, large, xlarge of config/presets, and what the user adds
/// in the same form. Immutable once filled; thread-safe to read.
class Presets {
 public:
  /// The built-in ones.
  Presets();

  /// Adds the presets of one YAML text; one with a known name replaces it, in its place. `source`
  /// names the text in messages. All mistakes are collected, as `FILE:LINE:COL: KEY: ...`; with any
  /// nothing is added.
  Status Add(std::string_view text, const std::string& source);

  /// The same for a file, or for every *.yaml and *.yml of a folder in name order.
  Status AddPath(const std::string& path, const FileSystem& files);

  /// kInvalidArgument, with the nearest name or all names, when there is none.
  Result<Preset> Find(std::string_view name) const;

  /// In the order of the files, the built-in ones first.
  [[nodiscard]] const std::vector<Preset>& all() const { return presets_; }

 private:
  std::vector<Preset> presets_;
};

/// The keys of one preset as a Markdown table, for the reference page.
std::string PresetKeysMarkdown();

}  // namespace stoker::rightsizing
