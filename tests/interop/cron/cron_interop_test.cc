// Compares windows with the decisions of KEDA's algorithm on its own cron library, as main.go
// beside this file prints them. Runs in the source tree.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "core/units.h"
#include "scalers/cron/timetable.h"

namespace stoker::scalers {
namespace {

/// Lines that a command prints.
class Command {
 public:
  explicit Command(const std::string& command) : pipe_(popen(command.c_str(), "r")) {}
  ~Command() {
    if (pipe_ != nullptr) pclose(pipe_);
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  std::optional<std::string> Line() {
    std::string line;
    int c = 0;
    while ((c = std::fgetc(pipe_)) != EOF && c != '\n') line.push_back(static_cast<char>(c));
    if (c == EOF && line.empty()) return std::nullopt;
    return line;
  }
  int Finish() { return pclose(std::exchange(pipe_, nullptr)); }

 private:
  std::FILE* pipe_;
};

TEST(CronInterop, DecidesAsKedaDoes) {
  ASSERT_EQ(std::system("command -v go >/dev/null 2>&1"), 0)
      << "needs Go to run KEDA's cron library; scripts/test brings it";
  Command keda("cd tests/interop/cron/oracle && go run . -seed 20260308");

  int compared = 0;
  int expressions = 0;
  int near_change = 0;
  int open = 0;
  int differences_near_change = 0;
  while (const auto text = keda.Line()) {
    const auto line = nlohmann::json::parse(*text);
    const std::string zone_name = line["zone"];
    const std::string start_text = line["start"];
    const std::string end_text = line["end"];
    const TimeZone zone = TimeZone::Find(zone_name).value();
    const auto start = Schedule::Parse(start_text, zone);
    if (end_text.empty()) {  // Only a question of syntax.
      const bool refused = line.value("refused", false);
      const bool never_fires =
          !start && start.error().message.find("never fires") != std::string::npos;
      if (!never_fires) {
        EXPECT_EQ(!start, refused) << start_text;
      }
      ++expressions;
      continue;
    }
    const auto end = Schedule::Parse(end_text, zone);
    ASSERT_TRUE(start && end) << *text;
    const Window window(*start, *end, {});
    const WallTime at{std::chrono::seconds(line["at"].get<std::int64_t>())};
    const bool inside = line["inside"];
    const bool ours = window.At(at).open;
    if (line["near_change"]) {
      ++near_change;
      if (ours != inside) ++differences_near_change;
      continue;
    }
    ASSERT_EQ(ours, inside) << start_text << " to " << end_text << " in " << zone_name << " at "
                            << FormatTime(at);
    ++compared;
    if (inside) ++open;
  }
  ASSERT_EQ(keda.Finish(), 0) << "go run failed";
  EXPECT_GT(expressions, 1000);
  EXPECT_GT(compared, 10'000);
  EXPECT_GT(open, compared / 4);
  EXPECT_LT(open, compared * 3 / 4);
  std::printf("%d expressions, %d decisions equal, %d near a change of the clocks (%d differ)\n",
              expressions,
              compared,
              near_change,
              differences_near_change);
}

}  // namespace
}  // namespace stoker::scalers
