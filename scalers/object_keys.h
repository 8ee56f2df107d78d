#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "config/params.h"
#include "core/signal.h"

namespace stoker::scalers {

/// The keys of signals that count objects (of a bucket, of a folder): which count, what about them,
/// and how much of it one replica is for.
struct ObjectKeys {
  std::string suffix;
  std::string glob;
  Duration min_age{0};
  bool skip_empty = false;
  std::string measure = "objects";
  config::Node target_size;
  config::Node activation;

  [[nodiscard]] bool bytes() const { return measure == "bytes"; }

  /// Whether an object counts at time `now`.
  [[nodiscard]] bool Counts(std::string_view name,
                            std::uint64_t size_bytes,
                            WallTime modified,
                            WallTime now) const;

  /// Fills target_size and activation; false when a diagnostic was added. Bytes need a unit.
  bool ReadDemand(DemandRule& demand, config::Diagnostics& diagnostics) const;

  /// What of it changes the value, for a source's key.
  [[nodiscard]] std::string SourceKey() const;
};

/// Adds these keys to a signal type's own table. `named`: what suffix and glob look at.
template <class T>
void AddObjectKeys(config::ParamTable<T>& table,
                   ObjectKeys T::*keys,
                   const std::string& named,
                   bool skip_empty) {
  using config::Param;
  using config::ParamType;
  const auto add = [&](std::string key, ParamType type, Param param, auto field) {
    table.AddCustom(
        std::move(key),
        param,
        [keys, param, field](const config::Node& node, T& out, config::Diagnostics& diagnostics) {
          config::ReadValue(node, param, field(out.*keys), diagnostics);
        },
        type);
  };
  add("measure",
      ParamType::kString,
      {.help = "What is counted: the objects, or their bytes.",
       .fallback = "objects",
       .choices = {"objects", "bytes"}},
      [](ObjectKeys& out) -> std::string& { return out.measure; });
  table.AddCustom(
      "targetSize",
      {.help = "How many objects, or bytes (with a unit), one replica is for; over 0.",
       .required = true,
       .aliases = {"targetObjectSize"},
       .example = "5"},
      [keys](const config::Node& node, T& out, config::Diagnostics&) {
        (out.*keys).target_size = node;
      },
      ParamType::kString);
  table.AddCustom(
      "activationTargetSize",
      {.help = "The signal lifts the target above 0 only while the value is greater.",
       .fallback = "0",
       .aliases = {"activationTargetObjectSize"}},
      [keys](const config::Node& node, T& out, config::Diagnostics&) {
        (out.*keys).activation = node;
      },
      ParamType::kString);
  add("suffix",
      ParamType::kString,
      {.help = "Count only " + named + "s that end so.", .non_empty = true, .example = ".json"},
      [](ObjectKeys& out) -> std::string& { return out.suffix; });
  add("glob",
      ParamType::kString,
      {.help = "Count only " + named + "s that match: * and ? stay within a folder, ** does not.",
       .non_empty = true,
       .example = "job-*.json"},
      [](ObjectKeys& out) -> std::string& { return out.glob; });
  add("minAge",
      ParamType::kDuration,
      {.help = "Count only what was last written this long ago or longer.",
       .fallback = "0s",
       .min = 0},
      [](ObjectKeys& out) -> Duration& { return out.min_age; });
  add("skipEmptyObjects",
      ParamType::kBool,
      {.help = "Leave out those of no bytes.", .fallback = skip_empty ? "true" : "false"},
      [](ObjectKeys& out) -> bool& { return out.skip_empty; });
}

}  // namespace stoker::scalers
