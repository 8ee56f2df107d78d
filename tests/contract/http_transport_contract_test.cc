// What every HttpTransport promises, asked of the fake and of the real one over TCP and TLS; and
// what the real one promises besides, against servers that misbehave on purpose.

#include <utility>  // before Asio 1.74

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "core/text.h"
#include "core/units.h"
#include "tests/testing/fakes.h"
#include "tests/testing/process.h"
#include "tests/testing/tls_files.h"
#include "upstream/http/beast_transport.h"
#include "upstream/http/url.h"

namespace stoker::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

/// The server's end of one connection.
class Link {
 public:
  Link(tcp::socket socket, asio::ssl::context* tls, int number)
      : number_(number), stream_(std::move(socket)) {
    if (tls != nullptr) tls_.emplace(stream_, *tls);
  }

  /// How many connections came before this one.
  [[nodiscard]] int number() const { return number_; }
  int descriptor() { return stream_.native_handle(); }
  bool Handshake() {
    boost::system::error_code error;
    if (tls_) tls_->handshake(asio::ssl::stream_base::server, error);
    return !error;
  }

  /// Head and body of the next request; empty when the client has gone.
  std::string ReadRequest() {
    boost::system::error_code error;
    const std::size_t end =
        tls_ ? asio::read_until(*tls_, asio::dynamic_buffer(input_), "\r\n\r\n", error)
             : asio::read_until(stream_, asio::dynamic_buffer(input_), "\r\n\r\n", error);
    if (error) return {};
    std::size_t length = 0;
    for (const std::string_view line : Split(std::string_view(input_).substr(0, end), '\n')) {
      if (ToLower(line).starts_with("content-length:")) {
        length = static_cast<std::size_t>(ParseInteger(Trim(line.substr(15))).value_or(0));
      }
    }
    if (input_.size() < end + length) {
      const auto missing = asio::transfer_exactly(end + length - input_.size());
      if (tls_) {
        asio::read(*tls_, asio::dynamic_buffer(input_), missing, error);
      } else {
        asio::read(stream_, asio::dynamic_buffer(input_), missing, error);
      }
    }
    std::string request = input_.substr(0, end + length);
    input_.erase(0, end + length);
    return request;
  }

  bool Write(std::string_view bytes) {
    boost::system::error_code error;
    if (tls_) {
      asio::write(*tls_, asio::buffer(bytes), error);
    } else {
      asio::write(stream_, asio::buffer(bytes), error);
    }
    return !error;
  }

  /// The descriptor stays, since the server's own thread may be looking at it.
  void Close() { shutdown(descriptor(), SHUT_RDWR); }

 private:
  int number_;
  tcp::socket stream_;
  std::optional<asio::ssl::stream<tcp::socket&>> tls_;
  std::string input_;
};

/// A loopback server with one thread for each connection, on which `serve` runs.
class LoopbackServer {
 public:
  using Serve = std::function<void(Link&)>;

  explicit LoopbackServer(Serve serve,
                          asio::ssl::context* tls = nullptr,
                          const std::string& address = "127.0.0.1")
      : acceptor_(context_, tcp::endpoint(asio::ip::make_address(address), 0)) {
    accepting_ = std::thread([this, serve = std::move(serve), tls] {
      for (int number = 0;; ++number) {
        boost::system::error_code error;
        tcp::socket socket = acceptor_.accept(error);
        const std::scoped_lock lock(mutex_);
        if (error || stopping_) return;
        Link& link = links_.emplace_back(std::move(socket), tls, number);
        ++connections_;
        threads_.emplace_back([&link, serve] {
          if (link.Handshake()) serve(link);
          shutdown(link.descriptor(), SHUT_RDWR);
        });
      }
    });
  }
  ~LoopbackServer() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
      for (Link& link : links_) shutdown(link.descriptor(), SHUT_RDWR);
      shutdown(acceptor_.native_handle(), SHUT_RDWR);
    }
    accepting_.join();
    for (std::thread& thread : threads_) thread.join();
  }

  [[nodiscard]] int port() { return acceptor_.local_endpoint().port(); }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::mutex mutex_;
  bool stopping_ = false;
  std::list<Link> links_;
  std::vector<std::thread> threads_;
  std::thread accepting_;
  std::atomic<int> connections_{0};
};

std::string Answer(std::string_view body,
                   std::string_view status = "200 OK",
                   std::string_view more_headers = "") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + std::string(more_headers) + "\r\n" + std::string(body);
}

/// Serves each request on a connection with what `answer` makes of it.
LoopbackServer::Serve EachRequest(std::function<std::string(const std::string&)> answer) {
  return [answer = std::move(answer)](Link& link) {
    for (std::string request = link.ReadRequest(); !request.empty(); request = link.ReadRequest()) {
      if (!link.Write(answer(request))) return;
    }
  };
}

/// Certificates for all tests, made once.
struct Certificates {
  testing::TempFolder folder;
  testing::TlsFiles authority = testing::MakeAuthority(folder, "authority");
  testing::TlsFiles stranger = testing::MakeAuthority(folder, "stranger");
  testing::TlsFiles server =
      testing::MakeCertificate(folder, "server", authority, "IP:127.0.0.1,DNS:localhost");
  testing::TlsFiles misnamed =
      testing::MakeCertificate(folder, "misnamed", authority, "DNS:elsewhere.example");
  testing::TlsFiles client = testing::MakeCertificate(folder, "client", authority, "DNS:client");

  static const Certificates& Get() {
    static const Certificates certificates;
    return certificates;
  }

  [[nodiscard]] asio::ssl::context ServerContext(const testing::TlsFiles& files,
                                                 bool ask_client = false) const {
    asio::ssl::context context(asio::ssl::context::tls_server);
    context.use_certificate_chain_file(files.cert);
    context.use_private_key_file(files.key, asio::ssl::context::pem);
    if (ask_client) {
      context.load_verify_file(authority.cert);
      context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    }
    return context;
  }
};

const SystemClock& TheClock() {
  static const SystemClock clock;
  return clock;
}

std::shared_ptr<HttpTransport> MakeBeast(const TlsOptions& tls = {}) {
  static const SystemFileSystem files;
  return BeastTransportFactory(TheClock(), files).Create(tls).value();
}

HttpRequest Get(const std::string& url, Duration limit = seconds(20)) {
  HttpRequest request;
  request.url = url;
  request.deadline = TheClock().MonotonicNow() + limit;
  return request;
}

std::string UrlOf(LoopbackServer& server,
                  const std::string& target = "/",
                  const std::string& scheme = "http",
                  const std::string& host = "127.0.0.1") {
  return scheme + "://" + host + ":" + std::to_string(server.port()) + target;
}

// ---- the contract, on every transport

/// A transport together with something that answers it. Handlers see and give raw HTTP/1.1 text.
class Subject {
 public:
  explicit Subject(const std::string& kind) {
    if (kind == "fake") {
      url_ = "http://fake.example";
      transport_ = std::make_shared<testing::FakeTransport>(
          [this](const HttpRequest& request) -> Result<HttpResponse> {
            std::string raw =
                request.method + " " + ParseUrl(request.url)->target + " HTTP/1.1\r\n";
            for (const auto& [name, value] : request.headers) raw += name + ": " + value + "\r\n";
            HttpResponse response;
            {
              const std::scoped_lock lock(mutex_);
              seen_ = raw + "\r\n" + request.body;
              response.status = status_;
              response.headers = {{"Location", "/elsewhere"}};
            }
            response.body = "body";
            return response;
          });
      return;
    }
    const auto serve = EachRequest([this](const std::string& request) {
      const std::scoped_lock lock(mutex_);
      seen_ = request;
      return Answer(request.starts_with("HEAD") ? "" : "body",
                    std::to_string(status_) + " Text",
                    "Location: /elsewhere\r\n");
    });
    if (kind == "tls") {
      tls_.emplace(Certificates::Get().ServerContext(Certificates::Get().server));
      transport_ = MakeBeast({.ca_file = Certificates::Get().authority.cert});
    } else {
      transport_ = MakeBeast();
    }
    server_.emplace(serve, tls_ ? &*tls_ : nullptr);
    url_ = UrlOf(*server_, "", kind == "tls" ? "https" : "http");
  }

  HttpTransport& transport() { return *transport_; }
  [[nodiscard]] const std::string& url() const { return url_; }
  void set_status(int status) {
    const std::scoped_lock lock(mutex_);
    status_ = status;
  }
  std::string seen() {
    const std::scoped_lock lock(mutex_);
    return seen_;
  }

 private:
  std::mutex mutex_;
  int status_ = 200;
  std::string seen_;
  std::string url_;
  std::optional<asio::ssl::context> tls_;
  std::shared_ptr<HttpTransport> transport_;
  std::optional<LoopbackServer> server_;
};

class HttpTransportContract : public ::testing::TestWithParam<std::string> {};

TEST_P(HttpTransportContract, PassesTheRequestOnAndTheAnswerBack) {
  Subject subject(GetParam());
  HttpRequest request = Get(subject.url() + "/path?a=b%20c");
  request.method = "POST";
  request.headers = {{"X-Scope-OrgID", "tenant"}};
  request.body = "query=1";
  const auto response = subject.transport().Send(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "body");
  EXPECT_EQ(response->Header("location"), "/elsewhere");
  EXPECT_THAT(subject.seen(), HasSubstr("POST /path?a=b%20c HTTP/1.1\r\n"));
  EXPECT_THAT(subject.seen(), HasSubstr("X-Scope-OrgID: tenant\r\n"));
  EXPECT_TRUE(subject.seen().ends_with("\r\n\r\nquery=1"));
}

TEST_P(HttpTransportContract, AnyStatusIsAnAnswerAndRedirectsAreNotFollowed) {
  Subject subject(GetParam());
  for (const int status : {200, 301, 302, 307, 308, 400, 401, 404, 429, 500, 503}) {
    subject.set_status(status);
    const auto response = subject.transport().Send(Get(subject.url() + "/here"));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, status);
    EXPECT_THAT(subject.seen(), HasSubstr("/here"));
  }
}

TEST_P(HttpTransportContract, ServesManyThreadsAtOnce) {
  Subject subject(GetParam());
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10; ++j) {
        const auto response = subject.transport().Send(Get(subject.url() + "/"));
        if (response && response->body == "body") ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 80);
}

INSTANTIATE_TEST_SUITE_P(Transports,
                         HttpTransportContract,
                         ::testing::Values("fake", "tcp", "tls"),
                         [](const auto& each) { return each.param; });

// ---- the real one: time

TEST(BeastTransport, KeepsTheDeadlineWhenTheServerNeverAnswers) {
  LoopbackServer server([](Link& link) {
    while (!link.ReadRequest().empty()) continue;
  });
  const MonoTime before = TheClock().MonotonicNow();
  const auto response = MakeBeast()->Send(Get(UrlOf(server, "/?secret=1"), milliseconds(80)));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(response.error().message, HasSubstr("127.0.0.1:" + std::to_string(server.port())));
  EXPECT_THAT(response.error().message, Not(HasSubstr("secret")));
  EXPECT_GE(TheClock().MonotonicNow() - before, milliseconds(79));
  EXPECT_LT(TheClock().MonotonicNow() - before, seconds(10));
}

TEST(BeastTransport, KeepsTheTotalDeadlineWhenTheServerTricklesBytes) {
  // There is always a next byte, so that no single read ever waits long.
  LoopbackServer server([](Link& link) {
    link.ReadRequest();
    link.Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (link.Write("1\r\nx\r\n")) continue;
  });
  const auto response = MakeBeast()->Send(Get(UrlOf(server), milliseconds(100)));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(BeastTransport, KeepsTheDeadlineInTheTlsHandshake) {
  LoopbackServer server([](Link& link) {
    while (!link.ReadRequest().empty()) continue;
  });
  const auto response = MakeBeast()->Send(Get(UrlOf(server, "/", "https"), milliseconds(80)));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(BeastTransport, APastDeadlineFails) {
  LoopbackServer server(EachRequest([](const auto&) { return Answer("late"); }));
  const auto response = MakeBeast()->Send(Get(UrlOf(server), milliseconds(-1)));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(BeastTransport, AStopCancelsARunningRequestAtOnce) {
  std::stop_source stop;
  LoopbackServer server([&](Link& link) {
    link.ReadRequest();
    stop.request_stop();  // the client now waits for the answer
    link.ReadRequest();
  });
  HttpRequest request = Get(UrlOf(server), std::chrono::hours(1));
  request.stop = stop.get_token();
  const auto response = MakeBeast()->Send(request);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kCancelled);
}

TEST(BeastTransport, AStopBeforeTheRequestCancelsIt) {
  LoopbackServer server(EachRequest([](const auto&) { return Answer("x"); }));
  std::stop_source stop;
  stop.request_stop();
  HttpRequest request = Get(UrlOf(server));
  request.stop = stop.get_token();
  EXPECT_EQ(MakeBeast()->Send(request).error().code, ErrorCode::kCancelled);
}

// ---- the real one: answers without an end

constexpr char kChunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST(BeastTransport, ABodyIsHandedOverAsItComes) {
  // Each piece is only sent once the client has told that it has the one before.
  std::mutex mutex;
  std::condition_variable changed;
  std::string seen;
  LoopbackServer server([&](Link& link) {
    link.ReadRequest();
    link.Write(std::string(kChunked) + "3\r\none\r\n");
    for (const std::string_view wanted : {"one", "onetwo"}) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return seen == wanted; });
      link.Write(wanted == "one" ? "3\r\ntwo\r\n" : "0\r\n\r\n");
    }
    link.ReadRequest();
  });
  HttpRequest request = Get(UrlOf(server));
  request.max_body_bytes = 4;  // bounds whole bodies, not this one
  request.on_body = [&](std::string_view piece) {
    const std::scoped_lock lock(mutex);
    seen += piece;
    changed.notify_all();
    return true;
  };
  const auto response = MakeBeast()->Send(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "");
  EXPECT_EQ(seen, "onetwo");
}

TEST(BeastTransport, AHandedOverBodyKeepsDeadlineAndStop) {
  for (const bool stopped : {false, true}) {
    LoopbackServer server([](Link& link) {
      link.ReadRequest();
      link.Write(std::string(kChunked) + "3\r\none\r\n");
      link.ReadRequest();
    });
    std::stop_source stop;
    HttpRequest request =
        Get(UrlOf(server), stopped ? Duration(std::chrono::hours(1)) : milliseconds(100));
    request.stop = stop.get_token();
    std::string seen;
    request.on_body = [&](std::string_view piece) {
      seen += piece;
      if (stopped) stop.request_stop();
      return true;
    };
    const auto response = MakeBeast()->Send(request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code,
              stopped ? ErrorCode::kCancelled : ErrorCode::kDeadlineExceeded);
    EXPECT_EQ(seen, "one");
  }
}

TEST(BeastTransport, AReaderThatHasEnoughEndsTheRequest) {
  LoopbackServer server([](Link& link) {
    link.ReadRequest();
    link.Write(kChunked);
    while (link.Write("1\r\nx\r\n")) continue;
  });
  int pieces = 0;
  HttpRequest request = Get(UrlOf(server));
  request.on_body = [&](std::string_view) { return ++pieces < 3; };
  EXPECT_EQ(MakeBeast()->Send(request).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(pieces, 3);
}

TEST(BeastTransport, ABodyThatBreaksOffIsAnErrorBehindItsPieces) {
  LoopbackServer server([](Link& link) {
    link.ReadRequest();
    link.Write(std::string(kChunked) + "3\r\none\r\n");
    link.Close();
  });
  std::string seen;
  HttpRequest request = Get(UrlOf(server));
  request.on_body = [&](std::string_view piece) {
    seen += piece;
    return true;
  };
  EXPECT_EQ(MakeBeast()->Send(request).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(seen, "one");
}

TEST(BeastTransport, OnlyGoodAnswersAreHandedOver) {
  LoopbackServer server(EachRequest([](const auto&) { return Answer("why", "410 Gone"); }));
  HttpRequest request = Get(UrlOf(server));
  request.on_body = [](std::string_view) {
    ADD_FAILURE();
    return true;
  };
  const auto response = MakeBeast()->Send(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 410);
  EXPECT_EQ(response->body, "why");
}

// ---- the real one: bodies and broken answers

TEST(BeastTransport, ABodyOverTheCapIsAnErrorAndOneAtTheCapIsNot) {
  for (const bool chunked : {false, true}) {
    LoopbackServer server(EachRequest([chunked](const auto&) -> std::string {
      if (!chunked) return Answer("12345");
      return "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
             "chunked\r\n\r\n2\r\n12\r\n3\r\n345\r\n0\r\n\r\n";
    }));
    HttpRequest request = Get(UrlOf(server));
    request.max_body_bytes = 5;
    EXPECT_EQ(MakeBeast()->Send(request)->body, "12345");
    request.max_body_bytes = 4;
    const auto too_long = MakeBeast()->Send(request);
    ASSERT_FALSE(too_long) << chunked << too_long->body;
    EXPECT_EQ(too_long.error().code, ErrorCode::kResourceExhausted) << too_long.error().message;
  }
}

TEST(BeastTransport, ABodyThatEndsEarlyIsAnError) {
  LoopbackServer server([](Link& link) {
    link.ReadRequest();
    link.Write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
  });
  const auto response = MakeBeast()->Send(Get(UrlOf(server)));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
}

TEST(BeastTransport, WhatIsNotHttpIsAnError) {
  LoopbackServer server([](Link& link) {
    link.ReadRequest();
    link.Write("SSH-2.0-OpenSSH_9.2\r\n\r\n");
  });
  EXPECT_EQ(MakeBeast()->Send(Get(UrlOf(server))).error().code, ErrorCode::kUnavailable);
}

TEST(BeastTransport, ReadsABodyThatTheConnectionsEndDelimits) {
  LoopbackServer server([](Link& link) {
    link.ReadRequest();
    link.Write("HTTP/1.0 200 OK\r\n\r\nall of it");
  });
  EXPECT_EQ(MakeBeast()->Send(Get(UrlOf(server)))->body, "all of it");
}

TEST(BeastTransport, PassesOverInterimAnswers) {
  LoopbackServer server(EachRequest(
      [](const auto&) { return "HTTP/1.1 103 Early Hints\r\n\r\n" + Answer("final"); }));
  EXPECT_EQ(MakeBeast()->Send(Get(UrlOf(server)))->body, "final");
}

TEST(BeastTransport, HeadHasNoBodyWhateverTheLengthSays) {
  LoopbackServer server(
      EachRequest([](const auto&) { return "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"; }));
  HttpRequest request = Get(UrlOf(server));
  request.method = "HEAD";
  const auto response = MakeBeast()->Send(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->Header("Content-Length"), "7");
}

TEST(BeastTransport, RefusesHeadersThatWouldSmuggleOthers) {
  LoopbackServer server(EachRequest([](const auto&) { return Answer("x"); }));
  for (const HttpHeader& header : {HttpHeader{"Authorization", "Bearer s3cret\r\nX-Other: 1"},
                                   HttpHeader{"A: b\r\nC", "d"},
                                   HttpHeader{"", "d"}}) {
    HttpRequest request = Get(UrlOf(server));
    request.headers = {header};
    const auto response = MakeBeast()->Send(request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(response.error().message, Not(HasSubstr("s3cret")));
  }
}

// ---- the real one: connections

TEST(BeastTransport, KeepsConnectionsAlive) {
  LoopbackServer server(EachRequest([](const auto&) { return Answer("x"); }));
  const auto transport = MakeBeast();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(transport->Send(Get(UrlOf(server))));
  EXPECT_EQ(server.connections(), 1);
}

TEST(BeastTransport, DoesNotReuseAConnectionThatTheServerWantsClosed) {
  LoopbackServer server(
      EachRequest([](const auto&) { return Answer("x", "200 OK", "Connection: close\r\n"); }));
  const auto transport = MakeBeast();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(transport->Send(Get(UrlOf(server))));
  EXPECT_EQ(server.connections(), 2);
}

TEST(BeastTransport, DropsIdleConnectionsOfAge) {
  LoopbackServer server(EachRequest([](const auto&) { return Answer("x"); }));
  testing::FakeClock clock;
  const SystemFileSystem files;
  const auto transport = BeastTransportFactory(clock, files).Create({}).value();
  HttpRequest request = Get(UrlOf(server));
  for (const int expected : {1, 1, 2}) {
    clock.Advance(seconds(20 * expected));
    request.deadline = clock.MonotonicNow() + seconds(20);
    ASSERT_TRUE(transport->Send(request));
    EXPECT_EQ(server.connections(), expected);
  }
}

/// The first connection answers one request and breaks at the second one's arrival.
LoopbackServer::Serve BreaksAtTheSecondRequest() {
  return [](Link& link) {
    if (link.ReadRequest().empty() || !link.Write(Answer("x"))) return;
    if (!link.ReadRequest().empty() && link.number() > 0) link.Write(Answer("y"));
  };
}

TEST(BeastTransport, SendsAGetAgainWhenAKeptConnectionBreaks) {
  LoopbackServer server(BreaksAtTheSecondRequest());
  const auto transport = MakeBeast();
  ASSERT_TRUE(transport->Send(Get(UrlOf(server))));
  const auto response = transport->Send(Get(UrlOf(server)));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "x");
  EXPECT_EQ(server.connections(), 2);
}

TEST(BeastTransport, DoesNotSendAPostAgain) {
  LoopbackServer server(BreaksAtTheSecondRequest());
  const auto transport = MakeBeast();
  ASSERT_TRUE(transport->Send(Get(UrlOf(server))));
  HttpRequest post = Get(UrlOf(server));
  post.method = "POST";
  const auto response = transport->Send(post);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(server.connections(), 1);
}

TEST(BeastTransport, NoticesThatAnIdleConnectionWasClosedAndPostsOnANewOne) {
  std::atomic<bool> closed{false};
  LoopbackServer server([&](Link& link) {
    link.ReadRequest();
    link.Write(Answer("x"));
    if (link.number() == 0) {
      link.Close();
      closed = true;
    } else {
      link.ReadRequest();
    }
  });
  const auto transport = MakeBeast();
  ASSERT_TRUE(transport->Send(Get(UrlOf(server))));
  while (!closed) std::this_thread::yield();
  HttpRequest post = Get(UrlOf(server));
  post.method = "POST";
  const auto response = transport->Send(post);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(server.connections(), 2);
}

TEST(BeastTransport, ARefusedConnectionNamesHostAndPort) {
  const int port = testing::FreePort();
  const auto response =
      MakeBeast()->Send(Get("http://127.0.0.1:" + std::to_string(port) + "/?token=s3cret"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(response.error().message,
            "127.0.0.1:" + std::to_string(port) + ": while connecting: Connection refused");
}

TEST(BeastTransport, TellsThatNobodyIsThereToWhomAsks) {
  const std::string refused = "http://127.0.0.1:" + std::to_string(testing::FreePort()) + "/";
  const std::string no_name = "http://" + std::string(70, 'x') + "/";
  for (const std::string& url : {refused, no_name}) {
    HttpRequest request = Get(url);
    request.tell_absence = true;
    const auto response = MakeBeast()->Send(request);
    ASSERT_FALSE(response) << url;
    EXPECT_EQ(response.error().code, ErrorCode::kNotFound) << response.error().message;
  }
}

TEST(BeastTransport, OtherFailuresAreNoAbsence) {
  // Somebody is there, but breaks the connection, or never answers.
  LoopbackServer breaks([](Link& link) { link.ReadRequest(); });
  HttpRequest request = Get(UrlOf(breaks));
  request.tell_absence = true;
  EXPECT_EQ(MakeBeast()->Send(request).error().code, ErrorCode::kUnavailable);
  LoopbackServer silent([](Link& link) {
    while (!link.ReadRequest().empty()) continue;
  });
  request = Get(UrlOf(silent), milliseconds(50));
  request.tell_absence = true;
  EXPECT_EQ(MakeBeast()->Send(request).error().code, ErrorCode::kDeadlineExceeded);
}

TEST(BeastTransport, TriesEveryAddressOfAName) {
  // Where localhost is ::1 and 127.0.0.1, only one of them answers here.
  LoopbackServer server(EachRequest([](const auto&) { return Answer("x"); }));
  const auto response = MakeBeast()->Send(Get(UrlOf(server, "/", "http", "localhost")));
  ASSERT_TRUE(response) << response.error().message;
}

TEST(BeastTransport, AnUnknownNameIsUnavailable) {
  // A label longer than DNS allows is refused on this machine, without asking a name server.
  const std::string name(70, 'x');
  const auto response = MakeBeast()->Send(Get("http://" + name + "/"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(response.error().message, HasSubstr(name + ":80: while looking up the name"));
}

// ---- the real one: TLS

struct TlsCase {
  TlsOptions options;
  testing::TlsFiles server = Certificates::Get().server;
  std::string host = "127.0.0.1";
  bool ask_client = false;
};

Result<HttpResponse> SendTls(const TlsCase& test) {
  auto context = Certificates::Get().ServerContext(test.server, test.ask_client);
  LoopbackServer server(EachRequest([](const auto&) { return Answer("private"); }), &context);
  return MakeBeast(test.options)->Send(Get(UrlOf(server, "/", "https", test.host)));
}

TEST(BeastTransportTls, TrustsTheGivenAuthorityByAddressAndByName) {
  const auto& files = Certificates::Get();
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    const auto response = SendTls({.options = {.ca_file = files.authority.cert}, .host = host});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "private");
  }
}

TEST(BeastTransportTls, RefusesAnUnknownAuthority) {
  for (const std::string& ca : {std::string(), Certificates::Get().stranger.cert}) {
    const auto response = SendTls({.options = {.ca_file = ca}});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(response.error().message, HasSubstr("set tls.ca"));
  }
}

TEST(BeastTransportTls, RefusesACertificateForAnotherName) {
  const auto& files = Certificates::Get();
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    const auto response = SendTls(
        {.options = {.ca_file = files.authority.cert}, .server = files.misnamed, .host = host});
    ASSERT_FALSE(response);
    EXPECT_THAT(response.error().message, HasSubstr("mismatch"));
  }
}

TEST(BeastTransportTls, CanSkipVerification) {
  const auto response =
      SendTls({.options = {.insecure_skip_verify = true}, .server = Certificates::Get().misnamed});
  ASSERT_TRUE(response) << response.error().message;
}

TEST(BeastTransportTls, ShowsAClientCertificate) {
  const auto& files = Certificates::Get();
  TlsCase test{.options = {.ca_file = files.authority.cert}, .ask_client = true};
  const auto without = SendTls(test);
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, ErrorCode::kUnavailable);
  test.options.cert_file = files.client.cert;
  test.options.key_file = files.client.key;
  const auto with = SendTls(test);
  ASSERT_TRUE(with) << with.error().message;
}

TEST(BeastTransportTls, TakesCertificatesFromMemory) {
  const auto& files = Certificates::Get();
  const SystemFileSystem disk;
  TlsCase test{.options = {}, .ask_client = true};
  test.options.ca_pem = disk.Read(files.authority.cert).value();
  test.options.cert_pem = disk.Read(files.client.cert).value();
  test.options.key_pem = disk.Read(files.client.key).value();
  const auto response = SendTls(test);
  ASSERT_TRUE(response) << response.error().message;
  test.options.key_pem = "hunter2";
  EXPECT_THAT(SendTls(test).error().message, HasSubstr("inline data: no usable key"));
  EXPECT_THAT(SendTls(test).error().message, Not(HasSubstr("hunter2")));
}

TEST(BeastTransportTls, ReadsFilesAnewForEveryConnection) {
  const auto& files = Certificates::Get();
  const SystemFileSystem disk;
  testing::FakeFileSystem rotating;
  rotating.Write("/ca.pem", disk.Read(files.stranger.cert).value());
  const auto transport =
      BeastTransportFactory(TheClock(), rotating).Create({.ca_file = "/ca.pem"}).value();
  auto context = files.ServerContext(files.server);
  LoopbackServer server(EachRequest([](const auto&) { return Answer("x"); }), &context);
  EXPECT_FALSE(transport->Send(Get(UrlOf(server, "/", "https"))));
  rotating.Write("/ca.pem", disk.Read(files.authority.cert).value());
  const auto response = transport->Send(Get(UrlOf(server, "/", "https")));
  ASSERT_TRUE(response) << response.error().message;
}

TEST(BeastTransportTls, NamesTheFileThatIsMissingOrBroken) {
  testing::FakeFileSystem files;
  files.Write("/broken.pem", "no PEM");
  LoopbackServer server([](Link& link) { link.ReadRequest(); });
  for (const std::string path : {"/missing.pem", "/broken.pem"}) {
    const auto response = BeastTransportFactory(TheClock(), files)
                              .Create({.ca_file = path})
                              .value()
                              ->Send(Get(UrlOf(server, "/", "https")));
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(response.error().message, HasSubstr(path));
  }
}

}  // namespace
}  // namespace stoker::http
