#include "cli/query.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <iomanip>
#include <mutex>
#include <ostream>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <nlohmann/json.hpp>

#include "adapter/status.h"
#include "core/environment.h"
#include "core/text.h"
#include "core/units.h"
#include "externalscaler.grpc.pb.h"

namespace stoker::cli {
namespace {

using externalscaler::ExternalScaler;
using externalscaler::GetMetricSpecResponse;
using externalscaler::GetMetricsRequest;
using externalscaler::GetMetricsResponse;
using externalscaler::IsActiveResponse;
using externalscaler::MetricSpec;
using externalscaler::ScaledObjectRef;
using Json = nlohmann::ordered_json;

constexpr double kDefaultTolerance = 0.1;  // of an HPA that sets none

struct Metric {
  std::string name;
  double target = 0;
  double value = 0;  // the sum of all items, as the HPA takes it
  bool active = false;
  friend bool operator==(const Metric&, const Metric&) = default;
};

struct Failure {
  std::string kind;  // two of one kind are the same trouble, whatever the message counts
  std::string text;
  friend bool operator==(const Failure& a, const Failure& b) { return a.kind == b.kind; }
};

struct Answer {
  std::vector<Metric> metrics;
  std::optional<Failure> failure;
  std::vector<std::string> remarks;  // what KEDA would stumble over
  friend bool operator==(const Answer&, const Answer&) = default;
};

// KEDA takes the float when it is above 0, else the integer; then anything odd counts as 0.
double KedaNumber(double as_float, std::int64_t as_integer) {
  const double number = as_float > 0 ? as_float : static_cast<double>(as_integer);
  return std::isfinite(number) && number > 0 ? number : 0;
}

std::string OneLine(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return line;
}

class Client {
 public:
  Client(const QueryOptions& options, std::shared_ptr<grpc::Channel> channel)
      : options_(options), channel_(std::move(channel)), stub_(ExternalScaler::NewStub(channel_)) {
    object_.set_name(options.name);
    object_.set_namespace_(options.name_space);
    object_.mutable_scalermetadata()->insert(options.metadata.begin(), options.metadata.end());
  }

  // One round of KEDA's questions: the specs, then value and activity of each.
  Answer Ask() {
    Answer answer;
    GetMetricSpecResponse specs;
    if (const auto status =
            Call([&](auto* context) { return stub_->GetMetricSpec(context, object_, &specs); });
        !status.ok()) {
      answer.failure = Explain("GetMetricSpec", status);
      return answer;
    }
    for (const MetricSpec& spec : specs.metricspecs()) {
      if (!options_.metric.empty() && spec.metricname() != options_.metric) continue;
      AskMetric(spec, answer);
      if (answer.failure) return answer;
    }
    if (answer.metrics.empty()) {
      answer.failure =
          Failure{"no metric",
                  options_.metric.empty()
                      ? "GetMetricSpec: the server has no metric for this trigger; KEDA would "
                        "report \"got empty metric spec\""
                      : "GetMetricSpec: the server has no metric \"" + options_.metric +
                            "\"; leave out --metric to see those it has"};
    }
    return answer;
  }

  ExternalScaler::Stub& stub() { return *stub_; }
  [[nodiscard]] const ScaledObjectRef& object() const { return object_; }

  // One line: code, message, mend.
  [[nodiscard]] Failure Explain(std::string_view method, const grpc::Status& status) const {
    const std::string kind =
        std::string(method) + ": " + std::string(adapter::GrpcCodeName(status.error_code()));
    std::string text = kind + ": " + OneLine(status.error_message());
    const bool connected = channel_->GetState(false) == GRPC_CHANNEL_READY;
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE && !connected) {
      text += "; check that the server runs at " + options_.address +
              " and that both sides agree on TLS (--tls, --ca, --cert, --key)";
    } else if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      text += "; the server did not answer in time, see --timeout";
    } else if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
      text += "; " + options_.address + " is a gRPC server but no external scaler, check the port";
    }
    return {kind, std::move(text)};
  }

 private:
  template <class Method>
  grpc::Status Call(Method method) {
    grpc::ClientContext context;
    context.set_deadline(
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_millis(options_.timeout.count(), GPR_TIMESPAN)));
    return method(&context);
  }

  void AskMetric(const MetricSpec& spec, Answer& answer) {
    Metric metric{.name = spec.metricname(),
                  .target = KedaNumber(spec.targetsizefloat(), spec.targetsize())};
    GetMetricsRequest request;
    *request.mutable_scaledobjectref() = object_;
    request.set_metricname(metric.name);
    GetMetricsResponse values;
    grpc::Status status =
        Call([&](auto* context) { return stub_->GetMetrics(context, request, &values); });
    if (!status.ok()) {
      answer.failure = Explain("GetMetrics", status);
      return;
    }
    IsActiveResponse activity;
    status = Call([&](auto* context) { return stub_->IsActive(context, object_, &activity); });
    if (!status.ok()) {
      answer.failure = Explain("IsActive", status);
      return;
    }
    for (const auto& item : values.metricvalues()) {
      metric.value += KedaNumber(item.metricvaluefloat(), item.metricvalue());
    }
    metric.active = activity.result();
    if (metric.target < 0.0005) {
      answer.remarks.push_back("the target of " + metric.name +
                               " is not above 0: Kubernetes refuses such an HPA");
    }
    if (values.metricvalues_size() == 0) {
      answer.remarks.push_back("no value for " + metric.name + ": the HPA finds no metric");
    }
    if (values.metricvalues_size() > 1) {
      answer.remarks.push_back(std::to_string(values.metricvalues_size()) + " values for " +
                               metric.name + ": the HPA adds them up");
    }
    answer.metrics.push_back(std::move(metric));
  }

  const QueryOptions& options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<ExternalScaler::Stub> stub_;
  ScaledObjectRef object_;
};

int DesiredReplicas(const Metric& metric) {
  // Without a current number there is no ratio that could be within a tolerance.
  return metric.target > 0 ? HpaReplicas(metric.value, metric.target, 0, 0) : 0;
}

// At 0 replicas there is no HPA: KEDA alone decides, and starts with one.
int ReplicasNext(const Metric& metric, int current, double tolerance) {
  if (current == 0) return metric.active ? 1 : 0;
  return metric.target > 0 ? HpaReplicas(metric.value, metric.target, current, tolerance) : current;
}

Json ToJson(const QueryOptions& options, const Metric& metric) {
  Json json{{"name", metric.name},
            {"target", metric.target},
            {"value", metric.value},
            {"active", metric.active},
            {"replicas", DesiredReplicas(metric)}};
  if (options.replicas) {
    json["hpa"] = {
        {"current_replicas", *options.replicas},
        {"replicas_at_tolerance_10_percent",
         ReplicasNext(metric, *options.replicas, kDefaultTolerance)},
        {"replicas_at_tolerance_0", ReplicasNext(metric, *options.replicas, 0)},
    };
  }
  return json;
}

class Printer {
 public:
  Printer(const QueryOptions& options, const Clock& clock, Terminal& terminal)
      : options_(options), clock_(clock), terminal_(terminal) {}

  void Print(const Answer& answer) {
    for (const std::string& remark : answer.remarks) PrintNote(remark);
    if (answer.failure) {
      PrintFailure(*answer.failure);
    } else if (options_.json) {
      PrintJson(answer);
    } else {
      PrintTable(answer);
    }
    terminal_.out.flush();
  }

  void PrintFailure(const Failure& failure) {
    terminal_.err << "stoker query: " << failure.text << '\n';
  }

  void PrintNote(std::string_view note) { terminal_.err << "note: " << note << '\n'; }

  void PrintMessage(std::string_view method, const std::string& text, const Json& json) {
    if (options_.json) {
      Json line{{"time", FormatTime(clock_.WallNow())}, {"method", method}};
      line.update(json);
      terminal_.out << line.dump() << '\n';
    } else {
      terminal_.out << Time() << "  " << std::left << std::setw(16) << method << "  " << text
                    << '\n';
    }
    terminal_.out.flush();
  }

 private:
  [[nodiscard]] std::string Time() const {
    return FormatTime(clock_.WallNow()).substr(11, 8);  // of "2026-01-05T08:00:00Z"
  }

  void PrintJson(const Answer& answer) {
    Json metrics = Json::array();
    for (const Metric& metric : answer.metrics) metrics.push_back(ToJson(options_, metric));
    Json json{{"address", options_.address}, {"metrics", std::move(metrics)}};
    if (options_.watch) json["time"] = FormatTime(clock_.WallNow());
    terminal_.out << json.dump(options_.watch ? -1 : 2) << '\n';
  }

  void PrintTable(const Answer& answer) {
    std::size_t width = 6;
    for (const Metric& metric : answer.metrics) width = std::max(width, metric.name.size());
    if (width != width_) {
      width_ = width;
      Row("TIME", "METRIC", {"TARGET", "VALUE", "ACTIVE", "REPLICAS", "HPA 10%", "HPA 0%"});
    }
    for (const Metric& metric : answer.metrics) {
      const int current = options_.replicas.value_or(0);
      Row(options_.watch ? Time() : "",
          metric.name,
          {FormatNumber(metric.target),
           FormatNumber(metric.value),
           metric.active ? "yes" : "no",
           std::to_string(DesiredReplicas(metric)),
           std::to_string(ReplicasNext(metric, current, kDefaultTolerance)),
           std::to_string(ReplicasNext(metric, current, 0))});
    }
  }

  void Row(const std::string& time, const std::string& name, std::vector<std::string> cells) {
    if (!options_.replicas) cells.resize(4);
    std::ostringstream line;
    line << std::left;
    if (options_.watch) line << std::setw(10) << time;
    line << std::setw(static_cast<int>(width_)) << name;
    for (const std::string& cell : cells) line << "  " << std::right << std::setw(8) << cell;
    terminal_.out << line.str() << '\n';
  }

  const QueryOptions& options_;
  const Clock& clock_;
  Terminal& terminal_;
  std::size_t width_ = 0;
};

int AskOnceOrWatch(const QueryOptions& options,
                   Client& client,
                   Printer& printer,
                   const std::function<void(Duration)>& pause) {
  std::optional<Answer> last;
  for (int asked = 1;; ++asked) {
    Answer answer = client.Ask();
    if (answer != last) printer.Print(answer);
    last = std::move(answer);
    if (!options.watch || asked == options.count) return last->failure ? kUpstream : kOk;
    pause(*options.watch);
  }
}

// Both push streams, as KEDA opens them for external-push, until StreamIsActive ends.
int Listen(const QueryOptions& options, Client& client, Printer& printer) {
  std::mutex mutex;
  int messages = 0;
  bool enough = false;
  grpc::ClientContext activity_context;
  grpc::ClientContext specs_context;
  const auto print = [&](std::string_view method, const std::string& text, const Json& json) {
    const std::scoped_lock lock(mutex);
    if (enough) return;
    printer.PrintMessage(method, text, json);
    if (++messages != options.count) return;
    enough = true;
    activity_context.TryCancel();
  };

  std::thread specs([&] {
    const auto reader = client.stub().StreamMetricSpec(&specs_context, client.object());
    GetMetricSpecResponse response;
    while (reader->Read(&response)) {
      Json json = Json::array();
      std::string text;
      for (const MetricSpec& spec : response.metricspecs()) {
        const double target = KedaNumber(spec.targetsizefloat(), spec.targetsize());
        text += (text.empty() ? "" : ", ") + spec.metricname() + " target " + FormatNumber(target);
        json.push_back({{"name", spec.metricname()}, {"target", target}});
      }
      print("StreamMetricSpec", text, {{"metrics", std::move(json)}});
    }
    const grpc::Status status = reader->Finish();
    const std::scoped_lock lock(mutex);
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
      printer.PrintNote("StreamMetricSpec is not implemented; KEDA asks GetMetricSpec instead");
    }
  });
  const auto reader = client.stub().StreamIsActive(&activity_context, client.object());
  IsActiveResponse response;
  while (reader->Read(&response)) {
    print("StreamIsActive",
          response.result() ? "active" : "inactive",
          {{"active", response.result()}});
  }
  const grpc::Status status = reader->Finish();
  specs_context.TryCancel();
  specs.join();
  if (enough || status.ok()) return kOk;
  printer.PrintFailure(client.Explain("StreamIsActive", status));
  return kUpstream;
}

// What the command line says, before it is checked.
struct Arguments {
  QueryOptions options;
  std::string policy;
  std::vector<std::string> metadata;
  std::string watch;
  std::string timeout = "5s";
  bool tls = false;
  std::string ca;
  std::string cert;
  std::string key;
  std::string server_name;
  std::string output = "table";
  int replicas = -1;
};

Result<std::shared_ptr<grpc::Channel>> Connect(const Arguments& arguments, bool tls) {
  if (!tls)
    return grpc::CreateChannel(arguments.options.address, grpc::InsecureChannelCredentials());
  grpc::SslCredentialsOptions ssl;
  const SystemFileSystem files;
  for (const auto& [path, into] : {std::pair{&arguments.ca, &ssl.pem_root_certs},
                                   std::pair{&arguments.cert, &ssl.pem_cert_chain},
                                   std::pair{&arguments.key, &ssl.pem_private_key}}) {
    if (path->empty()) continue;
    Result<std::string> content = files.Read(*path);
    if (!content) return Fail(content.error());
    *into = *std::move(content);
  }
  grpc::ChannelArguments channel;
  if (!arguments.server_name.empty()) channel.SetSslTargetNameOverride(arguments.server_name);
  return grpc::CreateCustomChannel(arguments.options.address, grpc::SslCredentials(ssl), channel);
}

Status Check(Arguments& arguments, bool tls) {
  QueryOptions& options = arguments.options;
  const Result<Duration> timeout = ParseDuration(arguments.timeout);
  if (!timeout || *timeout <= Duration::zero()) {
    return Fail(ErrorCode::kInvalidArgument, "--timeout: expected a duration above 0, such as 5s");
  }
  options.timeout = *timeout;
  if (!arguments.watch.empty()) {
    const Result<Duration> watch = ParseDuration(arguments.watch);
    if (!watch || *watch <= Duration::zero()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "--watch: expected a duration above 0, such as --watch=2s");
    }
    options.watch = *watch;
  }
  if (options.count > 0 && !options.watch && !options.stream) {
    return Fail(ErrorCode::kInvalidArgument, "--count needs --watch or --stream");
  }
  if (options.watch && options.stream) {
    return Fail(ErrorCode::kInvalidArgument, "--watch asks and --stream listens; choose one");
  }
  if (arguments.cert.empty() != arguments.key.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "--cert and --key belong together");
  }
  for (const std::string& pair : arguments.metadata) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Fail(ErrorCode::kInvalidArgument, "--metadata: expected KEY=VALUE");
    }
    options.metadata[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  if (!arguments.policy.empty()) options.metadata["policy"] = arguments.policy;
  // KEDA passes on its own keys, too.
  options.metadata.emplace("scalerAddress", options.address);
  if (tls) options.metadata.emplace("enableTLS", "true");
  options.json = arguments.output == "json";
  if (arguments.replicas >= 0) options.replicas = arguments.replicas;
  return {};
}

int RunQuery(Arguments& arguments, Terminal& terminal) {
  const bool tls = arguments.tls || !arguments.ca.empty() || !arguments.cert.empty();
  if (const Status valid = Check(arguments, tls); !valid) {
    terminal.err << "stoker query: " << valid.error().message << '\n';
    return kUsage;
  }
  // gRPC would write its own lines beside our one.
  gpr_set_log_function([](gpr_log_func_args*) {});
  const auto channel = Connect(arguments, tls);
  if (!channel) {
    terminal.err << "stoker query: " << channel.error().message << '\n';
    return kUsage;
  }
  std::mutex mutex;
  std::condition_variable never;
  const auto pause = [&](Duration duration) {
    std::unique_lock lock(mutex);
    never.wait_for(lock, duration, [] { return false; });
  };
  return Query(arguments.options, *channel, SystemClock(), pause, terminal);
}

}  // namespace

int HpaReplicas(double sum, double target, int current, double tolerance) {
  // KEDA and the HPA reckon in thousandths.
  const double milli_sum = std::round(sum * 1000);
  const double milli_target = std::max(std::round(target * 1000), 1.0);
  if (current > 0) {
    const double ratio = milli_sum / (milli_target * current);
    if (1 - tolerance <= ratio && ratio <= 1 + tolerance) return current;
  }
  constexpr double kLimit = 2147483647;  // an int32 in Kubernetes
  return static_cast<int>(std::min(std::ceil(milli_sum / milli_target), kLimit));
}

int Query(const QueryOptions& options,
          const std::shared_ptr<grpc::Channel>& channel,
          const Clock& clock,
          const std::function<void(Duration)>& pause,
          Terminal& terminal) {
  Client client(options, channel);
  Printer printer(options, clock, terminal);
  return options.stream ? Listen(options, client, printer)
                        : AskOnceOrWatch(options, client, printer, pause);
}

void AddQueryCommand(CLI::App& app, Terminal& terminal, Run& run) {
  const auto arguments = std::make_shared<Arguments>();
  QueryOptions& options = arguments->options;
  CLI::App* command =
      app.add_subcommand("query", "Ask any KEDA external scaler the questions KEDA would ask");
  command->add_option("address", options.address, "HOST:PORT, as in the trigger's scalerAddress")
      ->required()
      ->type_name("ADDRESS");
  command->add_option("--policy", arguments->policy, "Short for --metadata policy=NAME")
      ->type_name("NAME");
  command
      ->add_option("-m,--metadata",
                   arguments->metadata,
                   "The trigger's metadata; may be given several times")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_option("-n,--namespace", options.name_space, "Of the scaled object")
      ->capture_default_str();
  command->add_option("--name", options.name, "Of the scaled object")->capture_default_str();
  command->add_option("--metric", options.metric, "Ask for this metric only, without s0-");
  command
      ->add_option("--replicas",
                   arguments->replicas,
                   "Current replicas: also show what an HPA would do, with the default "
                   "tolerance of 10% and with none")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("-w,--watch{1s}",
                    arguments->watch,
                    "Ask again every second (or --watch=5s) and print what changes");
  command->add_flag("--stream",
                    options.stream,
                    "Listen to StreamIsActive and StreamMetricSpec, as external-push does");
  command
      ->add_option(
          "--count", options.count, "Stop after so many questions, or messages of --stream")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command->add_option("--timeout", arguments->timeout, "Of each call")->capture_default_str();
  command->add_option("-o,--output", arguments->output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  command
      ->add_flag("--tls", arguments->tls, "Use TLS, with the system's roots unless --ca is given")
      ->group("TLS");
  command->add_option("--ca", arguments->ca, "Roots to trust, PEM; implies --tls")
      ->type_name("FILE")
      ->group("TLS");
  command->add_option("--cert", arguments->cert, "Client certificate, PEM; implies --tls")
      ->type_name("FILE")
      ->group("TLS");
  command->add_option("--key", arguments->key, "Its key, PEM")->type_name("FILE")->group("TLS");
  command
      ->add_option("--server-name",
                   arguments->server_name,
                   "Name the server's certificate is for, when it is not ADDRESS's host")
      ->type_name("NAME")
      ->group("TLS");
  command->footer(
      "REPLICAS is value / target, rounded up: where the HPA ends when nothing else limits it.\n"
      "Active or not, an answer is exit code 0; 3 when the server cannot be reached or answers an\n"
      "error.\n\n"
      "Examples:\n"
      "  stoker query localhost:6000 --policy etl\n"
      "  stoker query localhost:6000 --policy etl --watch\n"
      "  stoker query localhost:6000 --policy etl --replicas 20\n"
      "  stoker query scaler.team-a:9090 -m queue=orders -m threshold=5 --output json");
  command->callback([arguments, &terminal, &run] {
    run = [arguments, &terminal] { return RunQuery(*arguments, terminal); };
  });
}

}  // namespace stoker::cli
