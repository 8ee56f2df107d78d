#include "scalers/s3/s3_scaler.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/fake_s3.h"
#include "tests/testing/fake_waiter.h"
#include "tests/testing/signal_test.h"

namespace stoker::scalers {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using stoker::testing::FakeS3;
using stoker::testing::FakeWaiter;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class S3ScalerTest : public testing::SignalTest {
 protected:
  S3ScalerTest() {
    RegisterS3(registry_, std::make_shared<FakeWaiter>(world_.clock));
    world_.transport->set_handler(s3_.Handler());
    world_.files.Write("/id", "AKID\n");
    world_.files.Write("/secret", "s3cr3t\n");
    s3_.CreateBucket("jobs");
    EXPECT_EQ(Connect("lake: {region: us-east-1, "
                      "credentials: {accessKeyIdFile: /id, secretAccessKeyFile: /secret}}"),
              "");
  }

  /// Makes `s3: {YAML}` the connections and gives back the complaints.
  std::string Connect(const std::string& yaml) { return ParseConnections("s3:\n  " + yaml); }
  std::optional<SignalDefinition> Signal(const std::string& yaml,
                                         const std::string& name_space = "") {
    return ParseSignal("{type: s3, " + yaml + "}", name_space);
  }
  std::string Complaints(const std::string& yaml, const std::string& name_space = "") {
    EXPECT_FALSE(Signal(yaml, name_space)) << yaml;
    return diagnostics_.ToString();
  }

  Result<Observation> Poll(const std::string& yaml, std::optional<double> enough = {}) {
    const auto signal = Signal("bucket: jobs, " + yaml);
    if (!signal) return Fail(ErrorCode::kInvalidArgument, diagnostics_.ToString());
    return signal->make_source()->Poll({.slot = world_.clock.WallNow(),
                                        .deadline = world_.clock.MonotonicNow() + seconds(10),
                                        .enough = enough});
  }
  double Objects(const std::string& more) {
    const auto observation = Poll("targetSize: 5" + more);
    if (!observation) ADD_FAILURE() << observation.error().message;
    return observation ? observation->value : -1;
  }

  FakeS3 s3_{{"AKID", "s3cr3t", ""}};
};

TEST_F(S3ScalerTest, FillsTheDefinition) {
  const auto signal = Signal("bucket: jobs, targetSize: 2.5, activationTargetSize: 3");
  ASSERT_TRUE(signal) << diagnostics_.ToString();
  EXPECT_EQ(signal->connection, "lake");
  EXPECT_EQ(signal->demand.target_size, 2.5);
  EXPECT_EQ(signal->demand.activation, 3);
  EXPECT_EQ(signal->timing.interval, seconds(30));
  EXPECT_EQ(signal->timing.timeout, seconds(10));
  EXPECT_EQ(signal->timing.max_age, minutes(5));
  EXPECT_EQ(signal->max_concurrent, 8);
  EXPECT_TRUE(signal->countable);
}

TEST_F(S3ScalerTest, TakesKedasSpellings) {
  const auto signal = Signal("awsRegion: us-east-1, bucketName: jobs, targetObjectSize: 4");
  ASSERT_TRUE(signal) << diagnostics_.ToString();
  EXPECT_EQ(signal->connection, "lake");
  EXPECT_EQ(signal->demand.target_size, 4);
  EXPECT_EQ(signal->source_key, Signal("bucket: jobs, targetSize: 9")->source_key);
  EXPECT_THAT(Complaints("awsRegion: eu-west-1, bucket: jobs, targetSize: 4"),
              Not(HasSubstr("lake")));
  EXPECT_THAT(Complaints("awsRegion: us-east-1, connection: lake, bucket: jobs, targetSize: 4"),
              HasSubstr("keep one"));
}

TEST_F(S3ScalerTest, CountsWhatTheFiltersLeave) {
  const WallTime now = world_.clock.WallNow();
  s3_.Put("jobs", "in/", 0, now);
  s3_.Put("jobs", "in/empty.json", 0, now);
  s3_.Put("jobs", "in/job-1.json", 100, now - minutes(5));
  s3_.Put("jobs", "in/job-2.json", 50, now);
  s3_.Put("jobs", "in/notes.txt", 7, now);
  s3_.Put("jobs", "in/done/job-0.json", 1, now);
  s3_.Put("jobs", "out/job-1.json", 1, now);
  EXPECT_EQ(Objects(""), 5);
  EXPECT_EQ(Objects(", prefix: in/"), 4);
  EXPECT_EQ(Objects(", prefix: in/, skipEmptyObjects: false"), 6);
  EXPECT_EQ(Objects(", prefix: in/, delimiter: /"), 3);
  EXPECT_EQ(Objects(", prefix: in/, suffix: .json"), 3);
  EXPECT_EQ(Objects(", prefix: in/, glob: 'job-*.json'"), 2);
  EXPECT_EQ(Objects(", prefix: in/, glob: '**.json'"), 3);
  EXPECT_EQ(Objects(", prefix: in/, minAge: 5m"), 1);
  EXPECT_EQ(Objects(", prefix: in/, minAge: 6m"), 0);
  EXPECT_EQ(Objects(", prefix: none/"), 0);
  const auto bytes = Poll("targetSize: 5B, measure: bytes, prefix: in/");
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_EQ(bytes->value, 158);
  EXPECT_EQ(bytes->detail, "1 request");
}

TEST_F(S3ScalerTest, StopsWhenItIsEnough) {
  for (int i = 1000; i < 4500; ++i) s3_.Put("jobs", std::to_string(i), 2);
  const auto observation = Poll("targetSize: 5", 1500);
  ASSERT_TRUE(observation) << observation.error().message;
  EXPECT_EQ(observation->value, 2000);
  EXPECT_TRUE(observation->at_least);
  EXPECT_EQ(observation->detail, "2 requests");
  EXPECT_EQ(world_.observer.Count("lake", 200), 2);

  const auto few = Poll("targetSize: 5, maxRequests: 2");
  ASSERT_FALSE(few);
  EXPECT_EQ(few.error().code, ErrorCode::kResourceExhausted);
}

TEST_F(S3ScalerTest, BytesNeedAUnit) {
  const auto signal =
      Signal("bucket: jobs, measure: bytes, targetSize: 1GiB, activationTargetSize: 0");
  ASSERT_TRUE(signal) << diagnostics_.ToString();
  EXPECT_EQ(signal->demand.target_size, 1073741824);
  EXPECT_EQ(signal->demand.activation, 0);
  EXPECT_THAT(Complaints("bucket: jobs, measure: bytes, targetSize: 5"), HasSubstr("targetSize"));
  EXPECT_THAT(Complaints("bucket: jobs, targetSize: 1GiB"), HasSubstr("targetSize"));
  EXPECT_THAT(Complaints("bucket: jobs, targetSize: 0"), HasSubstr("targetSize"));
  EXPECT_THAT(Complaints("bucket: jobs, measure: bytes, targetSize: 0"), HasSubstr("targetSize"));
  EXPECT_THAT(Complaints("bucket: jobs, targetSize: 5, activationTargetSize: -1"),
              HasSubstr("activationTargetSize"));
}

TEST_F(S3ScalerTest, EverySettingThatChangesTheAnswerIsInTheSourceKey) {
  const auto key = [&](const std::string& more) {
    const auto signal = Signal("bucket: jobs" + more);
    return signal ? signal->source_key : diagnostics_.ToString();
  };
  const std::string base = key(", targetSize: 1");
  EXPECT_EQ(key(", targetSize: 2, activationTargetSize: 3, interval: 60s"), base);
  std::set<std::string> keys{base};
  for (const char* more : {", prefix: a",
                           ", delimiter: a",
                           ", suffix: a",
                           ", glob: a",
                           ", minAge: 1s",
                           ", skipEmptyObjects: false",
                           ", maxRequests: 5",
                           ", prefix: \"a\\n\"",
                           ", prefix: a, delimiter: a"}) {
    EXPECT_TRUE(keys.insert(key(std::string(", targetSize: 1") + more)).second) << more;
  }
  EXPECT_TRUE(keys.insert(key(", targetSize: 1B, measure: bytes")).second);
}

TEST_F(S3ScalerTest, RefusesWhatItDoesNotTake) {
  EXPECT_THAT(Complaints("bucket: ../jobs, targetSize: 5"), HasSubstr("'bucket' must be a name"));
  EXPECT_THAT(Complaints("targetSize: 5"), HasSubstr("'bucket'"));
  EXPECT_THAT(Complaints("bucket: jobs"), HasSubstr("'targetSize'"));
  EXPECT_THAT(Complaints("bucket: jobs, targetSize: 5, measure: tons"), HasSubstr("measure"));
  EXPECT_THAT(Complaints("bucket: jobs, targetSize: 5, maxRequests: 0"), HasSubstr("maxRequests"));
  EXPECT_THAT(Complaints("bucket: jobs, targetSize: 5, awsSecretAccessKey: abc"),
              AllOf(HasSubstr("credentials belong to the connection"), Not(HasSubstr("abc"))));
  EXPECT_THAT(Complaints("bucket: jobs, targetSize: 5, awsEndpoint: 'http://evil'"),
              HasSubstr("set endpoint in the connection"));
}

TEST_F(S3ScalerTest, ConnectionsRestrictBucketsAndNamespaces) {
  ASSERT_EQ(Connect("{lake: {region: us-east-1, buckets: [jobs, more-jobs], namespaces: [etl]}}"),
            "");
  EXPECT_TRUE(Signal("bucket: more-jobs, targetSize: 5", "etl")) << diagnostics_.ToString();
  EXPECT_THAT(Complaints("bucket: private, targetSize: 5", "etl"),
              AllOf(HasSubstr("does not allow this bucket"), Not(HasSubstr("private"))));
  EXPECT_EQ(diagnostics_.ToError().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(Complaints("bucket: jobs, targetSize: 5", "other"), HasSubstr("namespace"));
}

TEST_F(S3ScalerTest, ChoosesTheRegion) {
  EXPECT_THAT(Connect("lake: {}"), HasSubstr("no region; set region, or AWS_REGION"));
  EXPECT_EQ(Connect("lake: {endpoint: 'http://127.0.0.1:9000'}"), "");
  EXPECT_TRUE(connections_.all().at(0)->MatchesAddress("us-east-1"));
  world_.environment.Set("AWS_DEFAULT_REGION", "eu-west-1");
  EXPECT_EQ(Connect("lake:"), "");
  EXPECT_TRUE(connections_.all().at(0)->MatchesAddress("eu-west-1"));
  world_.environment.Set("AWS_REGION", "eu-west-2");
  EXPECT_EQ(Connect("lake: {}"), "");
  EXPECT_TRUE(connections_.all().at(0)->MatchesAddress("eu-west-2"));
  EXPECT_EQ(Connect("lake: {region: eu-west-3}"), "");
  EXPECT_TRUE(connections_.all().at(0)->MatchesAddress("eu-west-3"));
  EXPECT_FALSE(connections_.all().at(0)->MatchesAddress("eu-west-1"));
  EXPECT_THAT(Connect("lake: {region: evil.example/}"), HasSubstr("a.yaml:2:18"));
}

TEST_F(S3ScalerTest, ConnectionMistakesAreNamed) {
  EXPECT_THAT(Connect("lake: {region: r, endpoint: minio}"), HasSubstr("expected a URL"));
  EXPECT_THAT(Connect("lake: {region: r, credentials: AKIAEXAMPLE}"),
              AllOf(HasSubstr("keys themselves do not belong"), Not(HasSubstr("AKIAEXAMPLE"))));
  EXPECT_THAT(Connect("lake: {region: r, credentials: {accessKeyIdFile: /id}}"),
              HasSubstr("secretAccessKeyFile"));
  EXPECT_THAT(Connect("lake: {region: r, buckets: [a/b]}"), HasSubstr("no bucket's name"));
  EXPECT_THAT(Connect("lake: {endpoint: 'http://x', tls: {ca: /ca}}"), HasSubstr("https://"));
  EXPECT_THAT(Connect("lake: {region: r, credentails: default}"), HasSubstr("credentials"));
  EXPECT_EQ(Connect("lake: {region: r, credentials: default, endpoint: 'https://x', "
                    "tls: {ca: /ca.pem, insecureSkipVerify: true}}"),
            "");
  const auto& created = world_.transports.created;
  ASSERT_GE(created.size(), 2U);
  EXPECT_EQ(created[created.size() - 2].ca_file, "/ca.pem");
  EXPECT_TRUE(created[created.size() - 2].insecure_skip_verify);
  EXPECT_FALSE(created.back().insecure_skip_verify) << "not for the sources of credentials";
}

TEST_F(S3ScalerTest, UsesTheDefaultChain) {
  world_.environment.Set("AWS_ACCESS_KEY_ID", "AKID");
  world_.environment.Set("AWS_SECRET_ACCESS_KEY", "s3cr3t");
  ASSERT_EQ(Connect("lake: {region: us-east-1}"), "");
  s3_.Put("jobs", "a", 1);
  EXPECT_EQ(Objects(""), 1);
}

}  // namespace
}  // namespace stoker::scalers
