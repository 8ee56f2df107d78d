#include "upstream/aws/sigv4.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/testing/fakes.h"

namespace stoker::aws {
namespace {

using stoker::testing::At;

std::string Header(const HttpRequest& request, std::string_view name) {
  std::string value;
  for (const HttpHeader& header : request.headers) {
    if (header.name == name) value += (value.empty() ? "" : "|") + header.value;
  }
  return value;
}

std::string Signature(const HttpRequest& request) {
  const std::string text = Header(request, "authorization");
  return text.substr(text.find("Signature=") + 10);
}

// The examples of the Amazon S3 API Reference, "Signature calculations for the authorization
// header".
const Credentials kS3Credentials{
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};

HttpRequest S3Example(const std::string& target, std::vector<HttpHeader> headers = {}) {
  HttpRequest request;
  request.url = "https://examplebucket.s3.amazonaws.com" + target;
  request.headers = std::move(headers);
  SignV4(request, kS3Credentials, "us-east-1", "s3", At("2013-05-24T00:00:00Z"));
  return request;
}

TEST(SigV4, MatchesS3ExampleOfAnObjectRange) {
  const HttpRequest request = S3Example("/test.txt", {{"Range", "bytes=0-9"}});
  EXPECT_EQ(Header(request, "authorization"),
            "AWS4-HMAC-SHA256 "
            "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(Header(request, "x-amz-content-sha256"),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Header(request, "x-amz-date"), "20130524T000000Z");
}

TEST(SigV4, MatchesS3ExampleOfAParameterWithoutValue) {
  EXPECT_EQ(Signature(S3Example("/?lifecycle")),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(SigV4, MatchesS3ExampleOfAListing) {
  const std::string expected = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
  EXPECT_EQ(Signature(S3Example("/?max-keys=2&prefix=J")), expected);
  EXPECT_EQ(Signature(S3Example("/?prefix=J&max-keys=2")), expected) << "order must not matter";
}

TEST(SigV4, MatchesTheGeneralReferencesExample) {
  HttpRequest request;
  request.url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08";
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded;  charset=utf-8 "}};
  SignV4(request,
         {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""},
         "us-east-1",
         "iam",
         At("2015-08-30T12:36:00Z"));
  EXPECT_EQ(Header(request, "authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
  EXPECT_EQ(Header(request, "x-amz-content-sha256"), "");
}

TEST(SigV4, SigningAgainReplacesTheOldSignature) {
  HttpRequest request;
  request.url = "http://localhost:9000/bucket?list-type=2";
  Credentials temporary = kS3Credentials;
  temporary.session_token = "first";
  SignV4(request, temporary, "us-east-1", "s3", At("2013-05-24T00:00:00Z"));
  temporary.session_token = "second";
  SignV4(request, temporary, "eu-west-1", "s3", At("2013-05-25T00:00:01Z"));
  EXPECT_EQ(Header(request, "x-amz-security-token"), "second");
  EXPECT_EQ(Header(request, "x-amz-date"), "20130525T000001Z");
  EXPECT_NE(Header(request, "authorization").find("/20130525/eu-west-1/s3/"), std::string::npos);
  EXPECT_EQ(request.headers.size(), 4U);

  HttpRequest fresh;
  fresh.url = request.url;
  SignV4(fresh, temporary, "eu-west-1", "s3", At("2013-05-25T00:00:01Z"));
  EXPECT_EQ(Signature(fresh), Signature(request)) << "leftovers must not be signed";
}

TEST(SigV4, SignsThePortAndOnlyS3sPathAsSent) {
  const auto sign = [](const std::string& url, const std::string& service) {
    HttpRequest request;
    request.url = url;
    SignV4(request, kS3Credentials, "us-east-1", service, At("2013-05-24T00:00:00Z"));
    return Signature(request);
  };
  EXPECT_NE(sign("http://h:9000/a", "s3"), sign("http://h/a", "s3"));
  EXPECT_EQ(sign("http://h:80/a", "s3"), sign("http://h/a", "s3"));
  EXPECT_EQ(sign("http://h/a%20b", "aps").size(), 64U);
  EXPECT_NE(sign("http://h/a%20b", "aps"), sign("http://h/a%2520b", "aps"));
}

}  // namespace
}  // namespace stoker::aws
