#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/environment.h"
#include "core/executor.h"
#include "core/http_transport.h"
#include "core/log.h"

namespace stoker::testing {

/// Time that moves only when told. Wall and monotonic time move together. Thread-safe.
class FakeClock final : public Clock {
 public:
  /// `start`: RFC 3339 wall time at which the clock starts.
  explicit FakeClock(std::string_view start = "2026-01-05T00:00:00Z");
  [[nodiscard]] WallTime WallNow() const override;
  [[nodiscard]] MonoTime MonotonicNow() const override;
  /// Move on, running FakeExecutor work on the way, each at its own time.
  void Advance(Duration by);
  /// Move the wall clock alone, as a correction of the machine's clock would.
  void JumpWall(Duration by);

 private:
  friend class FakeExecutor;
  mutable std::mutex mutex_;
  WallTime wall_;
  MonoTime mono_;
  class FakeExecutor* executor_ = nullptr;
};

/// Runs work on the thread that calls RunReady or FakeClock::Advance, in order of time and then of
/// posting.
class FakeExecutor final : public Executor {
 public:
  explicit FakeExecutor(FakeClock& clock);
  ~FakeExecutor() override;
  void Post(Work work) override;
  void PostAt(MonoTime when, Work work) override;
  /// Run what is due now, also what that posts.
  void RunReady();
  [[nodiscard]] std::size_t pending() const;

 private:
  friend class FakeClock;
  std::optional<MonoTime> NextDue() const;
  FakeClock& clock_;
  mutable std::mutex mutex_;
  std::multimap<MonoTime, Work> work_;
};

class FakeEnvironment final : public Environment {
 public:
  FakeEnvironment() = default;
  explicit FakeEnvironment(std::map<std::string, std::string> variables)
      : variables_(std::move(variables)) {}
  void Set(const std::string& name, const std::string& value) { variables_[name] = value; }
  [[nodiscard]] std::optional<std::string> Get(std::string_view name) const override;
  [[nodiscard]] std::map<std::string, std::string> WithPrefix(
      std::string_view prefix) const override;

 private:
  std::map<std::string, std::string> variables_;
};

/// Always the same number.
class FakeRandom final : public Random {
 public:
  explicit FakeRandom(double value = 0.5) : value_(value) {}
  double Uniform() override { return value_; }

 private:
  double value_;
};

/// Files in memory; folders exist through their files (or AddFolder).
class FakeFileSystem final : public FileSystem {
 public:
  void Write(const std::string& path, std::string content, WallTime modified = WallTime{});
  void Remove(const std::string& path);
  void AddFolder(const std::string& path);
  /// All later operations on `path` fail with this.
  void FailOn(const std::string& path, Error error);
  Result<std::string> Read(const std::string& path) const override;
  Result<std::vector<FileInfo>> List(const std::string& path) const override;
  Result<FileInfo> Stat(const std::string& path) const override;

 private:
  struct File {
    std::string content;
    WallTime modified;
  };
  mutable std::mutex mutex_;
  std::map<std::string, File> files_;
  std::map<std::string, bool> folders_;
  std::map<std::string, Error> failures_;
};

/// Answers requests from a function and remembers them.
class FakeTransport final : public HttpTransport {
 public:
  using Handler = std::function<Result<HttpResponse>(const HttpRequest&)>;
  explicit FakeTransport(Handler handler) : handler_(std::move(handler)) {}
  Result<HttpResponse> Send(const HttpRequest& request) override;
  void set_handler(Handler handler);
  [[nodiscard]] std::vector<HttpRequest> requests() const;

 private:
  mutable std::mutex mutex_;
  Handler handler_;
  std::vector<HttpRequest> requests_;
};

/// Hands out one shared FakeTransport and remembers the TLS options asked for.
class FakeTransportFactory final : public HttpTransportFactory {
 public:
  explicit FakeTransportFactory(std::shared_ptr<FakeTransport> transport)
      : transport_(std::move(transport)) {}
  Result<std::shared_ptr<HttpTransport>> Create(const TlsOptions& tls) override;
  std::vector<TlsOptions> created;

 private:
  std::shared_ptr<FakeTransport> transport_;
};

class FakeObserver final : public UpstreamObserver {
 public:
  void OnUpstreamRequest(std::string_view connection, int code) override;
  [[nodiscard]] int Count(std::string_view connection, int code) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, int> counts_;
};

/// Keeps lines as `LEVEL message key=value ...`.
class FakeLogger final : public Logger {
 public:
  void Write(LogLevel level,
             std::string_view message,
             std::initializer_list<LogField> fields) override;
  [[nodiscard]] std::vector<std::string> lines() const;
  [[nodiscard]] std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// "2026-01-05T00:00:00Z" as a WallTime; aborts when it is none.
WallTime At(std::string_view rfc3339);

/// An environment, files, clock, ... for one test. Members can be replaced before use.
struct FakeWorld {
  FakeClock clock;
  FakeExecutor executor{clock};
  FakeEnvironment environment;
  FakeFileSystem files;
  FakeRandom random;
  FakeLogger logger;
  FakeObserver observer;
  std::shared_ptr<FakeTransport> transport =
      std::make_shared<FakeTransport>([](const HttpRequest&) -> Result<HttpResponse> {
        return Fail(ErrorCode::kUnavailable, "no handler set");
      });
  FakeTransportFactory transports{transport};
};

}  // namespace stoker::testing
