#include "adapter/capacity_controller.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <stop_token>
#include <utility>

#include "adapter/cluster_observer.h"
#include "capacity/object_diff.h"
#include "capacity/packing.h"
#include "core/guarded.h"
#include "core/units.h"
#include "upstream/kubernetes/json.h"

namespace stoker::adapter {
namespace {

using capacity::Headroom;
using kubernetes::Find;
using kubernetes::Reason;
using kubernetes::Resource;
using kubernetes::Text;
using nlohmann::json;
using policy::Mechanism;

constexpr const char* kGroup = "autoscaling.x-k8s.io";
/// Where the fingerprint of what was applied stands, so that a field that is no longer wanted shows
/// as a difference, too.
constexpr const char* kFingerprint = "stoker/fingerprint";
/// As long as a booking lasts.
constexpr Duration kFailedStays = std::chrono::minutes(10);
/// Of objects, where no cluster says in which namespace we are.
constexpr const char* kNamespace = "stoker";

bool TellsTheCluster(const PolicyView& view) {
  return !view.retired && view.definition && view.definition->capacity &&
         view.definition->capacity->mechanism.value_or(Mechanism::kNone) != Mechanism::kNone;
}

Resource BufferOf(const Headroom& headroom) {
  return {kGroup, "v1beta1", "capacitybuffers", headroom.name_space, headroom.name};
}
Resource TemplateOf(const Headroom& headroom) {
  return {"", "v1", "podtemplates", headroom.name_space, headroom.name};
}
Resource RequestOf(const Headroom& headroom, const std::string& name) {
  return {kGroup, "v1", "provisioningrequests", headroom.name_space, name};
}

json Plain(const capacity::Json& object) { return json::parse(object.dump()); }

/// FNV-1a.
std::string Fingerprint(const std::string& text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211U;
  }
  std::string out;
  for (int shift = 60; shift >= 0; shift -= 4)
    out += kHex[(hash >> static_cast<unsigned>(shift)) & 15U];
  return out;
}

/// With the fingerprint of all but `changing`, which is compared by itself.
json Marked(json object, const char* changing) {
  json fixed = object;
  if (fixed.contains("spec")) fixed["spec"].erase(changing);
  object["metadata"]["annotations"][kFingerprint] = Fingerprint(fixed.dump());
  return object;
}

bool IsOurs(const json& live, const Headroom& headroom) {
  const auto labels = capacity::HeadroomLabels(headroom);
  return std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
    return Text(live, {"metadata", "labels", label.first}) == label.second;
  });
}

/// "CapacityBuffer spark/stoker-etl"; "" for a mechanism that is not ours to keep.
std::string ObjectOf(const Headroom& headroom) {
  const std::string name = headroom.name_space + "/" + headroom.name;
  if (headroom.mechanism == Mechanism::kBuffer) return "CapacityBuffer " + name;
  if (headroom.mechanism != Mechanism::kProvisioningRequest) return "";
  return "ProvisioningRequest " + name + "-*";
}

std::string LabelSelector(const Headroom& headroom) {
  std::string text;
  for (const auto& [key, value] : capacity::HeadroomLabels(headroom)) {
    text.append(text.empty() ? "" : ",").append(key).append("=").append(value);
  }
  return text;
}

std::int64_t Integer(const json* value) {
  return value != nullptr && value->is_number_integer() ? value->get<std::int64_t>() : 0;
}

std::int64_t CountOf(const json& request) {
  const json* sets = Find(request, {"spec", "podSets"});
  if (sets == nullptr || !sets->is_array()) return 0;
  std::int64_t count = 0;
  for (const json& set : *sets) count += Integer(Find(set, {"count"}));
  return count;
}

/// Whether it holds nothing any more: its booking is over, or it failed. One that failed is left
/// for a while, since what it failed of is seldom gone by the next round.
bool IsOver(const json& request, WallTime now) {
  const json* conditions = Find(request, {"status", "conditions"});
  if (conditions == nullptr || !conditions->is_array()) return false;
  return std::any_of(conditions->begin(), conditions->end(), [now](const json& condition) {
    if (Text(condition, {"status"}) != "True") return false;
    const std::string type = Text(condition, {"type"});
    if (type != "Failed") return type == "BookingExpired" || type == "CapacityRevoked";
    const Result<WallTime> since = ParseTime(Text(condition, {"lastTransitionTime"}));
    return !since || now - *since >= kFailedStays;
  });
}

}  // namespace

std::map<std::string, std::int64_t> WantedNodes(const std::vector<capacity::NodeShape>& shapes,
                                                const std::vector<Headroom>& wanted) {
  std::vector<capacity::PodDemand> demands;
  for (const Headroom& headroom : wanted) {
    demands.push_back({.requests = headroom.requests, .count = headroom.executors});
  }
  const capacity::NodePlan plan = capacity::PackNodes(demands, capacity::OffersOf(shapes));
  std::map<std::string, std::int64_t> nodes;
  for (std::size_t i = 0; i < shapes.size(); ++i) nodes[shapes[i].name] += plan.nodes[i];
  return nodes;
}

struct CapacityController::Core : std::enable_shared_from_this<CapacityController::Core> {
  explicit Core(Deps the_deps) : deps(std::move(the_deps)) {}

  /// What the policies of one round ask for.
  struct Asked {
    std::map<std::string, Headroom> objects;              ///< of 0 executors, by ObjectOf
    std::set<std::pair<std::string, std::string>> names;  ///< namespaces and names of all objects
    std::set<std::string> in_trouble;  ///< policies whose objects are not as they should be
  };

  /// One object that should be so.
  struct Wish {
    Resource resource;
    json desired;
  };

  void Schedule(MonoTime when) {
    deps.executor.PostAt(when, [weak = weak_from_this()] {
      const std::shared_ptr<Core> core = weak.lock();
      if (!core) return;
      const std::scoped_lock lock(core->round);
      if (core->stop.stop_requested()) return;
      core->GuardedRound();
      core->Schedule(core->deps.clock.MonotonicNow() + kEvery);
    });
  }

  void GuardedRound() {
    const Status done = Guarded([this]() -> Status {
      Round();
      return {};
    });
    if (done) return;
    deps.logger.Error("the cluster is not told of executors to come; what is there stays as it is",
                      {{"error", done.error().message}});
    for (auto& [policy, up] : gauges.up) up = false;
    deps.observer.OnCapacity(gauges);
    const std::scoped_lock lock(mutex);
    for (CapacityStatus& status : statuses) status.error = done.error().message;
  }

  void Round() {
    config = deps.config();
    const std::vector<PolicyView> views = deps.decisions.Policies();
    client = nullptr;
    std::string own_namespace = kNamespace;
    if (!placed.empty() || std::any_of(views.begin(), views.end(), TellsTheCluster)) {
      const Result<kubernetes::Client*> loaded = deps.client();
      if (loaded) {
        client = *loaded;
        own_namespace = client->name_space();
      } else {
        no_client = loaded.error().message;
      }
    }
    const bool is_there = client != nullptr;
    std::vector<CapacityStatus> next;
    std::vector<Headroom> headrooms;
    std::vector<Headroom> wanted;
    rooms.clear();
    Asked asked;
    CapacityGauges found;
    for (const PolicyView& view : views) {
      if (!view.definition || !view.definition->capacity) continue;
      Result<Headroom> headroom = capacity::MakeHeadroom(*view.definition, config, own_namespace);
      if (!headroom) continue;  // no executor is described, so nobody is told of any
      const std::string object = ObjectOf(*headroom);
      const bool is_free = object.empty() || Takes(*headroom, object, views, asked);
      if (view.retired) continue;  // what is there stays as long as its targets are answered
      CapacityStatus status;
      status.policy = view.name;
      status.mechanism = headroom->mechanism;
      const policy::Headroom* decided =
          view.decision && view.decision->headroom ? &*view.decision->headroom : nullptr;
      if (!is_free) {
        status.error = "another policy has objects of the name " + headroom->name_space + "/" +
                       headroom->name + "; set policies." + view.name + ".capacity.name to another";
      } else if (decided == nullptr) {
        status.error = "there is no decision yet";
      } else if (decided->error) {
        status.error = decided->error->message;
      } else {
        headroom->executors = std::min<std::int64_t>(decided->executors, headroom->max_executors);
        wanted.push_back(*headroom);
        wanted.back().executors = std::max(decided->wanted_now, decided->wanted_ahead);
      }
      BeginTurn();
      Handle(*headroom, status, Purpose::kKeep);
      if (!status.error.empty()) asked.in_trouble.insert(view.name);
      if (status.there) found.buffer_replicas[status.policy] = *status.there;
      if (status.mechanism != Mechanism::kNone) found.up[status.policy] = status.error.empty();
      headrooms.push_back(*std::move(headroom));
      next.push_back(std::move(status));
    }
    Release(asked, is_there);
    if (client != nullptr) Explain(headrooms, next);
    if (!wanted.empty()) found.wanted_nodes = WantedNodes(config.node_shapes, wanted);
    gauges = std::move(found);
    deps.observer.OnCapacity(gauges);
    const std::scoped_lock lock(mutex);
    statuses = std::move(next);
  }

  /// Whether the policy is the one that sizes the object: who did before, else the first.
  bool Takes(const Headroom& headroom,
             const std::string& object,
             const std::vector<PolicyView>& views,
             Asked& asked) const {
    const auto before = placed.find(object);
    const bool is_taken = before != placed.end() && before->second.policy != headroom.policy &&
                          std::any_of(views.begin(), views.end(), [&](const PolicyView& view) {
                            return view.name == before->second.policy && TellsTheCluster(view);
                          });
    if (is_taken || !asked.names.emplace(headroom.name_space, headroom.name).second) {
      asked.objects.emplace(object, headroom);
      return false;
    }
    asked.objects.insert_or_assign(object, headroom);
    return true;
  }

  /// What nobody asks for any more makes room for nothing: left alone, it would keep its nodes for
  /// good. What a policy moves away from stays until its new object is as it should be. Knows only
  /// what was asked for since the start.
  void Release(const Asked& asked, bool is_there) {
    if (!config.write) return placed.clear();
    std::erase_if(placed, [&](const auto& one) {
      const auto& [object, headroom] = one;
      if (asked.objects.contains(object)) return true;
      return !asked.in_trouble.contains(headroom.policy) && Emptied(headroom);
    });
    // Without a cluster nobody knows our namespace.
    if (is_there) placed.insert(asked.objects.begin(), asked.objects.end());
  }

  /// A webhook that takes long over one policy's object costs no other its turn.
  void BeginTurn() { deadline = deps.clock.MonotonicNow() + kTimeout; }

  /// True once there is nothing more to do.
  bool Emptied(const Headroom& headroom) {
    BeginTurn();
    if (headroom.mechanism == Mechanism::kBuffer && client != nullptr) {
      const auto live = client->Get(BufferOf(headroom), deadline, stop.get_token());
      // Gone, or somebody else's: not to be made anew.
      if (live ? !IsOurs(*live, headroom) : live.error().reason == Reason::kNotFound) return true;
    }
    CapacityStatus status;
    status.policy = headroom.policy;
    status.mechanism = headroom.mechanism;
    Handle(headroom, status, Purpose::kEmpty);
    return status.error.empty() && status.there == 0;
  }

  enum class Purpose : std::uint8_t { kKeep, kEmpty };

  void Handle(const Headroom& headroom, CapacityStatus& status, Purpose purpose) {
    status.object = ObjectOf(headroom);
    if (status.object.empty() || !status.error.empty()) return;
    if (client == nullptr) {
      status.error = no_client;
      return;
    }
    const auto last = written.find(headroom.policy);
    if (last != written.end()) status.written = last->second;
    const Status done = Guarded([&]() -> Status {
      if (status.mechanism == Mechanism::kBuffer) {
        Buffer(headroom, status, purpose);
      } else {
        Request(headroom, status);
      }
      return {};
    });
    if (!done) status.error = done.error().message;
    Tell(status);
  }

  /// A line for each change of what stands in the way.
  void Tell(const CapacityStatus& status) {
    if (status.error == std::exchange(told[status.object], status.error)) return;
    if (status.error.empty()) {
      deps.logger.Info("the cluster can be told of executors to come again",
                       {{"policy", status.policy}, {"object", status.object}});
    } else {
      deps.logger.Warn(
          "the cluster cannot be told of executors to come; what is there stays as it is",
          {{"policy", status.policy}, {"object", status.object}, {"error", status.error}});
    }
  }

  void Buffer(const Headroom& headroom, CapacityStatus& status, Purpose purpose) {
    const Wish pod{TemplateOf(headroom), Marked(Plain(capacity::PodTemplate(headroom)), "")};
    const Wish buffer{BufferOf(headroom),
                      Marked(Plain(capacity::CapacityBuffer(headroom)), "replicas")};
    // The template first: a buffer without one is an error of the autoscaler's. Of a buffer that is
    // emptied it may have become another object's.
    if (purpose == Purpose::kKeep && !Bring(pod, headroom, status, nullptr)) return;
    json live;
    if (!Bring(buffer, headroom, status, &live)) return;
    if (live.is_null()) return;
    status.there = Integer(Find(live, {"spec", "replicas"}));
    if (*status.there > 0) rooms.push_back(ReadRoom(live, headroom.policy));
  }

  void Request(const Headroom& headroom, CapacityStatus& status) {
    auto list = client->List(RequestOf(headroom, ""),
                             {.labels = LabelSelector(headroom), .fields = ""},
                             deadline,
                             stop.get_token());
    if (!list) return ReadFault(list.error(), status);
    std::string kept;
    std::int64_t most = 0;
    for (const json& request : list->items) {
      const std::int64_t count = CountOf(request);
      if (IsOver(request, deps.clock.WallNow()) || count <= most) continue;
      most = count;
      kept = Text(request, {"metadata", "name"});
    }
    for (json& request : list->items) {
      if (Text(request, {"metadata", "name"}) != kept) continue;
      request["kind"] = "ProvisioningRequest";  // which lists leave out
      rooms.push_back(ReadRoom(request, headroom.policy));
    }
    status.there = most;
    const bool anew = headroom.executors > most;
    if (headroom.executors == 0 || anew) kept.clear();
    if (anew) {
      const Wish pod{TemplateOf(headroom), Marked(Plain(capacity::PodTemplate(headroom)), "")};
      if (!Bring(pod, headroom, status, nullptr)) return;
      const json desired = Plain(capacity::ProvisioningRequest(headroom));
      const std::string name = Text(desired, {"metadata", "name"});
      const bool taken = std::any_of(list->items.begin(), list->items.end(), [&](const json& one) {
        return Text(one, {"metadata", "name"}) == name;
      });
      // One that is over has to go before its name is free.
      if (!taken) {
        status.diff.push_back(name + ": create, for " + std::to_string(headroom.executors) +
                              " executors");
        if (MayWrite()) {
          const auto made =
              client->Create(RequestOf(headroom, ""), desired, deadline, stop.get_token());
          if (!made) return Fault(made.error(), status);
          Wrote(headroom, status, name + " for " + std::to_string(headroom.executors));
          status.there = headroom.executors;
        }
      }
    }
    for (const json& request : list->items) {
      const std::string name = Text(request, {"metadata", "name"});
      if (name == kept) continue;
      status.diff.push_back(name + ": delete");
      if (!MayWrite()) continue;
      const auto gone = client->Delete(RequestOf(headroom, name), deadline, stop.get_token());
      if (!gone && gone.error().reason != Reason::kNotFound) return Fault(gone.error(), status);
      Wrote(headroom, status, name + " deleted");
    }
    if (MayWrite()) status.diff.clear();
  }

  /// Compares, and writes the difference if that is allowed. False when it could not; `live` is
  /// the object as it is then, null when there is none.
  bool Bring(const Wish& wish, const Headroom& headroom, CapacityStatus& status, json* live) {
    auto found = client->Get(wish.resource, deadline, stop.get_token());
    if (!found && found.error().reason != Reason::kNotFound) {
      ReadFault(found.error(), status);
      return false;
    }
    const std::string what = Text(wish.desired, {"kind"}) + " " + wish.resource.name;
    std::vector<std::string> lines;
    if (!found) {
      lines.push_back(what + ": create");
    } else if (!IsOurs(*found, headroom)) {
      status.error = what + " of namespace " + wish.resource.name_space +
                     " is there and is not Stoker's; give policies." + headroom.policy +
                     ".capacity another name, or delete it";
      return false;
    } else {
      lines = capacity::ObjectDiff(wish.desired, *found);
      if (live != nullptr) *live = *found;
    }
    if (lines.empty()) return true;
    if (!MayWrite()) {
      status.diff.insert(status.diff.end(), lines.begin(), lines.end());
      return true;
    }
    auto applied =
        client->Apply(wish.resource, wish.desired, {.force = true}, deadline, stop.get_token());
    if (!applied) {
      Fault(applied.error(), status);
      status.diff.insert(status.diff.end(), lines.begin(), lines.end());
      return false;
    }
    if (live != nullptr) *live = *applied;
    Wrote(headroom, status, lines.front());
    return true;
  }

  [[nodiscard]] bool MayWrite() const { return config.write && deps.may_write(); }

  void Wrote(const Headroom& headroom, CapacityStatus& status, const std::string& what) {
    status.written = written[headroom.policy] = deps.clock.WallNow();
    deps.logger.Info("told the cluster of executors to come",
                     {{"policy", headroom.policy},
                      {"object", status.object},
                      {"change", what},
                      {"executors", std::to_string(headroom.executors)}});
  }

  /// Whatever is there stays as it is.
  static void Fault(const kubernetes::ApiError& error, CapacityStatus& status) {
    status.error = error.error.message;
    if (error.reason == Reason::kUnknownKind) {
      status.error += "; the Cluster Autoscaler's CustomResourceDefinitions are not installed";
    }
  }

  /// Reads pass no webhook: one that takes too long is the API server's trouble, and so
  /// everybody's.
  void ReadFault(const kubernetes::ApiError& error, CapacityStatus& status) {
    Fault(error, status);
    if (error.error.code != ErrorCode::kDeadlineExceeded) return;
    client = nullptr;
    no_client = status.error;
  }

  void Explain(const std::vector<Headroom>& headrooms, std::vector<CapacityStatus>& next) {
    BeginTurn();
    ClusterQuestion question;
    for (const Headroom& headroom : headrooms) {
      question.namespaces.insert(headroom.name_space);
      if (headroom.mechanism == Mechanism::kBuffer && headroom.executors > 0) {
        question.buffers.insert(headroom.name_space);
      }
    }
    question.status_namespace = config.expander.status_namespace;
    question.status_config_map = config.expander.status_config_map;
    ClusterAnswer answer =
        ObserveCluster(*client, question, deps.clock.WallNow(), deadline, stop.get_token());
    // Those remembered from earlier statuses, too.
    if (deps.failures) answer.view.failures.merge(deps.failures());
    answer.view.rooms = rooms;
    const capacity::OwnView own = deps.own ? deps.own() : capacity::OwnView{};
    for (std::size_t i = 0; i < headrooms.size(); ++i) {
      next[i].missing = capacity::Diagnose(answer.view, headrooms[i], config.node_shapes, own);
      for (const std::string& unknown : answer.unknown) {
        next[i].missing.push_back({capacity::Blocker::kUnknown, unknown});
      }
    }
  }

  const Deps deps;
  std::stop_source stop;
  std::mutex round;  ///< held during one
  // Of the round in progress.
  capacity::CapacityConfig config;
  kubernetes::Client* client = nullptr;  ///< null: see no_client
  std::string no_client;
  std::vector<capacity::RoomObject> rooms;  ///< that ask for any
  MonoTime deadline{};                      ///< of the turn in progress
  CapacityGauges gauges;                    ///< of the newest round that ended
  std::map<std::string, WallTime> written;
  std::map<std::string, Headroom> placed;   ///< what may be in the cluster, by ObjectOf
  std::map<std::string, std::string> told;  ///< errors that the log names, by ObjectOf

  mutable std::mutex mutex;
  std::vector<CapacityStatus> statuses;  ///< guarded by mutex
};

CapacityController::CapacityController(Deps deps)
    : core_(std::make_shared<Core>(std::move(deps))) {}

CapacityController::~CapacityController() { Stop(); }

void CapacityController::Start() { core_->Schedule(core_->deps.clock.MonotonicNow()); }

void CapacityController::Stop() {
  core_->stop.request_stop();
  const std::scoped_lock lock(core_->round);
}

std::vector<CapacityStatus> CapacityController::Statuses() const {
  const std::scoped_lock lock(core_->mutex);
  return core_->statuses;
}

}  // namespace stoker::adapter
