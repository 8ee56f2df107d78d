// The S3 client and counter against a server that verifies signatures (versitygw), over real
// connections, and through a proxy that breaks them.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/s3_contract.h"
#include "tests/testing/fake_s3.h"
#include "tests/testing/fault_proxy.h"
#include "tests/testing/process.h"
#include "upstream/http/beast_transport.h"

namespace stoker::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const aws::Credentials kCredentials{"AKIDROOT", "root-secret", ""};

/// One versitygw over a folder of buckets, for all tests of this program.
class Server {
 public:
  static Server& Get() {
    static Server server;
    return server;
  }

  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string Path(const std::string& name) const {
    return folder_->path() + "/" + name;
  }

 private:
  Server() {
    const char* const program = std::getenv("STOKER_VERSITYGW");
    if (program == nullptr || *program == '\0') {
      problem_ =
          "STOKER_VERSITYGW does not name a versitygw; run scripts/test integration, or set it";
      return;
    }
    // A hundred thousand files come and go much faster in memory.
    if (std::filesystem::exists("/dev/shm")) setenv("TMPDIR", "/dev/shm", /*overwrite=*/0);
    folder_ = std::make_unique<TempFolder>();
    port_ = FreePort();
    std::filesystem::create_directories(Path("buckets"));
    auto process = Process::Start({program,
                                   "--access",
                                   kCredentials.access_key_id,
                                   "--secret",
                                   kCredentials.secret_access_key,
                                   "--port",
                                   "127.0.0.1:" + std::to_string(port_),
                                   "--keep-alive",
                                   "--quiet",
                                   "posix",
                                   "--nometa",
                                   Path("buckets")},
                                  Path("output"));
    if (!process) {
      problem_ = process.error().message;
      return;
    }
    process_ = std::move(*process);
    if (!WaitForPort(port_, seconds(20))) problem_ = "versitygw: " + process_->Output();
  }

  std::unique_ptr<TempFolder> folder_;
  int port_ = 0;
  std::string problem_;
  std::unique_ptr<Process> process_;
};

void WriteFile(const std::string& path, std::size_t size) {
  std::ofstream(path, std::ios::binary) << std::string(size, 'x');
}

/// What clients need, all real but the credentials.
struct Machine {
  SystemClock clock;
  SystemRandom random;
  SystemFileSystem files;
  http::SystemWaiter waiter;
  std::shared_ptr<HttpTransport> transport =
      http::BeastTransportFactory(clock, files).Create({}).value();

  std::unique_ptr<s3::Client> Client(const std::string& url,
                                     std::shared_ptr<aws::CredentialsProvider> credentials,
                                     const std::string& region = "us-east-1") {
    return std::make_unique<s3::Client>(
        s3::ClientOptions{.connection = "lake", .region = region, .endpoint = url},
        s3::ClientDeps{clock, random, waiter, transport, std::move(credentials)});
  }
  std::unique_ptr<s3::Client> Client(const std::string& url,
                                     aws::Credentials credentials = kCredentials) {
    return Client(url, std::make_shared<FakeCredentials>(std::move(credentials)));
  }
  MonoTime Deadline() { return clock.MonotonicNow() + seconds(60); }
};

class RealBackend final : public S3Backend {
 public:
  void CreateBucket(const std::string& bucket) override {
    std::filesystem::remove_all(Server::Get().Path("buckets/" + bucket));
    std::filesystem::create_directories(Server::Get().Path("buckets/" + bucket));
  }
  void Put(const std::string& bucket, const std::string& key, std::size_t size_bytes) override {
    const std::string path = Server::Get().Path("buckets/" + bucket + "/" + key);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    WriteFile(path, size_bytes);
  }
  s3::Client& client() override { return *client_; }
  std::unique_ptr<s3::Client> ClientWithWrongSecret(const std::string& access_key_id) override {
    return machine_.Client(
        Server::Get().url(),
        aws::Credentials{
            access_key_id.empty() ? kCredentials.access_key_id : access_key_id, "wrong", ""});
  }
  MonoTime Deadline() override { return machine_.Deadline(); }

 private:
  Machine machine_;
  std::unique_ptr<s3::Client> client_ = machine_.Client(Server::Get().url());
};

INSTANTIATE_TEST_SUITE_P(Versitygw, S3Contract, ::testing::Values([] {
                           return std::unique_ptr<S3Backend>(std::make_unique<RealBackend>());
                         }));

class S3Integration : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(Server::Get().problem(), ""); }

  /// A bucket of `count` objects of 3 bytes, made once.
  static std::string Bucket(int count) {
    const std::string bucket = "numbered-" + std::to_string(count);
    const std::string path = Server::Get().Path("buckets/" + bucket);
    if (std::filesystem::exists(path)) return bucket;
    std::filesystem::create_directories(path);
    for (int i = 0; i < count; ++i) {
      const std::string number = std::to_string(1'000'000 + i);
      WriteFile(path + "/job-" + number.substr(1) + ".json", 3);
    }
    return bucket;
  }

  Result<s3::Count> Count(s3::Client& client, s3::CountRequest request, int parallelism = 8) {
    return s3::CountObjects(client, request, machine_.Deadline(), {}, parallelism);
  }

  Machine machine_;
};

TEST_F(S3Integration, CountsAHundredThousandObjects) {
  const auto client = machine_.Client(Server::Get().url());
  const s3::CountRequest request{.bucket = Bucket(100'000)};
  const auto begin = std::chrono::steady_clock::now();
  const auto exact = Count(*client, request);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  ASSERT_TRUE(exact) << exact.error().message;
  EXPECT_EQ(exact->value, 100'000);
  EXPECT_FALSE(exact->at_least);
  EXPECT_LE(exact->requests, 150);
  RecordProperty("seconds", std::to_string(took.count()));

  s3::CountRequest bounded = request;
  bounded.enough = 2500;
  const auto enough = Count(*client, bounded);
  ASSERT_TRUE(enough) << enough.error().message;
  EXPECT_EQ(enough->value, 3000);
  EXPECT_TRUE(enough->at_least);
  EXPECT_EQ(enough->requests, 3);
}

class S3Faults : public S3Integration {
 protected:
  void SetUp() override {
    S3Integration::SetUp();
    if (HasFatalFailure()) return;
    proxy_ = std::make_unique<FaultProxy>(machine_.transport, Server::Get().url());
    credentials_ = std::make_shared<FakeCredentials>(kCredentials);
    client_ = machine_.Client(proxy_->url(), credentials_);
  }

  /// Breaks the request numbered `at`, and those up to `until`.
  void Break(Fault fault, int at, int until = 0) {
    proxy_->set_plan([=](int number) {
      return number == at || (number > at && number <= until) ? fault : Fault{};
    });
  }
  std::string CountAll() {
    const auto count = Count(*client_, {.bucket = Bucket(5'000)});
    return count ? std::to_string(static_cast<long>(count->value)) : count.error().message;
  }

  std::unique_ptr<FaultProxy> proxy_;
  std::shared_ptr<FakeCredentials> credentials_;
  std::unique_ptr<s3::Client> client_;
};

TEST_F(S3Faults, NothingBrokenPassesThrough) { EXPECT_EQ(CountAll(), "5000"); }

TEST_F(S3Faults, SlowDownIsWaitedOut) {
  Break({Fault::Kind::kAnswer, FakeS3::ErrorAnswer(503, "SlowDown")}, 2, 4);
  EXPECT_EQ(CountAll(), "5000");
  Break({Fault::Kind::kAnswer, FakeS3::ErrorAnswer(503, "SlowDown")}, 2, 1'000);
  EXPECT_THAT(CountAll(), ::testing::HasSubstr("HTTP 503 SlowDown"));
}

TEST_F(S3Faults, ABrokenConnectionIsTriedAgain) {
  Break({Fault::Kind::kTruncate}, 3);
  EXPECT_EQ(CountAll(), "5000");
  Break({Fault::Kind::kTruncate}, 2, 1'000);
  EXPECT_THAT(CountAll(), ::testing::HasSubstr("s3 connection lake: "));
}

TEST_F(S3Faults, ATruncatedListingIsNeverASmallerCount) {
  for (const int at : {1, 2, 5}) {
    Break({Fault::Kind::kCut}, at);
    EXPECT_THAT(CountAll(), ::testing::HasSubstr("no sound listing")) << at;
  }
}

TEST_F(S3Faults, ARedirectByHeaderIsFollowedToTheRegion) {
  client_ = machine_.Client(proxy_->url(), credentials_, "eu-west-1");
  Break({Fault::Kind::kAnswer,
         FakeS3::ErrorAnswer(
             301,
             "PermanentRedirect",
             {{"x-amz-bucket-region", "us-east-1"}, {"Location", "http://[::1]:1/"}})},
        1);
  EXPECT_EQ(CountAll(), "5000") << "signed for the region the server is in";
  proxy_->set_plan([](int) { return Fault{}; });
  EXPECT_EQ(CountAll(), "5000") << "remembers it";
}

TEST_F(S3Faults, ExpiredCredentialsAreRenewed) {
  credentials_ = std::make_shared<FakeCredentials>(aws::Credentials{"AKIDOLD", "old", "token"});
  credentials_->set_next(kCredentials);
  client_ = machine_.Client(proxy_->url(), credentials_);
  Break({Fault::Kind::kAnswer, FakeS3::ErrorAnswer(400, "ExpiredToken")}, 1);
  EXPECT_EQ(CountAll(), "5000");
  EXPECT_EQ(credentials_->invalidations(), 1);
}

TEST_F(S3Faults, ASlowServerMeetsTheDeadline) {
  proxy_->set_plan([](int) { return Fault{.delay = seconds(2)}; });
  const MonoTime begin = machine_.clock.MonotonicNow();
  const auto count =
      s3::CountObjects(*client_, {.bucket = Bucket(5'000)}, begin + milliseconds(300), {});
  ASSERT_FALSE(count);
  EXPECT_EQ(count.error().code, ErrorCode::kDeadlineExceeded) << count.error().message;
  EXPECT_LT(machine_.clock.MonotonicNow() - begin, milliseconds(1500));
}

}  // namespace
}  // namespace stoker::testing
