#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "scalers/registry.h"

namespace stoker::testing {

/// An upstream that answers what the test says, by source name, and remembers what it was asked.
class FakeUpstream {
 public:
  void Set(const std::string& source, double value) { Answer(source, Value(value)); }
  void SetEmpty(const std::string& source) {
    scalers::Observation empty;
    empty.empty = true;
    Answer(source, empty);
  }
  void SetFault(const std::string& source, std::string message) {
    Answer(source, Fail(ErrorCode::kUnavailable, std::move(message)));
  }
  void Answer(const std::string& source, Result<scalers::Observation> answer) {
    const std::scoped_lock lock(mutex_);
    answers_.insert_or_assign(source, std::move(answer));
  }
  Result<scalers::Observation> Poll(const std::string& source,
                                    const scalers::PollContext& context) {
    const std::scoped_lock lock(mutex_);
    polls_[source].push_back(context);
    if (script_) return script_(source, context);
    const auto found = answers_.find(source);
    if (found == answers_.end()) return Fail(ErrorCode::kUnavailable, "no answer set");
    return found->second;
  }
  /// Answers by calling `script` from now on, one call at a time.
  using Script =
      std::function<Result<scalers::Observation>(const std::string&, const scalers::PollContext&)>;
  void Play(Script script) {
    const std::scoped_lock lock(mutex_);
    script_ = std::move(script);
  }
  [[nodiscard]] std::vector<scalers::PollContext> polls(const std::string& source) const {
    const std::scoped_lock lock(mutex_);
    const auto found = polls_.find(source);
    return found == polls_.end() ? std::vector<scalers::PollContext>() : found->second;
  }
  static scalers::Observation Value(double value) {
    scalers::Observation observation;
    observation.value = value;
    return observation;
  }

 private:
  mutable std::mutex mutex_;
  Script script_;
  std::map<std::string, Result<scalers::Observation>> answers_;
  std::map<std::string, std::vector<scalers::PollContext>> polls_;
};

/// A registry with one signal type, `fake`: {type: fake, source: NAME, targetSize: N}, which polls
/// `upstream`. It outlives the registry and all sources.
scalers::Registry MakeFakeRegistry(FakeUpstream& upstream);

}  // namespace stoker::testing
