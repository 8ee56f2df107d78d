#include "adapter/grpc/external_scaler_service.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "adapter/grpc/server_stream.h"
#include "adapter/status.h"

namespace stoker::adapter {
namespace {

using externalscaler::GetMetricSpecResponse;
using externalscaler::GetMetricsRequest;
using externalscaler::GetMetricsResponse;
using externalscaler::IsActiveResponse;
using externalscaler::ScaledObjectRef;

constexpr int kMaxMetadataKeys = 64;
constexpr std::size_t kMaxMetadataBytes = 64U << 10U;
constexpr std::size_t kMaxNameBytes = 253;  // Kubernetes' own limit

grpc::Status ToGrpc(const Error& error) {
  return {static_cast<grpc::StatusCode>(StatusOf(error.code).grpc), error.message};
}

// With every mode of ListenTls, a certificate that was shown and did not verify ends the handshake.
bool ShowedCertificate(const grpc::CallbackServerContext& context) {
  const auto auth = context.auth_context();
  return auth && !auth->FindPropertyValues("x509_pem_cert").empty();
}

Result<ObjectRef> ReadObject(const grpc::CallbackServerContext& context,
                             const ScaledObjectRef& request) {
  if (request.name().size() > kMaxNameBytes || request.namespace_().size() > kMaxNameBytes) {
    return Fail(ErrorCode::kInvalidArgument,
                "the scaled object's name or namespace is longer than 253 bytes");
  }
  if (request.scalermetadata_size() > kMaxMetadataKeys) {
    return Fail(ErrorCode::kResourceExhausted,
                "the trigger's metadata has more than " + std::to_string(kMaxMetadataKeys) +
                    " keys; move it to a policy of the server's configuration");
  }
  std::size_t bytes = 0;
  ObjectRef object{.name_space = request.namespace_(),
                   .name = request.name(),
                   .peer_authenticated = ShowedCertificate(context)};
  for (const auto& [key, value] : request.scalermetadata()) {
    bytes += key.size() + value.size();
    object.metadata.emplace(key, value);
  }
  if (bytes > kMaxMetadataBytes) {
    return Fail(ErrorCode::kResourceExhausted,
                "the trigger's metadata is longer than " + std::to_string(kMaxMetadataBytes) +
                    " bytes; move it to a policy of the server's configuration");
  }
  return object;
}

// Upwards, so that an old KEDA, which reads only the integers, never gets less than the float says.
std::int64_t RoundUp(double value) {
  constexpr double kLimit = 9e18;
  return static_cast<std::int64_t>(std::ceil(std::min(value, kLimit)));
}

Result<GetMetricSpecResponse> SpecsOf(Decisions& decisions, const ObjectRef& object) {
  const Result<std::vector<MetricSpec>> specs = decisions.Specs(object);
  if (!specs) return Fail(specs.error());
  GetMetricSpecResponse response;
  for (const MetricSpec& spec : *specs) {
    externalscaler::MetricSpec* out = response.add_metricspecs();
    out->set_metricname(spec.name);
    out->set_targetsize(RoundUp(spec.target));
    out->set_targetsizefloat(spec.target);
  }
  return response;
}

bool SameSpecs(const GetMetricSpecResponse& a, const GetMetricSpecResponse& b) {
  return std::equal(a.metricspecs().begin(),
                    a.metricspecs().end(),
                    b.metricspecs().begin(),
                    b.metricspecs().end(),
                    [](const auto& x, const auto& y) {
                      return x.metricname() == y.metricname() &&
                             RoundUp(x.targetsizefloat() * 1000) ==
                                 RoundUp(y.targetsizefloat() * 1000);  // KEDA keeps three decimals
                    });
}

// A decision that really decides.
Result<DecisionPtr> Usable(Result<DecisionPtr> decision) {
  if (decision && !*decision) return Fail(ErrorCode::kInternal, "no decision");
  if (decision && (*decision)->error) return Fail(*(*decision)->error);
  return decision;
}

// What waiting may heal; anything else ends a stream.
bool Heals(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kNotFound;
}

}  // namespace

std::string_view StripTriggerPrefix(std::string_view metric) {
  if (metric.size() < 3 || metric[0] != 's') return metric;
  const std::size_t dash = metric.find_first_not_of("0123456789", 1);
  if (dash == 1 || dash == std::string_view::npos || metric[dash] != '-') return metric;
  return metric.substr(dash + 1);
}

struct ExternalScalerService::Core {
  // A stream, as far as the drain is concerned.
  class Endable {
   public:
    virtual ~Endable() = default;
    virtual void EndGracefully() = 0;
  };

  Core(const ExternalScalerOptions& with, const GrpcDependencies& dependencies)
      : options(with), deps(dependencies) {}

  // Runs `body`, turning what it throws into an Error; logs it, for it is a defect of ours.
  template <class Body>
  std::optional<Error> Guard(std::string_view method, Body&& body) noexcept {
    try {
      std::forward<Body>(body)();
      return std::nullopt;
    } catch (const std::exception& thrown) {
      return Report(method, thrown.what());
    } catch (...) {
      return Report(method, "unknown exception");
    }
  }

  Error Report(std::string_view method, const char* what) noexcept {
    try {
      deps.logger.Error("a gRPC handler threw; the call fails, please report this",
                        {{"method", std::string(method)}, {"what", what}});
      return Error{ErrorCode::kInternal, "internal error, see Stoker's log"};
    } catch (...) {
      return Error{};
    }
  }

  void Count(std::string_view method, const grpc::Status& status, MonoTime started) noexcept {
    Guard(method, [&] {
      deps.metrics.OnGrpcRequest(
          method, GrpcCodeName(status.error_code()), deps.clock.MonotonicNow() - started);
    });
  }

  const ExternalScalerOptions options;
  const GrpcDependencies deps;

  // False when draining: the stream must end itself.
  bool Register(const std::shared_ptr<Endable>& stream) {
    const std::scoped_lock lock(mutex_);
    if (!draining_) streams_.emplace(stream.get(), stream);
    return !draining_;
  }
  void Forget(const Endable* stream) {
    const std::scoped_lock lock(mutex_);
    streams_.erase(stream);
  }
  void EndStreams() {
    std::map<const Endable*, std::weak_ptr<Endable>> streams;
    {
      const std::scoped_lock lock(mutex_);
      draining_ = true;
      streams.swap(streams_);
    }
    for (const auto& [key, weak] : streams) {
      if (const auto stream = weak.lock()) stream->EndGracefully();
    }
  }

 private:
  std::mutex mutex_;
  bool draining_ = false;
  std::map<const Endable*, std::weak_ptr<Endable>> streams_;
};

namespace {

using Core = ExternalScalerService::Core;

// One unary call: finishes its reactor exactly once, even when nobody ever answers, and counts it.
class UnaryCall final {
 public:
  UnaryCall(std::shared_ptr<Core> core,
            grpc::CallbackServerContext& context,
            std::string_view method)
      : core_(std::move(core)),
        reactor_(context.DefaultReactor()),
        method_(method),
        started_(core_->deps.clock.MonotonicNow()) {}
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;
  ~UnaryCall() {
    if (finished_) return;
    // The question was dropped: the executor stopped before the first reading came.
    Finish({grpc::StatusCode::UNAVAILABLE, "shutting down; ask another replica"});
  }

  void Finish(const grpc::Status& status) noexcept {
    if (finished_.exchange(true)) return;
    core_->Count(method_, status, started_);
    reactor_->Finish(status);
  }
  void Finish(const Error& error) noexcept { Finish(ToGrpc(error)); }

  template <class Body>
  void Run(Body&& body) noexcept {
    if (const auto error = core_->Guard(method_, std::forward<Body>(body))) Finish(*error);
  }

  [[nodiscard]] grpc::ServerUnaryReactor* reactor() const { return reactor_; }
  [[nodiscard]] MonoTime started() const { return started_; }

 private:
  const std::shared_ptr<Core> core_;
  grpc::ServerUnaryReactor* const reactor_;
  const std::string_view method_;
  const MonoTime started_;
  std::atomic<bool> finished_ = false;
};

// A stream about one object: fed by its decisions, ticked by the executor, bounded in time.
template <class Response>
class ObjectStream : public ServerStream<Response>, public Core::Endable {
 public:
  ObjectStream(std::shared_ptr<Core> core, std::string_view method)
      : core_(std::move(core)), method_(method), started_(core_->deps.clock.MonotonicNow()) {
    const double jitter = 0.9 + 0.2 * core_->deps.random.Uniform();
    const auto lifetime = static_cast<double>(core_->options.stream_lifetime.count()) * jitter;
    ends_ = started_ + Duration(static_cast<Duration::rep>(lifetime));
  }

  /// Begins to watch `object`, or ends the stream with what is wrong.
  void Open(const Result<ObjectRef>& object) {
    Run([&] {
      if (!object) return this->End(ToGrpc(object.error()));
      object_ = *object;
      const auto self = Self();
      if (!core_->Register(self)) return EndGracefully();
      Schedule();
      auto subscription = core_->deps.decisions.Subscribe(
          object_, [weak = std::weak_ptr(self)](const DecisionPtr& decision) {
            if (const auto stream = weak.lock()) stream->Feed(Usable(decision), /*first=*/false);
          });
      if (!subscription) return this->End(ToGrpc(subscription.error()));
      subscription_ = *std::move(subscription);
      Feed(Usable(core_->deps.decisions.Decide(object_)), /*first=*/true);
    });
  }

  void EndGracefully() final { this->End(grpc::Status::OK); }

 protected:
  [[nodiscard]] Core& core() const { return *core_; }
  [[nodiscard]] const ObjectRef& object() const { return object_; }

  /// A decision, or why there is none. On any thread, one call at a time.
  virtual void Update(const Result<DecisionPtr>& decision) = 0;

 private:
  template <class Body>
  void Run(Body&& body) noexcept {
    if (const auto error = core_->Guard(method_, std::forward<Body>(body))) {
      this->End(ToGrpc(*error));
    }
  }

  std::shared_ptr<ObjectStream> Self() {
    return std::static_pointer_cast<ObjectStream>(this->shared_from_this());
  }

  void Feed(const Result<DecisionPtr>& decision, bool first) noexcept {
    Run([&] {
      const std::scoped_lock lock(mutex_);
      // Asked for at the opening, overtaken by a newer one.
      if (first && fed_) return;
      fed_ = true;
      Update(decision);
    });
  }

  // One timer at a time; it holds no share of the stream, so an ended one is freed at once.
  void Schedule() {
    const MonoTime next =
        std::min(ends_, core_->deps.clock.MonotonicNow() + core_->options.heartbeat);
    core_->deps.executor.PostAt(next, [weak = std::weak_ptr(Self())] {
      if (const auto stream = weak.lock()) stream->Run([&] { stream->Tick(); });
    });
  }

  // Asking again keeps the object known, sends the heartbeat and notices what changed without a
  // decision, such as a policy that no longer admits the namespace.
  void Tick() {
    if (this->ended()) return;
    if (core_->deps.clock.MonotonicNow() >= ends_) return EndGracefully();
    Feed(Usable(core_->deps.decisions.Decide(object_)), /*first=*/false);
    Schedule();
  }

  void OnClosed(const grpc::Status& status) final {
    subscription_.reset();  // waits for an Update in progress, which holds no lock we need
    core_->Forget(this);
    core_->Count(method_, status, started_);
  }

  const std::shared_ptr<Core> core_;
  const std::string_view method_;
  const MonoTime started_;
  MonoTime ends_;
  ObjectRef object_;
  std::unique_ptr<Decisions::Subscription> subscription_;
  std::mutex mutex_;
  bool fed_ = false;
};

// Sends `true` when the object is active at first, becomes active, and now and then while it is.
// A fault changes nothing, and `false` is never sent: KEDA deactivates by polling.
class ActivityStream final : public ObjectStream<IsActiveResponse> {
 public:
  using ObjectStream::ObjectStream;

 private:
  void Update(const Result<DecisionPtr>& decision) override {
    if (!decision) {
      if (!Heals(decision.error().code)) End(ToGrpc(decision.error()));
      return;
    }
    const MonoTime now = core().deps.clock.MonotonicNow();
    const bool rises = (*decision)->active && !active_;
    active_ = (*decision)->active;
    if (!rises && !(active_ && now - sent_ >= core().options.heartbeat)) return;
    sent_ = now;
    IsActiveResponse response;
    response.set_result(true);
    Send(std::move(response));
  }

  bool active_ = false;
  MonoTime sent_{};
};

// Sends the specs at once and whenever they differ from the last ones sent.
class SpecStream final : public ObjectStream<GetMetricSpecResponse> {
 public:
  using ObjectStream::ObjectStream;

 private:
  // The decision only tells when to look: specs do not depend on readings.
  void Update(const Result<DecisionPtr>&) override {
    Result<GetMetricSpecResponse> specs = SpecsOf(core().deps.decisions, object());
    if (!specs) return End(ToGrpc(specs.error()));
    if (sent_ && SameSpecs(*sent_, *specs)) return;
    sent_ = *specs;
    Send(*std::move(specs));
  }

  std::optional<GetMetricSpecResponse> sent_;
};

}  // namespace

ExternalScalerService::ExternalScalerService(const ExternalScalerOptions& options,
                                             const GrpcDependencies& dependencies)
    : core_(std::make_shared<Core>(options, dependencies)) {}

ExternalScalerService::~ExternalScalerService() = default;

void ExternalScalerService::EndStreams() { core_->EndStreams(); }

grpc::ServerUnaryReactor* ExternalScalerService::GetMetricSpec(grpc::CallbackServerContext* context,
                                                               const ScaledObjectRef* request,
                                                               GetMetricSpecResponse* response) {
  const auto call = std::make_shared<UnaryCall>(core_, *context, "GetMetricSpec");
  call->Run([&] {
    const Result<ObjectRef> object = ReadObject(*context, *request);
    if (!object) return call->Finish(object.error());
    Result<GetMetricSpecResponse> specs = SpecsOf(core_->deps.decisions, *object);
    if (!specs) return call->Finish(specs.error());
    *response = *std::move(specs);
    call->Finish(grpc::Status::OK);
  });
  return call->reactor();
}

grpc::ServerUnaryReactor* ExternalScalerService::GetMetrics(grpc::CallbackServerContext* context,
                                                            const GetMetricsRequest* request,
                                                            GetMetricsResponse* response) {
  const auto call = std::make_shared<UnaryCall>(core_, *context, "GetMetrics");
  call->Run([&] {
    if (!request->has_scaledobjectref()) {
      return call->Finish(Error{ErrorCode::kInvalidArgument, "scaledObjectRef is missing"});
    }
    const Result<ObjectRef> object = ReadObject(*context, request->scaledobjectref());
    if (!object) return call->Finish(object.error());
    const std::string_view metric = StripTriggerPrefix(request->metricname());
    core_->deps.decisions.ValueSoon(
        *object,
        metric,
        call->started() + core_->options.answer_within,
        [call, metric, response](Result<MetricAnswer> value) {  // the request lives until Finish
          call->Run([&] {
            if (!value) return call->Finish(value.error());
            if (!std::isfinite(value->value) || value->value < 0) {
              // KEDA would read either as 0: an error lets its fallback act instead.
              return call->Finish(
                  Error{ErrorCode::kInternal, "the metric's value is not a number of replicas"});
            }
            externalscaler::MetricValue* out = response->add_metricvalues();
            if (metric.empty()) {
              out->set_metricname(std::move(value->name));
            } else {
              out->set_metricname(metric.data(), metric.size());
            }
            out->set_metricvalue(RoundUp(value->value));
            out->set_metricvaluefloat(value->value);
            call->Finish(grpc::Status::OK);
          });
        });
  });
  return call->reactor();
}

grpc::ServerUnaryReactor* ExternalScalerService::IsActive(grpc::CallbackServerContext* context,
                                                          const ScaledObjectRef* request,
                                                          IsActiveResponse* response) {
  const auto call = std::make_shared<UnaryCall>(core_, *context, "IsActive");
  call->Run([&] {
    const Result<ObjectRef> object = ReadObject(*context, *request);
    if (!object) return call->Finish(object.error());
    core_->deps.decisions.DecideSoon(*object,
                                     call->started() + core_->options.answer_within,
                                     [call, response](Result<DecisionPtr> answer) {
                                       call->Run([&] {
                                         const Result<DecisionPtr> decision =
                                             Usable(std::move(answer));
                                         if (!decision) return call->Finish(decision.error());
                                         response->set_result((*decision)->active);
                                         call->Finish(grpc::Status::OK);
                                       });
                                     });
  });
  return call->reactor();
}

grpc::ServerWriteReactor<IsActiveResponse>* ExternalScalerService::StreamIsActive(
    grpc::CallbackServerContext* context, const ScaledObjectRef* request) {
  const auto stream = std::make_shared<ActivityStream>(core_, "StreamIsActive");
  stream->Open(ReadObject(*context, *request));
  return stream->Bind();
}

grpc::ServerWriteReactor<GetMetricSpecResponse>* ExternalScalerService::StreamMetricSpec(
    grpc::CallbackServerContext* context, const ScaledObjectRef* request) {
  const auto stream = std::make_shared<SpecStream>(core_, "StreamMetricSpec");
  stream->Open(ReadObject(*context, *request));
  return stream->Bind();
}

}  // namespace stoker::adapter
