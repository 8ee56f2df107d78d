#pragma once

#include "config/params.h"
#include "core/http_transport.h"
#include "scalers/scaler.h"

namespace stoker::scalers {

/// The keys every connection takes (interval, timeout, maxAge, maxConcurrent, namespaces), for a
/// connection type's own table:
///
///   struct Settings { ConnectionSettings common; std::string url; };
///   config::ParamTable<Settings> table;
///   table.Add("url", &Settings::url, {...}).Include(&Settings::common, ConnectionSettingsTable());
///
/// The defaults are the field's values before the table is read; `defaults` names them to the docs.
/// The registry checks the timing of the connection that comes out.
config::ParamTable<ConnectionSettings> ConnectionSettingsTable(const SignalTiming& defaults = {});

/// The keys of a connection's `tls`, with cert and key when it signs in by certificate.
config::ParamTable<TlsOptions> TlsTable(bool client_certificate);

}  // namespace stoker::scalers
