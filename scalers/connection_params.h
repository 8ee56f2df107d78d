#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/params.h"
#include "core/units.h"
#include "scalers/scaler.h"

namespace stoker::scalers {

/// Adds the keys every connection takes (interval, timeout, maxAge, maxConcurrent, namespaces) to a
/// connection type's own table:
///
///   struct Settings { ConnectionSettings common; std::string url; };
///   config::ParamTable<Settings> table;
///   table.Add("url", &Settings::url, {...});
///   AddConnectionSettings(table, &Settings::common);
///
/// The defaults are the field's values before the table is read; `defaults` names them to the docs.
/// The registry checks the timing of the connection that comes out.
template <class T>
void AddConnectionSettings(config::ParamTable<T>& table,
                           ConnectionSettings T::*settings,
                           const SignalTiming& defaults = {}) {
  using config::Param;
  using config::ParamType;
  const auto add = [&](std::string key, ParamType type, Param param, auto field) {
    table.AddCustom(
        std::move(key),
        param,
        [settings, param, field](
            const config::Node& node, T& out, config::Diagnostics& diagnostics) {
          config::ReadValue(node, param, field(out.*settings), diagnostics);
        },
        type);
  };
  add("interval",
      ParamType::kDuration,
      {.help = "Time between polls, unless a signal has its own.",
       .fallback = FormatDuration(defaults.interval),
       .min = 1},
      [](ConnectionSettings& out) -> Duration& { return out.timing.interval; });
  add("timeout",
      ParamType::kDuration,
      {.help = "How long one poll may take, retries included; at most the interval.",
       .fallback = FormatDuration(defaults.timeout),
       .min = 0,
       .above_min = true},
      [](ConnectionSettings& out) -> Duration& { return out.timing.timeout; });
  add("maxAge",
      ParamType::kDuration,
      {.help = "An older reading is stale.",
       .fallback = FormatDuration(defaults.max_age),
       .min = 0,
       .above_min = true},
      [](ConnectionSettings& out) -> Duration& { return out.timing.max_age; });
  add("maxConcurrent",
      ParamType::kInteger,
      {.help = "Polls in flight at a time on this connection.",
       .fallback = "8",
       .min = 1,
       .max = 1000},
      [](ConnectionSettings& out) -> int& { return out.max_concurrent; });
  add("namespaces",
      ParamType::kStringList,
      {.help = "Kubernetes namespaces that may use it; empty: all.", .fallback = "[]"},
      [](ConnectionSettings& out) -> std::vector<std::string>& { return out.namespaces; });
}

}  // namespace stoker::scalers
