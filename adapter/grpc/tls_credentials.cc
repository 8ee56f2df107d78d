#include "adapter/grpc/tls_credentials.h"

#include <ctime>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace stoker::adapter {
namespace {

constexpr Duration kLookEvery = std::chrono::seconds(1);

struct PemFiles {
  std::string cert;
  std::string key;
  std::string client_ca;
  friend bool operator==(const PemFiles&, const PemFiles&) = default;
};

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;

Bio Memory(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Without it OpenSSL would ask the terminal for an encrypted key's password.
int NoPassword(char*, int, int, void*) { return 0; }

// What is wrong with the files, for people.
Status Validate(const ListenTls& tls, const PemFiles& pem, WallTime now, Logger& logger) {
  const Certificate cert(PEM_read_bio_X509(Memory(pem.cert).get(), nullptr, nullptr, nullptr));
  const PrivateKey key(
      PEM_read_bio_PrivateKey(Memory(pem.key).get(), nullptr, NoPassword, nullptr));
  const Certificate client_ca(
      PEM_read_bio_X509(Memory(pem.client_ca).get(), nullptr, nullptr, nullptr));
  const bool fits = cert && key && X509_check_private_key(cert.get(), key.get()) == 1;
  ERR_clear_error();  // gRPC reads the same queue

  if (!cert) {
    return Fail(ErrorCode::kInvalidArgument,
                "tls.cert: " + tls.cert +
                    " holds no PEM certificate; expected the server's "
                    "certificate, followed by its intermediates");
  }
  if (!key) {
    return Fail(ErrorCode::kInvalidArgument,
                "tls.key: " + tls.key + " holds no PEM private key without a password");
  }
  if (!fits) {
    return Fail(ErrorCode::kInvalidArgument,
                "tls.key: " + tls.key + " is not the key of the certificate in " + tls.cert +
                    "; replace both files together");
  }
  if (!tls.client_ca.empty() && !client_ca) {
    return Fail(ErrorCode::kInvalidArgument,
                "tls.clientCa: " + tls.client_ca + " holds no PEM certificate");
  }
  std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (X509_cmp_time(X509_get0_notAfter(cert.get()), &seconds) < 0) {
    logger.Warn("the server's certificate has expired; clients will refuse it until it is renewed",
                {{"file", tls.cert}});
  }
  return {};
}

class Reloader {
 public:
  Reloader(ListenTls tls, const FileSystem& files, const Clock& clock, Logger& logger)
      : tls_(std::move(tls)), files_(files), clock_(clock), logger_(logger) {}

  // At start; afterwards Fetch has something to fall back on.
  Status Load() {
    const std::scoped_lock lock(mutex_);
    Result<PemFiles> pem = Read();
    if (!pem) return Fail(pem.error());
    current_ = *std::move(pem);
    looked_ = clock_.MonotonicNow();
    return {};
  }

  // gRPC's question before each handshake.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<Reloader*>(self)->FetchConfig(config);
  }

  [[nodiscard]] grpc_ssl_client_certificate_request_type request_type() const {
    if (tls_.client_ca.empty()) return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    return tls_.require_client_cert ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                    : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
  }

 private:
  grpc_ssl_certificate_config_reload_status FetchConfig(
      grpc_ssl_server_certificate_config** config) {
    const std::scoped_lock lock(mutex_);
    const MonoTime now = clock_.MonotonicNow();
    bool fresh = !handed_out_;
    if (handed_out_ && now - looked_ >= kLookEvery) {
      looked_ = now;
      fresh = Refresh();
    }
    if (!fresh) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    handed_out_ = true;
    const grpc_ssl_pem_key_cert_pair pair{current_.key.c_str(), current_.cert.c_str()};
    // gRPC insists on roots here even when it is not to ask clients for a certificate; any will do
    // then.
    const std::string& roots = tls_.client_ca.empty() ? current_.cert : current_.client_ca;
    *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  // True when there is a new, usable set.
  bool Refresh() {
    Result<PemFiles> pem = Read();
    if (!pem) {
      if (trouble_ != pem.error().message) {
        trouble_ = pem.error().message;
        logger_.Error(
            "rotated certificate is unusable; the old one stays in use until this is mended",
            {{"problem", trouble_}});
      }
      return false;
    }
    trouble_.clear();
    if (*pem == current_) return false;
    current_ = *std::move(pem);
    logger_.Info("certificate reloaded; new connections use it", {{"file", tls_.cert}});
    return true;
  }

  Result<PemFiles> Read() const {
    PemFiles pem;
    for (const auto& [key, path, into] :
         {std::tuple{"tls.cert", &tls_.cert, &pem.cert},
          std::tuple{"tls.key", &tls_.key, &pem.key},
          std::tuple{"tls.clientCa", &tls_.client_ca, &pem.client_ca}}) {
      if (path->empty() && into == &pem.client_ca) continue;
      Result<std::string> content = files_.Read(*path);
      if (!content) {
        return Fail(ErrorCode::kInvalidArgument,
                    std::string(key) + ": cannot read the file: " + content.error().message);
      }
      *into = *std::move(content);
    }
    if (pem == current_) return pem;
    if (Status valid = Validate(tls_, pem, clock_.WallNow(), logger_); !valid) {
      return Fail(valid.error());
    }
    return pem;
  }

  const ListenTls tls_;
  const FileSystem& files_;
  const Clock& clock_;
  Logger& logger_;
  std::mutex mutex_;
  PemFiles current_;
  bool handed_out_ = false;
  MonoTime looked_{};
  std::string trouble_;
};

// gRPC's C++ layer has no credentials with a certificate fetcher; its C core does.
class Credentials final : public grpc::ServerCredentials {
 public:
  explicit Credentials(std::unique_ptr<Reloader> reloader)
      : reloader_(std::move(reloader)),
        core_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(
                reloader_->request_type(), &Reloader::Fetch, reloader_.get()))) {}
  ~Credentials() override { grpc_server_credentials_release(core_); }
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), core_);
  }

  const std::unique_ptr<Reloader> reloader_;
  grpc_server_credentials* const core_;
};

}  // namespace

Result<std::shared_ptr<grpc::ServerCredentials>> ReloadingTlsCredentials(const ListenTls& tls,
                                                                         const FileSystem& files,
                                                                         const Clock& clock,
                                                                         Logger& logger) {
  auto reloader = std::make_unique<Reloader>(tls, files, clock, logger);
  if (Status loaded = reloader->Load(); !loaded) return Fail(loaded.error());
  return std::make_shared<Credentials>(std::move(reloader));
}

}  // namespace stoker::adapter
