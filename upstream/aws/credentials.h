#pragma once

#include <memory>
#include <string>

#include "core/clock.h"
#include "core/environment.h"
#include "core/http_transport.h"
#include "core/log.h"
#include "core/result.h"
#include "upstream/aws/sigv4.h"

namespace stoker::aws {

/// Gives credentials, refreshed before they expire. Thread-safe. `deadline` bounds a refresh; one
/// caller refreshes, the others are served what is not yet expired, or wait for it. While
/// refreshing fails, credentials not yet expired go on being served. Errors name the source and the
/// mend, never a secret.
class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  virtual Result<Credentials> Get(MonoTime deadline) = 0;
  /// The peer said these are expired or unknown: fetch anew at the next Get.
  virtual void Invalidate() = 0;
};

/// The references outlive the provider.
struct CredentialsDeps {
  const Clock& clock;
  const Environment& environment;
  const FileSystem& files;
  std::shared_ptr<HttpTransport> transport;
  Logger& logger;
};

/// The default chain, in the order of the AWS SDKs: environment, web identity (IRSA), shared
/// profile (static keys only), container credentials (ECS, EKS Pod Identity), IMDSv2. The first
/// that is configured is used; when it fails, that is the error.
std::shared_ptr<CredentialsProvider> DefaultCredentials(const CredentialsDeps& deps,
                                                        const std::string& region);

/// Keys read from two files, again every few seconds and after Invalidate, so rotated keys are
/// picked up.
std::shared_ptr<CredentialsProvider> FileCredentials(const CredentialsDeps& deps,
                                                     std::string access_key_id_file,
                                                     std::string secret_access_key_file);

}  // namespace stoker::aws
