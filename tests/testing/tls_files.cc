#include "tests/testing/tls_files.h"

#include <stdexcept>

namespace stoker::testing {
namespace {

TlsFiles RunOpenssl(const TempFolder& folder,
                    const std::string& name,
                    const std::vector<std::string>& more) {
  TlsFiles files{folder.path() + "/" + name + ".pem", folder.path() + "/" + name + ".key"};
  std::vector<std::string> arguments = {"/usr/bin/openssl",
                                        "req",
                                        "-x509",
                                        "-newkey",
                                        "ec",
                                        "-pkeyopt",
                                        "ec_paramgen_curve:prime256v1",
                                        "-nodes",
                                        "-days",
                                        "2",
                                        "-subj",
                                        "/CN=" + name,
                                        "-keyout",
                                        files.key,
                                        "-out",
                                        files.cert};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const auto process = Process::Start(arguments, folder.path() + "/openssl.log");
  if (!process) throw std::runtime_error(process.error().message);
  if ((*process)->Wait(std::chrono::seconds(30)) != 0) {
    throw std::runtime_error("openssl: " + (*process)->Output());
  }
  return files;
}

}  // namespace

TlsFiles MakeAuthority(const TempFolder& folder, const std::string& name) {
  return RunOpenssl(folder, name, {});
}

TlsFiles MakeCertificate(const TempFolder& folder,
                         const std::string& name,
                         const TlsFiles& authority,
                         const std::string& names) {
  return RunOpenssl(folder,
                    name,
                    {"-CA",
                     authority.cert,
                     "-CAkey",
                     authority.key,
                     "-addext",
                     "subjectAltName=" + names,
                     "-addext",
                     "basicConstraints=critical,CA:FALSE"});
}

}  // namespace stoker::testing
