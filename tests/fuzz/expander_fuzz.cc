// Any bytes as the autoscaler's request: read and chosen from without a crash, and never is nothing
// chosen of something.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "adapter/grpc/expander_request.h"
#include "capacity/expander.h"
#include "core/clock.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace capacity = stoker::capacity;
  static const stoker::SystemClock clock;
  static const capacity::ExpanderRules rules{
      .prices = capacity::NodePrices({}, stoker::rightsizing::Catalogue())};
  grpcplugin::BestOptionsRequest request;
  if (size > 1U << 20U || !request.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto options =
      stoker::adapter::ReadOptions(request, clock, clock.MonotonicNow() + std::chrono::minutes(1));
  if (!options || options->size() != static_cast<std::size_t>(request.options_size())) std::abort();
  capacity::GroupFailures failures;
  if (!options->empty()) failures[options->front().group] = {};
  const capacity::Choice choice = capacity::Choose(*options, rules, failures, clock.WallNow());
  const auto chosen = [](const capacity::Verdict& verdict) { return verdict.chosen; };
  if (choice.verdicts.size() != options->size()) std::abort();
  if (!options->empty() && std::ranges::none_of(choice.verdicts, chosen)) std::abort();
  return 0;
}
