// Asks an external scaler as KEDA does, and says how fast and what it answered.
//
// Closed loop (--outstanding N): N calls are always under way; measures throughput. Open loop
// (--rate R): calls start at their times whatever became of those before, and latency counts from
// the time a call was meant to start, so a server that stalls cannot hide it. Prints one JSON
// object. Messages are serialized once and answers parsed only for --answers, so that the client,
// which shares the machine, takes as little of it as it can.

#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "adapter/status.h"
#include "externalscaler.grpc.pb.h"

namespace stoker::bench {
namespace {

using Json = nlohmann::ordered_json;
using SteadyClock = std::chrono::steady_clock;
using Instant = SteadyClock::time_point;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using std::chrono::seconds;

struct Options {
  std::string target;
  std::string objects_file;
  std::string method = "GetMetrics";
  int outstanding = 64;
  double rate = 0;
  double seconds = 5;
  double warmup = 1;
  int connections = 1;
  int threads = 1;
  double deadline = 5;
  double reconnect_every = 0;
  std::string ca;
  std::string cert;
  std::string key;
  std::string answers;
};

nanoseconds Nanos(double seconds_in) {
  return nanoseconds(static_cast<nanoseconds::rep>(seconds_in * 1e9));
}

// In the order of the JSON output; KEDA's own mix is about three to two to one.
enum class Method { kGetMetrics, kIsActive, kGetMetricSpec };
constexpr const char* kNames[] = {"GetMetrics", "IsActive", "GetMetricSpec"};
constexpr Method kMix[] = {Method::kGetMetrics,
                           Method::kIsActive,
                           Method::kGetMetrics,
                           Method::kGetMetricSpec,
                           Method::kIsActive,
                           Method::kGetMetrics};

std::vector<Method> Methods(const std::string& name) {
  if (name == "mix") return {std::begin(kMix), std::end(kMix)};
  for (const Method method : {Method::kGetMetrics, Method::kIsActive, Method::kGetMetricSpec}) {
    if (name == kNames[static_cast<int>(method)]) return {method};
  }
  throw std::runtime_error("--method: GetMetrics, IsActive, GetMetricSpec or mix");
}

std::string Path(Method method) {
  return std::string("/externalscaler.ExternalScaler/") + kNames[static_cast<int>(method)];
}

grpc::ByteBuffer Serialized(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

/// A scaled object's questions, ready to send.
struct Object {
  grpc::ByteBuffer reference;
  grpc::ByteBuffer metrics;
};

/// Lines of {"namespace", "name", "metadata": {...}, "metric"}.
std::vector<Object> ReadObjects(const std::string& file) {
  std::ifstream in(file);
  std::vector<Object> objects;
  for (std::string line; std::getline(in, line);) {
    const Json json = Json::parse(line);
    externalscaler::GetMetricsRequest request;
    externalscaler::ScaledObjectRef& ref = *request.mutable_scaledobjectref();
    ref.set_namespace_(json.at("namespace").get<std::string>());
    ref.set_name(json.at("name").get<std::string>());
    for (const auto& [key, value] : json.at("metadata").items()) {
      (*ref.mutable_scalermetadata())[key] = value.get<std::string>();
    }
    request.set_metricname(json.at("metric").get<std::string>());
    objects.push_back({Serialized(ref), Serialized(request)});
  }
  if (objects.empty()) throw std::runtime_error(file + ": no objects, one JSON object a line");
  return objects;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw std::runtime_error("cannot read " + path);
  return std::move(text).str();
}

/// One connection; a new one of these is a new TCP connection and TLS handshake.
std::shared_ptr<grpc::Channel> Connect(const Options& options) {
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (!options.ca.empty()) {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = ReadFile(options.ca);
    if (!options.cert.empty()) {
      ssl.pem_cert_chain = ReadFile(options.cert);
      ssl.pem_private_key = ReadFile(options.key);
    }
    credentials = grpc::SslCredentials(ssl);
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  auto channel = grpc::CreateCustomChannel(options.target, credentials, arguments);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + seconds(10))) {
    throw std::runtime_error("cannot connect to " + options.target + " within 10 s");
  }
  return channel;
}

/// Everything the calls did, of one thread.
struct Tally {
  std::vector<float> latencies_ms;
  std::map<grpc::StatusCode, long> codes;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        objects_(ReadObjects(options.objects_file)),
        methods_(Methods(options.method)),
        queues_(static_cast<std::size_t>(options.threads)),
        tallies_(queues_.size()) {
    for (int i = 0; i < options.connections; ++i) stubs_.push_back(NewStub());
    if (!options.answers.empty()) {
      answers_ = options.answers == "-" ? stderr : std::fopen(options.answers.c_str(), "w");
      if (answers_ == nullptr) throw std::runtime_error("cannot write " + options.answers);
    }
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() {
    if (answers_ != nullptr) std::fclose(answers_);
  }

  Json Run() {
    counted_from_ = SteadyClock::now() + Nanos(options_.warmup);
    end_ = counted_from_ + Nanos(options_.seconds);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      if (options_.rate <= 0) {
        const int share = std::max(1, options_.outstanding / options_.threads);
        for (int call = 0; call < share; ++call) Start(i, SteadyClock::now());
        threads.emplace_back([this, i, share] { ReceiveClosed(i, share); });
      } else {
        threads.emplace_back([this, i] { ReceiveOpen(i); });
      }
    }
    if (options_.rate > 0) Send();
    for (std::thread& thread : threads) thread.join();
    return Summary();
  }

 private:
  struct Call {
    std::size_t object;
    Method method;
    Instant intended;
    std::chrono::system_clock::time_point sent;
    std::shared_ptr<grpc::GenericStub> stub;  // its connection may have been replaced since
    grpc::ClientContext context;
    grpc::ByteBuffer response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
  };

  std::shared_ptr<grpc::GenericStub> NewStub() {
    return std::make_shared<grpc::GenericStub>(Connect(options_));
  }

  void Start(std::size_t queue, Instant intended) {
    const std::size_t number = next_.fetch_add(1);
    // Every object gets every method in time.
    const Method method = methods_[(number + number / objects_.size()) % methods_.size()];
    auto call = std::make_unique<Call>();
    call->object = number % objects_.size();
    call->method = method;
    call->intended = intended;
    call->stub = stubs_[number % stubs_.size()];
    const auto wall = std::chrono::system_clock::now();
    call->context.set_deadline(
        wall + duration_cast<std::chrono::system_clock::duration>(Nanos(options_.deadline)));
    call->sent = wall;
    const Object& object = objects_[call->object];
    call->reader = call->stub->PrepareUnaryCall(
        &call->context,
        paths_[static_cast<std::size_t>(method)],
        method == Method::kGetMetrics ? object.metrics : object.reference,
        &queues_[queue]);
    call->reader->StartCall();
    Call* tag = call.release();
    tag->reader->Finish(&tag->response, &tag->status, tag);
  }

  // On time, whatever the answers do.
  void Send() {
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    const Instant begin = counted_from_ - Nanos(options_.warmup);
    const double gap = 1 / options_.rate;
    Instant reconnect = begin + Nanos(options_.reconnect_every);
    std::size_t oldest = 0;
    for (long number = 0;; ++number) {
      const Instant due = begin + Nanos(gap * static_cast<double>(number));
      if (due >= end_) break;
      std::this_thread::sleep_until(due);
      Start(static_cast<std::size_t>(number) % queues_.size(), due);
      if (options_.reconnect_every > 0 && due >= reconnect) {
        Reconnect(oldest++ % stubs_.size());
        reconnect = SteadyClock::now() + Nanos(options_.reconnect_every);
      }
    }
    for (grpc::CompletionQueue& queue : queues_) queue.Shutdown();
  }

  // Waits at most 10 s, which the calls due meanwhile then show; a refused handshake is counted.
  void Reconnect(std::size_t index) {
    ++connects_;
    try {
      stubs_[index] = NewStub();
    } catch (const std::exception& failed) {
      ++failed_connects_;
      std::fprintf(stderr, "bench_load: %s\n", failed.what());
    }
  }

  void ReceiveOpen(std::size_t queue) {
    void* tag = nullptr;
    for (bool ok = false; queues_[queue].Next(&tag, &ok);) Finish(queue, tag);
  }

  void ReceiveClosed(std::size_t queue, int open) {
    void* tag = nullptr;
    for (bool ok = false; queues_[queue].Next(&tag, &ok);) {
      Finish(queue, tag);
      const Instant now = SteadyClock::now();
      if (now < end_) {
        Start(queue, now);
      } else if (--open == 0) {
        queues_[queue].Shutdown();
      }
    }
  }

  void Finish(std::size_t queue, void* tag) {
    const std::unique_ptr<Call> call(static_cast<Call*>(tag));
    const Instant now = SteadyClock::now();
    if (answers_ != nullptr) WriteAnswer(*call);
    if (call->intended < counted_from_ || now >= end_ + Nanos(options_.deadline)) return;
    // Closed loop: what ended after the end was not answered within the time.
    if (options_.rate <= 0 && now >= end_) return;
    Tally& tally = tallies_[queue];
    ++tally.codes[call->status.error_code()];
    const std::chrono::duration<float, std::milli> took = now - call->intended;
    tally.latencies_ms.push_back(took.count());
  }

  // sent, answered (Unix seconds), object's line, method, code, value, message: tab-separated.
  void WriteAnswer(Call& call) {
    const auto unix_seconds = [](std::chrono::system_clock::time_point time) {
      return std::chrono::duration<double>(time.time_since_epoch()).count();
    };
    const auto now = std::chrono::system_clock::now();
    std::string value;
    if (call.status.ok()) {
      value = ValueOf(call);
    }
    std::string message = call.status.error_message();
    std::replace_if(
        message.begin(), message.end(), [](char c) { return c == '\t' || c == '\n'; }, ' ');
    std::fprintf(answers_,
                 "%.6f\t%.6f\t%zu\t%s\t%s\t%s\t%s\n",
                 unix_seconds(call.sent),
                 unix_seconds(now),
                 call.object,
                 kNames[static_cast<int>(call.method)],
                 std::string(adapter::GrpcCodeName(call.status.error_code())).c_str(),
                 value.c_str(),
                 message.c_str());
    if (now - flushed_.load() > std::chrono::milliseconds(50)) {
      flushed_.store(now);
      std::fflush(answers_);
    }
  }

  static std::string ValueOf(Call& call) {
    switch (call.method) {
      case Method::kGetMetrics: {
        externalscaler::GetMetricsResponse response;
        if (!Parse(call.response, response) || response.metricvalues_size() != 1) return "?";
        return Json(response.metricvalues(0).metricvaluefloat()).dump();
      }
      case Method::kIsActive: {
        externalscaler::IsActiveResponse response;
        if (!Parse(call.response, response)) return "?";
        return response.result() ? "true" : "false";
      }
      case Method::kGetMetricSpec: {
        externalscaler::GetMetricSpecResponse response;
        if (!Parse(call.response, response) || response.metricspecs_size() != 1) return "?";
        return response.metricspecs(0).metricname();
      }
    }
    return "?";
  }

  template <class Message>
  static bool Parse(grpc::ByteBuffer& bytes, Message& message) {
    return grpc::SerializationTraits<Message>::Deserialize(&bytes, &message).ok();
  }

  Json Summary() {
    std::vector<float> latencies;
    Json codes = Json::object();
    std::map<grpc::StatusCode, long> total;
    for (const Tally& tally : tallies_) {
      latencies.insert(latencies.end(), tally.latencies_ms.begin(), tally.latencies_ms.end());
      for (const auto& [code, count] : tally.codes) total[code] += count;
    }
    for (const auto& [code, count] : total) codes[std::string(adapter::GrpcCodeName(code))] = count;
    std::sort(latencies.begin(), latencies.end());
    const auto percentile = [&latencies](double fraction) {
      if (latencies.empty()) return 0.0;
      const auto last = static_cast<double>(latencies.size() - 1);
      const float value = latencies[static_cast<std::size_t>(fraction * last + 0.5)];
      return std::round(static_cast<double>(value) * 1000) / 1000;
    };
    return {{"calls", latencies.size()},
            {"seconds", options_.seconds},
            {"rate", std::round(static_cast<double>(latencies.size()) / options_.seconds)},
            {"codes", codes},
            {"latency_ms",
             {{"p50", percentile(0.5)},
              {"p90", percentile(0.9)},
              {"p99", percentile(0.99)},
              {"p999", percentile(0.999)},
              {"max", percentile(1)}}},
            {"reconnects", connects_},
            {"failed_reconnects", failed_connects_}};
  }

  const Options options_;
  const std::vector<Object> objects_;
  const std::vector<Method> methods_;
  const std::vector<std::string> paths_{
      Path(Method::kGetMetrics), Path(Method::kIsActive), Path(Method::kGetMetricSpec)};
  std::vector<grpc::CompletionQueue> queues_;  // each of one thread
  std::vector<Tally> tallies_;
  std::vector<std::shared_ptr<grpc::GenericStub>> stubs_;  // changed by the only sender
  std::atomic<std::size_t> next_ = 0;
  Instant counted_from_;
  Instant end_;
  std::FILE* answers_ = nullptr;
  std::atomic<std::chrono::system_clock::time_point> flushed_{};
  long connects_ = 0;
  long failed_connects_ = 0;
};

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Asks an external scaler as KEDA does, and says how fast and what it answered.");
  app.add_option("target", options.target, "host:port")->required();
  app.add_option("--objects", options.objects_file, "what to ask about, a JSON object a line")
      ->required();
  app.add_option("--method", options.method, "GetMetrics, IsActive, GetMetricSpec or mix");
  app.add_option("--outstanding", options.outstanding, "calls under way (closed loop)");
  app.add_option("--rate", options.rate, "calls a second (open loop, instead of --outstanding)");
  app.add_option("--seconds", options.seconds, "how long is measured");
  app.add_option("--warmup", options.warmup, "seconds before that");
  app.add_option("--connections", options.connections, "connections, used in turn");
  app.add_option("--threads", options.threads, "threads that receive");
  app.add_option("--deadline", options.deadline, "seconds a call may take");
  app.add_option("--reconnect-every", options.reconnect_every, "seconds (open loop)");
  app.add_option("--ca", options.ca, "PEM file; turns TLS on");
  app.add_option("--cert", options.cert, "PEM file of a client certificate");
  app.add_option("--key", options.key, "its key");
  app.add_option("--answers", options.answers, "write every answer here; - is standard error");
  CLI11_PARSE(app, argc, argv);
  try {
    std::cout << Load(options).Run().dump() << '\n';
    return 0;
  } catch (const std::exception& failed) {
    std::cerr << "bench_load: " << failed.what() << '\n';
    return 1;
  }
}

}  // namespace
}  // namespace stoker::bench

int main(int argc, char** argv) { return stoker::bench::Main(argc, argv); }
