#pragma once

#include <cstdint>
#include <string>
#include <string_view>

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

/// These keys, for a signal type's own table to include. `named`: what suffix and glob look at.
config::ParamTable<ObjectKeys> ObjectKeysTable(const std::string& named, bool skip_empty);

}  // namespace stoker::scalers
