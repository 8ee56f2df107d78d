#include "upstream/http/observed_transport.h"

#include <gtest/gtest.h>

#include "tests/testing/fakes.h"

namespace stoker::http {
namespace {

TEST(ObservedTransport, TellsTheStatusAndNothingElse) {
  testing::FakeObserver observer;
  auto inner = std::make_shared<testing::FakeTransport>(
      [](const HttpRequest&) -> Result<HttpResponse> { return HttpResponse{.status = 503}; });
  ObservedTransport transport(inner, "main", observer);
  EXPECT_EQ(transport.Send({.url = "http://a/"})->status, 503);
  EXPECT_EQ(observer.Count("main", 503), 1);
  EXPECT_EQ(inner->requests().at(0).url, "http://a/");
}

TEST(ObservedTransport, NoAnswerIsCodeZero) {
  testing::FakeObserver observer;
  auto inner =
      std::make_shared<testing::FakeTransport>([](const HttpRequest&) -> Result<HttpResponse> {
        return Fail(ErrorCode::kUnavailable, "refused");
      });
  ObservedTransport transport(inner, "main", observer);
  EXPECT_EQ(transport.Send({}).error().message, "refused");
  EXPECT_EQ(observer.Count("main", 0), 1);
}

}  // namespace
}  // namespace stoker::http
