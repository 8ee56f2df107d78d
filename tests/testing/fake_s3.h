#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/http_transport.h"
#include "tests/testing/fakes.h"
#include "upstream/aws/credentials.h"

namespace stoker::testing {

/// An S3 in memory that answers ListObjectsV2 as the API reference describes it and verifies
/// signatures. Use through FakeTransport or FaultProxy. Thread-safe.
class FakeS3 {
 public:
  explicit FakeS3(aws::Credentials credentials, std::string region = "us-east-1")
      : credentials_(std::move(credentials)), region_(std::move(region)) {}

  void CreateBucket(const std::string& bucket);
  void Put(const std::string& bucket,
           const std::string& key,
           std::uint64_t size_bytes = 1,
           WallTime modified = WallTime{});
  /// Lists from the last key to the first, as some servers that are not Amazon's do in parts.
  void set_reversed(bool reversed) { reversed_ = reversed; }

  [[nodiscard]] HttpResponse Handle(const HttpRequest& request);
  [[nodiscard]] FakeTransport::Handler Handler();
  [[nodiscard]] int requests() const;

  static HttpResponse ErrorAnswer(int status,
                                  const std::string& code,
                                  std::vector<HttpHeader> headers = {});

 private:
  using Contents = std::map<std::string, std::string>;  ///< by key, the XML that a listing shows
  [[nodiscard]] std::string List(const Contents& objects,
                                 const std::map<std::string, std::string>& query) const;

  const aws::Credentials credentials_;
  const std::string region_;
  bool reversed_ = false;
  mutable std::mutex mutex_;
  std::map<std::string, Contents> buckets_;
  int requests_ = 0;
};

/// Fixed credentials that count how often they were thrown away.
class FakeCredentials final : public aws::CredentialsProvider {
 public:
  explicit FakeCredentials(aws::Credentials credentials) : credentials_(std::move(credentials)) {}
  Result<aws::Credentials> Get(MonoTime deadline) override;
  void Invalidate() override;
  /// What Get gives after the next Invalidate.
  void set_next(aws::Credentials next);
  [[nodiscard]] int invalidations() const;

 private:
  mutable std::mutex mutex_;
  aws::Credentials credentials_;
  std::optional<aws::Credentials> next_;
  int invalidations_ = 0;
};

}  // namespace stoker::testing
