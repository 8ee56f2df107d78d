#include "upstream/http/beast_transport.h"

#include <utility>  // Asio 1.74 uses std::exchange without including it

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>

#include "core/text.h"
#include "upstream/http/url.h"

namespace stoker::http {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
namespace beast_http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

using TlsStream = ssl::stream<tcp::socket>;
using BeastRequest = beast_http::request<beast_http::string_body>;

constexpr std::size_t kIdlePerHost = 8;
constexpr Duration kIdleAge = std::chrono::seconds(30);
constexpr std::uint32_t kMaxHeaderBytes = 64U << 10U;

/// What bounds one Send.
struct Limits {
  const Clock& clock;
  MonoTime deadline;
  std::stop_token stop;

  /// From 0 to a day, so that no arithmetic on it overflows.
  [[nodiscard]] Duration Left() const {
    constexpr Duration kDay = std::chrono::hours(24);
    return std::clamp(deadline - clock.MonotonicNow(), Duration::zero(), kDay);
  }
};

enum class End : std::uint8_t { kDone, kDeadline, kStopped };

/// How one asynchronous operation ended; `error` counts when it is kDone.
struct Step {
  End end = End::kDone;
  error_code error;

  [[nodiscard]] bool ok() const { return end == End::kDone && !error; }
};

/// Whether it says that nobody is there. A name server that fails, or is not reached, says
/// host_not_found_try_again instead.
bool IsAbsence(const error_code& error) {
  return error == asio::error::host_not_found || error == asio::error::connection_refused;
}

/// "host:port: while DOING: WHY"; kNotFound for absence.
Error StepError(const Url& url, std::string_view doing, const Step& step) {
  const std::string where = url.host + ":" + url.port + ": ";
  switch (step.end) {
    case End::kDeadline:
      return {ErrorCode::kDeadlineExceeded,
              where + "no answer in time while " + std::string(doing)};
    case End::kStopped:
      return {ErrorCode::kCancelled, where + "stopped while " + std::string(doing)};
    case End::kDone:
      break;
  }
  if (step.error == beast_http::error::body_limit) {
    return {ErrorCode::kResourceExhausted, where + "the answer is longer than allowed"};
  }
  return {IsAbsence(step.error) ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
          where + "while " + std::string(doing) + ": " + step.error.message()};
}

/// Looks names up on a thread of its own, so that a slow name server cannot hold a caller beyond
/// its deadline. One lookup at a time: a transport mostly talks to one host.
class Resolver {
 public:
  Resolver() = default;
  ~Resolver() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  Result<std::vector<tcp::endpoint>> Resolve(const Url& url, const Limits& limits) {
    const auto port = static_cast<std::uint16_t>(std::stoi(url.port));
    error_code not_an_address;
    const asio::ip::address address = asio::ip::make_address(url.host, not_an_address);
    if (!not_an_address) return std::vector{tcp::endpoint(address, port)};

    std::call_once(started_, [this] { thread_ = std::thread([this] { context_.run(); }); });
    const auto lookup = std::make_shared<Lookup>(context_);
    asio::post(context_, [lookup, host = url.host, service = url.port] {
      lookup->resolver.async_resolve(
          host,
          service,
          tcp::resolver::numeric_service,
          [lookup](error_code error, const tcp::resolver::results_type& results) {
            const std::scoped_lock lock(lookup->mutex);
            lookup->done = true;
            lookup->error = error;
            for (const auto& result : results) lookup->endpoints.push_back(result.endpoint());
            lookup->changed.notify_all();
          });
    });

    Step step;
    std::unique_lock lock(lookup->mutex);
    if (lookup->changed.wait_for(lock, limits.stop, limits.Left(), [&] { return lookup->done; })) {
      step.error = lookup->error;
      if (step.ok()) return lookup->endpoints;
    } else {
      step.end = limits.stop.stop_requested() ? End::kStopped : End::kDeadline;
      asio::post(context_, [lookup] { lookup->resolver.cancel(); });
    }
    return Fail(StepError(url, "looking up the name", step));
  }

 private:
  struct Lookup {
    explicit Lookup(asio::io_context& context) : resolver(context) {}
    tcp::resolver resolver;  // used on the resolver's thread only
    std::mutex mutex;
    std::condition_variable_any changed;
    bool done = false;
    error_code error;
    std::vector<tcp::endpoint> endpoints;
  };

  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_{context_.get_executor()};
  std::once_flag started_;
  std::thread thread_;
};

/// `pem`, or what the file holds when that is empty.
Result<std::string> ReadTlsFile(const FileSystem& files,
                                const std::string& pem,
                                const std::string& path,
                                std::string_view what) {
  if (!pem.empty()) return pem;
  Result<std::string> content = files.Read(path);
  if (!content) {
    return Fail(ErrorCode::kUnavailable,
                "cannot read the " + std::string(what) + ": " + content.error().message);
  }
  return content;
}

Status BadTlsFile(const std::string& path, std::string_view what, const error_code& error) {
  return Fail(ErrorCode::kUnavailable,
              (path.empty() ? "inline data" : path) + ": no usable " + std::string(what) +
                  " in PEM form: " + error.message());
}

/// Loads what `options` name into `context`.
Status ConfigureTls(ssl::context& context, const TlsOptions& options, const FileSystem& files) {
  context.set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
                      ssl::context::no_sslv3 | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
  error_code error;
  if (options.insecure_skip_verify) {
    context.set_verify_mode(ssl::verify_none);
  } else {
    context.set_verify_mode(ssl::verify_peer);
    if (options.ca_file.empty() && options.ca_pem.empty()) {
      context.set_default_verify_paths(error);
      if (error) {
        return Fail(ErrorCode::kUnavailable, "cannot load the system's certificate authorities");
      }
    } else {
      const Result<std::string> ca =
          ReadTlsFile(files, options.ca_pem, options.ca_file, "CA certificates");
      if (!ca) return Fail(ca.error());
      context.add_certificate_authority(asio::buffer(*ca), error);
      if (error) return BadTlsFile(options.ca_file, "CA certificate", error);
    }
  }
  if (!options.cert_file.empty() || !options.cert_pem.empty()) {
    const Result<std::string> cert =
        ReadTlsFile(files, options.cert_pem, options.cert_file, "client certificate");
    if (!cert) return Fail(cert.error());
    context.use_certificate_chain(asio::buffer(*cert), error);
    if (error) return BadTlsFile(options.cert_file, "client certificate", error);
    const Result<std::string> key =
        ReadTlsFile(files, options.key_pem, options.key_file, "client key");
    if (!key) return Fail(key.error());
    context.use_private_key(asio::buffer(*key), ssl::context::pem, error);
    if (error) {
      return BadTlsFile(options.key_file, "key (of this certificate)", error);
    }
  }
  return {};
}

/// How one request on one connection ended.
struct Exchanged {
  Result<HttpResponse> response;
  bool reusable = false;
  bool nothing_received = false;  ///< the connection broke before the answer's first byte
};

/// One TCP or TLS connection and the io_context that its operations run on, on the thread of
/// whoever holds it. Any failure leaves it unusable.
class Peer {
 public:
  Peer(const Url& url, const TlsOptions& options) : url_(url), options_(options) {}

  Status Open(const std::vector<tcp::endpoint>& endpoints,
              const FileSystem& files,
              const Limits& limits) {
    std::optional<Step> worst;  // one address that may yet answer means that somebody is there
    Step step;
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      // An address that swallows packets must not use up the time of the next one.
      const auto share = limits.Left() / static_cast<Duration::rep>(endpoints.size() - i);
      const Limits mine{limits.clock, limits.clock.MonotonicNow() + share, limits.stop};
      socket().close(step.error);
      step = Run(mine, [&](auto handler) { socket().async_connect(endpoints[i], handler); });
      if (step.ok()) break;
      if (!worst || !IsAbsence(step.error)) worst = step;
      if (step.end == End::kStopped) break;
    }
    if (!step.ok()) return Fail(StepError(url_, "connecting", *worst));
    error_code ignored;
    socket().set_option(tcp::no_delay(true), ignored);
    return url_.secure() ? Handshake(files, limits) : Status();
  }

  /// `made` is what goes out for `request`.
  Exchanged Exchange(const BeastRequest& made, const HttpRequest& request, const Limits& limits) {
    return tls_ ? ExchangeOn(*tls_, made, request, limits)
                : ExchangeOn(plain_, made, request, limits);
  }

  /// Whether an idle connection is still open and silent, as it must be to be used again.
  [[nodiscard]] bool IsQuiet() {
    char byte = 0;
    error_code error;
    socket().non_blocking(true, error);
    if (error) return false;
    socket().receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
    return error == asio::error::would_block;
  }

 private:
  tcp::socket& socket() { return tls_ ? tls_->next_layer() : plain_; }

  /// Calls start(handler), which begins one asynchronous operation, and runs that to its end. At
  /// the deadline or a stop the socket is closed, which ends the operation.
  template <class Start>
  Step Run(const Limits& limits, const Start& start) {
    bool done = false;
    Step step;
    context_.restart();
    {
      const std::stop_callback wake(limits.stop, [this] { context_.stop(); });
      start([&](error_code error, const auto&...) {
        done = true;
        step.error = error;
      });
      // A stop from here on ends run_for; one from before is seen here.
      if (!limits.stop.stop_requested()) context_.run_for(limits.Left());
    }
    if (done) return step;
    step.end = limits.stop.stop_requested() ? End::kStopped : End::kDeadline;
    error_code ignored;
    socket().close(ignored);
    // NOLINTNEXTLINE(bugprone-infinite-loop): the handler sets it, which a template hides.
    while (!done) {
      context_.restart();
      context_.run();
    }
    return step;
  }

  Status Handshake(const FileSystem& files, const Limits& limits) {
    tls_context_.emplace(ssl::context::tls_client);
    if (Status status = ConfigureTls(*tls_context_, options_, files); !status) return status;
    tls_.emplace(std::move(plain_), *tls_context_);
    SSL* const handle = tls_->native_handle();
    std::string name = options_.server_name.empty() ? url_.host : options_.server_name;
    error_code not_an_address;
    asio::ip::make_address(name, not_an_address);
    X509_VERIFY_PARAM* const verify = SSL_get0_param(handle);
    if (not_an_address) {
      // OpenSSL copies it, and forgot the const.
      SSL_ctrl(handle, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
      X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      X509_VERIFY_PARAM_set1_host(verify, name.data(), name.size());
    } else {
      X509_VERIFY_PARAM_set1_ip_asc(verify, name.c_str());
    }
    const Step step = Run(
        limits, [&](auto handler) { tls_->async_handshake(ssl::stream_base::client, handler); });
    if (step.ok()) return {};
    Error error = StepError(url_, "agreeing on TLS", step);
    if (const long verified = SSL_get_verify_result(handle);
        step.end == End::kDone && !options_.insecure_skip_verify && verified != X509_V_OK) {
      error.message += std::string(": ") + X509_verify_cert_error_string(verified) +
                       "; set tls.ca (certificate-authority in a kubeconfig) to the authority that "
                       "signed the server's certificate, and "
                       "use the name that it is made out to";
    }
    return Fail(std::move(error));
  }

  template <class Stream>
  Exchanged ExchangeOn(Stream& stream,
                       const BeastRequest& made,
                       const HttpRequest& request,
                       const Limits& limits) {
    Step step = Run(limits, [&](auto handler) { beast_http::async_write(stream, made, handler); });
    if (!step.ok()) {
      return {Fail(StepError(url_, "sending", step)), false, step.end == End::kDone};
    }
    std::optional<beast_http::response_parser<beast_http::string_body>> parser;
    do {  // an interim answer (100, 103) precedes the real one
      parser.emplace();
      parser->header_limit(kMaxHeaderBytes);
      parser->body_limit(request.max_body_bytes);
      parser->skip(made.method() == beast_http::verb::head);
      // In two steps: Beast 1.74 forgets about the limit when head and body arrive together.
      step = Run(limits, [&](auto handler) {
        beast_http::async_read_header(stream, buffer_, *parser, handler);
      });
      if (step.ok() && request.on_body && parser->get().result_int() / 100 == 2) {
        if (!HandOver(stream, *parser, request, limits, step)) {
          return {Fail(ErrorCode::kCancelled, "the reader wants no more"), false, false};
        }
      } else if (step.ok() && !parser->is_done()) {
        step = Run(limits, [&](auto handler) {
          beast_http::async_read(stream, buffer_, *parser, handler);
        });
      }
      if (!step.ok()) {
        return {Fail(StepError(url_, "waiting for the answer", step)),
                false,
                step.end == End::kDone && !parser->got_some()};
      }
    } while (parser->get().result_int() / 100 == 1 && parser->get().result_int() != 101);

    const bool reusable = parser->keep_alive() && buffer_.size() == 0;
    auto message = parser->release();
    HttpResponse response;
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message) {
      response.headers.push_back({std::string(field.name_string()), std::string(field.value())});
    }
    response.body = std::move(message.body());
    return {std::move(response), reusable, false};
  }

  /// Gives on_body each piece of the body as it comes, until its end or a failure, which goes to
  /// `step`. False as soon as on_body wants no more.
  template <class Stream, class Parser>
  bool HandOver(Stream& stream,
                Parser& parser,
                const HttpRequest& request,
                const Limits& limits,
                Step& step) {
    parser.body_limit(boost::none);  // of pieces, the buffer bounds each
    std::string& piece = parser.get().body();
    while (true) {
      if (!piece.empty() && !request.on_body(piece)) return false;
      piece.clear();
      if (!step.ok() || parser.is_done()) return true;
      step = Run(limits, [&](auto handler) {
        beast_http::async_read_some(stream, buffer_, parser, handler);
      });
    }
  }

  const Url url_;
  const TlsOptions options_;
  asio::io_context context_{1};
  tcp::socket plain_{context_};
  std::optional<ssl::context> tls_context_;
  std::optional<TlsStream> tls_;
  boost::beast::flat_buffer buffer_;
};

/// The connections that wait for their next request. Thread-safe.
class IdlePeers {
 public:
  explicit IdlePeers(const Clock& clock) : clock_(clock) {}

  std::unique_ptr<Peer> Take(const std::string& key) {
    const std::scoped_lock lock(mutex_);
    DropOld();
    std::vector<Entry>& entries = idle_[key];
    while (!entries.empty()) {
      std::unique_ptr<Peer> peer = std::move(entries.back().peer);  // the most recently used
      entries.pop_back();
      if (peer->IsQuiet()) return peer;
    }
    return nullptr;
  }

  void Give(const std::string& key, std::unique_ptr<Peer> peer) {
    const std::scoped_lock lock(mutex_);
    DropOld();
    std::vector<Entry>& entries = idle_[key];
    if (entries.size() >= kIdlePerHost) entries.erase(entries.begin());
    entries.push_back({std::move(peer), clock_.MonotonicNow()});
  }

 private:
  struct Entry {
    std::unique_ptr<Peer> peer;
    MonoTime since;
  };

  void DropOld() {
    const MonoTime oldest = clock_.MonotonicNow() - kIdleAge;
    for (auto& [key, entries] : idle_) {
      std::erase_if(entries, [&](const Entry& entry) { return entry.since < oldest; });
    }
    std::erase_if(idle_, [](const auto& item) { return item.second.empty(); });
  }

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Entry>> idle_;
};

bool HasControlCharacter(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; });
}

Result<BeastRequest> MakeRequest(const HttpRequest& request, const Url& url) {
  BeastRequest made;
  made.version(11);
  made.method_string(request.method);
  made.target(url.target);
  made.set(beast_http::field::host, url.Authority());
  made.set(beast_http::field::user_agent, "stoker");
  for (const HttpHeader& header : request.headers) {
    const bool token = !header.name.empty() && std::ranges::all_of(header.name, [](char c) {
      return c > ' ' && c < '\x7f' &&
             std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
    });
    // A line break in a value (a token file with two lines, say) would start a header of its own.
    if (!token || HasControlCharacter(header.value)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "a header has a line break or another character that HTTP does not allow" +
                      (token ? ": " + header.name : std::string()));
    }
    if (EqualsIgnoreCase(header.name, "host")) {
      made.set(beast_http::field::host, header.value);
    } else {
      made.insert(header.name, header.value);
    }
  }
  made.body() = request.body;
  made.prepare_payload();
  return made;
}

class BeastTransport final : public HttpTransport {
 public:
  BeastTransport(const Clock& clock, const FileSystem& files, TlsOptions tls)
      : clock_(clock), files_(files), tls_(std::move(tls)), idle_(clock) {}

  Result<HttpResponse> Send(const HttpRequest& request) override {
    try {
      Result<HttpResponse> response = SendOrThrow(request);
      if (!response && response.error().code == ErrorCode::kNotFound && !request.tell_absence) {
        response.error().code = ErrorCode::kUnavailable;
      }
      return response;
    } catch (const std::exception& error) {  // Asio's constructors, out of memory or descriptors
      return Fail(ErrorCode::kUnavailable, std::string("HTTP client: ") + error.what());
    }
  }

 private:
  Result<HttpResponse> SendOrThrow(const HttpRequest& request) {
    const Result<Url> url = ParseUrl(request.url);
    if (!url) return Fail(url.error());
    const Result<BeastRequest> made = MakeRequest(request, *url);
    if (!made) return Fail(made.error());
    const Limits limits{clock_, request.deadline, request.stop};
    const std::string key = url->scheme + "://" + url->host + ":" + url->port;

    if (std::unique_ptr<Peer> peer = idle_.Take(key)) {
      Exchanged exchanged = Finish(key, std::move(peer), *made, request, limits);
      const bool repeatable = request.method == "GET" || request.method == "HEAD";
      if (!exchanged.nothing_received || !repeatable) return std::move(exchanged.response);
    }
    const Result<std::vector<tcp::endpoint>> endpoints = resolver_.Resolve(*url, limits);
    if (!endpoints) return Fail(endpoints.error());
    auto peer = std::make_unique<Peer>(*url, tls_);
    if (const Status opened = peer->Open(*endpoints, files_, limits); !opened) {
      return Fail(opened.error());
    }
    return Finish(key, std::move(peer), *made, request, limits).response;
  }

  Exchanged Finish(const std::string& key,
                   std::unique_ptr<Peer> peer,
                   const BeastRequest& made,
                   const HttpRequest& request,
                   const Limits& limits) {
    Exchanged exchanged = peer->Exchange(made, request, limits);
    if (exchanged.reusable) idle_.Give(key, std::move(peer));
    return exchanged;
  }

  const Clock& clock_;
  const FileSystem& files_;
  const TlsOptions tls_;
  Resolver resolver_;
  IdlePeers idle_;
};

}  // namespace

Result<std::shared_ptr<HttpTransport>> BeastTransportFactory::Create(const TlsOptions& tls) {
  return std::static_pointer_cast<HttpTransport>(
      std::make_shared<BeastTransport>(clock_, files_, tls));
}

}  // namespace stoker::http
