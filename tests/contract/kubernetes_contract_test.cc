// What we make of an API server, asked of the one in memory and, when STOKER_TEST_KUBECONFIG names
// a kubeconfig of an administrator, of a real one, whose etcd is at the URL STOKER_TEST_ETCD. A
// test leaves nothing behind that hinders another run.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "config/yaml_json.h"
#include "tests/testing/fake_kubernetes.h"
#include "tests/testing/fakes.h"
#include "upstream/http/beast_transport.h"
#include "upstream/kubernetes/client.h"
#include "upstream/kubernetes/lease.h"

namespace stoker::kubernetes {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const SystemClock& TheClock() {
  static const SystemClock clock;
  return clock;
}

std::string KubeconfigPath() {
  return SystemEnvironment().Get("STOKER_TEST_KUBECONFIG").value_or("");
}

/// An API server, and who asks it. `kind` is "fake" or "real".
class Backend {
 public:
  explicit Backend(const std::string& kind) {
    if (kind == "fake") {
      cluster_.Join(world_);
      cluster_.set_watches_wait(true);
      cluster_.Serve("", "v1", "serviceaccounts", "ServiceAccount");
      cluster_.Serve("", "v1", "events", "Event");
      access_ = InClusterAccess(world_.environment, world_.files).value();
    } else {
      real_ = std::make_unique<http::BeastTransportFactory>(TheClock(), disk_);
      const Result<Access> access = FindAccess(
          {.kubeconfig = KubeconfigPath(), .yaml = config::YamlToJson}, environment_, disk_);
      if (!access) throw std::runtime_error(access.error().message);
      access_ = *access;
    }
    client_ = Connect(access_);
  }

  Client& client() { return *client_; }
  [[nodiscard]] bool fake() const { return !real_; }

  /// With a token that the server does not know.
  std::unique_ptr<Client> Stranger() {
    Access access = access_;
    access.token_file.clear();
    access.token = "wrong";
    access.tls.cert_pem.clear();
    access.tls.key_pem.clear();
    access.tls.cert_file.clear();
    access.tls.key_file.clear();
    return Connect(access);
  }

  /// A service account that may do nothing.
  std::unique_ptr<Client> Powerless(const std::string& name) {
    if (fake()) {
      for (const char* verb : {"get", "list", "patch", "watch"}) {
        cluster_.Forbid(verb, "configmaps");
      }
      return Connect(access_);
    }
    const json account{
        {"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", {{"name", name}}}};
    const Resource accounts{"", "v1", "serviceaccounts", "default", ""};
    if (const auto made = client_->Create(accounts, account, Deadline(), {}); !made) {
      throw std::runtime_error(made.error().error.message);
    }
    const HttpResponse answer =
        Send("POST",
             "/api/v1/namespaces/default/serviceaccounts/" + name + "/token",
             "application/json",
             {{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}, {"spec", {}}});
    Access access = access_;
    access.token = json::parse(answer.body)["status"]["token"];
    access.tls.cert_pem.clear();
    access.tls.key_pem.clear();
    access.tls.cert_file.clear();
    access.tls.key_file.clear();
    return Connect(access);
  }

  /// What another manager applies, by force.
  void ApplyAs(const std::string& manager, const Resource& resource, const json& object) {
    const HttpResponse answer = Send("PATCH",
                                     PathOf(resource) + "?force=true&fieldManager=" + manager,
                                     "application/apply-patch+yaml",
                                     object);
    ASSERT_EQ(answer.status / 100, 2) << answer.body;
  }

  /// Lets the server forget what was before this version; false when we cannot.
  bool Forget(const std::string& version) {
    if (fake()) {
      cluster_.Compact();
      return true;
    }
    HttpRequest request;
    request.method = "POST";
    request.url = environment_.Get("STOKER_TEST_ETCD").value_or("");
    if (request.url.empty()) return false;
    request.url += "/v3/kv/compaction";
    request.headers = {{"Content-Type", "application/json"}};
    request.body = json{{"revision", version}, {"physical", true}}.dump();
    request.deadline = Deadline();
    return real_->Create({}).value()->Send(request).value().status == 200;
  }

  static MonoTime Deadline() { return TheClock().MonotonicNow() + seconds(20); }

 private:
  std::unique_ptr<Client> Connect(const Access& access) {
    HttpTransportFactory* transports = real_.get();
    if (transports == nullptr) transports = &world_.transports;
    return Client::Connect(access,
                           {TheClock(),
                            random_,
                            environment_,
                            fake() ? static_cast<const FileSystem&>(world_.files) : disk_,
                            *transports,
                            world_.observer,
                            std::make_shared<http::SystemWaiter>()})
        .value();
  }

  HttpResponse Send(const std::string& method,
                    const std::string& target,
                    const std::string& content_type,
                    const json& body) {
    HttpRequest request;
    request.method = method;
    request.url = access_.server + target;
    request.headers = {{"Content-Type", content_type}};
    const std::string token = fake() ? "t0ken" : access_.token;
    if (!token.empty()) request.headers.push_back({"Authorization", "Bearer " + token});
    request.body = body.dump();
    request.deadline = Deadline();
    if (fake()) return world_.transport->Send(request).value();
    return real_->Create(access_.tls).value()->Send(request).value();
  }

  SystemEnvironment environment_;
  SystemFileSystem disk_;
  SystemRandom random_;
  testing::FakeWorld world_;
  testing::FakeKubernetes cluster_;
  std::unique_ptr<http::BeastTransportFactory> real_;
  Access access_;
  std::unique_ptr<Client> client_;
};

class KubernetesContract : public ::testing::TestWithParam<std::string> {
 protected:
  Client& client() { return backend_.client(); }
  static MonoTime Deadline() { return Backend::Deadline(); }

  /// A name that no other run has.
  std::string Name(const std::string& what) const { return run_ + "-" + what; }
  static Resource Maps(const std::string& name = "") {
    return {"", "v1", "configmaps", "default", name};
  }
  static json Map(const std::string& name, const json& data) {
    return {{"apiVersion", "v1"},
            {"kind", "ConfigMap"},
            {"metadata", {{"name", name}}},
            {"data", data}};
  }
  Answer<json> Apply(const json& object, const ApplyOptions& options = {}) {
    return client().Apply(Maps(object["metadata"]["name"]), object, options, Deadline(), {});
  }
  json Get(const std::string& name) {
    const Answer<json> object = client().Get(Maps(name), Deadline(), {});
    return object ? *object : json(object.error().error.message);
  }
  static std::string VersionOf(const json& object) { return object["metadata"]["resourceVersion"]; }

  Backend backend_{GetParam()};
  const std::string run_ =
      "stoker-" + std::to_string(TheClock().WallNow().time_since_epoch().count());
};

TEST_P(KubernetesContract, ApplyCreatesThenChangesAndThenSettles) {
  const std::string name = Name("apply");
  const auto made = Apply(Map(name, {{"a", "1"}}));
  ASSERT_TRUE(made) << made.error().error.message;
  EXPECT_EQ((*made)["data"]["a"], "1");
  const auto same = Apply(Map(name, {{"a", "1"}}));
  ASSERT_TRUE(same) << same.error().error.message;
  EXPECT_EQ(VersionOf(*same), VersionOf(*made));
  const auto changed = Apply(Map(name, {{"a", "2"}}));
  ASSERT_TRUE(changed) << changed.error().error.message;
  EXPECT_NE(VersionOf(*changed), VersionOf(*made));
  EXPECT_EQ(Get(name)["data"]["a"], "2");
  EXPECT_EQ(Get(name)["metadata"]["managedFields"][0]["manager"], "stoker");
  EXPECT_EQ(Get(name)["metadata"]["managedFields"][0]["operation"], "Apply");
}

TEST_P(KubernetesContract, WhatIsAppliedNoLongerGoesAndOthersFieldsStay) {
  const std::string name = Name("fields");
  ASSERT_TRUE(Apply(Map(name, {{"a", "1"}, {"b", "1"}})));
  backend_.ApplyAs("helm", Maps(name), Map(name, {{"c", "theirs"}}));
  const auto less = Apply(Map(name, {{"a", "1"}}));
  ASSERT_TRUE(less) << less.error().error.message;
  EXPECT_EQ((*less)["data"], json({{"a", "1"}, {"c", "theirs"}}));
}

TEST_P(KubernetesContract, ADryRunTellsWhatWouldBeAndWritesNothing) {
  const std::string name = Name("dry");
  const auto would = Apply(Map(name, {{"a", "1"}}), {.dry_run = true});
  ASSERT_TRUE(would) << would.error().error.message;
  EXPECT_EQ((*would)["data"]["a"], "1");
  EXPECT_EQ(client().Get(Maps(name), Deadline(), {}).error().reason, Reason::kNotFound);
  ASSERT_TRUE(Apply(Map(name, {{"a", "1"}})));
  const json before = Get(name);
  const auto change = Apply(Map(name, {{"a", "2"}}), {.dry_run = true});
  ASSERT_TRUE(change) << change.error().error.message;
  EXPECT_EQ((*change)["data"]["a"], "2");
  EXPECT_EQ(Get(name), before);
}

TEST_P(KubernetesContract, AConflictNamesTheManagerAndItsFieldAndForceTakesOver) {
  const std::string name = Name("conflict");
  backend_.ApplyAs("helm", Maps(name), Map(name, {{"a", "theirs"}, {"b", "same"}}));
  for (const bool dry_run : {true, false}) {
    const auto refused = Apply(Map(name, {{"a", "ours"}, {"b", "same"}}), {.dry_run = dry_run});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, Reason::kConflict);
    ASSERT_THAT(refused.error().conflicts, SizeIs(1));
    EXPECT_EQ(refused.error().conflicts[0].manager, "helm");
    EXPECT_EQ(refused.error().conflicts[0].field, ".data.a");
    EXPECT_THAT(refused.error().error.message, HasSubstr("manager 'helm' owns .data.a; have them"));
  }
  EXPECT_EQ(Get(name)["data"]["a"], "theirs");
  const auto forced = Apply(Map(name, {{"a", "ours"}, {"b", "same"}}), {.force = true});
  ASSERT_TRUE(forced) << forced.error().error.message;
  EXPECT_EQ(Get(name)["data"]["a"], "ours");
}

TEST_P(KubernetesContract, AppliesIntoListsByName) {
  const std::string name = Name("list");
  const auto deployment = [&name](const std::string& container, const std::string& image) {
    return json{{"apiVersion", "apps/v1"},
                {"kind", "Deployment"},
                {"metadata", {{"name", name}}},
                {"spec",
                 {{"selector", {{"matchLabels", {{"app", name}}}}},
                  {"template",
                   {{"metadata", {{"labels", {{"app", name}}}}},
                    {"spec", {{"containers", {{{"name", container}, {"image", image}}}}}}}}}}};
  };
  const Resource resource{"apps", "v1", "deployments", "default", name};
  const auto first = client().Apply(resource, deployment("ours", "a:1"), {}, Deadline(), {});
  ASSERT_TRUE(first) << first.error().error.message;
  backend_.ApplyAs("mesh", resource, deployment("sidecar", "b:1"));
  const auto second = client().Apply(resource, deployment("ours", "a:2"), {}, Deadline(), {});
  ASSERT_TRUE(second) << second.error().error.message;
  std::map<std::string, std::string> images;
  for (const json& container : (*second)["spec"]["template"]["spec"]["containers"]) {
    images[container["name"]] = container["image"];
  }
  EXPECT_EQ(images, (std::map<std::string, std::string>{{"ours", "a:2"}, {"sidecar", "b:1"}}));
  ASSERT_TRUE(client().Delete(resource, Deadline(), {}));
}

TEST_P(KubernetesContract, CreatesUpdatesAndDeletes) {
  const std::string name = Name("crud");
  const auto made = client().Create(Maps(), Map(name, {{"a", "1"}}), Deadline(), {});
  ASSERT_TRUE(made) << made.error().error.message;
  const auto again = client().Create(Maps(), Map(name, {{"a", "1"}}), Deadline(), {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().reason, Reason::kAlreadyExists);
  json object = *made;
  object["data"]["a"] = "2";
  const auto updated = client().Update(Maps(name), object, Deadline(), {});
  ASSERT_TRUE(updated) << updated.error().error.message;
  EXPECT_EQ((*updated)["data"]["a"], "2");
  object["data"]["a"] = "3";
  const auto stale = client().Update(Maps(name), object, Deadline(), {});
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().reason, Reason::kConflict);
  EXPECT_THAT(stale.error().conflicts, IsEmpty());
  ASSERT_TRUE(client().Delete(Maps(name), Deadline(), {}));
  const auto gone = client().Delete(Maps(name), Deadline(), {});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().reason, Reason::kNotFound);
}

TEST_P(KubernetesContract, TellsRefusalsApart) {
  const auto reason = [](const auto& answer) {
    return answer ? Reason::kNoAnswer : answer.error().reason;
  };
  const Resource no_group{"no.such.group", "v1", "things", "default", "x"};
  EXPECT_EQ(reason(client().Get(no_group, Deadline(), {})), Reason::kUnknownKind);
  EXPECT_EQ(reason(client().List(no_group, {}, Deadline(), {})), Reason::kUnknownKind);
  const Resource no_plural{"apps", "v1", "things", "default", "x"};
  EXPECT_EQ(reason(client().Get(no_plural, Deadline(), {})), Reason::kUnknownKind);
  const Resource lease{"coordination.k8s.io", "v1", "leases", "default", Name("invalid")};
  json object{{"apiVersion", "coordination.k8s.io/v1"},
              {"kind", "Lease"},
              {"metadata", {{"name", lease.name}}},
              {"spec", {{"holderIdentity", "x"}, {"leaseDurationSeconds", 1}}}};
  ASSERT_TRUE(client().Create(lease, object, Deadline(), {}));
  const auto invalid = client().Update(lease, object, Deadline(), {});
  EXPECT_EQ(reason(invalid), Reason::kInvalid);
  EXPECT_THAT(invalid.error().error.message, HasSubstr("must be specified for an update"));
  ASSERT_TRUE(client().Delete(lease, Deadline(), {}));
  EXPECT_EQ(reason(backend_.Stranger()->Get(Maps("x"), Deadline(), {})), Reason::kUnauthorized);

  const auto powerless = backend_.Powerless(Name("powerless"));
  const auto forbidden =
      powerless->Apply(Maps("x"), Map("x", json::object()), {.dry_run = true}, Deadline(), {});
  EXPECT_EQ(reason(forbidden), Reason::kForbidden);
  EXPECT_THAT(forbidden.error().error.message,
              HasSubstr("may not patch configmaps in namespace 'default'; give it a Role there "
                        "with verbs create and patch on resource configmaps"));
  EXPECT_EQ(reason(powerless->List(Maps(), {}, Deadline(), {})), Reason::kForbidden);
}

TEST_P(KubernetesContract, ListsByPagesAndSelectors) {
  constexpr int kCount = 260;  // more than a page
  const std::string label = "run=" + run_;
  for (int i = 0; i < kCount; ++i) {
    json object = Map(Name(std::to_string(i)), json::object());
    object["metadata"]["labels"] = {{"run", run_}, {"even", i % 2 == 0 ? "yes" : "no"}};
    ASSERT_TRUE(client().Create(Maps(), object, Deadline(), {}));
  }
  const auto all = client().List(Maps(), {.labels = label}, Deadline(), {});
  ASSERT_TRUE(all) << all.error().error.message;
  EXPECT_THAT(all->items, SizeIs(kCount));
  EXPECT_FALSE(all->resource_version.empty());
  EXPECT_THAT(client().List(Maps(), {.labels = label + ",even=yes"}, Deadline(), {})->items,
              SizeIs(kCount / 2));
  EXPECT_THAT(
      client().List(Maps(), {.fields = "metadata.name=" + Name("7")}, Deadline(), {})->items,
      SizeIs(1));
  EXPECT_THAT(client().List(Maps(), {.labels = "run=none"}, Deadline(), {})->items, IsEmpty());
  for (int i = 0; i < kCount; ++i) {
    ASSERT_TRUE(client().Delete(Maps(Name(std::to_string(i))), Deadline(), {}));
  }
}

TEST_P(KubernetesContract, ListsPods) {
  const auto pods = client().ListPods("default", {.labels = "run=" + run_}, Deadline(), {});
  ASSERT_TRUE(pods) << pods.error().message;
  EXPECT_THAT(*pods, IsEmpty());
  EXPECT_TRUE(client().ListPods("default", {.fields = "status.phase=Running"}, Deadline(), {}));
}

/// A ConfigMap's value, or an Event's message.
std::string ValueOf(const json& object) {
  return object.contains("data") ? object["data"]["a"] : object["message"];
}

/// A watch on a thread of its own, and what it was told: "list 1", "ADDED 2".
class Watching final : public WatchHandler {
 public:
  Watching(Client& client, Resource resource, Selectors selectors, std::string version = "")
      : version_(std::move(version)),
        thread_([this, &client, resource = std::move(resource), selectors = std::move(selectors)](
                    const std::stop_token& stop) {
          ended_ = client.Watch(
              resource, selectors, *this, version_, TheClock().MonotonicNow() + seconds(60), stop);
        }) {}

  void OnList(const ObjectList& list) override {
    std::string line = "list";
    for (const json& item : list.items) line += " " + ValueOf(item);
    Tell(line);
  }
  void OnEvent(const WatchEvent& event) override {
    constexpr const char* kNames[] = {"ADDED", "MODIFIED", "DELETED"};
    Tell(std::string(kNames[static_cast<int>(event.type)]) + " " + ValueOf(event.object));
  }
  void OnFault(const ApiError& error) override { Tell("fault " + error.error.message); }

  /// What was told once it was that much.
  std::vector<std::string> Wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(20), [&] { return told_.size() >= count; });
    return told_;
  }
  /// Stops it; how far it came.
  std::string End() {
    thread_.request_stop();
    thread_.join();
    EXPECT_TRUE(ended_) << ended_.error().error.message;
    return version_;
  }

 private:
  void Tell(const std::string& line) {
    const std::scoped_lock lock(mutex_);
    told_.push_back(line);
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> told_;
  Answer<void> ended_;
  std::string version_;
  std::jthread thread_;
};

TEST_P(KubernetesContract, WatchesAndResumesWithoutMissingAnything) {
  const std::string name = Name("watch");
  const Selectors selectors{.fields = "metadata.name=" + name};
  ASSERT_TRUE(Apply(Map(name, {{"a", "1"}})));
  std::string version;
  {
    Watching watching(client(), Maps(), selectors);
    EXPECT_THAT(watching.Wait(1), ElementsAre("list 1"));
    ASSERT_TRUE(Apply(Map(name, {{"a", "2"}})));
    EXPECT_THAT(watching.Wait(2), ElementsAre("list 1", "MODIFIED 2"));
    ASSERT_TRUE(Apply(Map(Name("other"), {{"a", "1"}})));
    version = watching.End();
  }
  ASSERT_TRUE(Apply(Map(name, {{"a", "3"}})));
  ASSERT_TRUE(client().Delete(Maps(name), Deadline(), {}));
  ASSERT_TRUE(Apply(Map(name, {{"a", "4"}})));
  Watching resumed(client(), Maps(), selectors, version);
  EXPECT_THAT(resumed.Wait(3), ElementsAre("MODIFIED 3", "DELETED 3", "ADDED 4"));
  resumed.End();
}

TEST_P(KubernetesContract, AWatchFromTooLongAgoListsAnew) {
  // Of Events, which real API servers keep in no cache: so they remember what etcd remembers.
  const std::string name = Name("old");
  const Resource resource{"", "v1", "events", "default", name};
  const auto apply = [&](const std::string& message) {
    const Answer<json> applied = client().Apply(resource,
                                                {{"apiVersion", "v1"},
                                                 {"kind", "Event"},
                                                 {"metadata", {{"name", name}}},
                                                 {"involvedObject", {{"namespace", "default"}}},
                                                 {"message", message}},
                                                {},
                                                Deadline(),
                                                {});
    EXPECT_TRUE(applied) << applied.error().error.message;
    return applied ? VersionOf(*applied) : "";
  };
  const std::string before = apply("1");
  apply("2");
  if (!backend_.Forget(apply("3"))) GTEST_SKIP() << "STOKER_TEST_ETCD is not set";
  Watching watching(client(), resource, {.fields = "metadata.name=" + name}, before);
  EXPECT_THAT(watching.Wait(1), ElementsAre("list 3"));
  apply("4");
  EXPECT_THAT(watching.Wait(2), ElementsAre("list 3", "MODIFIED 4"));
  watching.End();
}

/// The real clock, moved on by hand; and the work that is due by it, on the test's thread.
class SteppedTime final : public Clock, public Executor {
 public:
  [[nodiscard]] WallTime WallNow() const override { return TheClock().WallNow() + ahead_; }
  [[nodiscard]] MonoTime MonotonicNow() const override {
    return TheClock().MonotonicNow() + ahead_;
  }
  void Post(Work work) override { PostAt(MonotonicNow(), std::move(work)); }
  void PostAt(MonoTime when, Work work) override { work_.emplace(when, std::move(work)); }

  /// Goes through `by` in steps of 100 ms.
  void Advance(Duration by) {
    for (Duration gone{0}; gone <= by; gone += milliseconds(100)) {
      while (!work_.empty() && work_.begin()->first <= MonotonicNow()) {
        const Work work = std::move(work_.begin()->second);
        work_.erase(work_.begin());
        work();
      }
      if (gone < by) ahead_ += milliseconds(100);
    }
  }

 private:
  Duration ahead_{0};
  std::multimap<MonoTime, Work> work_;
};

TEST_P(KubernetesContract, ALeaseHasOneHolderAndGoesOver) {
  SteppedTime time;
  testing::FakeRandom random;
  testing::FakeLogger logger;
  const auto make = [&](const std::string& identity) {
    auto lease = std::make_unique<Lease>(
        LeaseOptions{.name_space = "default", .name = Name("lease"), .identity = identity},
        Lease::Deps{client(), time, time, random, logger});
    lease->Start();
    time.Advance(Duration{0});
    return lease;
  };
  auto a = make("a");
  EXPECT_TRUE(a->held()) << logger.text();
  auto b = make("b");
  time.Advance(seconds(20));
  EXPECT_TRUE(a->held());
  EXPECT_FALSE(b->held());
  EXPECT_EQ(b->holder(), "a");
  a->Stop();  // releases it
  EXPECT_FALSE(a->held());
  time.Advance(seconds(5));
  EXPECT_TRUE(b->held()) << logger.text();

  // One that vanishes without a word is replaced when its time is over, and no sooner.
  const Resource resource{"coordination.k8s.io", "v1", "leases", "default", Name("lease")};
  b->Stop();
  json object = *client().Get(resource, Deadline(), {});
  object["spec"]["holderIdentity"] = "vanished";
  object["spec"]["leaseDurationSeconds"] = 15;
  ASSERT_TRUE(client().Update(resource, object, Deadline(), {}));
  const auto c = make("c");
  time.Advance(seconds(12));
  EXPECT_FALSE(c->held());
  EXPECT_EQ(c->holder(), "vanished");
  time.Advance(seconds(8));
  EXPECT_TRUE(c->held()) << logger.text();
  EXPECT_GE((*client().Get(resource, Deadline(), {}))["spec"]["leaseTransitions"], 2);
}

std::vector<std::string> Backends() {
  std::vector<std::string> kinds{"fake"};
  if (!KubeconfigPath().empty()) kinds.emplace_back("real");
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(ApiServers,
                         KubernetesContract,
                         ::testing::ValuesIn(Backends()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace stoker::kubernetes
