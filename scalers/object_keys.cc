#include "scalers/object_keys.h"

#include "core/glob.h"
#include "core/text.h"
#include "core/units.h"

namespace stoker::scalers {
namespace {

/// A number of objects, or of bytes with their unit ("0" needs none).
bool ReadAmount(const config::Node& node,
                bool bytes,
                const config::Param& param,
                double& out,
                config::Diagnostics& diagnostics) {
  const bool zero = node.IsScalar() && Trim(node.scalar()) == "0";
  if (!bytes || zero) return config::ReadValue(node, param, out, diagnostics);
  config::Bytes amount;
  if (!config::ReadValue(node, param, amount, diagnostics)) return false;
  out = static_cast<double>(amount.value);
  return true;
}

}  // namespace

config::ParamTable<ObjectKeys> ObjectKeysTable(const std::string& named, bool skip_empty) {
  return config::ParamTable<ObjectKeys>()
      .Add("measure",
           &ObjectKeys::measure,
           {.help = "What is counted: the objects, or their bytes.",
            .fallback = "objects",
            .choices = {"objects", "bytes"}})
      .AddCustom(
          "targetSize",
          {.help = "How many objects, or bytes (with a unit), one replica is for; over 0.",
           .required = true,
           .aliases = {"targetObjectSize"},
           .example = "5"},
          [](const config::Node& node, ObjectKeys& out, config::Diagnostics&) {
            out.target_size = node;
          },
          config::ParamType::kString)
      .AddCustom(
          "activationTargetSize",
          {.help = "The signal lifts the target above 0 only while the value is greater.",
           .fallback = "0",
           .aliases = {"activationTargetObjectSize"}},
          [](const config::Node& node, ObjectKeys& out, config::Diagnostics&) {
            out.activation = node;
          },
          config::ParamType::kString)
      .Add(
          "suffix",
          &ObjectKeys::suffix,
          {.help = "Count only " + named + "s that end so.", .non_empty = true, .example = ".json"})
      .Add("glob",
           &ObjectKeys::glob,
           {.help =
                "Count only " + named + "s that match: * and ? stay within a folder, ** does not.",
            .non_empty = true,
            .example = "job-*.json"})
      .Add("minAge",
           &ObjectKeys::min_age,
           {.help = "Count only what was last written this long ago or longer.",
            .fallback = "0s",
            .min = 0})
      .Add("skipEmptyObjects",
           &ObjectKeys::skip_empty,
           {.help = "Leave out those of no bytes.", .fallback = skip_empty ? "true" : "false"});
}

bool ObjectKeys::Counts(std::string_view name,
                        std::uint64_t size_bytes,
                        WallTime modified,
                        WallTime now) const {
  if (skip_empty && size_bytes == 0) return false;
  if (min_age > Duration(0) && modified > now - min_age) return false;
  if (!name.ends_with(suffix)) return false;
  return glob.empty() || GlobMatch(glob, name);
}

bool ObjectKeys::ReadDemand(DemandRule& demand, config::Diagnostics& diagnostics) const {
  bool good = ReadAmount(
      target_size, bytes(), {.min = 0, .above_min = true}, demand.target_size, diagnostics);
  if (!activation.IsNull()) {
    good = ReadAmount(activation, bytes(), {.min = 0}, demand.activation, diagnostics) && good;
  }
  return good;
}

std::string ObjectKeys::SourceKey() const {
  // '\n' may stand in a name, hence the lengths.
  return measure + "\n" + (skip_empty ? "skip" : "all") + "\n" + std::to_string(min_age.count()) +
         "\n" + std::to_string(suffix.size()) + " " + suffix + "\n" + std::to_string(glob.size()) +
         " " + glob;
}

}  // namespace stoker::scalers
