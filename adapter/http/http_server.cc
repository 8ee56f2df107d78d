#include "adapter/http/http_server.h"

#include <httplib.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <atomic>
#include <charconv>
#include <future>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "adapter/http/json.h"
#include "core/net_address.h"
#include "core/text.h"

namespace stoker::adapter {
namespace {

constexpr std::size_t kMaxBodyBytes = std::size_t{1} << 20U;
constexpr std::size_t kMaxBodyPath = 1024;  // of a request with a body
constexpr std::chrono::seconds kIoTimeout{5};

/// Reads the certificate for each handshake. A file half written makes that handshake fail, no
/// more.
int UseCertificate(SSL* ssl, void* arg) {
  const auto* tls = static_cast<const ListenTls*>(arg);
  const bool loaded = SSL_use_certificate_chain_file(ssl, tls->cert.c_str()) == 1 &&
                      SSL_use_PrivateKey_file(ssl, tls->key.c_str(), SSL_FILETYPE_PEM) == 1;
  return loaded ? 1 : 0;
}

/// `tls` must outlive the context.
bool SetUpTls(SSL_CTX& context, const ListenTls& tls) {
  SSL_CTX_set_min_proto_version(&context, TLS1_2_VERSION);
  // Loaded once here to refuse bad files at the start.
  if (SSL_CTX_use_certificate_chain_file(&context, tls.cert.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(&context, tls.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(&context) != 1) {
    return false;
  }
  SSL_CTX_set_cert_cb(&context, &UseCertificate, const_cast<ListenTls*>(&tls));
  if (tls.client_ca.empty()) return true;
  if (SSL_CTX_load_verify_locations(&context, tls.client_ca.c_str(), nullptr) != 1) return false;
  const int required = tls.require_client_cert ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | required, nullptr);
  // Clients that resume a session were verified under this name.
  static constexpr unsigned char kSession[] = "stoker-http";
  return SSL_CTX_set_session_id_context(&context, kSession, sizeof(kSession) - 1) == 1;
}

/// The announced length of the body, 0 when there is none; empty when it is no number that fits.
std::optional<std::size_t> BodyLength(const httplib::Request& request) {
  if (!request.has_header("Content-Length")) return 0;
  const std::string text = request.get_header_value("Content-Length");
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

bool IsJson(const httplib::Request& request) {
  const std::string type = request.get_header_value("Content-Type");
  return EqualsIgnoreCase(Trim(Split(type, ';').front()), "application/json") &&
         !request.has_header("Content-Encoding");
}

void Send(const HttpReply& reply, httplib::Response& response) {
  response.status = reply.status;
  for (const HttpHeader& header : reply.headers) response.set_header(header.name, header.value);
  response.set_content(reply.body, reply.content_type);
}

/// For what the library refuses by itself: it leaves a status and no body.
HttpReply RefusedReply(int status) {
  switch (status) {
    case 411:
      return ErrorReply(411, "length_required", "a body needs its Content-Length");
    case 413:
      return ErrorReply(413, "payload_too_large", "the body is over 1 MiB");
    case 414:
      return ErrorReply(414, "uri_too_long", "the address is too long");
    case 416:
      return ErrorReply(416, "invalid_argument", "ranges are not served");
    default:
      return ErrorReply(status,
                        status >= 500 ? "internal" : "invalid_argument",
                        status >= 500 ? "internal error" : "the request is not valid HTTP");
  }
}

}  // namespace

struct HttpServer::Impl {
  Impl(Options the_options, Handler the_handler, Logger& the_logger)
      : options(std::move(the_options)), handler(std::move(the_handler)), logger(the_logger) {}

  /// Set up all that needs no socket.
  void Configure() {
    server->new_task_queue = [this]() -> httplib::TaskQueue* {
      auto queue = std::make_unique<httplib::ThreadPool>(options.threads);
      // From here on httplib's stop() takes effect; before, it would be lost.
      running.set_value();
      return queue.release();  // httplib owns it
    };
    // Without SO_REUSEPORT, which would let a second process share the port unnoticed.
    server->set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    server->set_keep_alive_max_count(1);
    server->set_keep_alive_timeout(kIoTimeout.count());
    server->set_read_timeout(kIoTimeout);
    server->set_write_timeout(kIoTimeout);
    server->set_payload_max_length(kMaxBodyBytes);
    server->set_tcp_nodelay(true);
    server->set_default_headers({{"Accept-Ranges", "none"},
                                 {"Cache-Control", "no-store"},
                                 {"X-Content-Type-Options", "nosniff"}});
    // All but JSON bodies is answered before the library's own routing, whose regular expressions
    // may recurse as deep as a path is long.
    server->set_pre_routing_handler(
        [this](const httplib::Request& request, httplib::Response& response) {
          const std::optional<HttpReply> reply = AnswerUnread(request);
          if (!reply) return httplib::Server::HandlerResponse::Unhandled;
          Send(*reply, response);
          return httplib::Server::HandlerResponse::Handled;
        });
    const auto with_body = [this](const httplib::Request& request,
                                  httplib::Response& response,
                                  const httplib::ContentReader& read) {
      std::string body;
      const bool complete = read([&body](const char* data, std::size_t length) {
        body.append(data, length);
        return body.size() <= kMaxBodyBytes;
      });
      Send(complete ? handler(ToApiRequest(request, std::move(body))) : RefusedReply(400),
           response);
    };
    const std::string any_path = R"([\s\S]*)";
    server->Post(any_path, with_body).Put(any_path, with_body).Patch(any_path, with_body);
    server->Delete(any_path, with_body);
    server->set_exception_handler([this](const httplib::Request& /*request*/,
                                         httplib::Response& response,
                                         const std::exception_ptr& /*exception*/) {
      logger.Error("an HTTP handler failed; the caller got 500. Please report this as a defect.");
      Send(ErrorReply(500, "internal", "internal error"), response);
    });
    server->set_error_handler([](const httplib::Request& /*request*/, httplib::Response& response) {
      if (response.body.empty()) Send(RefusedReply(response.status), response);
    });
  }

  static ApiRequest ToApiRequest(const httplib::Request& request, std::optional<std::string> body) {
    ApiRequest api;
    api.method = request.method;
    api.path = request.path;
    api.query.assign(request.params.begin(), request.params.end());
    api.authorization = request.get_header_value("Authorization");
    api.body = std::move(body);
    return api;
  }

  /// The answer to a request whose body need not be read; empty when it must be.
  [[nodiscard]] std::optional<HttpReply> AnswerUnread(const httplib::Request& request) const {
    const std::optional<std::size_t> length = BodyLength(request);
    if (!length || *length > kMaxBodyBytes) return RefusedReply(413);
    // A body in pieces has no bound before it has been read.
    if (request.has_header("Transfer-Encoding")) return RefusedReply(411);
    // A thousand overlapping ranges would multiply the answer.
    if (!request.ranges.empty()) return RefusedReply(416);
    if (*length == 0 || request.method == "GET" || request.method == "HEAD") {
      return handler(ToApiRequest(request, ""));
    }
    if (!IsJson(request)) return handler(ToApiRequest(request, std::nullopt));
    if (request.path.size() > kMaxBodyPath) return RefusedReply(414);
    return std::nullopt;
  }

  const Options options;
  const Handler handler;
  Logger& logger;
  std::promise<void> running;
  std::unique_ptr<httplib::Server> server;
  int port = 0;
  std::thread thread;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { Stop(); }

Result<std::unique_ptr<HttpServer>> HttpServer::Start(Options options,
                                                      Handler handler,
                                                      Logger& logger) {
  const Result<ListenAddress> address = ParseListenAddress(options.listen);
  if (!address) {
    return Fail(address.error().code,
                "cannot listen on '" + options.listen + "': " + address.error().message);
  }
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler), logger);
  if (impl->options.tls) {
    const ListenTls& tls = *impl->options.tls;
    impl->server = std::make_unique<httplib::SSLServer>(
        std::function<bool(SSL_CTX&)>([&](SSL_CTX& context) { return SetUpTls(context, tls); }));
  } else {
    impl->server = std::make_unique<httplib::Server>();
  }
  if (!impl->server->is_valid()) {
    return Fail(ErrorCode::kInvalidArgument,
                "cannot use the certificate of '" + impl->options.listen +
                    "': check that tls.cert, tls.key and tls.clientCa are readable PEM files and "
                    "that the key belongs to the certificate");
  }
  impl->Configure();
  if (address->port == 0) {
    impl->port = impl->server->bind_to_any_port(address->host);
  } else if (impl->server->bind_to_port(address->host, address->port)) {
    impl->port = address->port;
  }
  if (impl->port <= 0) {
    return Fail(ErrorCode::kUnavailable,
                "cannot listen on " + impl->options.listen +
                    ": the port is taken, or the address is not this machine's; stop who has it or "
                    "choose another");
  }
  std::future<void> running = impl->running.get_future();
  impl->thread = std::thread([server = impl->server.get()] { server->listen_after_bind(); });
  running.wait();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

int HttpServer::port() const { return impl_->port; }

void HttpServer::Stop() {
  if (!impl_->thread.joinable()) return;
  impl_->server->stop();
  impl_->thread.join();
}

HttpServer::Handler ProbeRoutes(std::function<Status()> ready) {
  return [ready = std::move(ready)](const ApiRequest& request) {
    if (request.path != "/healthz" && request.path != "/readyz") {
      return ErrorReply(Error{ErrorCode::kNotFound, "this port serves /healthz and /readyz only"});
    }
    if (request.method != "GET" && request.method != "HEAD") {
      return ErrorReply(405, "method_not_allowed", "this route takes GET and HEAD");
    }
    if (request.path == "/readyz") {
      if (const Status status = ready(); !status) {
        return ErrorReply(503, "unavailable", status.error().message);
      }
    }
    HttpReply reply;
    reply.body = Dump(Json{{"status", "ok"}});
    return reply;
  };
}

}  // namespace stoker::adapter
