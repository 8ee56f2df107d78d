#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace stoker::kubernetes {

/// One line of a watch.
struct WatchEvent {
  enum class Type : std::uint8_t {
    kAdded,
    kModified,
    kDeleted,
    kBookmark,  ///< nothing changed up to metadata.resourceVersion
    kError,     ///< `object` is a Status; the stream ends
  };
  Type type = Type::kAdded;
  nlohmann::json object;

  /// metadata.resourceVersion; "" when there is none.
  [[nodiscard]] std::string resource_version() const;
};

/// Puts a watch's lines together from the pieces that arrive.
class WatchStream {
 public:
  /// `max_event_bytes`: of one line.
  explicit WatchStream(std::size_t max_event_bytes = 4U << 20U)
      : max_event_bytes_(max_event_bytes) {}

  /// The events that `piece` completes, in order; types that we do not know are left out. After an
  /// error (kUnavailable: not a watch's line, kResourceExhausted: too long) the stream is of no
  /// more use. Messages repeat nothing of it. Never throws.
  Result<std::vector<WatchEvent>> Feed(std::string_view piece);

 private:
  const std::size_t max_event_bytes_;
  std::string line_;
};

}  // namespace stoker::kubernetes
