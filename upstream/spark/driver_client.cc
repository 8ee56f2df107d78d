#include "upstream/spark/driver_client.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "upstream/http/observed_transport.h"
#include "upstream/http/url.h"

namespace stoker::spark {
namespace {

using Kind = Client::Answer::Kind;

/// Thousands of active stages or executors, at 3 and 2 KB each.
constexpr std::size_t kMaxBodyBytes = 16U << 20U;

}  // namespace

Result<std::unique_ptr<Client>> Client::Create(ClientOptions options, const ClientDeps& deps) {
  Result<std::shared_ptr<HttpTransport>> transport = deps.transports.Create(options.tls);
  if (!transport) return Fail(transport.error());
  auto observed = std::make_shared<http::ObservedTransport>(
      std::move(*transport), options.connection, deps.observer);
  return std::unique_ptr<Client>(new Client(std::move(options), deps, std::move(observed)));
}

Client::Client(ClientOptions options,
               const ClientDeps& deps,
               std::shared_ptr<HttpTransport> transport)
    : options_(std::move(options)),
      waiter_(deps.waiter),
      transport_(std::move(transport)),
      retrier_(options_.retry, deps.clock, deps.random, *waiter_) {}

Error Client::Explain(const Driver& driver, const Error& error) const {
  std::string_view what = error.message;
  // The transport names the host, which may have been made from a metadata value.
  if (const Result<http::Url> url = http::ParseUrl(driver.url)) {
    const std::string where = url->host + ":" + url->port + ": ";
    if (what.starts_with(where)) what.remove_prefix(where.size());
  }
  return {error.code,
          "connection " + options_.connection + ": " + driver.label + ": " + std::string(what)};
}

Result<Client::Answer> Client::Get(const Driver& driver,
                                   std::string_view path,
                                   bool optional,
                                   MonoTime deadline,
                                   const std::stop_token& stop) const {
  Result<HttpResponse> response = retrier_.Send(*transport_, [&]() -> Result<HttpRequest> {
    HttpRequest request;
    request.url = driver.url + std::string(path);
    request.deadline = deadline;
    request.max_body_bytes = kMaxBodyBytes;
    request.stop = stop;
    request.tell_absence = true;
    return request;
  });
  if (!response) {
    if (response.error().code == ErrorCode::kNotFound) {
      if (driver.may_be_gone) return Answer{Kind::kNobody, {}};
      response.error().code = ErrorCode::kUnavailable;
      response.error().message +=
          "; its pod runs, so its UI should be there: look at spark.ui.enabled and the container's "
          "port spark-ui";
    }
    return Fail(Explain(driver, response.error()));
  }
  const auto fail = [&](ErrorCode code, const std::string& hint) {
    return Fail(Explain(driver, {code, "it answered " + std::to_string(response->status) + hint}));
  };
  switch (response->status) {
    case 200:
      return Answer{Kind::kBody, std::move(response->body)};
    case 404:
      return Answer{Kind::kNotThere, {}};
    case 401:
    case 403:
      return fail(ErrorCode::kPermissionDenied,
                  "; its UI wants a login (spark.ui.filters, spark.acls.enable) that Stoker does "
                  "not have; let it read /api/v1");
    default:
      break;
  }
  if (response->status / 100 == 3) {
    if (optional) return Answer{Kind::kNotThere, {}};
    return fail(ErrorCode::kUnavailable,
                ", a redirect, which is not followed; set the address to the driver itself (port "
                "4040), not to a proxy of its UI");
  }
  return fail(ErrorCode::kUnavailable, "");
}

/// One Read in progress.
struct DemandReader::Poll {
  const Client& client;
  const MonoTime deadline;
  const std::stop_token& stop;
  Demand demand{};
  std::map<std::string, Known> known{};

  Result<Client::Answer> Get(const Driver& driver,
                             const std::string& path,
                             bool optional = false) const {
    return client.Get(driver, path, optional, deadline, stop);
  }
  /// Asks for something of an application that the driver lists, and has `parse` read it; empty
  /// when the driver has gone meanwhile or, with `optional`, has no such thing. Else a 404 is a
  /// fault: Spark says "no such app" for whatever it does not find, such as an environment whose
  /// event it has not processed yet, or dropped.
  template <class T>
  Result<std::optional<T>> Ask(const Driver& driver,
                               const std::string& path,
                               Result<T> (*parse)(std::string_view),
                               bool optional = false) const {
    const Result<Client::Answer> answer = Get(driver, path, optional);
    if (!answer) return Fail(answer.error());
    if (answer->kind == Kind::kNotThere && !optional) {
      return Fail(client.Explain(
          driver,
          {ErrorCode::kUnavailable,
           "it lists an application and answers 404 for its " + path.substr(path.rfind('/') + 1)}));
    }
    if (answer->kind != Kind::kBody) return std::nullopt;
    Result<T> read = parse(answer->body);
    if (!read) return Fail(client.Explain(driver, read.error()));
    return std::optional<T>(std::move(*read));
  }
};

Result<Demand> DemandReader::Read(const std::vector<Driver>& drivers,
                                  MonoTime deadline,
                                  const std::stop_token& stop) {
  Poll poll{.client = client_, .deadline = deadline, .stop = stop};
  for (const Driver& driver : drivers) {
    const Result<Client::Answer> answer = poll.Get(driver, "/api/v1/applications?status=running");
    if (!answer) return Fail(answer.error());
    if (answer->kind == Kind::kNobody) continue;
    const auto fail = [&](const char* why) {
      return Fail(client_.Explain(driver, {ErrorCode::kUnavailable, why}));
    };
    if (answer->kind == Kind::kNotThere) {
      return fail("it answered 404; is this a driver's UI? /api/v1 is expected below its address");
    }
    if (answer->body.find("Spark is starting up") != std::string::npos) {
      return fail("the driver is still starting; it answers once its SparkContext is ready");
    }
    if (Trim(answer->body).starts_with('<')) {
      return fail(
          "the answer is a web page, not Spark's JSON; is there a proxy that wants a login?");
    }
    const Result<std::vector<Application>> applications = ParseApplications(answer->body);
    if (!applications) return Fail(client_.Explain(driver, applications.error()));
    for (const Application& application : *applications) {
      if (!driver.application.empty() && driver.application != application.id &&
          driver.application != application.name) {
        continue;
      }
      const Status added = AddApplication(driver, application.id, poll);
      if (!added) return Fail(added.error());
    }
  }
  known_ = std::move(poll.known);
  return poll.demand;
}

Status DemandReader::AddApplication(const Driver& driver, const std::string& id, Poll& poll) const {
  const std::string key = driver.url + "\n" + id;
  const auto before = known_.find(key);
  Known known = before == known_.end() ? Known{} : before->second;

  if (!known.no_metrics) {
    const auto metrics = poll.Ask(driver, "/metrics/json/", ParseMetrics, /*optional=*/true);
    if (!metrics) return Fail(metrics.error());
    known.no_metrics = !*metrics;
    if (*metrics && **metrics) {
      poll.demand.executors += ***metrics;
      ++poll.demand.counted_by_spark;
      ++poll.demand.applications;
      poll.known.emplace(key, std::move(known));
      return {};
    }
  }

  const std::string path = "/api/v1/applications/" + http::PercentEncode(id);
  const auto stages = poll.Ask(driver, path + "/stages?status=active", ParseStages);
  if (!stages) return Fail(stages.error());
  if (!*stages) return {};
  if (!(*stages)->empty()) {
    const Result<bool> found = FindSlots(driver, path, **stages, known, poll);
    if (!found) return Fail(found.error());
    if (!*found) return {};
    SlotsByProfile slots = known.slots;
    slots.insert(known.environment->slots.begin(), known.environment->slots.end());
    const Need need = NeededExecutors(**stages, slots, known.environment->allocation_ratio);
    Demand& demand = poll.demand;
    demand.executors += need.executors;
    demand.pending += need.pending;
    demand.running += need.running;
    for (const Stage& stage : **stages) {
      const int of_stage = slots[stage.profile];
      demand.min_slots = demand.min_slots == 0 ? of_stage : std::min(demand.min_slots, of_stage);
      demand.max_slots = std::max(demand.max_slots, of_stage);
    }
  }
  ++poll.demand.applications;
  poll.known.emplace(key, std::move(known));
  return {};
}

/// Makes sure that the environment is known, and the slots of every profile from it or, rather,
/// from an executor. False when the driver has gone.
Result<bool> DemandReader::FindSlots(const Driver& driver,
                                     const std::string& path,
                                     const std::vector<Stage>& stages,
                                     Known& known,
                                     Poll& poll) const {
  const auto unknown_in = [&](const SlotsByProfile& slots) {
    return std::ranges::any_of(stages,
                               [&](const Stage& stage) { return !slots.contains(stage.profile); });
  };
  if (unknown_in(known.slots)) {
    const auto executors = poll.Ask(driver, path + "/executors", ParseExecutors);
    if (!executors) return Fail(executors.error());
    if (!*executors) return false;
    known.slots.insert((*executors)->begin(), (*executors)->end());
  }
  const bool new_profile =
      unknown_in(known.slots) && known.environment && unknown_in(known.environment->slots);
  if (!known.environment || new_profile) {
    auto environment = poll.Ask(driver, path + "/environment", ParseEnvironment);
    if (!environment) return Fail(environment.error());
    if (!*environment) return false;
    known.environment = std::move(**environment);
  }
  return true;
}

}  // namespace stoker::spark
