#include "adapter/peers.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <utility>

#include "adapter/peer_messages.h"
#include "adapter/reading_store.h"
#include "core/net_address.h"

namespace stoker::adapter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kGather = milliseconds(100);  // readings of that long travel together
constexpr Duration kSendTimeout = seconds(2);
constexpr Duration kFetchTimeout = milliseconds(200);
constexpr Duration kStartTimeout = seconds(3);
constexpr Duration kLookupPeriod = seconds(10);
constexpr Duration kLookupSoonest = seconds(1);  // however often strangers call
constexpr int kFailuresToTell = 3;               // a Service takes a while to know new replicas
constexpr Duration kFirstBackoff = milliseconds(200);
constexpr Duration kLongestBackoff = seconds(5);
constexpr std::size_t kMaxSent = 900U << 10U;  // under the 1 MiB that listeners take
constexpr std::size_t kMaxGiven = 4U << 20U;
constexpr std::size_t kMaxIds = 5'000;
/// A value from further in the future is a clock that is wrong, and would outlast every later one.
constexpr Duration kMaxSkew = std::chrono::minutes(1);

/// The readings of `window` from `since` on.
std::vector<Reading> Since(const ReadingWindow& window, WallTime since) {
  if (!window) return {};
  const auto from = std::find_if(window->begin(), window->end(), [since](const Reading& reading) {
    return reading.time >= since;
  });
  return {from, window->end()};
}

}  // namespace

/// Guarded by Core::mutex.
struct Peers::Sibling {
  enum class State : std::uint8_t { kUnknown, kSelf, kReached, kUnreachable };

  std::string address;  ///< HOST:PORT
  State state = State::kUnknown;
  std::string instance;  ///< of its newest answer
  /// Sources of which it may not know the readings from that slot on.
  std::map<std::string, WallTime> unsent;
  std::set<std::string> unsent_values;
  bool sending = false;
  Duration backoff{0};
  MonoTime not_before{};

  void AddUnsent(const std::string& id, WallTime since) {
    const auto [known, added] = unsent.emplace(id, since);
    if (!added) known->second = std::min(known->second, since);
  }
};

/// Sources whose windows are being asked for. Guarded by Core::mutex.
struct Peers::Batch {
  std::vector<std::string> ids;
  std::map<std::string, std::function<void()>> waiting;
  std::size_t asked = 0;  ///< siblings that have yet to answer
  MonoTime deadline{};
  bool over = false;
};

struct Peers::Core : std::enable_shared_from_this<Core> {
  Core(Options options_in, const Deps& deps_in) : options(std::move(options_in)), deps(deps_in) {}

  using SiblingPtr = std::shared_ptr<Sibling>;
  using BatchPtr = std::shared_ptr<Batch>;

  const Options options;
  const Deps deps;
  std::stop_source stop;

  std::atomic<Poller*> poller{nullptr};  ///< null before Start
  int default_port = 0;                  ///< set by Start

  std::mutex mutex;  ///< not held while the poller, a sibling or a log is called
  std::map<std::string, SiblingPtr> siblings;  ///< by address
  bool found = false;                          ///< the first lookup is over
  bool flush_planned = false;
  MonoTime start_deadline{};
  MonoTime next_lookup_by_stranger{};
  bool looking_up = false;  ///< for a stranger; name servers may take longer than they call
  int failed_lookups = 0;   ///< in a row
  std::pair<int, int> reported{-1, -1};
  std::vector<std::pair<std::string, std::function<void()>>> wanted;
  BatchPtr batch;

  template <class Work>
  void Later(Executor& executor, MonoTime when, Work work) {
    executor.PostAt(when, [weak = weak_from_this(), work = std::move(work)] {
      const std::shared_ptr<Core> core = weak.lock();
      if (core && !core->stop.stop_requested()) work(*core);
    });
  }
  template <class Work>
  void Soon(Work work) {
    Later(deps.pool, deps.clock.MonotonicNow(), std::move(work));
  }

  Result<PeerMessage> Ask(const Sibling& sibling,
                          std::string_view path,
                          const PeerMessage& message,
                          MonoTime deadline) const;

  // Finding siblings.
  void KeepLookingUp();
  void LookUp();
  void OnLookedUp(const Result<std::vector<std::string>>& resolved);
  void SetAddresses(const std::vector<std::string>& addresses);
  void OnCaller(const std::string& instance);
  void Report();
  void OnInstance(const SiblingPtr& sibling, const std::string& instance);

  // Telling them what we read.
  void Flush();
  void Kick(const SiblingPtr& sibling);
  void Send(const SiblingPtr& sibling);
  void OnSent(const SiblingPtr& sibling,
              const std::map<std::string, WallTime>& sent,
              std::set<std::string> sent_values,
              const Result<PeerMessage>& answer);

  // Asking them for windows.
  void StartBatch();
  void FetchFrom(const BatchPtr& asked, const SiblingPtr& sibling);
  void Take(const PeerMessage& message) const;
  void EndBatch(const BatchPtr& ended);
};

Result<PeerMessage> Peers::Core::Ask(const Sibling& sibling,
                                     std::string_view path,
                                     const PeerMessage& message,
                                     MonoTime deadline) const {
  HttpRequest request;
  request.method = "POST";
  request.url = (options.secure ? "https://" : "http://") + sibling.address + std::string(path);
  request.headers.push_back({"Content-Type", "application/json"});
  if (const std::string token = options.token ? options.token() : ""; !token.empty()) {
    request.headers.push_back({"Authorization", "Bearer " + token});
  }
  request.body = EncodePeerMessage(message);
  request.deadline = deadline;
  request.stop = stop.get_token();
  const Result<HttpResponse> response = deps.transport.Send(request);
  if (!response) return Fail(response.error());
  if (response->status == 401 || response->status == 403) {
    return Fail(ErrorCode::kUnauthenticated,
                "it does not take our bearer token; replicas need the same tokens in "
                "server.http.auth.tokensFile");
  }
  if (response->status != 200) {
    return Fail(ErrorCode::kUnavailable,
                "it answers with HTTP status " + std::to_string(response->status));
  }
  return DecodePeerMessage(response->body);
}

void Peers::Core::KeepLookingUp() {
  LookUp();
  if (options.service.empty()) return;  // a fixed list stays what it is
  Later(deps.pool, deps.clock.MonotonicNow() + kLookupPeriod, [](Core& core) {
    core.KeepLookingUp();
  });
}

void Peers::Core::LookUp() {
  if (options.service.empty()) {
    SetAddresses(options.addresses);
  } else {
    int port = default_port;
    std::string host = options.service;
    if (const Result<ListenAddress> with_port = ParseListenAddress(options.service)) {
      host = with_port->host;
      port = with_port->port;
    }
    const Result<std::vector<std::string>> resolved = deps.resolver.Resolve(host);
    if (resolved) {
      std::vector<std::string> addresses;
      for (const std::string& address : *resolved) {
        const bool is_v6 = address.find(':') != std::string::npos;
        addresses.push_back((is_v6 ? "[" + address + "]" : address) + ":" + std::to_string(port));
      }
      SetAddresses(addresses);
    }
    OnLookedUp(resolved);
  }
  {
    const std::scoped_lock lock(mutex);
    found = true;
  }
  StartBatch();
}

// One line when the name stays unknown. Whom we know, we keep: those who are gone will not answer.
void Peers::Core::OnLookedUp(const Result<std::vector<std::string>>& resolved) {
  {
    const std::scoped_lock lock(mutex);
    failed_lookups = resolved ? 0 : failed_lookups + 1;
    if (failed_lookups != kFailuresToTell) return;
  }
  deps.logger.Warn(
      "sibling replicas cannot be looked up; check server.peers.service, a headless Service",
      {{"error", resolved.error().message}});
}

void Peers::Core::SetAddresses(const std::vector<std::string>& addresses) {
  std::vector<std::string> gone;
  std::vector<std::string> ids = poller.load()->ids();
  {
    const std::scoped_lock lock(mutex);
    std::erase_if(siblings, [&](const auto& entry) {
      const bool stays =
          std::find(addresses.begin(), addresses.end(), entry.first) != addresses.end();
      if (!stays) gone.push_back(entry.first);
      return !stays;
    });
    for (const std::string& address : addresses) {
      SiblingPtr& sibling = siblings[address];
      if (sibling) continue;
      sibling = std::make_shared<Sibling>();
      sibling->address = address;
      for (const std::string& id : ids) sibling->unsent.emplace(id, WallTime{});
      Kick(sibling);
    }
  }
  for (const std::string& address : gone) {
    deps.logger.Info("sibling replica left", {{"address", address}});
  }
  Report();
}

// A call from a process that no sibling has answered as: a new one, or one that is back. The sooner
// it is met, the sooner replicas agree.
void Peers::Core::OnCaller(const std::string& instance) {
  if (instance == options.instance) return;
  const std::scoped_lock lock(mutex);
  for (const auto& [address, sibling] : siblings) {
    if (sibling->instance == instance && sibling->state == Sibling::State::kReached) return;
  }
  const MonoTime now = deps.clock.MonotonicNow();
  if (now < next_lookup_by_stranger) return;
  next_lookup_by_stranger = now + kLookupSoonest;
  for (const auto& [address, sibling] : siblings) {
    sibling->not_before = now;
    Kick(sibling);
  }
  if (options.service.empty() || std::exchange(looking_up, true)) return;
  Soon([](Core& core) {
    core.LookUp();
    const std::scoped_lock done(core.mutex);
    core.looking_up = false;
  });
}

void Peers::Core::Report() {
  const std::scoped_lock lock(mutex);
  std::pair<int, int> counts;
  for (const auto& [address, sibling] : siblings) {
    if (sibling->state == Sibling::State::kReached) ++counts.first;
    if (sibling->state == Sibling::State::kUnreachable) ++counts.second;
  }
  if (std::exchange(reported, counts) == counts) return;
  deps.observer.OnPeers(counts.first, counts.second);
}

// A process that has not met us knows nothing of ours.
void Peers::Core::OnInstance(const SiblingPtr& sibling, const std::string& instance) {
  const std::vector<std::string> ids = poller.load()->ids();
  const auto values = deps.pushed.All();
  const std::scoped_lock lock(mutex);
  if (sibling->instance == instance) return;
  sibling->instance = instance;
  if (instance == options.instance) {
    sibling->state = Sibling::State::kSelf;
    sibling->unsent.clear();
    sibling->unsent_values.clear();
    return;
  }
  for (const std::string& id : ids) sibling->unsent[id] = WallTime{};
  for (const auto& [name, value] : values) sibling->unsent_values.insert(name);
}

void Peers::Core::Flush() {
  const std::scoped_lock lock(mutex);
  flush_planned = false;
  for (const auto& [address, sibling] : siblings) Kick(sibling);
}

// Needs the lock. A sibling that has never answered is sent to even when there is nothing to say.
void Peers::Core::Kick(const SiblingPtr& sibling) {
  using State = Sibling::State;
  const auto known = siblings.find(sibling->address);
  if (known == siblings.end() || known->second != sibling) return;  // it has left
  if (sibling->sending || sibling->state == State::kSelf) return;
  const bool nothing = sibling->unsent.empty() && sibling->unsent_values.empty();
  if (nothing && sibling->state == State::kReached) return;
  if (deps.clock.MonotonicNow() < sibling->not_before) return;  // a timer is set for then
  sibling->sending = true;
  Soon([sibling](Core& core) { core.Send(sibling); });
}

void Peers::Core::Send(const SiblingPtr& sibling) {
  std::map<std::string, WallTime> unsent;
  std::set<std::string> unsent_values;
  {
    const std::scoped_lock lock(mutex);
    unsent.swap(sibling->unsent);
    unsent_values.swap(sibling->unsent_values);
  }
  PeerMessage message;
  message.instance = options.instance;
  std::map<std::string, WallTime> sent;
  std::set<std::string> sent_values;
  std::size_t size = 0;
  while (!unsent_values.empty() && size < kMaxSent) {
    auto name = unsent_values.extract(unsent_values.begin());
    if (const auto value = deps.pushed.Get(name.value())) {
      size += EncodedSize(message.values.emplace_back(NamedValue{name.value(), *value}));
    }
    sent_values.insert(std::move(name));
  }
  while (!unsent.empty() && size < kMaxSent) {
    const auto next = unsent.begin();
    const ReadingWindow window = poller.load()->window(next->first);
    if (!window) {  // gone, or its first reading will be published
      unsent.erase(next);
      continue;
    }
    SourceReadings source{next->first, Since(window, next->second)};
    sent.insert(*next);
    if (const std::size_t room = (kMaxSent - size) / kEncodedReading;
        source.readings.size() > room) {
      next->second = source.readings[room].time;  // the rest goes with the next message
      source.readings.resize(room);
    } else {
      unsent.erase(next);
    }
    size += EncodedSize(source);
    if (!source.readings.empty()) message.sources.push_back(std::move(source));
  }
  if (!unsent.empty() || !unsent_values.empty()) {
    const std::scoped_lock lock(mutex);
    for (const auto& [id, since] : unsent) sibling->AddUnsent(id, since);
    sibling->unsent_values.merge(unsent_values);
  }
  const Result<PeerMessage> answer =
      Ask(*sibling, kReadingsPath, message, deps.clock.MonotonicNow() + kSendTimeout);
  OnSent(sibling, sent, std::move(sent_values), answer);
}

void Peers::Core::OnSent(const SiblingPtr& sibling,
                         const std::map<std::string, WallTime>& sent,
                         std::set<std::string> sent_values,
                         const Result<PeerMessage>& answer) {
  using State = Sibling::State;
  if (answer) OnInstance(sibling, answer->instance);
  bool changed = false;
  {
    const std::scoped_lock lock(mutex);
    sibling->sending = false;
    if (sibling->state == State::kSelf) return;
    changed = sibling->state != (answer ? State::kReached : State::kUnreachable);
    if (answer) {
      sibling->state = State::kReached;
      sibling->backoff = Duration{0};
    } else {
      sibling->state = State::kUnreachable;
      sibling->backoff = std::clamp(sibling->backoff * 2, kFirstBackoff, kLongestBackoff);
      for (const auto& [id, since] : sent) sibling->AddUnsent(id, since);
      sibling->unsent_values.merge(sent_values);
    }
    // What is left goes on its way when it has gathered for a while; after a failure, later.
    const Duration wait = answer ? kGather : sibling->backoff;
    sibling->not_before = deps.clock.MonotonicNow() + (answer ? Duration{0} : wait);
    Later(deps.timers, deps.clock.MonotonicNow() + wait, [sibling](Core& core) {
      const std::scoped_lock timer_lock(core.mutex);
      core.Kick(sibling);
    });
  }
  if (!changed) return;
  Report();
  if (answer) {
    deps.logger.Info("sibling replica reached", {{"address", sibling->address}});
  } else {
    deps.logger.Warn(
        "a sibling replica cannot be reached; until it is, the two may answer differently",
        {{"address", sibling->address}, {"error", answer.error().message}});
  }
}

void Peers::Core::StartBatch() {
  std::vector<std::function<void()>> at_once;
  {
    const std::scoped_lock lock(mutex);
    if (!found || batch || wanted.empty()) return;
    std::vector<SiblingPtr> asked;
    for (const auto& [address, sibling] : siblings) {
      if (sibling->state == Sibling::State::kUnknown ||
          sibling->state == Sibling::State::kReached) {
        asked.push_back(sibling);
      }
    }
    if (asked.empty()) {
      for (auto& [id, done] : wanted) at_once.push_back(std::move(done));
      wanted.clear();
    } else {
      batch = std::make_shared<Batch>();
      const std::size_t count = std::min(wanted.size(), kMaxIds);
      for (std::size_t i = 0; i < count; ++i) {
        auto& [id, done] = wanted[i];
        batch->ids.push_back(id);
        batch->waiting.insert_or_assign(id, std::move(done));
      }
      wanted.erase(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(count));
      batch->asked = asked.size();
      batch->deadline = std::max(deps.clock.MonotonicNow() + kFetchTimeout, start_deadline);
      for (const SiblingPtr& sibling : asked) {
        Soon([started = batch, sibling](Core& core) { core.FetchFrom(started, sibling); });
      }
      Later(
          deps.timers, batch->deadline, [started = batch](Core& core) { core.EndBatch(started); });
    }
  }
  for (const auto& done : at_once) done();
}

void Peers::Core::FetchFrom(const BatchPtr& asked, const SiblingPtr& sibling) {
  std::span<const std::string> left = asked->ids;  // constant once the batch has begun
  while (!left.empty()) {
    PeerMessage message;
    message.instance = options.instance;
    message.ids.assign(left.begin(), left.end());
    const Result<PeerMessage> answer = Ask(*sibling, kWindowsPath, message, asked->deadline);
    if (!answer) break;
    OnInstance(sibling, answer->instance);
    if (answer->instance == options.instance) break;
    Take(*answer);
    std::vector<std::function<void()>> done;
    {
      const std::scoped_lock lock(mutex);
      for (const SourceReadings& source : answer->sources) {
        const bool good =
            std::any_of(source.readings.begin(), source.readings.end(), [](const Reading& reading) {
              return reading.kind != Reading::Kind::kFault;
            });
        const auto found_id = asked->waiting.find(source.id);
        if (!good || found_id == asked->waiting.end()) continue;
        done.push_back(std::move(found_id->second));
        asked->waiting.erase(found_id);
      }
    }
    for (const auto& call : done) call();
    if (answer->answered == 0) break;
    left = left.subspan(std::min(answer->answered, left.size()));
  }
  {
    const std::scoped_lock lock(mutex);
    if (--asked->asked > 0 && !asked->waiting.empty()) return;
  }
  EndBatch(asked);
}

void Peers::Core::Take(const PeerMessage& message) const {
  for (const SourceReadings& source : message.sources)
    poller.load()->Merge(source.id, source.readings);
  const WallTime latest = deps.clock.WallNow() + kMaxSkew;
  for (const NamedValue& value : message.values) {
    if (value.value.time <= latest) deps.pushed.Set(value.name, value.value);
  }
}

void Peers::Core::EndBatch(const BatchPtr& ended) {
  std::map<std::string, std::function<void()>> waiting;
  {
    const std::scoped_lock lock(mutex);
    if (std::exchange(ended->over, true)) return;
    waiting.swap(ended->waiting);
    batch = nullptr;
  }
  for (const auto& [id, done] : waiting) done();
  StartBatch();
}

Peers::Peers(Options options, const Deps& deps)
    : core_(std::make_shared<Core>(std::move(options), deps)) {}

Peers::~Peers() { Stop(); }

void Peers::Start(Poller& poller, int port) {
  core_->default_port = port;
  core_->poller = &poller;
  {
    const std::scoped_lock lock(core_->mutex);
    core_->start_deadline = core_->deps.clock.MonotonicNow() + kStartTimeout;
  }
  core_->Soon([](Core& core) { core.KeepLookingUp(); });
  // A name server that does not answer must not keep us from starting.
  core_->Later(core_->deps.timers, core_->start_deadline, [](Core& core) {
    {
      const std::scoped_lock lock(core.mutex);
      core.found = true;
    }
    core.StartBatch();
  });
}

void Peers::Stop() { core_->stop.request_stop(); }

void Peers::Publish(const std::string& id, WallTime since) {
  const std::scoped_lock lock(core_->mutex);
  for (const auto& [address, sibling] : core_->siblings) {
    if (sibling->state != Sibling::State::kSelf) sibling->AddUnsent(id, since);
  }
  if (std::exchange(core_->flush_planned, true)) return;
  core_->Later(core_->deps.timers, core_->deps.clock.MonotonicNow() + kGather, [](Core& core) {
    core.Flush();
  });
}

void Peers::PublishValue(const std::string& name) {
  const std::scoped_lock lock(core_->mutex);
  for (const auto& [address, sibling] : core_->siblings) {
    if (sibling->state == Sibling::State::kSelf) continue;
    sibling->unsent_values.insert(name);
    core_->Kick(sibling);
  }
}

void Peers::Fetch(const std::string& id, std::function<void()> done) {
  {
    const std::scoped_lock lock(core_->mutex);
    core_->wanted.emplace_back(id, std::move(done));
  }
  // Not on the pool, which siblings and name servers that do not answer may keep busy.
  core_->Later(
      core_->deps.timers, core_->deps.clock.MonotonicNow(), [](Core& core) { core.StartBatch(); });
}

Result<std::string> Peers::TakeReadings(std::string_view body) {
  const Result<PeerMessage> message = DecodePeerMessage(body);
  if (!message) return Fail(message.error());
  if (core_->poller != nullptr && message->instance != core_->options.instance) {
    core_->Take(*message);
    core_->OnCaller(message->instance);
  }
  PeerMessage answer;
  answer.instance = core_->options.instance;
  return EncodePeerMessage(answer);
}

Result<std::string> Peers::GiveWindows(std::string_view body) {
  const Result<PeerMessage> message = DecodePeerMessage(body);
  if (!message) return Fail(message.error());
  PeerMessage answer;
  answer.instance = core_->options.instance;
  if (core_->poller != nullptr && message->instance != core_->options.instance) {
    std::size_t size = 0;
    for (const std::string& id : message->ids) {
      if (size >= kMaxGiven) break;
      ++answer.answered;
      SourceReadings source{id, Since(core_->poller.load()->window(id), WallTime{})};
      if (source.readings.empty()) continue;
      size += EncodedSize(source);
      answer.sources.push_back(std::move(source));
    }
    for (const auto& [name, value] : core_->deps.pushed.All())
      answer.values.push_back({name, value});
    core_->OnCaller(message->instance);
  }
  return EncodePeerMessage(answer);
}

}  // namespace stoker::adapter
