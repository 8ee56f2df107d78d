// The signal types that count objects, and the one that is set, held against the contract of
// scaler_contract.h.
#include <string>
#include <utility>

#include "scalers/directory/directory_scaler.h"
#include "scalers/manual/manual_scaler.h"
#include "scalers/s3/s3_scaler.h"
#include "tests/contract/scaler_contract.h"
#include "tests/testing/fake_s3.h"

namespace stoker::testing {
namespace {

const std::string kSecret = "s3-s3cr3t";

std::function<void(FakeWorld&)> Answer(HttpResponse response) {
  return [response = std::move(response)](FakeWorld& world) {
    world.transport->set_handler(
        [response](const HttpRequest&) -> Result<HttpResponse> { return response; });
  };
}

std::function<void(FakeWorld&)> Refuse(int status, const std::string& code) {
  return Answer(FakeS3::ErrorAnswer(status, code));
}

std::function<void(FakeWorld&)> NoAnswer(ErrorCode code) {
  return [code](FakeWorld& world) {
    world.transport->set_handler([code](const HttpRequest&) -> Result<HttpResponse> {
      return Fail(code, "upstream:1 does not answer");
    });
  };
}

const char kPage[] =
    "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>pending/a</Key>"
    "<LastModified>2026-01-05T00:00:00Z</LastModified><Size>1</Size></Contents></ListBucketResult>";

std::string PageWith(const std::string& from, const std::string& to) {
  std::string page = kPage;
  return page.replace(page.find(from), from.size(), to);
}

const ScalerFixture& S3() {
  static const ScalerFixture kFixture = {
      .type = "s3",
      .add = scalers::RegisterS3,
      .connections =
          "s3:\n"
          "  lake: {region: us-east-1, "
          "credentials: {accessKeyIdFile: /id, secretAccessKeyFile: /secret}}\n"
          "  other: {region: us-east-1}\n",
      .signal = {{"connection", "lake"},
                 {"bucket", "jobs"},
                 {"prefix", "pending/"},
                 {"targetSize", "5"}},
      .required = {"bucket", "targetSize"},
      .same = {{{"targetSize", "6"}}, {{"activationTargetSize", "3"}}, {{"per", "executor"}}},
      .different = {{{"bucket", "jobs2"}},
                    {{"prefix", "done/"}},
                    {{"delimiter", "/"}},
                    {{"suffix", ".json"}},
                    {{"glob", "*.json"}},
                    {{"minAge", "1m"}},
                    {{"skipEmptyObjects", "false"}},
                    {{"measure", "bytes"}, {"targetSize", "1KiB"}},
                    {{"connection", "other"}}},
      .secrets = {kSecret},
      .has_upstream = true,
      .value = 1500,
      .healthy =
          [](FakeWorld& world) {
            world.files.Write("/id", "AKID\n");
            world.files.Write("/secret", kSecret + "\n");
            const auto s3 = std::make_shared<FakeS3>(aws::Credentials{"AKID", kSecret, ""});
            for (int i = 1000; i < 2500; ++i) s3->Put("jobs", "pending/" + std::to_string(i));
            world.transport->set_handler([s3](const HttpRequest& request) -> Result<HttpResponse> {
              return s3->Handle(request);
            });
          },
      .faults = {{"unreachable", NoAnswer(ErrorCode::kUnavailable)},
                 {"too slow", NoAnswer(ErrorCode::kDeadlineExceeded)},
                 {"too long", NoAnswer(ErrorCode::kResourceExhausted)},
                 {"no bucket", Refuse(404, "NoSuchBucket")},
                 {"denied", Refuse(403, "AccessDenied")},
                 {"signature", Refuse(403, "SignatureDoesNotMatch")},
                 {"unknown key", Refuse(403, "InvalidAccessKeyId")},
                 {"expired", Refuse(400, "ExpiredToken")},
                 {"clock", Refuse(403, "RequestTimeTooSkewed")},
                 {"slow down", Refuse(503, "SlowDown")},
                 {"internal", Refuse(500, "InternalError")},
                 {"redirect", Answer({302, {{"Location", "https://evil.example/" + kSecret}}, ""})},
                 {"elsewhere",
                  Answer({301, {}, "<Error><Endpoint>evil.example</Endpoint></Error>"})},
                 {"empty body", Answer({200, {}, ""})},
                 {"page", Answer({200, {}, "<html>sign in</html>"})},
                 {"cut short", Answer({200, {}, std::string(kPage).substr(0, 150)})},
                 {"error with 200",
                  Answer({200, {}, "<Error><Code>InternalError</Code></Error>"})}},
      .empties = {},
      .odd = {{"no size", Answer({200, {}, PageWith("<Size>1</Size>", "")})},
              {"no end", Answer({200, {}, PageWith("<IsTruncated>false</IsTruncated>", "")})},
              {"no token", Answer({200, {}, PageWith("false", "true")})},
              {"no time", Answer({200, {}, PageWith("2026-01-05T00:00:00Z", "")})}}};
  return kFixture;
}

const ScalerFixture& Directory() {
  static const ScalerFixture kFixture = {
      .type = "directory",
      .add = [](scalers::Registry& registry,
                std::shared_ptr<http::Waiter>) { scalers::RegisterDirectory(registry); },
      .connections = "",
      .signal = {{"path", "/spool"}, {"targetSize", "2"}},
      .required = {"path", "targetSize"},
      .same = {{{"targetSize", "6"}}, {{"interval", "1m"}}},
      .different = {{{"path", "/other"}},
                    {{"suffix", ".json"}},
                    {{"glob", "*.json"}},
                    {{"minAge", "1m"}},
                    {{"skipEmptyObjects", "true"}},
                    {{"measure", "bytes"}, {"targetSize", "1KiB"}}},
      .secrets = {},
      .has_upstream = false,
      .value = 3,
      .healthy =
          [](FakeWorld& world) {
            for (const char* name : {"a", "b", "c"}) {
              world.files.Write(std::string("/spool/") + name, "");
            }
          },
      .faults = {{"no folder",
                  [](FakeWorld& world) {
                    for (const char* name : {"a", "b", "c"}) {
                      world.files.Remove(std::string("/spool/") + name);
                    }
                  }}},
      .empties = {},
      .odd = {}};
  return kFixture;
}

const ScalerFixture& Manual() {
  static const ScalerFixture kFixture = {
      .type = "manual",
      .add = [](scalers::Registry& registry,
                std::shared_ptr<http::Waiter>) { scalers::RegisterManual(registry); },
      .connections = "",
      .signal = {{"name", "batch"}, {"targetSize", "2"}},
      .required = {"name", "targetSize"},
      .same = {{{"targetSize", "6"}}, {{"activationTargetSize", "1"}}},
      .different = {{{"name", "other"}}, {{"ttl", "1000h"}}},
      .secrets = {},
      .has_upstream = false,
      .tells_past = true,
      .value = 3,
      .healthy =
          [](FakeWorld& world) {
            // The fixture's world is always one that scalers can be built with.
            static_cast<ScalerWorld&>(world).pushed.Set("batch", {3, WallTime{}});
          },
      .faults = {},
      .empties = {},
      .odd = {}};
  return kFixture;
}

INSTANTIATE_TEST_SUITE_P(Objects,
                         ScalerContract,
                         ::testing::Values(&S3(), &Directory(), &Manual()),
                         [](const auto& param) { return param.param->type; });

}  // namespace
}  // namespace stoker::testing
