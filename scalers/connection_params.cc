#include "scalers/connection_params.h"

#include "core/units.h"

namespace stoker::scalers {

using config::ParamTable;

ParamTable<ConnectionSettings> ConnectionSettingsTable(const SignalTiming& defaults) {
  const auto timing =
      ParamTable<SignalTiming>()
          .Add("interval",
               &SignalTiming::interval,
               {.help = "Time between polls, unless a signal has its own.",
                .fallback = FormatDuration(defaults.interval),
                .min = 1})
          .Add("timeout",
               &SignalTiming::timeout,
               {.help = "How long one poll may take, retries included; at most the interval.",
                .fallback = FormatDuration(defaults.timeout),
                .min = 0,
                .above_min = true})
          .Add("maxAge",
               &SignalTiming::max_age,
               {.help = "An older reading is stale.",
                .fallback = FormatDuration(defaults.max_age),
                .min = 0,
                .above_min = true});
  return ParamTable<ConnectionSettings>()
      .Include(&ConnectionSettings::timing, timing)
      .Add("maxConcurrent",
           &ConnectionSettings::max_concurrent,
           {.help = "Polls in flight at a time on this connection.",
            .fallback = "8",
            .min = 1,
            .max = 1000})
      .Add("namespaces",
           &ConnectionSettings::namespaces,
           {.help = "Kubernetes namespaces that may use it; empty: all.", .fallback = "[]"});
}

ParamTable<TlsOptions> TlsTable(bool client_certificate) {
  ParamTable<TlsOptions> table;
  table.Add("ca",
            &TlsOptions::ca_file,
            {.help = "File with the authorities that sign the server's certificate. Default: the "
                     "system's."});
  if (client_certificate) {
    table.Add("cert", &TlsOptions::cert_file, {.help = "File with a client certificate."})
        .Add("key", &TlsOptions::key_file, {.help = "File with the client certificate's key."});
  }
  table.Add("insecureSkipVerify",
            &TlsOptions::insecure_skip_verify,
            {.help = "Accept any certificate.", .fallback = "false"});
  return table;
}

}  // namespace stoker::scalers
