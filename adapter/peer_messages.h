#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/signal.h"
#include "scalers/pushed_values.h"

namespace stoker::adapter {

/// Readings of one source, by its SourceId.
struct SourceReadings {
  std::string id;
  std::vector<Reading> readings;

  friend bool operator==(const SourceReadings&, const SourceReadings&) = default;
};

struct NamedValue {
  std::string name;
  scalers::PushedValue value;

  friend bool operator==(const NamedValue&, const NamedValue&) = default;
};

/// What replicas send each other, as a question or as an answer; what does not apply is empty.
/// JSON:
///   {"instance": "...", "sources": [{"id": "...", "readings": [[MS, 5], [MS, 100, "at_least"],
///    [MS, "empty"], [MS, "fault"]]}], "values": [{"name": "...", "value": 5, "time_ms": MS}],
///    "ids": ["..."], "answered": 2}
/// with MS a slot in milliseconds since 1970.
struct PeerMessage {
  std::string instance;                 ///< who sends it
  std::vector<SourceReadings> sources;  ///< readings, or whole windows
  std::vector<NamedValue> values;       ///< pushed ones
  std::vector<std::string> ids;         ///< of sources whose windows are asked for
  std::size_t answered = 0;  ///< so many of the ids asked for were looked up; ask again for others

  friend bool operator==(const PeerMessage&, const PeerMessage&) = default;
};

/// At most so many bytes a reading takes in a message.
inline constexpr std::size_t kEncodedReading = 56;
/// At most so many bytes these take in a message; `id` as SourceId writes it.
std::size_t EncodedSize(const SourceReadings& source);
std::size_t EncodedSize(const NamedValue& value);

std::string EncodePeerMessage(const PeerMessage& message);

/// kInvalidArgument for what is no such message: other shapes, values that are not finite, times
/// before 1970 or after 9999, over 10,000 ids. Unknown members are left alone.
Result<PeerMessage> DecodePeerMessage(std::string_view text);

}  // namespace stoker::adapter
