#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"
#include "core/clock.h"

namespace grpc {
class Channel;
}

namespace stoker::cli {

/// What `stoker query` asks and how it shows the answer.
struct QueryOptions {
  std::string address;
  std::string name_space = "default";
  std::string name = "stoker-query";
  std::map<std::string, std::string> metadata;  ///< as the trigger would carry it
  std::string metric;                           ///< only this one; empty: all
  std::optional<Duration> watch;                ///< ask again this often, print changes
  bool stream = false;                          ///< listen to the push streams instead
  int count = 0;  ///< stop after so many questions, or messages; 0: never
  Duration timeout = std::chrono::seconds(5);  ///< of each call
  bool json = false;
  std::optional<int> replicas;  ///< show what an HPA at this many would do
};

/// What an HPA on AverageValue does at `current` replicas: nothing within the tolerance, else
/// sum / target, rounded up. Values as KEDA hands them over, with three decimals.
int HpaReplicas(double sum, double target, int current, double tolerance);

/// Asks the server behind `channel` as KEDA would and prints to `terminal`. `pause` waits between
/// two questions. Returns an ExitCode.
int Query(const QueryOptions& options,
          const std::shared_ptr<grpc::Channel>& channel,
          const Clock& clock,
          const std::function<void(Duration)>& pause,
          Terminal& terminal);

}  // namespace stoker::cli
