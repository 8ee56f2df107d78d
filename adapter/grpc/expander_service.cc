#include "adapter/grpc/expander_service.h"

#include <atomic>
#include <exception>
#include <set>
#include <string>
#include <utility>

#include "adapter/grpc/expander_request.h"
#include "adapter/status.h"

namespace stoker::adapter {
namespace {

using capacity::Choice;
using capacity::Verdict;
using grpcplugin::BestOptionsRequest;
using grpcplugin::BestOptionsResponse;

Choice ChooseAmong(const BestOptionsRequest& request,
                   const ExpanderDependencies& deps,
                   MonoTime deadline) {
  const auto options = ReadOptions(request, deps.clock, deadline);
  if (options) {
    return capacity::Choose(*options, *deps.rules(), deps.failures(), deps.clock.WallNow());
  }
  std::vector<capacity::ExpanderOption> unread;
  for (const grpcplugin::Option& option : request.options()) {
    unread.emplace_back().group = option.nodegroupid();
  }
  return capacity::ChooseAll(unread, "left alone: too many pods to judge in time");
}

}  // namespace

struct ExpanderService::Core {
  explicit Core(const ExpanderDependencies& dependencies) : deps(dependencies) {}

  grpc::Status Answer(const BestOptionsRequest& request,
                      BestOptionsResponse& response,
                      MonoTime started) const {
    if (request.options_size() == 0) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "no options to choose from"};
    }
    // Ids stay behind in the log of choices and in metric labels.
    for (const grpcplugin::Option& option : request.options()) {
      if (option.nodegroupid().size() <= kLongestGroup) continue;
      return {grpc::StatusCode::INVALID_ARGUMENT, "no node group has an id of over 1,024 bytes"};
    }
    Choice choice = ChooseAmong(request, deps, started + kWithin);
    std::set<std::string_view> chosen;  // a group may stand in several options
    std::string text;
    for (const Verdict& verdict : choice.verdicts) {
      deps.metrics.OnExpanderOption(capacity::RuleName(verdict.rule));
      if (!verdict.chosen || !chosen.insert(verdict.group).second) continue;
      grpcplugin::Option* const option = response.add_options();
      option->set_nodegroupid(verdict.group);
      option->set_debug(verdict.why);
      deps.metrics.OnExpanderChoice(verdict.group);
      if (text.size() < kMaxText) text += (text.empty() ? "" : ", ") + verdict.group;
    }
    // Cannot be, see Choose; an error leaves the autoscaler all options, an empty list none.
    if (chosen.empty()) return {grpc::StatusCode::INTERNAL, "no option was chosen"};
    const Duration took = deps.clock.MonotonicNow() - started;
    deps.logger.Debug("expander: node groups chosen",
                      {{"options", std::to_string(request.options_size())},
                       {"chosen", text},
                       {"why", response.options(0).debug()},
                       {"took_ms", std::to_string(took.count())}});
    deps.log.Add({.time = deps.clock.WallNow(),
                  .took = took,
                  .options = request.options_size(),
                  .choice = std::move(choice)});
    return grpc::Status::OK;
  }

  /// Finishes the call, once.
  void Serve(grpc::CallbackServerContext* context,
             grpc::ServerUnaryReactor* reactor,
             const BestOptionsRequest* request,
             BestOptionsResponse* response) noexcept {
    const MonoTime started = deps.clock.MonotonicNow();
    grpc::Status status;
    try {
      status =
          context->IsCancelled() ? grpc::Status::CANCELLED : Answer(*request, *response, started);
    } catch (const std::exception& thrown) {
      Report(thrown.what());
      status = {grpc::StatusCode::INTERNAL, "internal error, see Stoker's log"};
    }
    Count(status, started);
    --calls;
    reactor->Finish(status);
  }

  void Report(const char* what) noexcept {
    try {
      deps.logger.Error("the expander threw; the autoscaler chooses without it, please report this",
                        {{"what", what}});
    } catch (...) {  // the call still ends
    }
  }

  void Count(const grpc::Status& status, MonoTime started) noexcept {
    try {
      deps.metrics.OnGrpcRequest(
          "BestOptions", GrpcCodeName(status.error_code()), deps.clock.MonotonicNow() - started);
    } catch (const std::exception& thrown) {
      Report(thrown.what());
    }
  }

  static constexpr std::size_t kMaxText = 500;
  static constexpr std::size_t kLongestGroup = 1024;
  const ExpanderDependencies deps;
  std::atomic<int> calls{0};
};

ExpanderService::ExpanderService(const ExpanderDependencies& dependencies)
    : core_(std::make_shared<Core>(dependencies)) {}

ExpanderService::~ExpanderService() = default;

grpc::ServerUnaryReactor* ExpanderService::BestOptions(grpc::CallbackServerContext* context,
                                                       const BestOptionsRequest* request,
                                                       BestOptionsResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  if (++core_->calls > kMaxCalls) {
    --core_->calls;
    const grpc::Status busy(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many calls at a time");
    core_->Count(busy, core_->deps.clock.MonotonicNow());
    reactor->Finish(busy);
    return reactor;
  }
  core_->deps.executor.Post([core = core_, context, reactor, request, response] {
    core->Serve(context, reactor, request, response);
  });
  return reactor;
}

}  // namespace stoker::adapter
