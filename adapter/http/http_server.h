#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "adapter/http/message.h"
#include "adapter/server_config.h"
#include "core/log.h"
#include "core/result.h"

namespace stoker::adapter {

/// One HTTP/1.1 listener with threads of its own. Every connection carries one request, so that
/// idle peers hold no thread and Stop waits for requests in progress only (each read and write is
/// limited to 5 s). Bodies are read when they are JSON of a stated length of at most 1 MiB. The
/// certificate is read at every handshake, so
/// rotated files need no restart; the client CA is read at the start.
class HttpServer {
 public:
  /// Runs on one of the server's threads, several at a time; must not wait for anything. What it
  /// throws becomes a 500 without details.
  using Handler = std::function<HttpReply(const ApiRequest&)>;

  struct Options {
    std::string listen;  ///< HOST:PORT; port 0 takes a free one
    std::optional<ListenTls> tls;
    std::size_t threads = 8;
  };

  /// Listening when it returns. kInvalidArgument for a bad address or certificate, kUnavailable
  /// when the address is taken. `logger` must outlive the server.
  static Result<std::unique_ptr<HttpServer>> Start(Options options,
                                                   Handler handler,
                                                   Logger& logger);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] int port() const;
  /// Stop accepting, finish what has begun. Idempotent.
  void Stop();

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The routes of the probes' listener: /healthz answers 200 while the process runs, /readyz 200
/// once `ready` succeeds and 503 with its message before.
HttpServer::Handler ProbeRoutes(std::function<Status()> ready);

}  // namespace stoker::adapter
