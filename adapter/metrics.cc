#include "adapter/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>
#include <vector>

namespace stoker::adapter {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr std::size_t kMaxLabelSets = 1000;

// Durations are kept in whole milliseconds, so no bound lies below one.
const prometheus::Histogram::BucketBoundaries kPollBuckets{
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
const prometheus::Histogram::BucketBoundaries kGrpcBuckets{
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1};

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// The children of one family. Label values come from outside the code, so their number is capped.
/// Label names do not: prometheus-cpp throws on bad ones only.
template <class T>
class Children {
 public:
  Children(prometheus::Family<T>& family, std::vector<std::string> names)
      : family_(family), names_(std::move(names)) {}

  template <class... Args>
  T& With(std::initializer_list<std::string_view> given, const Args&... args) {
    const std::lock_guard lock(mutex_);
    if (const auto found = children_.find(given); found != children_.end()) return *found->second;
    std::vector<std::string> values(given.begin(), given.end());
    if (children_.size() >= kMaxLabelSets) std::fill(values.begin(), values.end(), "other");
    auto [child, added] = children_.try_emplace(values, nullptr);
    if (added) {
      prometheus::Labels labels;
      for (std::size_t i = 0; i < names_.size(); ++i) labels[names_[i]] = values[i];
      child->second = &family_.Add(labels, args...);
    }
    return *child->second;
  }

 private:
  /// Lets label values be looked up without copies, for every call is counted.
  struct Less {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
    }
  };

  prometheus::Family<T>& family_;
  std::vector<std::string> names_;
  std::mutex mutex_;
  std::map<std::vector<std::string>, T*, Less> children_;
};

MetricFamily GaugeFamily(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Gauge, {}};
}

void AddValue(MetricFamily& family, const Labels& labels, double value) {
  if (!std::isfinite(value)) return;
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = labels;
  metric.gauge.value = value;
}

/// Objects in a fixed order, one for each label set: the trigger that was asked about last.
std::vector<const ObjectView*> DistinctObjects(const std::vector<ObjectView>& objects) {
  const auto key = [](const ObjectView* view) {
    return std::tie(view->name_space, view->name, view->policy);
  };
  std::vector<const ObjectView*> distinct;
  distinct.reserve(objects.size());
  for (const ObjectView& object : objects) distinct.push_back(&object);
  std::sort(distinct.begin(), distinct.end(), [&](const ObjectView* a, const ObjectView* b) {
    if (key(a) != key(b)) return key(a) < key(b);
    return a->last_asked > b->last_asked;
  });
  const auto same = [&](const ObjectView* a, const ObjectView* b) { return key(a) == key(b); };
  distinct.erase(std::unique(distinct.begin(), distinct.end(), same), distinct.end());
  return distinct;
}

void AddObjects(const std::vector<const ObjectView*>& objects, std::vector<MetricFamily>& out) {
  MetricFamily replicas = GaugeFamily(
      "stoker_target_replicas", "Replicas asked for. No series while the decision is an error.");
  MetricFamily executors = GaugeFamily("stoker_target_executors",
                                       "Executors asked for: replicas times executorsPerReplica.");
  MetricFamily active = GaugeFamily("stoker_active", "1 when the target is above 0.");
  MetricFamily held =
      GaugeFamily("stoker_held", "1 when a signal's last good reading stands in for a failed one.");
  for (MetricFamily* family : {&replicas, &executors, &active, &held}) {
    family->metric.reserve(objects.size());
  }
  for (const ObjectView* object : objects) {
    if (!object->decision || object->decision->error) continue;
    const policy::Decision& decision = *object->decision;
    const Labels labels{{"namespace", object->name_space},
                        {"scaled_object", object->name},
                        {"policy", object->policy}};
    AddValue(replicas, labels, decision.target_replicas);
    AddValue(executors, labels, decision.target_executors);
    AddValue(active, labels, decision.active ? 1 : 0);
    AddValue(held, labels, decision.held ? 1 : 0);
  }
  for (MetricFamily* family : {&replicas, &executors, &active, &held}) {
    out.push_back(std::move(*family));
  }
}

class SignalFamilies {
 public:
  void Add(const std::string& policy, const policy::Decision& decision) {
    for (const policy::SignalDecision& signal : decision.signals) {
      const Labels labels{{"policy", policy}, {"signal", signal.name}, {"type", signal.type}};
      if (signal.value) AddValue(value_, labels, *signal.value);
      if (signal.demand) AddValue(demand_, labels, *signal.demand);
      if (signal.age) AddValue(age_, labels, Seconds(*signal.age));
      AddValue(up_, labels, signal.up ? 1 : 0);
      AddValue(winner_, labels, signal.winner ? 1 : 0);
    }
  }

  void MoveTo(std::vector<MetricFamily>& out) && {
    for (MetricFamily* family : {&value_, &demand_, &age_, &up_, &winner_}) {
      out.push_back(std::move(*family));
    }
  }

 private:
  MetricFamily value_ =
      GaugeFamily("stoker_signal_value", "The signal's reading that the decision uses.");
  MetricFamily demand_ = GaugeFamily("stoker_signal_demand_replicas",
                                     "Replicas that the signal asks for, not rounded.");
  MetricFamily age_ =
      GaugeFamily("stoker_signal_age_seconds", "Age of the reading that the decision uses.");
  MetricFamily up_ = GaugeFamily("stoker_signal_up", "1 when the signal's newest poll succeeded.");
  MetricFamily winner_ = GaugeFamily(
      "stoker_signal_winner", "1 when the signal's demand is the combined one (max and min).");
};

}  // namespace

struct Metrics::Impl {
  explicit Impl(const Clock& the_clock, const std::string& version) : clock(the_clock) {
    prometheus::BuildGauge()
        .Name("stoker_build_info")
        .Help("Always 1; the label tells the version.")
        .Register(registry)
        .Add({{"version", version}})
        .Set(1);
  }

  prometheus::Family<prometheus::Counter>& CounterFamily(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  prometheus::Family<prometheus::Histogram>& HistogramFamily(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }
  prometheus::Gauge& Gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }

  const Clock& clock;
  prometheus::Registry registry;
  Children<prometheus::Counter> polls{
      CounterFamily("stoker_polls_total", "Polls by outcome: ok, empty or error."),
      {"connection", "type", "result"}};
  Children<prometheus::Histogram> poll_seconds{
      HistogramFamily("stoker_poll_duration_seconds", "How long polls take, retries included."),
      {"connection", "type"}};
  Children<prometheus::Counter> upstream{
      CounterFamily("stoker_upstream_requests_total",
                    "Requests to upstreams by HTTP status; 0 when there was no answer."),
      {"connection", "code"}};
  Children<prometheus::Counter> grpc{
      CounterFamily("stoker_grpc_requests_total", "gRPC calls answered, by status code."),
      {"method", "code"}};
  Children<prometheus::Histogram> grpc_seconds{
      HistogramFamily("stoker_grpc_request_duration_seconds", "How long gRPC calls take."),
      {"method"}};
  Children<prometheus::Counter> decisions{
      CounterFamily("stoker_decisions_total",
                    "Decisions by what bound the target last: none, min, max, stabilization, step, "
                    "hold or fault."),
      {"policy", "bound"}};
  prometheus::Gauge& reload_successful =
      Gauge("stoker_config_last_reload_successful",
            "1 when the configuration was accepted the last time it was read.");
  prometheus::Gauge& reload_time =
      Gauge("stoker_config_last_reload_success_timestamp_seconds",
            "When a configuration was last accepted, in Unix time; 0 for never.");
};

Metrics::Metrics(const Clock& clock, const std::string& version)
    : impl_(std::make_unique<Impl>(clock, version)) {}
Metrics::~Metrics() = default;

void Metrics::OnUpstreamRequest(std::string_view connection, int code) {
  impl_->upstream.With({connection, std::to_string(code)}).Increment();
}

void Metrics::OnPoll(std::string_view connection,
                     std::string_view type,
                     std::string_view result,
                     Duration took) {
  impl_->polls.With({connection, type, result}).Increment();
  impl_->poll_seconds.With({connection, type}, kPollBuckets).Observe(Seconds(took));
}

void Metrics::OnGrpcRequest(std::string_view method, std::string_view code, Duration took) {
  impl_->grpc.With({method, code}).Increment();
  impl_->grpc_seconds.With({method}, kGrpcBuckets).Observe(Seconds(took));
}

void Metrics::OnConfigReload(bool successful) {
  impl_->reload_successful.Set(successful ? 1 : 0);
  if (successful) impl_->reload_time.Set(Seconds(impl_->clock.WallNow().time_since_epoch()));
}

void Metrics::OnDecision(std::string_view policy, policy::Bound bound) {
  impl_->decisions.With({policy, policy::BoundName(bound)}).Increment();
}

std::string Metrics::Render(const Decisions& decisions, bool per_object) const {
  std::vector<MetricFamily> families = impl_->registry.Collect();

  SignalFamilies signals;
  std::set<std::string> policies;
  for (const PolicyView& policy : decisions.Policies()) {
    if (policy.decision && policies.insert(policy.name).second) {
      signals.Add(policy.name, *policy.decision);
    }
  }
  if (per_object) {
    const std::vector<ObjectView> views = decisions.Objects();
    const std::vector<const ObjectView*> objects = DistinctObjects(views);
    AddObjects(objects, families);
    for (const ObjectView* object : objects) {
      if (object->is_inline && object->decision && policies.insert(object->policy).second) {
        signals.Add(object->policy, *object->decision);
      }
    }
  }
  std::move(signals).MoveTo(families);

  std::erase_if(families, [](const MetricFamily& family) { return family.metric.empty(); });
  std::sort(families.begin(), families.end(), [](const MetricFamily& a, const MetricFamily& b) {
    return a.name < b.name;
  });
  std::ostringstream out;  // the serializer imbues the C locale
  prometheus::TextSerializer().Serialize(out, families);
  return std::move(out).str();
}

}  // namespace stoker::adapter
