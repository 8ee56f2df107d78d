// How long the expander takes over a request of the autoscaler, and how long it takes to pack ten
// thousand executors, each beside a yardstick of the same size: parsing the request, and one
// FitPods for each executor and shape. Prints one JSON object, in milliseconds.

#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "adapter/grpc/expander_request.h"
#include "capacity/expander.h"
#include "capacity/packing.h"
#include "kubernetes.pb.h"
#include "rightsizing/packing.h"

namespace stoker::bench {
namespace {

constexpr int kRuns = 101;
constexpr int kOptions = 100;
constexpr int kPods = 5000;
constexpr std::int64_t kExecutors = 10'000;
constexpr std::size_t kShapes = 50;

template <class Body>
std::vector<double> Times(int runs, Body&& body) {
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
            .count());
  }
  std::ranges::sort(times);
  return times;
}

nlohmann::ordered_json Summary(const std::vector<double>& times) {
  return {{"p50", times[times.size() / 2]}, {"p99", times[times.size() * 99 / 100]}};
}

/// An executor as Spark makes it: a good two kilobytes.
std::string Executor(int number) {
  k8s::Pod pod;
  pod.mutable_metadata()->set_name("etl-2026-11-21-exec-" + std::to_string(number));
  (*pod.mutable_metadata()->mutable_labels())["spark-role"] = "executor";
  (*pod.mutable_metadata()->mutable_annotations())["environment"] = std::string(2000, 'x');
  auto& requests = *pod.mutable_spec()->add_containers()->mutable_resources()->mutable_requests();
  requests["cpu"].set_string("4");
  requests["memory"].set_string("18Gi");
  return pod.SerializeAsString();
}

/// `each` of the pods for every option, of `kPods` in all.
grpcplugin::BestOptionsRequest Request(int options,
                                       int each,
                                       const std::vector<std::string>& pods) {
  grpcplugin::BestOptionsRequest request;
  for (int i = 0; i < options; ++i) {
    grpcplugin::Option& option = *request.add_options();
    option.set_nodegroupid("group-" + std::to_string(i));
    option.set_nodecount(each);
    for (int p = 0; p < each; ++p) {
      option.add_podbytes(pods[static_cast<std::size_t>((i * each + p) % kPods)]);
    }
    k8s::Node node;
    (*node.mutable_metadata()->mutable_labels())["node.kubernetes.io/instance-type"] = "m5.2xlarge";
    (*node.mutable_status()->mutable_allocatable())["cpu"].set_string("7910m");
    (*request.mutable_nodebytesmap())[option.nodegroupid()] = node.SerializeAsString();
  }
  return request;
}

nlohmann::ordered_json Expander(int options, int each, const std::vector<std::string>& pods) {
  const SystemClock clock;
  const capacity::ExpanderRules rules{.prices = capacity::NodePrices({}, rightsizing::Catalogue())};
  const grpcplugin::BestOptionsRequest request = Request(options, each, pods);
  const std::string bytes = request.SerializeAsString();
  const auto parse = Times(kRuns, [&] {
    grpcplugin::BestOptionsRequest parsed;
    if (!parsed.ParseFromString(bytes)) throw std::runtime_error("no request");
  });
  const auto choose = Times(kRuns, [&] {
    const auto read =
        adapter::ReadOptions(request, clock, clock.MonotonicNow() + std::chrono::minutes(1));
    if (!read) throw std::runtime_error(read.error().message);
    if (capacity::Choose(*read, rules, {}, clock.WallNow()).verdicts.empty())
      throw std::runtime_error("no choice");
  });
  return {{"options", options},
          {"pods", each},
          {"mib", static_cast<double>(bytes.size()) / (1 << 20)},
          {"parse_ms", Summary(parse)},
          {"choose_ms", Summary(choose)}};
}

nlohmann::ordered_json Packing() {
  std::vector<capacity::NodeOffer> offers;
  for (const rightsizing::NodeShape& node : rightsizing::Catalogue().All()) {
    if (offers.size() == kShapes) break;
    if (!node.price || node.cpu_millis < 8000) continue;
    offers.push_back({.shape = node.name,
                      .allocatable = rightsizing::Allocatable(node, {}),
                      .max_pods = node.max_pods,
                      .price_per_hour = node.price->on_demand_per_hour,
                      .max_nodes = 300});
  }
  const std::vector<capacity::PodDemand> demands{
      {.requests = {.cpu_millis = 4000, .memory_bytes = std::int64_t{18} << 30},
       .count = kExecutors}};
  const auto pack = Times(kRuns, [&] {
    if (capacity::PackNodes(demands, offers).unplaced[0] != 0) throw std::runtime_error("no room");
  });
  const auto fit = Times(kRuns, [&] {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < kExecutors; ++i) {
      rightsizing::Resources pod = demands[0].requests;
      pod.memory_bytes += i;  // or the compiler does it once
      for (const capacity::NodeOffer& offer : offers)
        sum += rightsizing::FitPods(pod, offer.allocatable).pods;
    }
    if (sum == 0) throw std::runtime_error("nothing fits");
  });
  return {{"executors", kExecutors},
          {"shapes", offers.size()},
          {"pack_ms", Summary(pack)},
          {"fit_ms", Summary(fit)}};
}

int Main() {
  std::vector<std::string> pods;
  for (int i = 0; i < kPods; ++i) pods.push_back(Executor(i));
  std::cout << nlohmann::ordered_json{{"spread", Expander(kOptions, kPods / kOptions, pods)},
                                      {"full", Expander(10, kPods, pods)},
                                      {"packing", Packing()}}
                   .dump(1)
            << "\n";
  return 0;
}

}  // namespace
}  // namespace stoker::bench

int main() { return stoker::bench::Main(); }
