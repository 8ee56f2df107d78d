#include "tests/contract/s3_contract.h"

#include "tests/testing/fake_s3.h"
#include "tests/testing/fake_waiter.h"

namespace stoker::testing {
namespace {

const aws::Credentials kCredentials{"AKIDFAKE", "secret", ""};

class FakeBackend final : public S3Backend {
 public:
  void CreateBucket(const std::string& bucket) override { s3_.CreateBucket(bucket); }
  void Put(const std::string& bucket, const std::string& key, std::size_t size_bytes) override {
    s3_.Put(bucket, key, size_bytes, world_.clock.WallNow());
  }
  s3::Client& client() override { return *client_; }
  std::unique_ptr<s3::Client> ClientWithWrongSecret(const std::string& access_key_id) override {
    return Make({access_key_id.empty() ? kCredentials.access_key_id : access_key_id, "wrong", ""});
  }
  MonoTime Deadline() override { return world_.clock.MonotonicNow() + std::chrono::seconds(10); }

 private:
  std::unique_ptr<s3::Client> Make(aws::Credentials credentials) {
    return std::make_unique<s3::Client>(
        s3::ClientOptions{.connection = "fake", .region = "us-east-1"},
        s3::ClientDeps{world_.clock,
                       world_.random,
                       waiter_,
                       world_.transport,
                       std::make_shared<FakeCredentials>(std::move(credentials))});
  }

  FakeWorld world_;
  FakeS3 s3_{kCredentials};
  FakeWaiter waiter_{world_.clock};
  std::unique_ptr<s3::Client> client_ = [this] {
    world_.transport->set_handler(s3_.Handler());
    return Make(kCredentials);
  }();
};

INSTANTIATE_TEST_SUITE_P(Fake, S3Contract, ::testing::Values([] {
                           return std::unique_ptr<S3Backend>(std::make_unique<FakeBackend>());
                         }));

}  // namespace
}  // namespace stoker::testing
