#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/clock.h"

namespace stoker::adapter {

/// The name of a source among replicas: SHA-256 of its source key in lower-case hex. The key itself
/// may hold metadata values and never travels.
std::string SourceId(std::string_view source_key);

/// How a poller shares its windows with the sibling replicas. Thread-safe; no member waits for
/// anybody, so they may be called with locks held, and none calls back before it returns.
class ReadingExchange {
 public:
  virtual ~ReadingExchange() = default;

  /// The poller's window of the source has changed by itself, from `since` on.
  virtual void Publish(const std::string& id, WallTime since) = 0;

  /// Asks the siblings for the window of a source that is new here, merges what they have into the
  /// poller, then calls `done`: soon, even if nobody answers.
  virtual void Fetch(const std::string& id, std::function<void()> done) = 0;
};

/// Told how many siblings there are, whenever that changes. Thread-safe.
class PeersObserver {
 public:
  virtual ~PeersObserver() = default;
  virtual void OnPeers(int reached, int unreachable) = 0;
};

}  // namespace stoker::adapter
