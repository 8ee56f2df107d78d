// Any bytes that a sibling may send give a message or an error, and a message says the same when it
// is sent on.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "adapter/peer_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace adapter = stoker::adapter;
  const auto message =
      adapter::DecodePeerMessage(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!message) {
    if (message.error().message.empty()) std::abort();
    return 0;
  }
  for (const adapter::SourceReadings& source : message->sources) {
    for (const stoker::Reading& reading : source.readings) {
      if (!std::isfinite(reading.value)) std::abort();
      if (reading.kind != stoker::Reading::Kind::kValue && reading.at_least) std::abort();
    }
  }
  const auto again = adapter::DecodePeerMessage(adapter::EncodePeerMessage(*message));
  if (!again || !(*again == *message)) std::abort();
  return 0;
}
