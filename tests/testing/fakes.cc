#include "tests/testing/fakes.h"

#include <cstdio>
#include <cstdlib>

#include "core/units.h"

namespace stoker::testing {

WallTime At(std::string_view rfc3339) {
  const Result<WallTime> time = ParseTime(rfc3339);
  if (!time) {
    std::fprintf(stderr, "not a time: %s\n", std::string(rfc3339).c_str());
    std::abort();
  }
  return *time;
}

FakeClock::FakeClock(std::string_view start) : wall_(At(start)), mono_(std::chrono::hours(1000)) {}

WallTime FakeClock::WallNow() const {
  const std::scoped_lock lock(mutex_);
  return wall_;
}

MonoTime FakeClock::MonotonicNow() const {
  const std::scoped_lock lock(mutex_);
  return mono_;
}

void FakeClock::Advance(Duration by) {
  const MonoTime end = MonotonicNow() + by;
  while (executor_ != nullptr) {
    const std::optional<MonoTime> due = executor_->NextDue();
    if (!due || *due > end) break;
    {
      const std::scoped_lock lock(mutex_);
      if (*due > mono_) {
        wall_ += *due - mono_;
        mono_ = *due;
      }
    }
    executor_->RunReady();
  }
  const std::scoped_lock lock(mutex_);
  wall_ += end - mono_;
  mono_ = end;
}

void FakeClock::JumpWall(Duration by) {
  const std::scoped_lock lock(mutex_);
  wall_ += by;
}

FakeExecutor::FakeExecutor(FakeClock& clock) : clock_(clock) { clock_.executor_ = this; }

FakeExecutor::~FakeExecutor() { clock_.executor_ = nullptr; }

void FakeExecutor::Post(Work work) { PostAt(clock_.MonotonicNow(), std::move(work)); }

void FakeExecutor::PostAt(MonoTime when, Work work) {
  const std::scoped_lock lock(mutex_);
  work_.emplace(when, std::move(work));
}

void FakeExecutor::RunReady() {
  while (true) {
    Work work;
    {
      const MonoTime now = clock_.MonotonicNow();
      const std::scoped_lock lock(mutex_);
      if (work_.empty() || work_.begin()->first > now) return;
      work = std::move(work_.begin()->second);
      work_.erase(work_.begin());
    }
    work();
  }
}

std::size_t FakeExecutor::pending() const {
  const std::scoped_lock lock(mutex_);
  return work_.size();
}

std::optional<MonoTime> FakeExecutor::NextDue() const {
  const std::scoped_lock lock(mutex_);
  if (work_.empty()) return std::nullopt;
  return work_.begin()->first;
}

std::optional<std::string> FakeEnvironment::Get(std::string_view name) const {
  const auto found = variables_.find(std::string(name));
  if (found == variables_.end()) return std::nullopt;
  return found->second;
}

std::map<std::string, std::string> FakeEnvironment::WithPrefix(std::string_view prefix) const {
  std::map<std::string, std::string> found;
  for (const auto& [name, value] : variables_) {
    if (name.starts_with(prefix)) found.emplace(name, value);
  }
  return found;
}

void FakeFileSystem::Write(const std::string& path, std::string content, WallTime modified) {
  const std::scoped_lock lock(mutex_);
  files_[path] = File{std::move(content), modified};
}

void FakeFileSystem::Remove(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  files_.erase(path);
}

void FakeFileSystem::AddFolder(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  folders_[path] = true;
}

void FakeFileSystem::FailOn(const std::string& path, Error error) {
  const std::scoped_lock lock(mutex_);
  failures_.insert_or_assign(path, std::move(error));
}

Result<std::string> FakeFileSystem::Read(const std::string& path) const {
  const std::scoped_lock lock(mutex_);
  if (const auto failure = failures_.find(path); failure != failures_.end()) {
    return Fail(failure->second);
  }
  const auto found = files_.find(path);
  if (found == files_.end()) return Fail(ErrorCode::kNotFound, path + ": no such file");
  return found->second.content;
}

Result<std::vector<FileInfo>> FakeFileSystem::List(const std::string& path) const {
  const std::scoped_lock lock(mutex_);
  if (const auto failure = failures_.find(path); failure != failures_.end()) {
    return Fail(failure->second);
  }
  const std::string prefix = path.ends_with('/') ? path : path + "/";
  std::map<std::string, FileInfo> entries;
  for (const auto& [name, file] : files_) {
    if (!name.starts_with(prefix)) continue;
    const std::string rest = name.substr(prefix.size());
    const std::size_t slash = rest.find('/');
    const std::string entry = rest.substr(0, slash);
    if (slash == std::string::npos) {
      entries[entry] = FileInfo{entry, false, file.content.size(), file.modified};
    } else {
      entries[entry] = FileInfo{entry, true, 0, WallTime{}};
    }
  }
  for (const auto& [name, present] : folders_) {
    if (!present || !name.starts_with(prefix)) continue;
    const std::string entry = name.substr(prefix.size());
    if (!entry.empty() && entry.find('/') == std::string::npos) {
      entries.try_emplace(entry, FileInfo{entry, true, 0, WallTime{}});
    }
  }
  if (entries.empty() && !folders_.contains(path)) {
    return Fail(ErrorCode::kNotFound, path + ": no such folder");
  }
  std::vector<FileInfo> list;
  for (auto& [name, info] : entries) list.push_back(std::move(info));
  return list;
}

Result<FileInfo> FakeFileSystem::Stat(const std::string& path) const {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto failure = failures_.find(path); failure != failures_.end()) {
      return Fail(failure->second);
    }
    const std::string name = path.substr(path.find_last_of('/') + 1);
    if (const auto found = files_.find(path); found != files_.end()) {
      return FileInfo{name, false, found->second.content.size(), found->second.modified};
    }
    if (folders_.contains(path)) return FileInfo{name, true, 0, WallTime{}};
  }
  if (List(path)) return FileInfo{path.substr(path.find_last_of('/') + 1), true, 0, WallTime{}};
  return Fail(ErrorCode::kNotFound, path + ": no such file");
}

Result<HttpResponse> FakeTransport::Send(const HttpRequest& request) {
  Handler handler;
  {
    const std::scoped_lock lock(mutex_);
    requests_.push_back(request);
    handler = handler_;
  }
  return handler(request);
}

void FakeTransport::set_handler(Handler handler) {
  const std::scoped_lock lock(mutex_);
  handler_ = std::move(handler);
}

std::vector<HttpRequest> FakeTransport::requests() const {
  const std::scoped_lock lock(mutex_);
  return requests_;
}

Result<std::shared_ptr<HttpTransport>> FakeTransportFactory::Create(const TlsOptions& tls) {
  created.push_back(tls);
  return std::static_pointer_cast<HttpTransport>(transport_);
}

void FakeObserver::OnUpstreamRequest(std::string_view connection, int code) {
  const std::scoped_lock lock(mutex_);
  ++counts_[{std::string(connection), code}];
}

int FakeObserver::Count(std::string_view connection, int code) const {
  const std::scoped_lock lock(mutex_);
  const auto found = counts_.find({std::string(connection), code});
  return found == counts_.end() ? 0 : found->second;
}

void FakeLogger::Write(LogLevel level,
                       std::string_view message,
                       std::initializer_list<LogField> fields) {
  static constexpr const char* kNames[] = {"debug", "info", "warn", "error"};
  std::string line = kNames[static_cast<int>(level)];
  line += ' ';
  line += message;
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    line += field.value;
  }
  const std::scoped_lock lock(mutex_);
  lines_.push_back(std::move(line));
}

std::vector<std::string> FakeLogger::lines() const {
  const std::scoped_lock lock(mutex_);
  return lines_;
}

std::string FakeLogger::text() const {
  std::string text;
  for (const std::string& line : lines()) text += line + "\n";
  return text;
}

}  // namespace stoker::testing
