// How many requests a count of a hundred thousand objects takes, and how long with round trips of
// 20 ms, as to a region nearby, and next to no work: what is measured is how well the listing is
// shared out. Prints one JSON object.

#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "core/environment.h"
#include "tests/testing/fake_s3.h"
#include "tests/testing/fakes.h"
#include "upstream/http/retry.h"
#include "upstream/s3/client.h"
#include "upstream/s3/counter.h"

namespace stoker::bench {
namespace {

constexpr int kObjects = 100'000;
constexpr Duration kRoundTrip = std::chrono::milliseconds(20);
constexpr double kEnough = 2500;

int Main() {
  const aws::Credentials credentials{"AKIDEXAMPLE", "secret", ""};
  testing::FakeS3 s3(credentials);
  for (int i = 0; i < kObjects; ++i) {
    s3.Put("jobs", "pending/job-" + std::to_string(1'000'000 + i).substr(1) + ".json", 3);
  }
  SystemClock clock;
  SystemRandom random;
  http::SystemWaiter waiter;
  s3::Client client({.connection = "lake", .region = "us-east-1", .endpoint = "http://127.0.0.1:1"},
                    {clock,
                     random,
                     waiter,
                     std::make_shared<testing::FakeTransport>(
                         [&](const HttpRequest& request) -> Result<HttpResponse> {
                           std::this_thread::sleep_for(kRoundTrip);
                           return s3.Handle(request);
                         }),
                     std::make_shared<testing::FakeCredentials>(credentials)});

  const auto measure = [&](std::optional<double> enough, int parallelism) {
    s3::CountRequest request{.bucket = "jobs", .prefix = "pending/"};
    request.enough = enough;
    const MonoTime begin = clock.MonotonicNow();
    const Result<s3::Count> count =
        s3::CountObjects(client, request, begin + std::chrono::minutes(1), {}, parallelism);
    if (!count) throw std::runtime_error(count.error().message);
    if (enough ? count->value < *enough : count->value != kObjects) {
      throw std::runtime_error("a wrong count: " + std::to_string(count->value));
    }
    return nlohmann::ordered_json{{"ms", (clock.MonotonicNow() - begin).count()},
                                  {"requests", count->requests}};
  };
  std::cout << nlohmann::ordered_json{{"objects", kObjects},
                                      {"enough", kEnough},
                                      {"bounded", measure(kEnough, 8)},
                                      {"in_turn", measure({}, 1)},
                                      {"at_once", measure({}, 8)}}
                   .dump()
            << '\n';
  return 0;
}

}  // namespace
}  // namespace stoker::bench

int main() {
  try {
    return stoker::bench::Main();
  } catch (const std::exception& failed) {
    std::cerr << "bench_s3: " << failed.what() << '\n';
    return 1;
  }
}
