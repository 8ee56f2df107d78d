#include "upstream/kubernetes/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/testing/fake_waiter.h"
#include "tests/testing/fakes.h"

namespace stoker::kubernetes {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kToken[] = "/var/run/secrets/kubernetes.io/serviceaccount/token";

std::string List(const std::string& names, const std::string& next = "") {
  std::string items;
  for (const char name : names) {
    items += (items.empty() ? "" : ",") + std::string(R"({"metadata":{"name":")") + name + R"("}})";
  }
  return R"({"kind":"PodList","metadata":{"continue":")" + next + R"("},"items":[)" + items + "]}";
}

struct Kubernetes : ::testing::Test {
  testing::FakeWorld world;
  std::shared_ptr<testing::FakeWaiter> waiter = std::make_shared<testing::FakeWaiter>(world.clock);
  std::unique_ptr<Client> client;
  /// What the API server answers, one after the other; the last one again and again.
  std::vector<HttpResponse> answers;

  void SetUp() override {
    world.environment.Set("KUBERNETES_SERVICE_HOST", "10.96.0.1");
    world.environment.Set("KUBERNETES_SERVICE_PORT", "6443");
    world.files.Write(kToken, "t0ken\n");
    world.transport->set_handler([this](const HttpRequest&) -> Result<HttpResponse> {
      const HttpResponse answer = answers.front();
      if (answers.size() > 1) answers.erase(answers.begin());
      return answer;
    });
  }
  Result<std::unique_ptr<Client>> Create() {
    return Client::InCluster({world.clock,
                              world.random,
                              world.environment,
                              world.files,
                              world.transports,
                              world.observer,
                              waiter});
  }
  Result<std::vector<Pod>> Ask(const std::string& selector = "spark-role=driver") {
    if (!client) {
      auto made = Create();
      if (!made) throw std::runtime_error(made.error().message);
      client = std::move(*made);
    }
    return client->ListPods(
        "team-a", {.labels = selector}, world.clock.MonotonicNow() + seconds(3), {});
  }
  void Answer(int status, const std::string& body) {
    answers = {HttpResponse{.status = status, .body = body}};
  }
  HttpRequest Last() { return world.transport->requests().back(); }
};

TEST_F(Kubernetes, AsksTheApiServerAsTheServiceAccount) {
  Answer(200, List("ab"));
  const auto pods = Ask("spark-role=driver,spark-app-name in (a, b)");
  ASSERT_TRUE(pods) << pods.error().message;
  ASSERT_THAT(*pods, SizeIs(2));
  EXPECT_EQ(pods->at(1).name, "b");
  EXPECT_EQ(Last().method, "GET");
  EXPECT_EQ(Last().url,
            "https://10.96.0.1:6443/api/v1/namespaces/team-a/pods?labelSelector="
            "spark-role%3Ddriver%2Cspark-app-name%20in%20%28a%2C%20b%29&limit=250");
  EXPECT_EQ((HttpResponse{.headers = Last().headers}.Header("Authorization")), "Bearer t0ken");
  EXPECT_EQ(world.transports.created.at(0).ca_file,
            "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
  EXPECT_FALSE(world.transports.created.at(0).insecure_skip_verify);
  EXPECT_EQ(world.observer.Count("kubernetes", 200), 1);
}

TEST_F(Kubernetes, AnIpv6AddressGetsItsBrackets) {
  world.environment.Set("KUBERNETES_SERVICE_HOST", "fd00::1");
  Answer(200, List(""));
  ASSERT_TRUE(Ask());
  EXPECT_THAT(Last().url, ::testing::StartsWith("https://[fd00::1]:6443/api/"));
}

TEST_F(Kubernetes, OutsideOfAClusterItSaysSo) {
  world.environment.Set("KUBERNETES_SERVICE_HOST", "");
  const auto made = Create();
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("KUBERNETES_SERVICE_HOST is not set"));
}

TEST_F(Kubernetes, AddsThePagesUp) {
  answers = {{.status = 200, .body = List("ab", "n+1=")}, {.status = 200, .body = List("c")}};
  const auto pods = Ask();
  ASSERT_TRUE(pods) << pods.error().message;
  ASSERT_THAT(*pods, SizeIs(3));
  EXPECT_EQ(pods->at(2).name, "c");
  ASSERT_THAT(world.transport->requests(), SizeIs(2));
  EXPECT_THAT(world.transport->requests()[0].url, Not(HasSubstr("continue")));
  EXPECT_THAT(Last().url, HasSubstr("&limit=250&continue=n%2B1%3D"));
}

TEST_F(Kubernetes, BeginsAnewWhenTheNextPageIsGone) {
  answers = {{.status = 200, .body = List("ab", "old")},
             {.status = 410, .body = "{}"},
             {.status = 200, .body = List("bc")}};
  const auto pods = Ask();
  ASSERT_TRUE(pods) << pods.error().message;
  ASSERT_THAT(*pods, SizeIs(2));
  EXPECT_EQ(pods->at(0).name, "b");
  EXPECT_THAT(Last().url, Not(HasSubstr("continue")));
}

TEST_F(Kubernetes, AListWithoutEndIsAnError) {
  Answer(200, List("a", "more"));
  const auto pods = Ask();
  ASSERT_FALSE(pods);
  EXPECT_EQ(pods.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(world.transport->requests(), SizeIs(100));
}

TEST_F(Kubernetes, ReadsTheTokenAnewForEveryRequest) {
  Answer(200, List(""));
  ASSERT_TRUE(Ask());
  world.files.Write(kToken, "fresh");
  EXPECT_THAT(*Ask(), IsEmpty());
  EXPECT_EQ((HttpResponse{.headers = Last().headers}.Header("Authorization")), "Bearer fresh");
  world.files.Remove(kToken);
  const auto without = Ask();
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(without.error().message, HasSubstr("automountServiceAccountToken"));
}

TEST_F(Kubernetes, RefusalsComeWithTheirMend) {
  struct Case {
    int status;
    ErrorCode code;
    const char* message;
  };
  for (const Case& each :
       {Case{400, ErrorCode::kInvalidArgument, "selector; write it as key=value"},
        Case{401, ErrorCode::kUnauthenticated, "does not accept the service account's token"},
        Case{403,
             ErrorCode::kPermissionDenied,
             "may not list pods in namespace 'team-a'; give it a Role there with verb list on "
             "resource pods"},
        Case{302, ErrorCode::kUnavailable, "Kubernetes answered 302"},
        Case{404, ErrorCode::kUnavailable, "Kubernetes answered 404"},
        Case{410, ErrorCode::kUnavailable, "Kubernetes answered 410"},
        Case{500, ErrorCode::kUnavailable, "Kubernetes answered 500"},
        Case{200, ErrorCode::kUnavailable, "not the API server's list of pods"}}) {
    Answer(each.status, R"({"kind":"Status","message":"secret"})");
    const auto pods = Ask();
    ASSERT_FALSE(pods) << each.status;
    EXPECT_EQ(pods.error().code, each.code) << each.status;
    EXPECT_THAT(pods.error().message, AllOf(HasSubstr(each.message), Not(HasSubstr("secret"))));
  }
}

TEST_F(Kubernetes, TriesAgainWithinTheDeadline) {
  answers = {{.status = 503, .body = ""}, {.status = 200, .body = List("a")}};
  ASSERT_TRUE(Ask());
  EXPECT_THAT(waiter->waits, SizeIs(1));
}

TEST_F(Kubernetes, AnApiServerThatIsNotThereIsAFault) {
  world.transport->set_handler([](const HttpRequest& request) -> Result<HttpResponse> {
    EXPECT_FALSE(request.tell_absence);
    EXPECT_EQ(request.max_body_bytes, 16U << 20U);
    return Fail(ErrorCode::kUnavailable, "10.96.0.1:6443: while connecting: refused");
  });
  const auto pods = Ask();
  ASSERT_FALSE(pods);
  EXPECT_EQ(pods.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(pods.error().message, HasSubstr("Kubernetes: 10.96.0.1:6443"));
}

}  // namespace
}  // namespace stoker::kubernetes
