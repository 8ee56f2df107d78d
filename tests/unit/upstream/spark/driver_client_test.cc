#include "upstream/spark/driver_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_driver.h"
#include "tests/testing/fake_waiter.h"
#include "tests/testing/fakes.h"

namespace stoker::spark {
namespace {

using ::testing::ElementsAre;
using testing::FakeDriver;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kStages[] =
    R"([{"status":"ACTIVE","numTasks":48,"numCompletedIndices":0,"numActiveTasks":8}])";
constexpr char kExecutors[] = R"([{"id":"driver","maxTasks":0},{"id":"1","maxTasks":4}])";

class DriverClient : public ::testing::Test {
 protected:
  DriverClient() {
    driver_.stages = kStages;
    driver_.executors = kExecutors;
    Serve(driver_);
  }
  void Serve(const FakeDriver& driver) {
    world_.transport->set_handler(
        [driver](const HttpRequest& request) { return driver.Answer(request); });
  }
  void Fault(Error error) {
    world_.transport->set_handler(
        [error](const HttpRequest&) -> Result<HttpResponse> { return Fail(error); });
  }
  Result<Demand> Read(const std::vector<Driver>& drivers = {{"http://d:4040", "the driver", ""}}) {
    return reader_.Read(drivers, world_.clock.MonotonicNow() + std::chrono::seconds(3), {});
  }
  /// What was asked since the last call, without the host and the application.
  std::vector<std::string> Asked() {
    std::vector<std::string> paths;
    const std::vector<HttpRequest> all = world_.transport->requests();
    for (; asked_ < all.size(); ++asked_) {
      paths.push_back(
          all[asked_].url.substr(all[asked_].url.rfind('/', all[asked_].url.size() - 2)));
    }
    return paths;
  }

  testing::FakeWorld world_;
  FakeDriver driver_;
  std::unique_ptr<Client> client_ =
      *Client::Create({.connection = "apps"},
                      {world_.clock,
                       world_.random,
                       world_.transports,
                       world_.observer,
                       std::make_shared<testing::FakeWaiter>(world_.clock)});
  DemandReader reader_{*client_};
  std::size_t asked_ = 0;
};

TEST_F(DriverClient, CountsTasksOverSlots) {
  const auto demand = Read();
  ASSERT_TRUE(demand) << demand.error().message;
  EXPECT_EQ(demand->executors, 12);
  EXPECT_EQ(demand->applications, 1);
  EXPECT_EQ(demand->counted_by_spark, 0);
  EXPECT_EQ(demand->pending, 40);
  EXPECT_EQ(demand->running, 8);
  EXPECT_EQ(demand->min_slots, 4);
  EXPECT_EQ(demand->max_slots, 4);
}

TEST_F(DriverClient, PrefersSparksOwnCount) {
  driver_.metrics =
      R"({"gauges":{"x.driver.ExecutorAllocationManager.executors.numberMaxNeededExecutors":{"value":13}}})";
  Serve(driver_);
  for (int i = 0; i < 2; ++i) {
    const auto demand = Read();
    ASSERT_TRUE(demand);
    EXPECT_EQ(demand->executors, 13);
    EXPECT_EQ(demand->counted_by_spark, 1);
    EXPECT_THAT(Asked(), ElementsAre("/applications?status=running", "/json/"));
  }
}

TEST_F(DriverClient, MetricsThatFailAreAFault) {
  world_.transport->set_handler([this](const HttpRequest& request) -> Result<HttpResponse> {
    if (request.url.ends_with("/metrics/json/")) return HttpResponse{.status = 500};
    return driver_.Answer(request);
  });
  EXPECT_FALSE(Read());
}

TEST_F(DriverClient, AsksOnceForWhatDoesNotChange) {
  ASSERT_TRUE(Read());
  EXPECT_THAT(Asked(),
              ElementsAre("/applications?status=running",
                          "/json/",
                          "/stages?status=active",
                          "/executors",
                          "/environment"));
  ASSERT_TRUE(Read());
  EXPECT_THAT(Asked(), ElementsAre("/applications?status=running", "/stages?status=active"));
  EXPECT_EQ(Read()->executors, 12);
}

TEST_F(DriverClient, AsksNoMoreOfAnIdleApplication) {
  driver_.stages = "[]";
  Serve(driver_);
  ASSERT_TRUE(Read());
  const auto demand = Read();
  EXPECT_EQ(demand->applications, 1);
  EXPECT_EQ(demand->executors, 0);
  EXPECT_THAT(Asked(), Not(::testing::Contains("/executors")));
}

TEST_F(DriverClient, CountsByTheConfigurationUntilThereIsAnExecutor) {
  driver_.executors = R"([{"id":"driver","maxTasks":0}])";
  driver_.environment = R"({"sparkProperties":[["spark.executor.cores","2"]]})";
  Serve(driver_);
  EXPECT_EQ(Read()->executors, 24);
  driver_.executors = kExecutors;
  Serve(driver_);
  EXPECT_EQ(Read()->executors, 12);
}

TEST_F(DriverClient, LearnsOfNewProfiles) {
  ASSERT_TRUE(Read());
  static_cast<void>(Asked());
  driver_.stages =
      R"([{"status":"ACTIVE","numTasks":6,"numCompletedIndices":0,"numActiveTasks":0,"resourceProfileId":1}])";
  driver_.environment =
      R"({"sparkProperties":[],"resourceProfiles":[{"id":1,"executorResources":{"cores":{"amount":3}},"taskResources":{"cpus":{"amount":1.0}}}]})";
  Serve(driver_);
  EXPECT_EQ(Read()->executors, 2);
  EXPECT_THAT(Asked(), ::testing::Contains("/environment"));
  EXPECT_EQ(Read()->executors, 2);
  EXPECT_THAT(Asked(), Not(::testing::Contains("/environment")));
}

TEST_F(DriverClient, OnlyTheApplicationAskedForCounts) {
  EXPECT_EQ(Read({{"http://d:4040", "the driver", "job"}})->applications, 1);
  EXPECT_EQ(Read({{"http://d:4040", "the driver", "app-1"}})->applications, 1);
  const auto other = Read({{"http://d:4040", "the driver", "jo"}});
  EXPECT_EQ(other->applications, 0);
  EXPECT_EQ(other->executors, 0);
}

TEST_F(DriverClient, AddsUpDrivers) {
  const std::vector<Driver> two = {{"http://d:4040", "a", ""}, {"http://e:4040", "b", ""}};
  EXPECT_EQ(Read(two)->executors, 24);
  EXPECT_EQ(Read(two)->applications, 2);
  world_.transport->set_handler([this](const HttpRequest& request) -> Result<HttpResponse> {
    if (request.url.starts_with("http://e")) return HttpResponse{.status = 500};
    return driver_.Answer(request);
  });
  const auto partial = Read(two);
  ASSERT_FALSE(partial) << "a partial sum";
  EXPECT_EQ(partial.error().message, "connection apps: b: it answered 500");
}

TEST_F(DriverClient, NobodyThereIsNoApplication) {
  Fault({ErrorCode::kNotFound, "d:4040: while connecting: Connection refused"});
  const auto demand = Read();
  ASSERT_TRUE(demand);
  EXPECT_EQ(demand->applications, 0);
  for (const HttpRequest& request : world_.transport->requests()) EXPECT_TRUE(request.tell_absence);
}

TEST_F(DriverClient, ADriverThatIsKnownToRunMustAnswer) {
  Fault({ErrorCode::kNotFound, "d:4040: while connecting: Connection refused"});
  const auto demand = Read({{"http://d:4040", "driver pod", "", false}});
  ASSERT_FALSE(demand);
  EXPECT_EQ(demand.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(demand.error().message,
              ::testing::AllOf(HasSubstr("connection apps: driver pod: while connecting"),
                               HasSubstr("spark.ui.enabled")));
}

TEST_F(DriverClient, ADriverThatEndsMeanwhileHasGone) {
  for (const char* path : {"/metrics/json/", "active", "/executors", "/environment"}) {
    bool gone = false;
    world_.transport->set_handler([&](const HttpRequest& request) -> Result<HttpResponse> {
      gone = gone || request.url.ends_with(path);
      if (gone) return Fail(ErrorCode::kNotFound, "d:4040: while connecting: Connection refused");
      return driver_.Answer(request);
    });
    DemandReader reader(*client_);
    const auto demand = reader.Read(
        {{"http://d:4040", "a", ""}}, world_.clock.MonotonicNow() + std::chrono::seconds(3), {});
    ASSERT_TRUE(demand) << path << ": " << demand.error().message;
    EXPECT_EQ(demand->applications, 0) << path;
    EXPECT_EQ(demand->executors, 0) << path;
  }
}

TEST_F(DriverClient, AListedApplicationThatItDoesNotFindIsAFault) {
  for (std::optional<std::string> FakeDriver::*part :
       {&FakeDriver::stages, &FakeDriver::executors, &FakeDriver::environment}) {
    FakeDriver lacking = driver_;
    lacking.*part = std::nullopt;
    Serve(lacking);
    DemandReader reader(*client_);
    const auto demand = reader.Read(
        {{"http://d:4040", "a", ""}}, world_.clock.MonotonicNow() + std::chrono::seconds(3), {});
    ASSERT_FALSE(demand) << "taken for gone";
    EXPECT_EQ(demand.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(demand.error().message, HasSubstr("a: it lists an application and answers 404"));
  }
}

TEST_F(DriverClient, SaysWhatIsWrong) {
  const auto answer = [&](int status, const std::string& body) {
    world_.transport->set_handler([=](const HttpRequest&) -> Result<HttpResponse> {
      return HttpResponse{.status = status, .headers = {}, .body = body};
    });
    const auto demand = Read();
    return demand ? "no fault" : demand.error().message;
  };
  EXPECT_THAT(answer(302, ""), HasSubstr("it answered 302, a redirect, which is not followed"));
  EXPECT_THAT(answer(200, "<html>"), HasSubstr("a web page, not Spark's JSON"));
  EXPECT_THAT(answer(200, "Spark is starting up. Please wait a while until it's ready."),
              HasSubstr("the driver is still starting"));
  EXPECT_THAT(answer(200, "{"), HasSubstr("not what Spark gives for applications"));
  EXPECT_THAT(answer(403, ""), HasSubstr("it answered 403; its UI wants a login"));
  EXPECT_THAT(answer(404, ""), HasSubstr("it answered 404; is this a driver's UI?"));
  EXPECT_THAT(answer(503, ""), HasSubstr("it answered 503"));
}

TEST_F(DriverClient, AnyPartThatIsNotSparksIsAFault) {
  for (std::optional<std::string> FakeDriver::*part : {&FakeDriver::stages,
                                                       &FakeDriver::executors,
                                                       &FakeDriver::environment,
                                                       &FakeDriver::metrics}) {
    FakeDriver odd = driver_;
    odd.*part = "<html>";
    Serve(odd);
    EXPECT_FALSE(Read());
  }
}

TEST_F(DriverClient, HidesTheHost) {
  Fault({ErrorCode::kDeadlineExceeded, "d:4040: no answer in time while connecting"});
  EXPECT_EQ(Read().error().message,
            "connection apps: the driver: no answer in time while connecting");
}

TEST_F(DriverClient, QuotesTheApplicationsId) {
  driver_.applications = R"([{"id":"../x?y","name":"job","attempts":[{"completed":false}]}])";
  driver_.id = "..%2Fx%3Fy";
  Serve(driver_);
  EXPECT_EQ(Read()->executors, 12);
}

}  // namespace
}  // namespace stoker::spark
