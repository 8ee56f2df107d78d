#include "upstream/kubernetes/lease.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "core/units.h"
#include "upstream/kubernetes/json.h"

namespace stoker::kubernetes {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kTakersJitter = 1.2;
constexpr seconds kReleaseWithin{3};

/// As v1.MicroTime reads it: six digits behind the point, always.
std::string MicroTime(WallTime time) {
  const auto whole = std::chrono::floor<seconds>(time);
  std::string text = FormatTime(whole);
  text.pop_back();  // Z
  const std::string fraction = std::to_string((time - whole).count());
  return text + "." + std::string(3 - fraction.size(), '0') + fraction + "000Z";
}

}  // namespace

struct Lease::Core : std::enable_shared_from_this<Core> {
  Core(LeaseOptions given, const Deps& with) : options(std::move(given)), deps(with) {}

  const LeaseOptions options;
  const Deps deps;
  const Resource resource{"coordination.k8s.io", "v1", "leases", options.name_space, options.name};
  std::stop_source stop;

  mutable std::mutex mutex;
  std::condition_variable idle;
  bool running = false;           ///< an attempt is under way
  std::string holder;             ///< as last seen
  std::string seen_version;       ///< of what `seen_at` is about
  MonoTime seen_at{};             ///< when the lease was last seen to change
  std::optional<json> ours;       ///< the object as we wrote it last; empty: to be read first
  std::optional<MonoTime> until;  ///< held until then
  bool told_held = false;         ///< what the log says
  bool told_fault = false;

  [[nodiscard]] bool Held() const {
    const std::scoped_lock lock(mutex);
    return until && deps.clock.MonotonicNow() < *until;
  }

  void Schedule(Duration after) {
    deps.executor.PostAt(deps.clock.MonotonicNow() + after, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Run();
    });
  }

  void Run() {
    {
      const std::scoped_lock lock(mutex);
      if (stop.stop_requested()) return;
      running = true;
    }
    const MonoTime begun = deps.clock.MonotonicNow();
    const Answer<void> tried = Try(begun);
    const bool held = Held();
    Tell(held, tried);
    const double jitter = held ? 1 : 1 + kTakersJitter * deps.random.Uniform();
    // Renewals keep their beat however long one takes.
    const Duration period(
        static_cast<Duration::rep>(static_cast<double>(options.retry_period.count()) * jitter));
    const Duration took = deps.clock.MonotonicNow() - begun;
    {
      // Before the next attempt is planned, which may begin at once.
      const std::scoped_lock lock(mutex);
      running = false;
      idle.notify_all();
    }
    Schedule(std::max(period - took, Duration{0}));
  }

  /// Takes or renews it, unless somebody else holds it.
  Answer<void> Try(MonoTime begun) {
    const MonoTime deadline = begun + options.renew_within / 2;
    std::optional<json> object = TakeOurs();
    if (!object) {
      Answer<json> read = deps.client.Get(resource, deadline, stop.get_token());
      if (!read && read.error().reason == Reason::kNotFound) {
        return Written(begun,
                       deps.client.Create(resource,
                                          {{"apiVersion", "coordination.k8s.io/v1"},
                                           {"kind", "Lease"},
                                           {"metadata", {{"name", options.name}}},
                                           {"spec", Spec(json::object())}},
                                          deadline,
                                          stop.get_token()));
      }
      if (!read) return tl::make_unexpected(read.error());
      if (!MayTake(*read)) return {};
      object = std::move(*read);
    }
    const json* const spec = Find(*object, {"spec"});
    (*object)["spec"] = Spec(spec != nullptr && spec->is_object() ? *spec : json::object());
    return Written(begun, deps.client.Update(resource, *object, deadline, stop.get_token()));
  }

  std::optional<json> TakeOurs() {
    const std::scoped_lock lock(mutex);
    return std::exchange(ours, std::nullopt);
  }

  /// Notes what is seen. Whether it is ours, nobody's, or of a holder that is not heard of.
  bool MayTake(const json& object) {
    const std::string version = Text(object, {"metadata", "resourceVersion"});
    const json* const lasts = Find(object, {"spec", "leaseDurationSeconds"});
    const Duration duration =
        lasts != nullptr && lasts->is_number_integer()
            ? seconds(std::clamp(lasts->get<std::int64_t>(), std::int64_t{0}, std::int64_t{86400}))
            : options.duration;
    const MonoTime now = deps.clock.MonotonicNow();
    const std::scoped_lock lock(mutex);
    holder = Text(object, {"spec", "holderIdentity"});
    if (version != seen_version) {
      seen_version = version;
      seen_at = now;
    }
    if (holder == options.identity || holder.empty()) return true;
    until.reset();  // whatever we believed
    return now >= seen_at + duration;
  }

  /// What the spec is with us as its holder.
  [[nodiscard]] json Spec(json spec) const {
    const std::string now = MicroTime(deps.clock.WallNow());
    if (Text(spec, {"holderIdentity"}) != options.identity) {
      const json* const transitions = Find(spec, {"leaseTransitions"});
      const bool known = transitions != nullptr && transitions->is_number_integer();
      spec["leaseTransitions"] = known ? transitions->get<std::int64_t>() + 1 : 0;
      spec["acquireTime"] = now;
    }
    spec["holderIdentity"] = options.identity;
    spec["leaseDurationSeconds"] = std::chrono::ceil<seconds>(options.duration).count();
    spec["renewTime"] = now;
    return spec;
  }

  Answer<void> Written(MonoTime begun, Answer<json> written) {
    if (!written) {
      // Another was quicker: that is no fault, and read at the next attempt.
      const Reason reason = written.error().reason;
      if (reason == Reason::kConflict || reason == Reason::kAlreadyExists) return {};
      return tl::make_unexpected(written.error());
    }
    const std::scoped_lock lock(mutex);
    holder = options.identity;
    ours = std::move(*written);
    until = begun + options.renew_within;
    return {};
  }

  void Tell(bool held, const Answer<void>& tried) {
    const std::string name = options.name_space + "/" + options.name;
    if (held != std::exchange(told_held, held)) {
      if (held) {
        deps.logger.Info("this replica holds the lease now", {{"lease", name}});
      } else {
        deps.logger.Warn("this replica lost the lease; another may write to the cluster now",
                         {{"lease", name}, {"holder", HolderNow()}});
      }
    }
    const bool fault = !tried && !stop.stop_requested();
    if (fault && !told_fault) {
      deps.logger.Warn("the lease can be neither taken nor renewed; it is tried again",
                       {{"lease", name}, {"error", tried.error().error.message}});
    }
    told_fault = fault;
  }

  [[nodiscard]] std::string HolderNow() const {
    const std::scoped_lock lock(mutex);
    return holder;
  }

  void Stop() {
    {
      std::unique_lock lock(mutex);
      if (stop.stop_requested()) return;
      stop.request_stop();
      idle.wait(lock, [this] { return !running; });
      if (!until) return;
      until.reset();
      ours.reset();
    }
    const MonoTime deadline = deps.clock.MonotonicNow() + kReleaseWithin;
    Answer<json> object = deps.client.Get(resource, deadline, {});
    if (!object || Text(*object, {"spec", "holderIdentity"}) != options.identity) return;
    json& spec = (*object)["spec"];
    spec["holderIdentity"] = "";
    spec["leaseDurationSeconds"] = 1;
    spec["renewTime"] = MicroTime(deps.clock.WallNow());
    const Answer<json> released = deps.client.Update(resource, *object, deadline, {});
    if (!released) {
      deps.logger.Info("the lease could not be released; others wait until it runs out",
                       {{"lease", options.name_space + "/" + options.name},
                        {"error", released.error().error.message}});
    }
  }
};

Lease::Lease(LeaseOptions options, const Deps& deps)
    : core_(std::make_shared<Core>(std::move(options), deps)) {}

// NOLINTNEXTLINE(bugprone-exception-escape): Stop changes a spec that is known for an object.
Lease::~Lease() { Stop(); }

void Lease::Start() { core_->Schedule(Duration{0}); }

void Lease::Stop() { core_->Stop(); }

bool Lease::held() const { return core_->Held(); }

std::string Lease::holder() const { return core_->HolderNow(); }

}  // namespace stoker::kubernetes
