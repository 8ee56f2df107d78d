#include "upstream/kubernetes/exec_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_kubernetes.h"
#include "tests/testing/fake_waiter.h"
#include "tests/testing/fakes.h"
#include "upstream/kubernetes/client.h"

namespace stoker::kubernetes {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kVersion[] = "client.authentication.k8s.io/v1";

std::string Credential(const std::string& token, const std::string& expires) {
  return R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":)"
         R"({"token":")" +
         token + R"(","expirationTimestamp":")" + expires + R"("}})";
}

class FakeCommands final : public CommandRunner {
 public:
  Result<std::string> Run(const Command& command,
                          MonoTime /*deadline*/,
                          const std::stop_token& /*stop*/) override {
    programs.push_back(command.program);
    return output;
  }
  Result<std::string> output = Credential("first", "2026-01-05T00:15:00Z");
  std::vector<std::string> programs;
};

struct ExecTest : ::testing::Test {
  testing::FakeWorld world;
  FakeCommands commands;
  ExecPlugin plugin{{.program = "aws"}, kVersion, "install the AWS CLI"};
};

TEST_F(ExecTest, ATokenIsKeptUntilItRunsOut) {
  ExecCredentials credentials(plugin, world.clock, commands);
  EXPECT_EQ(credentials.Get({}, {}).value(), "first");
  world.clock.Advance(minutes(14));
  EXPECT_EQ(credentials.Get({}, {}).value(), "first");
  EXPECT_EQ(commands.programs.size(), 1U);
  world.clock.Advance(seconds(51));
  commands.output = Credential("second", "2026-01-05T00:30:00Z");
  EXPECT_EQ(credentials.Get({}, {}).value(), "second");
  credentials.Invalidate();
  commands.output = Credential("third", "");
  EXPECT_EQ(credentials.Get({}, {}).value(), "third");
  world.clock.Advance(std::chrono::hours(100));
  EXPECT_EQ(credentials.Get({}, {}).value(), "third");
}

TEST_F(ExecTest, FailuresNameTheProgramAndNoSecret) {
  ExecCredentials credentials(plugin, world.clock, commands);
  const auto message = [&](Result<std::string> output) {
    commands.output = std::move(output);
    return credentials.Get({}, {}).error().message;
  };
  EXPECT_EQ(message(Fail(ErrorCode::kNotFound, "aws: No such file or directory")),
            "logging in by exec: aws: No such file or directory; install the AWS CLI");
  EXPECT_EQ(message(Fail(ErrorCode::kUnavailable, "aws: it ended with exit code 255")),
            "logging in by exec: aws: it ended with exit code 255; run it by hand to see why");
  EXPECT_THAT(message("hunter2"), HasSubstr("aws: its answer is no ExecCredential"));
  EXPECT_THAT(
      message(R"({"kind":"ExecCredential","apiVersion":"v0","status":{"token":"hunter2"}})"),
      ::testing::AllOf(HasSubstr("another apiVersion"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(message(Credential("", "")), HasSubstr("it gave no token"));
}

TEST_F(ExecTest, TheClientShowsItAndAsksAnewWhenItIsNotAccepted) {
  testing::FakeKubernetes cluster;
  cluster.Join(world);
  cluster.set_token("second");
  Access access;
  access.server = "https://10.96.0.1";
  access.exec = plugin;
  access.who = "context 'eks'";
  ClientDeps deps{world.clock,
                  world.random,
                  world.environment,
                  world.files,
                  world.transports,
                  world.observer,
                  std::make_shared<testing::FakeWaiter>(world.clock)};
  const auto refused = Client::Connect(access, deps);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              HasSubstr("context 'eks' logs in by a program (exec), which Stoker runs only for"));

  deps.commands = &commands;
  const auto client = Client::Connect(access, deps);
  ASSERT_TRUE(client) << client.error().message;
  const auto list = [&] {
    return (*client)->List(
        {"", "v1", "pods", "a", ""}, {}, world.clock.MonotonicNow() + seconds(5), {});
  };
  EXPECT_EQ(list().error().reason, Reason::kUnauthorized);
  EXPECT_EQ(commands.programs.size(), 2U);
  commands.output = Credential("second", "2026-01-05T00:30:00Z");
  const auto good = list();
  ASSERT_TRUE(good) << good.error().error.message;
  EXPECT_EQ(commands.programs.size(), 3U);
  ASSERT_TRUE(list());
  EXPECT_EQ(commands.programs.size(), 3U);
}

}  // namespace
}  // namespace stoker::kubernetes
