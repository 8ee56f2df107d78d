#pragma once

#include <signal.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/testing/fakes.h"
#include "tests/testing/process.h"

namespace stoker::testing {

/// A Prometheus with its data in a folder, on the same port whenever it is started.
class RealPrometheus {
 public:
  /// `more`: further samples in OpenMetrics.
  explicit RealPrometheus(std::string web_config = "", const std::string& more = "")
      : web_config_(std::move(web_config)) {
    // Ten minutes of a backlog: 0 at first, one more each minute.
    const std::int64_t start =
        std::chrono::duration_cast<std::chrono::seconds>(BacklogStart().time_since_epoch()).count();
    std::string samples = "# TYPE backlog gauge\n";
    for (int minute = 0; minute < 10; ++minute) {
      samples += "backlog{queue=\"a\"} " + std::to_string(minute) + " " +
                 std::to_string(start + minute * 60) + "\n";
    }
    samples += more;
    const std::string file = folder_.Write("backlog.om", samples + "# EOF\n");
    const auto promtool = Process::Start({"/usr/bin/promtool",
                                          "tsdb",
                                          "create-blocks-from",
                                          "openmetrics",
                                          file,
                                          folder_.path() + "/data"},
                                         log());
    if (!promtool) throw std::runtime_error(promtool.error().message);
    if ((*promtool)->Wait(std::chrono::seconds(60)) != 0) {
      throw std::runtime_error("promtool: " + (*promtool)->Output());
    }
    folder_.Write("prometheus.yml", "scrape_configs: []\n");
    Start();
  }

  static WallTime BacklogStart() { return At("2026-01-05T00:00:00Z"); }

  void Start() {
    std::vector<std::string> arguments = {"/usr/bin/prometheus",
                                          "--config.file=" + folder_.path() + "/prometheus.yml",
                                          "--storage.tsdb.path=" + folder_.path() + "/data",
                                          "--storage.tsdb.retention.time=50y",
                                          "--web.listen-address=127.0.0.1:" + std::to_string(port_),
                                          "--log.level=warn"};
    if (!web_config_.empty()) {
      arguments.push_back("--web.config.file=" + folder_.Write("web.yml", web_config_));
    }
    auto process = Process::Start(std::move(arguments), log());
    if (!process) throw std::runtime_error(process.error().message);
    process_ = std::move(*process);
    if (!WaitForPort(port_, std::chrono::seconds(60))) {
      throw std::runtime_error("Prometheus does not start: " + process_->Output());
    }
  }
  void Kill() {
    process_->Signal(SIGKILL);
    process_->Wait(std::chrono::seconds(30));
  }
  void Freeze() { process_->Freeze(); }
  void Thaw() { process_->Signal(SIGCONT); }

  [[nodiscard]] std::string Address(const std::string& scheme = "http") const {
    return scheme + "://127.0.0.1:" + std::to_string(port_);
  }

 private:
  [[nodiscard]] std::string log() const { return folder_.path() + "/log"; }

  TempFolder folder_;
  const std::string web_config_;
  const int port_ = FreePort();
  std::unique_ptr<Process> process_;
};

}  // namespace stoker::testing
