#include "core/command_runner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace stoker {
namespace {

constexpr std::size_t kMaxOutput = 1U << 20U;
constexpr std::chrono::milliseconds kLook{50};  // how soon a stop is seen

/// A file descriptor, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void Close() {
    if (number_ >= 0) close(number_);
    number_ = -1;
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

/// A started program; killed with its children, and reaped, at the end.
class Child {
 public:
  // glibc 2.36 declares pidfd_open for C alone.
  explicit Child(pid_t pid) : pid_(pid), ends_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}
  ~Child() { static_cast<void>(Reap(/*kill_first=*/true)); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Readable once it has ended.
  [[nodiscard]] int ends() const { return ends_.number(); }
  /// Its exit code; -1 when a signal ended it.
  int Reap(bool kill_first = false) {
    if (pid_ <= 0) return -1;
    if (kill_first) kill(-pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_;
  Descriptor ends_;
};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// 0 and the process, or an errno. It leads a process group of its own.
int Spawn(std::vector<std::string> words,
          std::vector<std::string> environment,
          int output,
          pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const int failed = posix_spawnp(&pid,
                                  words.front().c_str(),
                                  &actions,
                                  &attributes,
                                  Pointers(words).data(),
                                  Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return failed;
}

/// Appends what can be read now.
void Drain(int descriptor, std::string& output) {
  std::array<char, 4096> buffer{};
  while (output.size() <= kMaxOutput) {
    const ssize_t count = read(descriptor, buffer.data(), buffer.size());
    if (count <= 0) return;
    output.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

Result<std::string> SystemCommandRunner::Run(const Command& command,
                                             MonoTime deadline,
                                             const std::stop_token& stop) {
  std::vector<std::string> words{command.program};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  std::map<std::string, std::string> variables = command.environment;
  variables.merge(environment_.WithPrefix(""));
  std::vector<std::string> environment;
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);

  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Fail(ErrorCode::kUnavailable, command.program + ": no pipe to be had");
  }
  const Descriptor output(ends[0]);
  Descriptor input(ends[1]);
  pid_t pid = 0;
  if (const int failed = Spawn(std::move(words), std::move(environment), ends[1], pid)) {
    return Fail(failed == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                command.program + ": " + std::generic_category().message(failed));
  }
  Child child(pid);
  input.Close();
  if (child.ends() < 0) {
    return Fail(ErrorCode::kUnavailable, "programs can be run on Linux 5.3 and later only");
  }
  fcntl(output.number(), F_SETFL, O_NONBLOCK);

  std::string text;
  bool open = true;
  while (true) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, command.program + ": stopped");
    const Duration left = deadline - clock_.MonotonicNow();
    if (left <= Duration{0}) {
      return Fail(ErrorCode::kDeadlineExceeded, command.program + ": no answer in time");
    }
    std::array<pollfd, 2> waits{
        {{child.ends(), POLLIN, 0}, {open ? output.number() : -1, POLLIN, 0}}};
    poll(waits.data(), waits.size(), static_cast<int>(std::min<Duration>(left, kLook).count()));
    Drain(output.number(), text);
    if ((waits[1].revents & POLLHUP) != 0) open = false;  // else it would wake us all the time
    if (text.size() > kMaxOutput) {
      return Fail(ErrorCode::kResourceExhausted, command.program + ": it writes too much");
    }
    if ((waits[0].revents & POLLIN) != 0) break;
  }
  Drain(output.number(), text);
  if (const int code = child.Reap(); code != 0) {
    return Fail(ErrorCode::kUnavailable,
                command.program + (code < 0 ? ": a signal ended it"
                                            : ": it ended with exit code " + std::to_string(code)));
  }
  return text;
}

}  // namespace stoker
