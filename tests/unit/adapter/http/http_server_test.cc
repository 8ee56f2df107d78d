#include "adapter/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/testing/fakes.h"
#include "tests/testing/process.h"
#include "tests/testing/tls_files.h"

namespace stoker::adapter {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Tells what it was asked; fails on demand.
HttpReply Echo(const ApiRequest& request) {
  if (request.path == "/throw") throw std::runtime_error("secret detail");
  HttpReply reply;
  reply.status = request.path == "/missing" ? 404 : 200;
  reply.content_type = "text/plain";
  reply.body = request.method + " " + request.path + " [" + request.authorization + "]";
  for (const auto& [name, value] : request.query) reply.body += " " + name + "=" + value;
  if (request.method != "GET" && request.method != "HEAD") {
    reply.body += " " + request.body.value_or("(unread)");
  }
  reply.headers.push_back({"X-Reply", "yes"});
  return reply;
}

class HttpServerTest : public ::testing::Test {
 protected:
  std::unique_ptr<HttpServer> StartEcho() {
    auto server = HttpServer::Start({.listen = "127.0.0.1:0"}, Echo, logger_);
    if (!server) throw std::runtime_error(server.error().message);
    return std::move(*server);
  }
  testing::FakeLogger logger_;
};

TEST_F(HttpServerTest, AnswersAsTheHandlerSays) {
  const auto server = StartEcho();
  ASSERT_GT(server->port(), 0);
  httplib::Client client("127.0.0.1", server->port());
  const auto result =
      client.Get("/a%20b/c?x=1&y=%2F2", httplib::Headers{{"Authorization", "Bearer t"}});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->body, "GET /a b/c [Bearer t] x=1 y=/2");
  EXPECT_EQ(result->get_header_value("Content-Type"), "text/plain");
  EXPECT_EQ(result->get_header_value("X-Reply"), "yes");
  EXPECT_EQ(result->get_header_value("Cache-Control"), "no-store");
  EXPECT_EQ(result->get_header_value("X-Content-Type-Options"), "nosniff");
}

TEST_F(HttpServerTest, HeadHasTheHeadersOnly) {
  const auto server = StartEcho();
  httplib::Client client("127.0.0.1", server->port());
  const auto result = client.Head("/x");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->body, "");
  EXPECT_EQ(result->get_header_value("Accept-Ranges"), "none");
  EXPECT_EQ(result->get_header_value("Content-Length"), std::to_string(sizeof("HEAD /x []") - 1));
}

TEST_F(HttpServerTest, KeepsTheHandlersBodyWithAnErrorStatus) {
  const auto server = StartEcho();
  httplib::Client client("127.0.0.1", server->port());
  const auto result = client.Get("/missing");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 404);
  EXPECT_EQ(result->body, "GET /missing []");
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsA500WithoutDetails) {
  const auto server = StartEcho();
  httplib::Client client("127.0.0.1", server->port());
  const auto result = client.Get("/throw");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 500);
  EXPECT_THAT(result->body, HasSubstr(R"("code": "internal")"));
  for (const auto& [name, value] : result->headers) {
    EXPECT_THAT(value, Not(HasSubstr("secret detail"))) << name;
  }
  EXPECT_THAT(result->body, Not(HasSubstr("secret detail")));
  EXPECT_THAT(logger_.text(), HasSubstr("an HTTP handler failed"));
  const auto after = client.Get("/x");
  ASSERT_TRUE(after);
  EXPECT_EQ(after->status, 200);
}

TEST_F(HttpServerTest, PassesJsonBodiesOn) {
  const auto server = StartEcho();
  httplib::Client client("127.0.0.1", server->port());
  const std::string large(1U << 20U, ' ');
  const auto check = [](const httplib::Result& result, const std::string& body) {
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, 200);
    EXPECT_EQ(result->body, body);
  };
  check(client.Put("/x?y=1", R"({"value": 1})", "application/json"),
        R"(PUT /x [] y=1 {"value": 1})");
  check(client.Post("/a%0Ab", "{}", "Application/JSON; charset=utf-8"), "POST /a\nb [] {}");
  check(client.Patch("/x", "{}", "application/json"), "PATCH /x [] {}");
  check(client.Delete("/x", "{}", "application/json"), "DELETE /x [] {}");
  check(client.Post("/x", large, "application/json"), "POST /x [] " + large);
  check(client.Put("/x", "", "application/json"), "PUT /x [] ");
}

TEST_F(HttpServerTest, ReadsNoOtherBodies) {
  const auto server = StartEcho();
  httplib::Client client("127.0.0.1", server->port());
  for (const char* type : {"text/plain",
                           "application/x-www-form-urlencoded",
                           "multipart/form-data; boundary=b",
                           "application/jsonp"}) {
    const auto result = client.Post("/x", "a=b", type);
    ASSERT_TRUE(result) << type;
    EXPECT_EQ(result->body, "POST /x [] (unread)") << type;
  }
  const auto packed =
      client.Post("/x", httplib::Headers{{"Content-Encoding", "gzip"}}, "{}", "application/json");
  ASSERT_TRUE(packed);
  EXPECT_EQ(packed->body, "POST /x [] (unread)");
  const auto pieces = client.Get("/x", httplib::Headers{{"Transfer-Encoding", "chunked"}});
  ASSERT_TRUE(pieces);
  EXPECT_EQ(pieces->status, 411);
  EXPECT_THAT(pieces->body, HasSubstr("length_required"));
}

TEST_F(HttpServerTest, RefusesBodiesAboveTheLimit) {
  const auto server = StartEcho();
  httplib::Client client("127.0.0.1", server->port());
  for (const char* length : {"1048577", "99999999999999999999999", "-1", "1 1"}) {
    const auto large = client.Get("/x", httplib::Headers{{"Content-Length", length}});
    ASSERT_TRUE(large);
    EXPECT_EQ(large->status, 413) << length;
    EXPECT_THAT(large->body, HasSubstr("payload_too_large"));
  }
}

TEST_F(HttpServerTest, RefusesALongPathWithABody) {
  const auto server = StartEcho();
  httplib::Client client("127.0.0.1", server->port());
  const auto result = client.Put("/" + std::string(2000, 'a'), "{}", "application/json");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 414);
}

TEST_F(HttpServerTest, RefusesWhatIsTooLongOrPartial) {
  const auto server = StartEcho();
  httplib::Client client("127.0.0.1", server->port());
  const auto path = client.Get("/" + std::string(9000, 'a'));
  ASSERT_TRUE(path);
  EXPECT_EQ(path->status, 414);
  EXPECT_THAT(path->body, HasSubstr("uri_too_long"));
  const auto range = client.Get("/x", httplib::Headers{{"Range", "bytes=0-2"}});
  ASSERT_TRUE(range);
  EXPECT_EQ(range->status, 416);
}

TEST_F(HttpServerTest, ServesManyAtATime) {
  const auto server = StartEcho();
  std::atomic<int> good = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        httplib::Client client("127.0.0.1", server->port());
        const auto result = client.Get("/x");
        if (result && result->status == 200) ++good;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(good, 80);
}

TEST_F(HttpServerTest, ATakenPortIsAnErrorWithItsMend) {
  const auto server = StartEcho();
  const auto second =
      HttpServer::Start({.listen = "127.0.0.1:" + std::to_string(server->port())}, Echo, logger_);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr("taken"));
}

TEST_F(HttpServerTest, ABadAddressIsAnError) {
  for (const char* listen : {"", "8080", "127.0.0.1:http", "127.0.0.1:70000"}) {
    const auto server = HttpServer::Start({.listen = listen}, Echo, logger_);
    ASSERT_FALSE(server.has_value()) << listen;
    EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument) << listen;
  }
}

TEST_F(HttpServerTest, StopsWithIdleConnectionsAndAgain) {
  const auto server = StartEcho();
  httplib::Client client("127.0.0.1", server->port());
  client.set_keep_alive(true);
  ASSERT_TRUE(client.Get("/x"));
  server->Stop();
  server->Stop();
  EXPECT_FALSE(client.Get("/x"));
}

TEST_F(HttpServerTest, ServesTlsAndPicksUpRotatedCertificates) {
  const testing::TempFolder folder;
  const testing::TlsFiles ca = testing::MakeAuthority(folder, "ca");
  const testing::TlsFiles first =
      testing::MakeCertificate(folder, "first", ca, "IP:127.0.0.1,DNS:first");
  ListenTls tls;
  tls.cert = first.cert;
  tls.key = first.key;
  auto server = HttpServer::Start({.listen = "127.0.0.1:0", .tls = tls}, Echo, logger_);
  ASSERT_TRUE(server.has_value()) << server.error().message;
  const auto get = [&](const std::string& ca_file) {
    httplib::SSLClient client("127.0.0.1", (*server)->port());
    client.set_ca_cert_path(ca_file);
    client.enable_server_certificate_verification(true);
    const auto result = client.Get("/x");
    return result ? result->status : 0;
  };
  EXPECT_EQ(get(ca.cert), 200);

  const testing::TlsFiles other_ca = testing::MakeAuthority(folder, "other");
  EXPECT_EQ(get(other_ca.cert), 0);
  const testing::TlsFiles second =
      testing::MakeCertificate(folder, "second", other_ca, "IP:127.0.0.1");
  std::filesystem::copy_file(
      second.cert, first.cert, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file(
      second.key, first.key, std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(get(other_ca.cert), 200);
  EXPECT_EQ(get(ca.cert), 0);
}

TEST_F(HttpServerTest, AsksForClientCertificatesWhenTold) {
  const testing::TempFolder folder;
  const testing::TlsFiles ca = testing::MakeAuthority(folder, "ca");
  const testing::TlsFiles own = testing::MakeCertificate(folder, "own", ca, "IP:127.0.0.1");
  const testing::TlsFiles client_files =
      testing::MakeCertificate(folder, "client", ca, "DNS:client");
  ListenTls tls{.cert = own.cert, .key = own.key, .client_ca = ca.cert};
  tls.require_client_cert = true;
  auto server = HttpServer::Start({.listen = "127.0.0.1:0", .tls = tls}, Echo, logger_);
  ASSERT_TRUE(server.has_value()) << server.error().message;
  httplib::SSLClient without("127.0.0.1", (*server)->port());
  without.set_ca_cert_path(ca.cert);
  EXPECT_FALSE(without.Get("/x"));
  httplib::SSLClient with("127.0.0.1", (*server)->port(), client_files.cert, client_files.key);
  with.set_ca_cert_path(ca.cert);
  const auto result = with.Get("/x");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
}

TEST_F(HttpServerTest, ABadCertificateIsAnError) {
  ListenTls tls;
  tls.cert = "/nowhere/cert.pem";
  tls.key = "/nowhere/key.pem";
  const auto server = HttpServer::Start({.listen = "127.0.0.1:0", .tls = tls}, Echo, logger_);
  ASSERT_FALSE(server.has_value());
  EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument);
}

TEST(ProbeRoutes, HealthIsAlwaysFineAndReadinessSaysWhatIsMissing) {
  Status status = Fail(ErrorCode::kUnavailable, "first polls of etl are not there yet");
  const HttpServer::Handler probes = ProbeRoutes([&] { return status; });
  ApiRequest request;
  request.path = "/healthz";
  EXPECT_EQ(probes(request).status, 200);
  request.path = "/readyz";
  const HttpReply reply = probes(request);
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, HasSubstr("first polls of etl are not there yet"));
  status = {};
  EXPECT_EQ(probes(request).status, 200);
  request.method = "POST";
  EXPECT_EQ(probes(request).status, 405);
  request.method = "GET";
  request.path = "/metrics";
  EXPECT_EQ(probes(request).status, 404);
}

}  // namespace
}  // namespace stoker::adapter
