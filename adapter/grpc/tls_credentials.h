#pragma once

#include <memory>

#include <grpcpp/security/server_credentials.h>

#include "adapter/server_config.h"
#include "core/clock.h"
#include "core/environment.h"
#include "core/log.h"
#include "core/result.h"

namespace stoker::adapter {

/// Server credentials for `tls` (TLS 1.2 at least) that follow its files: each handshake, but at
/// most one a second, looks whether they changed. A pair that does not fit, or a file that cannot
/// be read, leaves the old certificate in use and is logged once. kInvalidArgument when the files
/// are unusable from the start. The result must outlive the server.
///
/// gRPC's own FileWatcherCertificateProvider is not used: in 1.51 it drops the working certificate
/// when a rotation is half done or wrong.
Result<std::shared_ptr<grpc::ServerCredentials>> ReloadingTlsCredentials(const ListenTls& tls,
                                                                         const FileSystem& files,
                                                                         const Clock& clock,
                                                                         Logger& logger);

}  // namespace stoker::adapter
