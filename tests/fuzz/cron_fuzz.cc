// Any text is a schedule or an error; a schedule's fires are whole minutes that only go forward,
// and two of them make a window whose states follow each other.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "scalers/cron/timetable.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using stoker::WallTime;
  using stoker::scalers::Schedule;
  using stoker::scalers::TimeZone;
  using stoker::scalers::Window;
  static const TimeZone kZone = TimeZone::Find("America/New_York").value();
  constexpr WallTime kFrom = std::chrono::sys_days{std::chrono::year{2026} / 3 / 1};

  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  const auto start = Schedule::Parse(text.substr(0, line), kZone);
  if (!start) {
    Check(!start.error().message.empty());
    return 0;
  }
  WallTime time = kFrom;
  for (int i = 0; i < 50; ++i) {
    const auto fire = start->Next(time);
    if (!fire) break;
    Check(fire->at > time);
    Check(fire->at.time_since_epoch() % std::chrono::minutes{1} == stoker::Duration::zero());
    time = fire->at;
  }
  if (line == std::string_view::npos) return 0;
  const auto end = Schedule::Parse(text.substr(line + 1), kZone);
  if (!end) return 0;
  const Window window(*start, *end, {std::chrono::local_days{std::chrono::year{2026} / 3 / 8}});
  time = kFrom;
  for (int i = 0; i < 50 && time < kFrom + std::chrono::years{5}; ++i) {
    const Window::State state = window.At(time);
    Check(state.until > time);
    Check(window.At(state.until - stoker::Duration{1}).open == state.open);
    time = state.until;
  }
  return 0;
}
