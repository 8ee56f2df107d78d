#include "adapter/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>
#include <vector>

#include "policy/forecast/forecast.h"

namespace stoker::adapter {
namespace {

constexpr std::size_t kMaxLabelSets = 1000;

// Durations are kept in whole milliseconds, so no bound lies below one. Those that alerts compare
// with are among them (2 s and 0.5 s), for between two bounds a quantile is a guess.
const prometheus::Histogram::BucketBoundaries kPollBuckets{
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10};
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

/// `{a="1",b="2"}`, escaped as the text format asks.
std::string LabelText(std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  std::string text = "{";
  for (const auto& [name, value] : labels) {
    if (text.size() > 1) text += ',';
    text.append(name).append("=\"");
    for (const char c : value) {
      if (c == '\n') {
        text += "\\n";
      } else {
        if (c == '\\' || c == '"') text += '\\';
        text += c;
      }
    }
    text += '"';
  }
  return text += '}';
}

/// The text of a family of gauges, written as values are read: as a MetricFamily, those of ten
/// thousand objects would cost tens of MiB at each scrape.
class Gauges {
 public:
  Gauges(std::string_view name, std::string_view help, std::string_view type = "gauge")
      : name_(name), help_(help), type_(type) {}

  void Add(const std::string& labels, double value) {
    if (!std::isfinite(value)) return;
    std::array<char, 32> number;
    char* const end = std::to_chars(number.data(), number.data() + number.size(), value).ptr;
    series_.append(name_).append(labels).append(" ").append(number.data(), end).append("\n");
  }

  [[nodiscard]] std::string_view name() const { return name_; }
  [[nodiscard]] std::string Text() && {
    if (series_.empty()) return {};
    std::string text = "# HELP " + std::string(name_) + " " + std::string(help_) + "\n# TYPE " +
                       std::string(name_) + " " + std::string(type_) + "\n";
    return text += series_;
  }

 private:
  std::string_view name_;
  std::string_view help_;
  std::string_view type_;
  std::string series_;
};

using Families = std::map<std::string, std::string, std::less<>>;  // text by name

void Move(Gauges&& gauges, Families& out) {
  const std::string name(gauges.name());
  out[name] = std::move(gauges).Text();
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

void AddObjects(const std::vector<const ObjectView*>& objects, Families& out) {
  Gauges replicas("stoker_target_replicas",
                  "Replicas asked for. No series while the decision is an error.");
  Gauges executors("stoker_target_executors",
                   "Executors asked for: replicas times executorsPerReplica.");
  Gauges active("stoker_active", "1 when the target is above 0.");
  Gauges held("stoker_held", "1 when a signal's last good reading stands in for a failed one.");
  for (const ObjectView* object : objects) {
    if (!object->decision || object->decision->error) continue;
    const policy::Decision& decision = *object->decision;
    const std::string labels = LabelText({{"namespace", object->name_space},
                                          {"scaled_object", object->name},
                                          {"policy", object->policy}});
    replicas.Add(labels, decision.target_replicas);
    // Else a sum over objects would count what is wanted twice.
    if (!decision.of_headroom) executors.Add(labels, decision.target_executors);
    active.Add(labels, decision.active ? 1 : 0);
    held.Add(labels, decision.held ? 1 : 0);
  }
  for (Gauges* gauges : {&replicas, &executors, &active, &held}) Move(std::move(*gauges), out);
}

/// Of policies and inline objects alike.
class DecisionGauges {
 public:
  void Add(const std::string& policy, const policy::Decision& decision) {
    bound_.Add(LabelText({{"policy", policy}, {"bound", policy::BoundName(decision.bound)}}), 1);
    for (const policy::SignalDecision& signal : decision.signals) {
      const std::string labels =
          LabelText({{"policy", policy}, {"signal", signal.name}, {"type", signal.type}});
      if (signal.value) value_.Add(labels, *signal.value);
      if (signal.demand) demand_.Add(labels, *signal.demand);
      if (signal.age) age_.Add(labels, Seconds(*signal.age));
      up_.Add(labels, signal.up ? 1 : 0);
      winner_.Add(labels, signal.winner ? 1 : 0);
      if (signal.forecast && signal.forecast->tested > 0) {
        const std::string forecast = LabelText({{"policy", policy}, {"signal", signal.name}});
        forecast_skill_.Add(forecast, signal.forecast->skill);
        forecast_used_.Add(forecast, signal.forecast->used ? 1 : 0);
      }
    }
  }

  void MoveTo(Families& out) && {
    for (Gauges* gauges :
         {&bound_, &value_, &demand_, &age_, &up_, &winner_, &forecast_skill_, &forecast_used_}) {
      Move(std::move(*gauges), out);
    }
  }

 private:
  Gauges bound_{
      "stoker_decision_bound",
      "Always 1; the label tells what bounds the target now, as in stoker_decisions_total."};
  Gauges value_{"stoker_signal_value", "The signal's reading that the decision uses."};
  Gauges demand_{"stoker_signal_demand_replicas",
                 "Replicas that the signal asks for, not rounded."};
  Gauges age_{"stoker_signal_age_seconds", "Age of the reading that the decision uses."};
  Gauges up_{"stoker_signal_up",
             "1 when the signal's newest poll brought a reading of use; 0 when it failed, found "
             "nothing (unless onEmpty is zero) or is older than maxAge."};
  Gauges winner_{"stoker_signal_winner",
                 "1 when the signal's demand is the combined one (max and min)."};
  Gauges forecast_skill_{"stoker_forecast_skill",
                         "Of the forecast's back-test: 1 - its pinball loss / that of the newest "
                         "value."};
  Gauges forecast_used_{"stoker_forecast_used",
                        "1 when the forecast may lift: its back-test beats the newest value."};
};

class LeadTimeGauges {
 public:
  void Add(const std::string& policy, const policy::Decision& decision) {
    if (!decision.headroom) return;
    const policy::LeadTime& lead = decision.headroom->lead;
    if (!lead.measured()) return;
    const auto add = [&](const char* quantile, Duration value) {
      gauges_.Add(LabelText({{"policy", policy}, {"quantile", quantile}}), Seconds(value));
    };
    if (lead.median) add("0.5", *lead.median);
    add("0.9", lead.value);
  }

  void MoveTo(Families& out) && { Move(std::move(gauges_), out); }

 private:
  Gauges gauges_{"stoker_lead_time_seconds",
                 "Measured time from executors wanted to executors running.",
                 "summary"};
};

void AddCapacity(const CapacityGauges& capacity, Families& out) {
  Gauges nodes(
      "stoker_capacity_wanted_nodes",
      "Nodes of this shape that all executors wanted within the lead times would take, as is "
      "cheapest.");
  Gauges buffers("stoker_capacity_buffer_replicas",
                 "Executors that the policy's CapacityBuffer or ProvisioningRequest makes room "
                 "for.");
  Gauges up(
      "stoker_capacity_up",
      "0 when the policy's headroom is an error, or the cluster could not be asked or told of "
      "it; else 1.");
  for (const auto& [shape, count] : capacity.wanted_nodes) {
    nodes.Add(LabelText({{"shape", shape}}), static_cast<double>(count));
  }
  for (const auto& [policy, count] : capacity.buffer_replicas) {
    buffers.Add(LabelText({{"policy", policy}}), static_cast<double>(count));
  }
  for (const auto& [policy, is_up] : capacity.up) {
    up.Add(LabelText({{"policy", policy}}), is_up ? 1 : 0);
  }
  for (Gauges* gauges : {&nodes, &buffers, &up}) Move(std::move(*gauges), out);
}

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
                    "hold or fault. Inline objects count together, as policy (inline)."),
      {"policy", "bound"}};
  Children<prometheus::Counter> expander{
      CounterFamily("stoker_expander_choices_total",
                    "Times the expander chose a node group; several groups at once where the "
                    "autoscaler's next filter decides."),
      {"node_group"}};
  Children<prometheus::Counter> expander_options{
      CounterFamily(
          "stoker_expander_options_total",
          "Node groups that the autoscaler asked about, by the rule that chose or dropped "
          "them: chosen, left_alone (chosen, too), takes_no_driver, spot, not_spot, "
          "failed or costs_more."),
      {"rule"}};
  Children<prometheus::Gauge> peers{
      prometheus::BuildGauge()
          .Name("stoker_peers")
          .Help("Sibling replicas by whether they answer: reached or unreachable.")
          .Register(registry),
      {"state"}};
  mutable std::mutex capacity_mutex;
  CapacityGauges capacity;  ///< guarded by capacity_mutex

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

void Metrics::OnExpanderChoice(std::string_view node_group) {
  impl_->expander.With({node_group}).Increment();
}

void Metrics::OnExpanderOption(std::string_view rule) {
  impl_->expander_options.With({rule}).Increment();
}

void Metrics::OnConfigReload(bool successful) {
  impl_->reload_successful.Set(successful ? 1 : 0);
  if (successful) impl_->reload_time.Set(Seconds(impl_->clock.WallNow().time_since_epoch()));
}

void Metrics::OnDecision(std::string_view policy, policy::Bound bound) {
  impl_->decisions.With({policy, policy::BoundName(bound)}).Increment();
}

void Metrics::OnPeers(int reached, int unreachable) {
  impl_->peers.With({"reached"}).Set(reached);
  impl_->peers.With({"unreachable"}).Set(unreachable);
}

void Metrics::OnCapacity(const CapacityGauges& gauges) {
  const std::scoped_lock lock(impl_->capacity_mutex);
  impl_->capacity = gauges;
}

std::string Metrics::Render(const Decisions& decisions, bool per_object) const {
  Families families;
  for (prometheus::MetricFamily& family : impl_->registry.Collect()) {
    if (family.metric.empty()) continue;
    std::ostringstream text;  // the serializer imbues the C locale
    std::string name = family.name;
    prometheus::TextSerializer().Serialize(text, {std::move(family)});
    families[std::move(name)] = std::move(text).str();
  }
  DecisionGauges newest;
  LeadTimeGauges lead_times;
  std::set<std::string> policies;
  for (const PolicyView& policy : decisions.Policies()) {
    if (policy.decision && policies.insert(policy.name).second) {
      newest.Add(policy.name, *policy.decision);
      lead_times.Add(policy.name, *policy.decision);
    }
  }
  if (per_object) {
    const std::vector<ObjectView> views = decisions.Objects();
    const std::vector<const ObjectView*> objects = DistinctObjects(views);
    AddObjects(objects, families);
    for (const ObjectView* object : objects) {
      if (object->is_inline && object->decision && policies.insert(object->policy).second) {
        newest.Add(object->policy, *object->decision);
      }
    }
  }
  std::move(newest).MoveTo(families);
  std::move(lead_times).MoveTo(families);
  {
    const std::scoped_lock lock(impl_->capacity_mutex);
    AddCapacity(impl_->capacity, families);
  }

  std::size_t size = 0;
  for (const auto& [name, text] : families) size += text.size();
  std::string all;
  all.reserve(size);
  for (const auto& [name, text] : families) all += text;
  return all;
}

}  // namespace stoker::adapter
