#include "adapter/grpc/expander_server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/thread_executor.h"
#include "expander.grpc.pb.h"
#include "kubernetes.pb.h"
#include "tests/testing/fakes.h"
#include "tests/testing/tls_files.h"

namespace stoker::adapter {
namespace {

using grpcplugin::BestOptionsRequest;
using grpcplugin::BestOptionsResponse;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

k8s::Pod Pod(const std::string& name, const std::string& role) {
  k8s::Pod pod;
  pod.mutable_metadata()->set_name(name);
  if (!role.empty()) (*pod.mutable_metadata()->mutable_labels())["spark-role"] = role;
  auto& requests = *pod.mutable_spec()->add_containers()->mutable_resources()->mutable_requests();
  requests["cpu"].set_string("4");
  requests["memory"].set_string("18Gi");
  return pod;
}

std::string Node(const std::string& type, const std::string& capacity_type) {
  k8s::Node node;
  auto& labels = *node.mutable_metadata()->mutable_labels();
  labels["node.kubernetes.io/instance-type"] = type;
  labels["eks.amazonaws.com/capacityType"] = capacity_type;
  auto& allocatable = *node.mutable_status()->mutable_allocatable();
  allocatable["cpu"].set_string("7910m");
  allocatable["memory"].set_string("31000Mi");
  allocatable["pods"].set_string("58");
  return node.SerializeAsString();
}

/// One executor fits either of two groups.
BestOptionsRequest TwoGroups(const std::string& role = "executor") {
  BestOptionsRequest request;
  for (const char* group : {"od", "spot"}) {
    grpcplugin::Option* const option = request.add_options();
    option->set_nodegroupid(group);
    option->set_nodecount(1);
    option->add_podbytes(Pod("etl-exec-1", role).SerializeAsString());
  }
  (*request.mutable_nodebytesmap())["od"] = Node("m5.2xlarge", "ON_DEMAND");
  (*request.mutable_nodebytesmap())["spot"] = Node("m5.2xlarge", "SPOT");
  return request;
}

std::vector<std::string> Groups(const BestOptionsResponse& response) {
  std::vector<std::string> groups;
  for (const grpcplugin::Option& option : response.options())
    groups.push_back(option.nodegroupid());
  return groups;
}

class ExpanderServerTest : public ::testing::Test {
 protected:
  ExpanderServerTest() {
    Install("server");
    auto rules = std::make_shared<capacity::ExpanderRules>();
    rules->prices = capacity::NodePrices({}, rightsizing::Catalogue());
    rules_ = std::move(rules);
  }
  ~ExpanderServerTest() override {
    server_.reset();
    executor_.Stop();
  }

  std::string Pem(const std::string& path) const {
    const Result<std::string> content = SystemFileSystem().Read(path);
    EXPECT_TRUE(content) << path;
    return content.value_or("");
  }
  void Install(const std::string& name) {
    const auto certificate = stoker::testing::MakeCertificate(folder_, name, ca_, "IP:127.0.0.1");
    world_.files.Write("/tls/tls.crt", Pem(certificate.cert));
    world_.files.Write("/tls/tls.key", Pem(certificate.key));
  }
  Status Start(const std::string& listen = "127.0.0.1:0") {
    ExpanderListener listener{.listen = listen,
                              .tls = {.cert = "/tls/tls.crt", .key = "/tls/tls.key"}};
    auto server = ExpanderServer::Start(listener,
                                        {.rules =
                                             [this] {
                                               if (throws_) throw std::runtime_error("broken");
                                               return rules_;
                                             },
                                         .failures = [this] { return failures_; },
                                         .log = log_,
                                         .metrics = metrics_,
                                         .executor = executor_,
                                         .clock = world_.clock,
                                         .logger = world_.logger},
                                        world_.files);
    if (!server) return Fail(server.error());
    server_ = std::move(*server);
    return {};
  }
  std::shared_ptr<grpc::Channel> Connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(-1);
    const grpc::SslCredentialsOptions options{.pem_root_certs = Pem(ca_.cert)};
    return grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(server_->port()), grpc::SslCredentials(options), arguments);
  }
  grpc::Status Ask(const BestOptionsRequest& request, BestOptionsResponse& response) const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(30));
    return grpcplugin::Expander::NewStub(Connect())->BestOptions(&context, request, &response);
  }
  std::vector<std::string> ChosenOf(const BestOptionsRequest& request) const {
    BestOptionsResponse response;
    const grpc::Status status = Ask(request, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return Groups(response);
  }

  stoker::testing::FakeWorld world_;
  stoker::testing::TempFolder folder_;
  stoker::testing::TlsFiles ca_ = stoker::testing::MakeAuthority(folder_, "ca");
  Metrics metrics_{world_.clock, "test"};
  capacity::ChoiceLog log_;
  std::shared_ptr<const capacity::ExpanderRules> rules_;
  capacity::GroupFailures failures_;
  bool throws_ = false;
  ThreadExecutor executor_{1};
  std::unique_ptr<ExpanderServer> server_;
};

TEST_F(ExpanderServerTest, ChoosesAndSaysWhy) {
  ASSERT_TRUE(Start());
  BestOptionsResponse response;
  ASSERT_TRUE(Ask(TwoGroups(), response).ok());
  EXPECT_THAT(Groups(response), ElementsAre("spot"));
  EXPECT_THAT(response.options(0).debug(), HasSubstr("chosen for 1 executor: spot"));
  const auto recent = log_.Recent();
  ASSERT_EQ(recent.size(), 1U);
  ASSERT_EQ(recent[0].choice.verdicts.size(), 2U);
  EXPECT_EQ(recent[0].choice.verdicts[0].why, "dropped: not spot, where executors go");
  EXPECT_THAT(world_.logger.text(),
              HasSubstr("expander: node groups chosen options=2 chosen=spot"));
}

TEST_F(ExpanderServerTest, ReadsTheOlderFormOfTheRequest) {
  ASSERT_TRUE(Start());
  BestOptionsRequest request = TwoGroups();
  for (auto& option : *request.mutable_options())
    option.mutable_pod()->Swap(option.mutable_podbytes());
  request.mutable_nodemap()->swap(*request.mutable_nodebytesmap());
  EXPECT_THAT(ChosenOf(request), ElementsAre("spot"));
}

TEST_F(ExpanderServerTest, SkipsFieldsThatItDoesNotKnow) {
  ASSERT_TRUE(Start());
  BestOptionsRequest request = TwoGroups();
  for (auto& option : *request.mutable_options()) {
    // Field 99 of a Pod: bytes.
    option.set_podbytes(0, option.podbytes(0) + std::string("\x9a\x06\x03new"));
  }
  EXPECT_THAT(ChosenOf(request), ElementsAre("spot"));
}

TEST_F(ExpanderServerTest, LeavesAloneWhatItCannotRead) {
  ASSERT_TRUE(Start());
  EXPECT_THAT(ChosenOf(TwoGroups("")), ElementsAre("od", "spot"));
  BestOptionsRequest request = TwoGroups();
  request.mutable_options(0)->set_podbytes(0, "\xff\xff\xff nonsense");
  EXPECT_THAT(ChosenOf(request), ElementsAre("od", "spot"));
  request = TwoGroups();
  for (auto& option : *request.mutable_options()) option.clear_podbytes();
  EXPECT_THAT(ChosenOf(request), ElementsAre("od", "spot"));
  request = TwoGroups();
  request.clear_nodebytesmap();
  EXPECT_THAT(ChosenOf(request), ElementsAre("od", "spot"));
  k8s::Pod pod = Pod("etl-exec-1", "executor");
  (*pod.mutable_spec()->mutable_overhead())["cpu"].set_string("much");
  request = TwoGroups();
  request.mutable_options(0)->set_podbytes(0, pod.SerializeAsString());
  EXPECT_THAT(ChosenOf(request), ElementsAre("od", "spot"));
}

TEST_F(ExpanderServerTest, BacksOffFromFailedGroups) {
  ASSERT_TRUE(Start());
  failures_["spot"] = {.last = world_.clock.WallNow(), .reason = "OutOfResource"};
  EXPECT_THAT(ChosenOf(TwoGroups()), ElementsAre("od"));
}

TEST_F(ExpanderServerTest, TakesMessagesOfManyPods) {
  ASSERT_TRUE(Start());
  BestOptionsRequest request = TwoGroups();
  for (auto& option : *request.mutable_options()) {
    for (int i = 0; i < 3000; ++i) {
      k8s::Pod pod = Pod("etl-exec-" + std::to_string(i), "executor");
      (*pod.mutable_metadata()->mutable_annotations())["padding"] = std::string(2000, 'x');
      option.add_podbytes(pod.SerializeAsString());
    }
  }
  ASSERT_GT(request.ByteSizeLong(), 8U << 20U);
  EXPECT_THAT(ChosenOf(request), ElementsAre("spot"));
}

TEST_F(ExpanderServerTest, AnErrorIsWhatTroubleEndsInNeverAnEmptyList) {
  ASSERT_TRUE(Start());
  BestOptionsResponse response;
  EXPECT_EQ(Ask({}, response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  throws_ = true;
  EXPECT_EQ(Ask(TwoGroups(), response).error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(world_.logger.text(), HasSubstr("the expander threw"));
}

TEST_F(ExpanderServerTest, CountsAGroupOnceAndCapsLabels) {
  ASSERT_TRUE(Start());
  BestOptionsRequest request;
  for (int i = 0; i < 2000; ++i) {
    request.add_options()->set_nodegroupid("g" + std::to_string(i % 1500));
  }
  const auto groups = ChosenOf(request);
  EXPECT_EQ(groups.size(), 1500U);
  EXPECT_EQ(log_.Recent()[0].options, 2000);
}

TEST_F(ExpanderServerTest, KeepsNoIdsThatAreNone) {
  ASSERT_TRUE(Start());
  BestOptionsRequest request = TwoGroups();
  request.mutable_options(0)->set_nodegroupid(std::string(1024, 'g'));
  EXPECT_EQ(ChosenOf(request).size(), 1U);
  request.mutable_options(0)->set_nodegroupid(std::string(1025, 'g'));
  BestOptionsResponse response;
  EXPECT_EQ(Ask(request, response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(log_.Recent().size(), 1U);
}

TEST_F(ExpanderServerTest, FollowsARotationOfItsCertificate) {
  ASSERT_TRUE(Start());
  EXPECT_THAT(ChosenOf(TwoGroups()), ElementsAre("spot"));
  ca_ = stoker::testing::MakeAuthority(folder_, "new-ca");
  Install("new");
  world_.clock.Advance(seconds(1));
  EXPECT_THAT(ChosenOf(TwoGroups()), ElementsAre("spot"));
}

TEST_F(ExpanderServerTest, StartTellsWhatIsWrong) {
  world_.files.Write("/tls/tls.key", "nonsense");
  const Status bad_key = Start();
  ASSERT_FALSE(bad_key);
  EXPECT_THAT(bad_key.error().message, HasSubstr("server.expander.tls.key: /tls/tls.key holds no"));
  Install("again");
  ASSERT_TRUE(Start());
  const auto first = std::move(server_);
  const Status taken = Start("127.0.0.1:" + std::to_string(first->port()));
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message, HasSubstr("change server.expander.listen"));
}

}  // namespace
}  // namespace stoker::adapter
