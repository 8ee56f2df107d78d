#include "adapter/grpc/external_scaler_service.h"

#include <atomic>
#include <cmath>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "adapter/status.h"
#include "tests/testing/fake_decisions.h"
#include "tests/testing/fakes.h"
#include "tests/unit/adapter/grpc/stream_reader.h"

namespace stoker::adapter {
namespace {

using externalscaler::ExternalScaler;
using externalscaler::GetMetricSpecResponse;
using externalscaler::GetMetricsRequest;
using externalscaler::GetMetricsResponse;
using externalscaler::IsActiveResponse;
using externalscaler::ScaledObjectRef;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using Activity = stoker::testing::StreamReader<IsActiveResponse>;
using Specs = stoker::testing::StreamReader<GetMetricSpecResponse>;

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest()
      : service_(ExternalScalerOptions{},
                 {.decisions = decisions_,
                  .metrics = metrics_,
                  .executor = world_.executor,
                  .clock = world_.clock,
                  .random = world_.random,
                  .files = world_.files,
                  .logger = world_.logger}) {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = ExternalScaler::NewStub(server_->InProcessChannel({}));
    object_.set_name("etl");
    object_.set_namespace_("team-a");
    (*object_.mutable_scalermetadata())["policy"] = "etl";
  }
  ~ServiceTest() override { service_.EndStreams(); }

  grpc::Status MetricSpec(GetMetricSpecResponse* response) {
    grpc::ClientContext context;
    return stub_->GetMetricSpec(&context, object_, response);
  }
  grpc::Status Metrics(const std::string& metric, GetMetricsResponse* response) {
    GetMetricsRequest request;
    *request.mutable_scaledobjectref() = object_;
    request.set_metricname(metric);
    grpc::ClientContext context;
    return stub_->GetMetrics(&context, request, response);
  }
  grpc::Status Active(IsActiveResponse* response) {
    grpc::ClientContext context;
    return stub_->IsActive(&context, object_, response);
  }
  std::unique_ptr<Activity> OpenActivity() {
    return std::make_unique<Activity>(
        [&](grpc::ClientContext* context) { return stub_->StreamIsActive(context, object_); });
  }
  std::unique_ptr<Specs> OpenSpecs() {
    return std::make_unique<Specs>(
        [&](grpc::ClientContext* context) { return stub_->StreamMetricSpec(context, object_); });
  }
  // Ends all streams and says how often `stream` said true, having checked that it never said
  // false.
  std::size_t TruesUntilEnd(Activity& stream) {
    service_.EndStreams();
    EXPECT_TRUE(stream.AwaitEnd().ok());
    for (const IsActiveResponse& message : stream.messages()) EXPECT_TRUE(message.result());
    return stream.messages().size();
  }
  std::string Rendered() { return metrics_.Render(decisions_, false); }

  stoker::testing::FakeWorld world_;
  stoker::testing::FakeDecisions decisions_;
  adapter::Metrics metrics_{world_.clock, "test"};
  ExternalScalerService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ExternalScaler::Stub> stub_;
  ScaledObjectRef object_;
};

TEST(StripTriggerPrefix, RemovesExactlyWhatKedaAdds) {
  EXPECT_EQ(StripTriggerPrefix("s0-stoker-etl"), "stoker-etl");
  EXPECT_EQ(StripTriggerPrefix("s12-stoker-etl"), "stoker-etl");
  EXPECT_EQ(StripTriggerPrefix("s1-s2-x"), "s2-x");
  for (const char* bare : {"stoker-etl", "", "s", "s-x", "s1", "s1x-y", "S1-x", "xs1-y"}) {
    EXPECT_EQ(StripTriggerPrefix(bare), bare);
  }
  EXPECT_EQ(StripTriggerPrefix("s1-"), "");
}

TEST_F(ServiceTest, SpecFillsFloatAndRoundedUpInteger) {
  decisions_.SetSpecs(std::vector<adapter::MetricSpec>{{.name = "stoker-etl", .target = 2.5}});
  GetMetricSpecResponse response;
  ASSERT_TRUE(MetricSpec(&response).ok());
  ASSERT_EQ(response.metricspecs_size(), 1);
  EXPECT_EQ(response.metricspecs(0).metricname(), "stoker-etl");
  EXPECT_EQ(response.metricspecs(0).targetsize(), 3);
  EXPECT_DOUBLE_EQ(response.metricspecs(0).targetsizefloat(), 2.5);
}

TEST_F(ServiceTest, PassesTheObjectOnWhole) {
  (*object_.mutable_scalermetadata())["scalerAddress"] = "stoker:6000";
  GetMetricSpecResponse response;
  ASSERT_TRUE(MetricSpec(&response).ok());
  ASSERT_THAT(decisions_.asked(), SizeIs(1));
  const ObjectRef asked = decisions_.asked().front();
  EXPECT_EQ(asked.name, "etl");
  EXPECT_EQ(asked.name_space, "team-a");
  EXPECT_EQ(
      asked.metadata,
      (std::map<std::string, std::string>{{"policy", "etl"}, {"scalerAddress", "stoker:6000"}}));
  EXPECT_FALSE(asked.peer_authenticated);
}

TEST_F(ServiceTest, MetricsAnswersOneValueNamedAsAsked) {
  decisions_.SetReplicas(7);
  decisions_.SetValue(MetricAnswer{.name = "stoker-etl", .value = 7.25});
  for (const char* asked : {"stoker-etl", "s0-stoker-etl", "s31-stoker-etl", ""}) {
    GetMetricsResponse response;
    ASSERT_TRUE(Metrics(asked, &response).ok());
    ASSERT_EQ(response.metricvalues_size(), 1);
    EXPECT_EQ(response.metricvalues(0).metricname(), "stoker-etl") << asked;
    EXPECT_EQ(response.metricvalues(0).metricvalue(), 8);
    EXPECT_DOUBLE_EQ(response.metricvalues(0).metricvaluefloat(), 7.25);
    EXPECT_EQ(decisions_.last_metric(), *asked == 0 ? "" : "stoker-etl");
  }
}

TEST_F(ServiceTest, ZeroIsAValueInBothFields) {
  decisions_.SetReplicas(0);
  GetMetricsResponse response;
  ASSERT_TRUE(Metrics("stoker-etl", &response).ok());
  ASSERT_EQ(response.metricvalues_size(), 1);
  EXPECT_EQ(response.metricvalues(0).metricvalue(), 0);
  EXPECT_DOUBLE_EQ(response.metricvalues(0).metricvaluefloat(), 0);
}

TEST_F(ServiceTest, ActivityFollowsTheDecision) {
  IsActiveResponse response;
  decisions_.SetReplicas(1);
  ASSERT_TRUE(Active(&response).ok());
  EXPECT_TRUE(response.result());
  decisions_.SetReplicas(0);
  ASSERT_TRUE(Active(&response).ok());
  EXPECT_FALSE(response.result());
}

TEST_F(ServiceTest, WaitsHalfASecondForTheFirstReading) {
  decisions_.SetPatient(true);
  GetMetricsResponse response;
  auto status = std::async(std::launch::async, [&] { return Metrics("stoker-etl", &response); });
  ASSERT_TRUE(decisions_.AwaitWaiting(1));
  EXPECT_EQ(decisions_.last_deadline(), world_.clock.MonotonicNow() + milliseconds(500));
  decisions_.SetReplicas(4);
  ASSERT_TRUE(status.get().ok());
  EXPECT_DOUBLE_EQ(response.metricvalues(0).metricvaluefloat(), 4);
}

TEST_F(ServiceTest, NoFirstReadingInTimeIsUnavailable) {
  decisions_.SetPatient(true);
  IsActiveResponse response;
  auto status = std::async(std::launch::async, [&] { return Active(&response); });
  ASSERT_TRUE(decisions_.AwaitWaiting(1));
  decisions_.ExpireWaiting();
  EXPECT_EQ(status.get().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServiceTest, AQuestionThatNobodyAnswersStillEnds) {
  decisions_.SetPatient(true);
  GetMetricsResponse response;
  auto status = std::async(std::launch::async, [&] { return Metrics("stoker-etl", &response); });
  ASSERT_TRUE(decisions_.AwaitWaiting(1));
  decisions_.DropWaiting();
  EXPECT_EQ(status.get().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServiceTest, ErrorsKeepTheirCodeAndMessage) {
  for (const StatusRow& row : StatusTable()) {
    decisions_.SetSpecs(Fail(row.code, "say what and the mend"));
    decisions_.SetDecision(Fail(row.code, "say what and the mend"));
    GetMetricSpecResponse specs;
    GetMetricsResponse values;
    IsActiveResponse active;
    for (const grpc::Status& status :
         {MetricSpec(&specs), Metrics("stoker-etl", &values), Active(&active)}) {
      EXPECT_EQ(status.error_code(), row.grpc) << row.grpc_name;
      EXPECT_EQ(status.error_message(), "say what and the mend");
    }
  }
}

TEST_F(ServiceTest, ADecisionThatFailedIsAnErrorNotAZero) {
  auto decision = std::make_shared<policy::Decision>();
  decision->error = Error{ErrorCode::kUnavailable, "backlog is too old"};
  decisions_.SetDecision(DecisionPtr(decision));
  GetMetricsResponse values;
  IsActiveResponse active;
  EXPECT_EQ(Metrics("stoker-etl", &values).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Active(&active).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServiceTest, ANumberKedaWouldReadAsZeroIsAnError) {
  decisions_.SetReplicas(3);
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -1.0}) {
    decisions_.SetValue(MetricAnswer{.name = "stoker-etl", .value = bad});
    GetMetricsResponse response;
    EXPECT_EQ(Metrics("stoker-etl", &response).error_code(), grpc::StatusCode::INTERNAL) << bad;
  }
}

TEST_F(ServiceTest, RefusesWhatIsTooMuch) {
  GetMetricSpecResponse response;
  for (int i = 0; i < 64; ++i) {
    (*object_.mutable_scalermetadata())["key" + std::to_string(i)] = "v";
  }
  EXPECT_EQ(MetricSpec(&response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  object_.clear_scalermetadata();
  (*object_.mutable_scalermetadata())["policySpec"] = std::string(70'000, 'x');
  EXPECT_EQ(MetricSpec(&response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(OpenActivity()->AwaitEnd().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  object_.clear_scalermetadata();
  object_.set_name(std::string(254, 'x'));
  EXPECT_EQ(MetricSpec(&response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(decisions_.asked(), SizeIs(0));
}

TEST_F(ServiceTest, MetricsWithoutAnObjectIsInvalid) {
  grpc::ClientContext context;
  GetMetricsResponse response;
  const grpc::Status status = stub_->GetMetrics(&context, GetMetricsRequest{}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("scaledObjectRef"));
}

TEST_F(ServiceTest, NoExceptionLeavesAHandler) {
  decisions_.SetThrowing(true);
  GetMetricSpecResponse specs;
  GetMetricsResponse values;
  IsActiveResponse active;
  for (const grpc::Status& status : {MetricSpec(&specs),
                                     Metrics("stoker-etl", &values),
                                     Active(&active),
                                     OpenActivity()->AwaitEnd(),
                                     OpenSpecs()->AwaitEnd()}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
    EXPECT_THAT(status.error_message(), Not(HasSubstr("a defect")));
  }
  EXPECT_THAT(world_.logger.text(), HasSubstr("method=GetMetrics what=a defect"));
}

TEST_F(ServiceTest, NoExceptionLeavesALateDecisionOrATimer) {
  const auto activity = OpenActivity();
  const auto specs = OpenSpecs();
  ASSERT_TRUE(decisions_.AwaitSubscriptions(2));
  decisions_.SetThrowing(true);
  decisions_.SetReplicas(1);  // Specs throws
  EXPECT_EQ(specs->AwaitEnd().error_code(), grpc::StatusCode::INTERNAL);
  world_.clock.Advance(minutes(1));  // Decide throws
  EXPECT_EQ(activity->AwaitEnd().error_code(), grpc::StatusCode::INTERNAL);
}

TEST_F(ServiceTest, CountsCallsByMethodAndCode) {
  GetMetricSpecResponse specs;
  GetMetricsResponse values;
  ASSERT_TRUE(MetricSpec(&specs).ok());
  ASSERT_FALSE(Metrics("stoker-etl", &values).ok());
  const auto stream = OpenActivity();
  service_.EndStreams();
  ASSERT_TRUE(stream->AwaitEnd().ok());
  server_->Shutdown();  // a stream is counted once it is over for both sides
  EXPECT_THAT(Rendered(),
              HasSubstr("stoker_grpc_requests_total{code=\"OK\",method=\"GetMetricSpec\"} 1"));
  EXPECT_THAT(
      Rendered(),
      HasSubstr("stoker_grpc_requests_total{code=\"UNAVAILABLE\",method=\"GetMetrics\"} 1"));
  EXPECT_THAT(Rendered(),
              HasSubstr("stoker_grpc_requests_total{code=\"OK\",method=\"StreamIsActive\"} 1"));
}

TEST_F(ServiceTest, ActivityStreamSaysTrueWhenOpenedActive) {
  decisions_.SetReplicas(5);
  const auto stream = OpenActivity();
  ASSERT_TRUE(stream->Await(1));
  EXPECT_EQ(TruesUntilEnd(*stream), 1U);
}

TEST_F(ServiceTest, ActivityStreamSaysTrueOnEdgesOnly) {
  decisions_.SetReplicas(0);
  const auto stream = OpenActivity();
  ASSERT_TRUE(decisions_.AwaitSubscriptions(1));
  decisions_.SetReplicas(2);
  ASSERT_TRUE(stream->Await(1));
  decisions_.SetReplicas(9);
  decisions_.Notify();
  decisions_.SetReplicas(0);
  decisions_.SetReplicas(0);
  decisions_.SetReplicas(1);
  ASSERT_TRUE(stream->Await(2));
  decisions_.SetReplicas(0);
  EXPECT_EQ(TruesUntilEnd(*stream), 2U);
}

TEST_F(ServiceTest, ActivityStreamRepeatsTrueOnceAMinuteWhileActive) {
  decisions_.SetReplicas(1);
  const auto stream = OpenActivity();
  ASSERT_TRUE(decisions_.AwaitSubscriptions(1));
  ASSERT_TRUE(stream->Await(1));
  world_.clock.Advance(seconds(59));
  decisions_.Notify();
  world_.clock.Advance(seconds(1));
  ASSERT_TRUE(stream->Await(2));
  decisions_.SetReplicas(0);
  world_.clock.Advance(minutes(5));
  EXPECT_EQ(TruesUntilEnd(*stream), 2U);
}

TEST_F(ServiceTest, ActivityStreamWaitsForAFirstDecision) {
  const auto stream = OpenActivity();
  ASSERT_TRUE(decisions_.AwaitSubscriptions(1));
  decisions_.SetDecision(Fail(ErrorCode::kNotFound, "no such policy"));
  world_.clock.Advance(minutes(3));
  decisions_.SetReplicas(1);
  ASSERT_TRUE(stream->Await(1));
  EXPECT_EQ(TruesUntilEnd(*stream), 1U);
}

TEST_F(ServiceTest, ActivityStreamTakesAFaultForNoChange) {
  decisions_.SetReplicas(1);
  const auto stream = OpenActivity();
  ASSERT_TRUE(decisions_.AwaitSubscriptions(1));
  ASSERT_TRUE(stream->Await(1));
  auto faulted = std::make_shared<policy::Decision>();
  faulted->error = Error{ErrorCode::kUnavailable, "too old"};
  decisions_.SetDecision(DecisionPtr(faulted));
  decisions_.SetReplicas(1);
  EXPECT_EQ(TruesUntilEnd(*stream), 1U);
}

TEST_F(ServiceTest, StreamsEndOnWhatWaitingCannotHeal) {
  for (const ErrorCode code : {ErrorCode::kInvalidArgument, ErrorCode::kPermissionDenied}) {
    decisions_.SetDecision(Fail(code, "not so"));
    const grpc::Status status = OpenActivity()->AwaitEnd();
    EXPECT_EQ(status.error_code(), StatusOf(code).grpc);
    EXPECT_EQ(status.error_message(), "not so");
  }
  decisions_.FailSubscribe({ErrorCode::kPermissionDenied, "inline is off"});
  EXPECT_EQ(OpenActivity()->AwaitEnd().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(OpenSpecs()->AwaitEnd().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(ServiceTest, AnOpenStreamEndsWhenItsPolicyNoLongerAdmitsIt) {
  decisions_.SetReplicas(0);
  const auto stream = OpenActivity();
  ASSERT_TRUE(decisions_.AwaitSubscriptions(1));
  decisions_.SetDecision(Fail(ErrorCode::kPermissionDenied, "not this namespace"));
  world_.clock.Advance(minutes(1));
  EXPECT_EQ(stream->AwaitEnd().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(ServiceTest, StreamsEndWithOkAfterTheirLifetime) {
  const auto activity = OpenActivity();
  const auto specs = OpenSpecs();
  ASSERT_TRUE(decisions_.AwaitSubscriptions(2));
  world_.clock.Advance(minutes(20) - seconds(1));
  EXPECT_EQ(decisions_.subscriptions(), 2U);
  world_.clock.Advance(seconds(1));
  EXPECT_TRUE(activity->AwaitEnd().ok());
  EXPECT_TRUE(specs->AwaitEnd().ok());
  EXPECT_TRUE(decisions_.AwaitSubscriptions(0));
}

TEST_F(ServiceTest, DrainEndsStreamsWithOkAndLaterOnesAtOnce) {
  const auto before = OpenActivity();
  ASSERT_TRUE(decisions_.AwaitSubscriptions(1));
  service_.EndStreams();
  EXPECT_TRUE(before->AwaitEnd().ok());
  EXPECT_TRUE(OpenActivity()->AwaitEnd().ok());
  EXPECT_TRUE(OpenSpecs()->AwaitEnd().ok());
}

TEST_F(ServiceTest, AClientThatGoesAwayIsForgotten) {
  decisions_.SetReplicas(1);
  {
    const auto stream = OpenActivity();
    ASSERT_TRUE(stream->Await(1));
    stream->Cancel();
    EXPECT_EQ(stream->AwaitEnd().error_code(), grpc::StatusCode::CANCELLED);
  }
  ASSERT_TRUE(decisions_.AwaitSubscriptions(0));
  decisions_.SetReplicas(0);
  decisions_.SetReplicas(1);
  world_.clock.Advance(minutes(30));
  EXPECT_EQ(world_.executor.pending(), 0U);
}

TEST_F(ServiceTest, SpecStreamSendsAtOnceAndThenChangesOnly) {
  const auto stream = OpenSpecs();
  ASSERT_TRUE(decisions_.AwaitSubscriptions(1));
  ASSERT_TRUE(stream->Await(1));
  decisions_.SetReplicas(1);
  decisions_.SetReplicas(2);
  decisions_.SetSpecs(std::vector<adapter::MetricSpec>{{.name = "stoker-etl", .target = 4}});
  decisions_.SetReplicas(3);
  ASSERT_TRUE(stream->Await(2));
  decisions_.SetSpecs(std::vector<adapter::MetricSpec>{{.name = "stoker-etl", .target = 5}});
  world_.clock.Advance(minutes(1));  // noticed without a decision, too
  ASSERT_TRUE(stream->Await(3));
  service_.EndStreams();
  EXPECT_TRUE(stream->AwaitEnd().ok());
  ASSERT_THAT(stream->messages(), SizeIs(3));
  EXPECT_DOUBLE_EQ(stream->messages()[0].metricspecs(0).targetsizefloat(), 1);
  EXPECT_EQ(stream->messages()[0].metricspecs(0).targetsize(), 1);
  EXPECT_DOUBLE_EQ(stream->messages()[1].metricspecs(0).targetsizefloat(), 4);
  EXPECT_DOUBLE_EQ(stream->messages()[2].metricspecs(0).targetsizefloat(), 5);
}

TEST_F(ServiceTest, SpecStreamEndsOnBadMetadata) {
  decisions_.SetSpecs(Fail(ErrorCode::kInvalidArgument, "threshold: not a number"));
  EXPECT_EQ(OpenSpecs()->AwaitEnd().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

// For the sanitizers: openings, edges, ticks, cancellations and the drain, all at once.
TEST_F(ServiceTest, StreamsSurviveEverythingAtOnce) {
  std::atomic<bool> stop = false;
  std::thread edges([&] {
    for (int i = 0; !stop; ++i) {
      decisions_.SetReplicas(i % 2);
      world_.clock.Advance(seconds(7));
    }
  });
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&] {
      for (int i = 0; i < 15; ++i) {
        const auto activity = OpenActivity();
        const auto specs = OpenSpecs();
        if (i % 3 == 0) activity->Cancel();
        if (i % 3 == 1) {
          EXPECT_TRUE(specs->Await(1));
        }
      }
    });
  }
  for (auto& client : clients) client.join();
  const auto last = OpenActivity();
  service_.EndStreams();
  EXPECT_TRUE(last->AwaitEnd().ok());
  stop = true;
  edges.join();
  EXPECT_TRUE(decisions_.AwaitSubscriptions(0));
}

}  // namespace
}  // namespace stoker::adapter
