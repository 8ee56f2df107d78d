#pragma once

#include <string>

#include "tests/testing/process.h"

namespace stoker::testing {

/// A certificate and its key, as PEM files.
struct TlsFiles {
  std::string cert;
  std::string key;
};

/// Makes a certificate authority of its own in `folder`, as NAME.pem and NAME.key, by the openssl
/// program. Throws when that fails.
TlsFiles MakeAuthority(const TempFolder& folder, const std::string& name);

/// Makes a certificate signed by `authority`. `names` is a subjectAltName, e.g.
/// "IP:127.0.0.1,DNS:localhost".
TlsFiles MakeCertificate(const TempFolder& folder,
                         const std::string& name,
                         const TlsFiles& authority,
                         const std::string& names);

}  // namespace stoker::testing
