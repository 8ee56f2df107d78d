#include "adapter/grpc/grpc_server.h"

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "externalscaler.grpc.pb.h"
#include "tests/testing/fake_decisions.h"
#include "tests/testing/fakes.h"
#include "tests/testing/tls_files.h"
#include "tests/unit/adapter/grpc/stream_reader.h"

namespace stoker::adapter {
namespace {

using externalscaler::ExternalScaler;
using externalscaler::IsActiveResponse;
using externalscaler::ScaledObjectRef;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using Activity = stoker::testing::StreamReader<IsActiveResponse>;

class GrpcServerTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<GrpcServer>> Start(const GrpcListener& listener) {
    return GrpcServer::Start(listener,
                             {.decisions = decisions_,
                              .metrics = metrics_,
                              .executor = world_.executor,
                              .clock = world_.clock,
                              .random = world_.random,
                              .files = world_.files,
                              .logger = world_.logger});
  }
  static GrpcListener Loopback() {
    GrpcListener listener;
    listener.listen = "127.0.0.1:0";
    return listener;
  }
  // A channel of its own: connects and shakes hands anew.
  static std::shared_ptr<grpc::Channel> Connect(
      const GrpcServer& server,
      const std::shared_ptr<grpc::ChannelCredentials>& credentials =
          grpc::InsecureChannelCredentials()) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(server.port()), credentials, arguments);
  }
  static grpc::Status Ask(const std::shared_ptr<grpc::Channel>& channel,
                          const ScaledObjectRef& object = {}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(10));
    IsActiveResponse response;
    return ExternalScaler::NewStub(channel)->IsActive(&context, object, &response);
  }
  // The raw answer of grpc.health.v1, whose proto Debian does not ship: 1 SERVING, 2 NOT_SERVING.
  static int Health(const std::shared_ptr<grpc::Channel>& channel, const std::string& service) {
    std::string request;
    if (!service.empty()) {
      request = std::string("\x0a") + static_cast<char>(service.size()) + service;
    }
    const grpc::Slice slice(request);
    const grpc::ByteBuffer in(&slice, 1);
    grpc::ByteBuffer out;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(10));
    grpc::CompletionQueue queue;
    grpc::Status status;
    const auto call = grpc::GenericStub(channel).PrepareUnaryCall(
        &context, "/grpc.health.v1.Health/Check", in, &queue);
    call->StartCall();
    call->Finish(&out, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    if (!status.ok()) return -status.error_code();
    grpc::Slice answer;
    EXPECT_TRUE(out.TrySingleSlice(&answer).ok());
    return answer.size() == 2 ? *(answer.begin() + 1) : 0;
  }

  stoker::testing::FakeWorld world_;
  stoker::testing::FakeDecisions decisions_;
  Metrics metrics_{world_.clock, "test"};
};

TEST_F(GrpcServerTest, AnswersKedaAndHealthChecks) {
  const auto server = Start(Loopback());
  ASSERT_TRUE(server) << server.error().message;
  decisions_.SetReplicas(1);
  const auto channel = Connect(**server);
  EXPECT_TRUE(Ask(channel).ok());
  EXPECT_EQ(Health(channel, ""), 1);
  EXPECT_EQ(Health(channel, "externalscaler.ExternalScaler"), 1);
  EXPECT_EQ(Health(channel, "other"), -grpc::StatusCode::NOT_FOUND);
}

TEST_F(GrpcServerTest, ASecondServerOnThePortIsRefusedWithTheMend) {
  const auto first = Start(Loopback());
  ASSERT_TRUE(first);
  GrpcListener listener;
  listener.listen = "127.0.0.1:" + std::to_string((*first)->port());
  const auto second = Start(listener);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr("cannot listen on " + listener.listen));
  EXPECT_THAT(second.error().message, HasSubstr("server.grpc.listen"));
}

TEST_F(GrpcServerTest, RefusesAnOversizedMessage) {
  const auto server = Start(Loopback());
  ASSERT_TRUE(server);
  ScaledObjectRef object;
  (*object.mutable_scalermetadata())["policySpec"] = std::string(2U << 20U, 'x');
  EXPECT_EQ(Ask(Connect(**server), object).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(GrpcServerTest, DrainFinishesCallsInFlightAndStreams) {
  auto server = Start(Loopback());
  ASSERT_TRUE(server);
  const auto channel = Connect(**server);
  decisions_.SetPatient(true);
  const auto stub = ExternalScaler::NewStub(channel);
  Activity stream([&](grpc::ClientContext* context) {
    return stub->StreamIsActive(context, ScaledObjectRef{});
  });
  ASSERT_TRUE(decisions_.AwaitSubscriptions(1));
  auto call = std::async(std::launch::async, [&] { return Ask(channel); });
  ASSERT_TRUE(decisions_.AwaitWaiting(1));
  auto drained = std::async(std::launch::async, [&] { (*server)->Drain(seconds(10)); });
  EXPECT_TRUE(stream.AwaitEnd().ok());
  decisions_.SetReplicas(1);
  EXPECT_TRUE(call.get().ok());
  drained.get();
  EXPECT_EQ(Ask(channel).error_code(), grpc::StatusCode::UNAVAILABLE);
  (*server)->Drain(seconds(10));
}

TEST_F(GrpcServerTest, StreamsEndBeforeTheirConnectionDoes) {
  GrpcListener listener = Loopback();
  listener.max_connection_age = minutes(9);
  const auto server = Start(listener);
  ASSERT_TRUE(server);
  const auto stub = ExternalScaler::NewStub(Connect(**server));
  Activity stream([&](grpc::ClientContext* context) {
    return stub->StreamIsActive(context, ScaledObjectRef{});
  });
  ASSERT_TRUE(decisions_.AwaitSubscriptions(1));
  world_.clock.Advance(minutes(6));
  EXPECT_TRUE(stream.AwaitEnd().ok());
}

class GrpcServerTlsTest : public GrpcServerTest {
 protected:
  GrpcServerTlsTest() { decisions_.SetReplicas(1); }

  std::string Pem(const std::string& path) const {
    const Result<std::string> content = SystemFileSystem().Read(path);
    EXPECT_TRUE(content) << path;
    return content.value_or("");
  }
  // What the server finds under the fixed names of its configuration.
  void Install(const stoker::testing::TlsFiles& certificate) {
    world_.files.Write("/tls/tls.crt", Pem(certificate.cert));
    world_.files.Write("/tls/tls.key", Pem(certificate.key));
  }
  GrpcListener Listener(bool ask, bool require) {
    world_.files.Write("/tls/ca.crt", Pem(client_ca_.cert));
    GrpcListener listener = Loopback();
    listener.tls = ListenTls{.cert = "/tls/tls.crt",
                             .key = "/tls/tls.key",
                             .client_ca = ask ? "/tls/ca.crt" : "",
                             .require_client_cert = require};
    return listener;
  }
  std::shared_ptr<grpc::ChannelCredentials> Trusting(
      const stoker::testing::TlsFiles& authority,
      const stoker::testing::TlsFiles* client = nullptr) const {
    grpc::SslCredentialsOptions options{.pem_root_certs = Pem(authority.cert)};
    if (client != nullptr) {
      options.pem_cert_chain = Pem(client->cert);
      options.pem_private_key = Pem(client->key);
    }
    return grpc::SslCredentials(options);
  }
  bool LastPeerWasAuthenticated() const { return decisions_.asked().back().peer_authenticated; }

  stoker::testing::TempFolder folder_;
  stoker::testing::TlsFiles ca_ = stoker::testing::MakeAuthority(folder_, "ca");
  stoker::testing::TlsFiles client_ca_ = stoker::testing::MakeAuthority(folder_, "client-ca");
  stoker::testing::TlsFiles server_cert_ =
      stoker::testing::MakeCertificate(folder_, "server", ca_, "IP:127.0.0.1");
  stoker::testing::TlsFiles client_cert_ =
      stoker::testing::MakeCertificate(folder_, "client", client_ca_, "DNS:keda-operator");
};

TEST_F(GrpcServerTlsTest, ServesTlsAndNothingElse) {
  Install(server_cert_);
  const auto server = Start(Listener(false, false));
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_TRUE(Ask(Connect(**server, Trusting(ca_))).ok());
  EXPECT_FALSE(LastPeerWasAuthenticated());
  EXPECT_FALSE(Ask(Connect(**server)).ok());
  EXPECT_FALSE(Ask(Connect(**server, Trusting(client_ca_))).ok());
}

TEST_F(GrpcServerTlsTest, ClientCertificatesCanBeOptional) {
  Install(server_cert_);
  const auto server = Start(Listener(true, false));
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_TRUE(Ask(Connect(**server, Trusting(ca_))).ok());
  EXPECT_FALSE(LastPeerWasAuthenticated());
  EXPECT_TRUE(Ask(Connect(**server, Trusting(ca_, &client_cert_))).ok());
  EXPECT_TRUE(LastPeerWasAuthenticated());
  // One that does not verify is worse than none.
  EXPECT_FALSE(Ask(Connect(**server, Trusting(ca_, &server_cert_))).ok());
}

TEST_F(GrpcServerTlsTest, ClientCertificatesCanBeRequired) {
  Install(server_cert_);
  const auto server = Start(Listener(true, true));
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_FALSE(Ask(Connect(**server, Trusting(ca_))).ok());
  EXPECT_FALSE(Ask(Connect(**server, Trusting(ca_, &server_cert_))).ok());
  EXPECT_TRUE(Ask(Connect(**server, Trusting(ca_, &client_cert_))).ok());
  EXPECT_TRUE(LastPeerWasAuthenticated());
}

TEST_F(GrpcServerTlsTest, AFailedHandshakeIsLoggedOnceAMinuteForEachReason) {
  Install(server_cert_);
  const auto server = Start(Listener(true, true));
  ASSERT_TRUE(server) << server.error().message;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(Ask(Connect(**server, Trusting(ca_))).ok());
    EXPECT_FALSE(Ask(Connect(**server)).ok());
  }
  const auto lines = world_.logger.lines();
  EXPECT_EQ(std::ranges::count_if(lines,
                                  [](const std::string& line) {
                                    return line.find("reason=peer did not return a certificate") !=
                                           std::string::npos;
                                  }),
            1);
  EXPECT_EQ(std::ranges::count_if(lines,
                                  [](const std::string& line) {
                                    return line.find("reason=the client speaks no TLS") !=
                                           std::string::npos;
                                  }),
            1);
  world_.clock.Advance(minutes(1));
  EXPECT_FALSE(Ask(Connect(**server)).ok());
  EXPECT_EQ(world_.logger.lines().size(), lines.size() + 1);
}

TEST_F(GrpcServerTlsTest, FollowsARotationAndSurvivesABadOne) {
  Install(server_cert_);
  const auto server = Start(Listener(false, false));
  ASSERT_TRUE(server) << server.error().message;
  const auto old_channel = Connect(**server, Trusting(ca_));
  ASSERT_TRUE(Ask(old_channel).ok());

  const auto new_ca = stoker::testing::MakeAuthority(folder_, "new-ca");
  Install(stoker::testing::MakeCertificate(folder_, "new", new_ca, "IP:127.0.0.1"));
  world_.clock.Advance(seconds(1));
  EXPECT_TRUE(Ask(Connect(**server, Trusting(new_ca))).ok());
  EXPECT_FALSE(Ask(Connect(**server, Trusting(ca_))).ok());
  EXPECT_TRUE(Ask(old_channel).ok()) << "a connection that stands is left alone";
  EXPECT_THAT(world_.logger.text(), HasSubstr("certificate reloaded"));

  world_.files.Write("/tls/tls.key", Pem(server_cert_.key));  // half a rotation
  for (int i = 0; i < 3; ++i) {
    world_.clock.Advance(seconds(1));
    EXPECT_TRUE(Ask(Connect(**server, Trusting(new_ca))).ok());
  }
  int complaints = 0;
  for (const std::string& line : world_.logger.lines()) {
    if (line.find("rotated certificate is unusable") == std::string::npos) continue;
    ++complaints;
    EXPECT_THAT(line, HasSubstr("/tls/tls.key is not the key of the certificate in /tls/tls.crt"));
  }
  EXPECT_EQ(complaints, 1);

  Install(server_cert_);
  world_.clock.Advance(seconds(1));
  EXPECT_TRUE(Ask(Connect(**server, Trusting(ca_))).ok());
}

TEST_F(GrpcServerTlsTest, BadFilesAtTheStartNameTheFileAndTheMend) {
  const auto problem = [&] {
    const auto server = Start(Listener(true, true));
    return server ? "it started" : server.error().message;
  };
  EXPECT_THAT(problem(), HasSubstr("server.grpc.tls.cert: cannot read the file"));
  world_.files.Write("/tls/tls.crt", "nonsense");
  world_.files.Write("/tls/tls.key", "nonsense");
  EXPECT_THAT(problem(), HasSubstr("/tls/tls.crt holds no PEM certificate"));
  Install(server_cert_);
  world_.files.Write("/tls/tls.key", "nonsense");
  EXPECT_THAT(problem(), HasSubstr("/tls/tls.key holds no PEM private key"));
  world_.files.Write("/tls/tls.key", Pem(client_cert_.key));
  EXPECT_THAT(problem(), HasSubstr("replace both files together"));
  Install(server_cert_);
  GrpcListener listener = Listener(true, true);
  world_.files.Write("/tls/ca.crt", "nonsense");
  const auto server = Start(listener);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(server.error().message, HasSubstr("/tls/ca.crt holds no PEM certificate"));
}

}  // namespace
}  // namespace stoker::adapter
