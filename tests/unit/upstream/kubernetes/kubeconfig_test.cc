#include "upstream/kubernetes/kubeconfig.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml_json.h"
#include "tests/testing/fakes.h"

namespace stoker::kubernetes {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kTwoContexts[] = R"(apiVersion: v1
kind: Config
current-context: dev
clusters:
- name: dev
  cluster:
    server: https://dev.example:6443/
    certificate-authority-data: Q0EgUEVN
- name: prod
  cluster: {server: "https://prod.example/k8s/clusters/c-1", certificate-authority: pki/ca.pem, tls-server-name: api.prod}
- name: lab
  cluster: {server: https://lab.example, insecure-skip-tls-verify: true}
users:
- name: me
  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}
- name: robot
  user: {tokenFile: /run/token, token: old}
contexts:
- name: dev
  context: {cluster: dev, user: me}
- name: prod
  context: {cluster: prod, user: robot, namespace: spark}
- name: lab
  context: {cluster: lab}
)";

struct KubeconfigTest : ::testing::Test {
  testing::FakeEnvironment environment;
  testing::FakeFileSystem files;

  Result<Access> Find(const std::string& file = "", const std::string& context = "") {
    return FindAccess(
        {.kubeconfig = file, .context = context, .yaml = config::YamlToJson}, environment, files);
  }
  /// The message of a file that has one context of one cluster and user.
  std::string Complaint(const std::string& cluster, const std::string& user) {
    files.Write("/k",
                "current-context: c\nclusters: [{name: l, cluster: {" + cluster +
                    "}}]\nusers: [{name: u, user: {" + user +
                    "}}]\ncontexts: [{name: c, context: {cluster: l, user: u}}]\n");
    const Result<Access> found = Find("/k");
    return found ? "" : found.error().message;
  }
};

TEST_F(KubeconfigTest, TheCurrentContextLeadsToServerAndUser) {
  files.Write("/home/me/.kube/config", kTwoContexts);
  environment.Set("HOME", "/home/me");
  const Result<Access> access = Find();
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->server, "https://dev.example:6443");
  EXPECT_EQ(access->tls.ca_pem, "CA PEM");
  EXPECT_EQ(access->tls.cert_pem, "CERT");
  EXPECT_EQ(access->tls.key_pem, "KEY");
  EXPECT_EQ(access->name_space, "default");
  EXPECT_FALSE(access->tls.insecure_skip_verify);
  EXPECT_EQ(access->who, "context 'dev'");
}

TEST_F(KubeconfigTest, AContextCanBeNamed) {
  files.Write("/etc/kube/config", kTwoContexts);
  const Result<Access> prod = Find("/etc/kube/config", "prod");
  ASSERT_TRUE(prod) << prod.error().message;
  EXPECT_EQ(prod->server, "https://prod.example/k8s/clusters/c-1");
  EXPECT_EQ(prod->tls.ca_file, "/etc/kube/pki/ca.pem");
  EXPECT_EQ(prod->tls.server_name, "api.prod");
  EXPECT_EQ(prod->token_file, "/run/token");
  EXPECT_EQ(prod->name_space, "spark");
  const Result<Access> lab = Find("/etc/kube/config", "lab");
  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_TRUE(lab->tls.insecure_skip_verify);
  const Result<Access> none = Find("/etc/kube/config", "prdo");
  EXPECT_EQ(none.error().message,
            "/etc/kube/config: there is no context 'prdo'; see kubectl config view");
}

TEST_F(KubeconfigTest, OfSeveralFilesTheFirstThatSaysItCounts) {
  environment.Set("KUBECONFIG", "/a:/missing::/dir/b");
  files.Write("/a", "users: [{name: me, user: {token: first}}]");
  files.Write("/dir/b", kTwoContexts);
  const Result<Access> access = Find();
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->token, "first");
  EXPECT_EQ(access->server, "https://dev.example:6443");
}

TEST_F(KubeconfigTest, APodsOwnClusterGoesFirstUnlessAFileOrAContextIsNamed) {
  files.Write("/k", kTwoContexts);
  environment.Set("KUBECONFIG", "/k");
  environment.Set("KUBERNETES_SERVICE_HOST", "10.96.0.1");
  EXPECT_EQ(Find()->server, "https://10.96.0.1:443");
  EXPECT_EQ(Find("/k")->server, "https://dev.example:6443");
  EXPECT_EQ(Find("", "lab")->server, "https://lab.example");
}

TEST_F(KubeconfigTest, WithoutAnyItSaysSo) {
  EXPECT_THAT(Find().error().message, HasSubstr("no Kubernetes cluster"));
  EXPECT_EQ(Find().error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(Find("/nope").error().message, "kubeconfig: /nope: no such file");
  files.Write("/k", "[1, 2]");
  EXPECT_EQ(Find("/k").error().message, "/k: this is no kubeconfig");
  files.Write("/k", "{}");
  EXPECT_THAT(Find("/k").error().message, HasSubstr("no current-context"));
  files.Write("/k", "a: {");
  EXPECT_THAT(Find("/k").error().message, HasSubstr("/k:"));
}

TEST_F(KubeconfigTest, AProgramThatLogsInIsReadWithItsArguments) {
  const std::string exec =
      "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: bin/login, "
      "args: [eks, get-token], env: [{name: AWS_PROFILE, value: prod}], installHint: get it, "
      "provideClusterInfo: true}";
  ASSERT_EQ(Complaint("server: https://a", exec), "");
  const Result<Access> access = Find("/k");
  ASSERT_TRUE(access->exec);
  EXPECT_EQ(access->exec->command.program, "/bin/login");
  EXPECT_THAT(access->exec->command.arguments, ::testing::ElementsAre("eks", "get-token"));
  EXPECT_EQ(access->exec->command.environment.at("AWS_PROFILE"), "prod");
  EXPECT_THAT(
      access->exec->command.environment.at("KUBERNETES_EXEC_INFO"),
      ::testing::AllOf(HasSubstr(R"("interactive":false)"), HasSubstr(R"("server":"https://a")")));
  EXPECT_THAT(Complaint("server: https://a", "exec: {command: x}"), HasSubstr("apiVersion"));
  EXPECT_THAT(Complaint("server: https://a",
                        "exec: {apiVersion: client.authentication.k8s.io/v1, command: x, "
                        "interactiveMode: Always}"),
              HasSubstr("terminal"));
  EXPECT_THAT(Complaint("server: https://a", "exec: {apiVersion: client.authentication.k8s.io/v1}"),
              HasSubstr("no command"));
  EXPECT_THAT(Complaint("server: http://a", exec), HasSubstr("use https"));
}

TEST_F(KubeconfigTest, WhatIsNotUnderstoodIsRefusedWithTheMend) {
  const std::string good = "server: https://a";
  EXPECT_EQ(Complaint(good, "token: t"), "");
  EXPECT_EQ(Complaint("server: a", ""), "/k: cluster 'l': server is no http or https URL");
  EXPECT_THAT(Complaint(good + ", proxy-url: http://p", ""),
              HasSubstr("proxy-url is not supported"));
  EXPECT_THAT(Complaint(good + ", insecure-skip-tls-verify: maybe", ""),
              HasSubstr("true or false"));
  EXPECT_THAT(Complaint(good + ", certificate-authority-data: '*'", ""), HasSubstr("no base64"));
  EXPECT_THAT(Complaint(good, "auth-provider: {name: gcp}"), HasSubstr("auth-provider"));
  EXPECT_THAT(Complaint(good, "username: me, password: hunter2"),
              ::testing::AllOf(HasSubstr("username"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(Complaint(good, "token: t, as: root"), HasSubstr("impersonation"));
  EXPECT_THAT(Complaint(good, "client-certificate: c"), HasSubstr("go together"));
  EXPECT_THAT(Complaint("server: http://a", "token: hunter2"),
              ::testing::AllOf(HasSubstr("use https"), Not(HasSubstr("hunter2"))));
}

}  // namespace
}  // namespace stoker::kubernetes
